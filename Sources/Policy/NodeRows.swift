package import PortModel
internal import Site

/// The rows of several nodes, resolved. Nodes that are configured alike share theirs.
package struct NodeRows: Hashable, Sendable {
    /// Each once, without the nodes' own addresses.
    private var rows: [ResolvedRow]
    /// The places of each policy's rows.
    private var policies: [[Int]]
    private var members: [String: Member]

    /// A node with the place of its policy.
    private struct Member: Hashable, Codable {
        var policy: Int
        var homes: NodeAddresses
    }

    /// The rows of the nodes that these policies are of.
    package init(of nodes: some Sequence<Policy>) {
        var rows = Places<ResolvedRow>()
        var known: [ObjectIdentifier: Int] = [:]
        policies = []
        members = [:]
        for policy in nodes {
            let number = known[ObjectIdentifier(policy.rows)] ?? policies.count
            if number == policies.count {
                known[ObjectIdentifier(policy.rows)] = number
                policies.append(policy.rows.rows.map { rows.place(of: $0) })
            }
            members[policy.node.name] = Member(policy: number, homes: policy.node.homes)
        }
        self.rows = rows.values
    }

    /// The nodes' addresses by name: primary, then secondary.
    package var addresses: [String: [IPAddress]] {
        members.mapValues { $0.homes.primary + $0.homes.secondary }
    }

    /// How many ranges of addresses the lists of peers have, each list once.
    package var listedRanges: Int {
        var lists = Places<AddressSet>()
        for case .only(let addresses) in rows.lazy.map(\.peers) { _ = lists.place(of: addresses) }
        return lists.values.reduce(0) { $0 + $1.elementCount }
    }

    /// The ids of the documentation's rows that are not off at every node.
    package var appliedRows: Set<String> {
        Set(
            rows.lazy.filter { if case .off = $0.state { false } else { true } }
                .compactMap { $0.row?.id })
    }

    /// The rows of a node's role in the documentation's order, whether they apply or not, then the
    /// site's rules for it; empty where the node is none of these.
    package func rows(of node: String) -> [ResolvedRow] {
        guard let member = members[node] else { return [] }
        return policies[member.policy].map { rows[$0].of(member.homes) }
    }
}

/// Values in the order in which they came, each once.
private struct Places<Value: Hashable> {
    private(set) var values: [Value] = []
    private var places: [Value: Int] = [:]

    /// The place of a value, which is added where it is not there.
    mutating func place(of value: Value) -> Int {
        if let place = places[value] { return place }
        places[value] = values.count
        values.append(value)
        return values.count - 1
    }
}

// MARK: As they are stored

extension NodeRows {
    /// A value that no version of this program writes.
    package struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        package let description: String

        init(_ description: String) { self.description = description }
    }

    /// The form in which rows are written: what is alike stands once, as lists of peers may be long.
    /// Another version that changes it gives it another number, so that this one derives the rows from
    /// the configuration.
    private static let format = 1

    /// Bytes of a text that a row has: far above the longest of a documentation.
    private static let longestText = 1_000

    private struct Parts: Codable {
        var format: Int
        var peers: [AddressSet]
        var rows: [Line]
        var policies: [[Int]]
        var nodes: [String: Member]
    }

    /// A row with its list of peers apart.
    private struct Line: Codable {
        var row: ResolvedRow
        /// The place of the list; nil for any peer.
        var peers: Int?
    }

    /// Reads rows that were stored; nil where they have another version's form.
    ///
    /// - Throws: errors of the decoder, and ``Fault`` where they are none that this version writes.
    package init?(stored decoder: any Decoder) throws {
        struct Header: Decodable { var format: Int }
        guard try Header(from: decoder).format == Self.format else { return nil }
        let parts = try Parts(from: decoder)
        let rows = try parts.rows.map { line in
            var row = line.row
            guard row.texts.allSatisfy({ $0.utf8.count <= Self.longestText }) else {
                throw Fault("a row has longer texts than any")
            }
            guard row.addresses.isEmpty, row.peers == .any else {
                throw Fault("a row has addresses where none are written")
            }
            if let place = line.peers {
                guard parts.peers.indices.contains(place) else {
                    throw Fault("a row names peers that there are not")
                }
                row.peers = .only(parts.peers[place])
            }
            return row
        }
        guard parts.policies.allSatisfy({ $0.allSatisfy(rows.indices.contains) }) else {
            throw Fault("a policy names rows that there are not")
        }
        guard parts.nodes.values.allSatisfy({ parts.policies.indices.contains($0.policy) }) else {
            throw Fault("a node names a policy that there is not")
        }
        self.rows = rows
        policies = parts.policies
        members = parts.nodes
    }

    /// Writes the rows as ``init(stored:)`` reads them.
    ///
    /// - Throws: errors of the encoder.
    package func store(to encoder: any Encoder) throws {
        var lists = Places<AddressSet>()
        let lines = rows.map { row in
            var line = Line(row: row, peers: nil)
            if case .only(let addresses) = row.peers {
                line.peers = lists.place(of: addresses)
                line.row.peers = .any
            }
            return line
        }
        try Parts(
            format: Self.format, peers: lists.values, rows: lines, policies: policies,
            nodes: members
        ).encode(to: encoder)
    }
}
