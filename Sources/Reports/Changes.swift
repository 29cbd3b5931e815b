package import PortModel
internal import Ruleset
internal import Site

/// A node that is enforced from now on, or not any more, or has other addresses.
package struct NodeChange: Hashable, Sendable, Codable {
    /// By names: a node of the same name stays one, whatever its addresses become.
    package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        case joins
        case leaves
        case moves
    }

    /// A node that leaves and comes under another name is two changes.
    package var kind: Kind
    /// The node's name in the configuration.
    package var node: String
    /// Its role afterwards, or before where it leaves.
    package var role: NodeRole
    /// Afterwards, or of a node that leaves before.
    package var addresses: [IPAddress]
    /// Of a node that moves, before.
    package var addressesBefore: [IPAddress]?
}

/// A table's text before and afterwards; nil where there is none.
package struct TableChange: Hashable, Sendable, Codable {
    /// Without its family, as `pexip_fw_gateway`.
    package var name: String
    /// In nft's language, without the stamp; nil for a table that comes.
    package var before: String?
    /// In nft's language, without the stamp; nil for a table that goes.
    package var after: String?
}

extension ApplyReport {
    /// Says more about what changes: which nodes, and what the rows permit.
    ///
    /// - Parameter withTables: also how the tables differ.
    package mutating func describe(
        from old: NodeRules?, to new: NodeRules?, withTables: Bool
    ) {
        let old = old ?? NodeRules(nodes: [], ruleset: Ruleset(tables: []))
        let new = new ?? NodeRules(nodes: [], ruleset: Ruleset(tables: []))
        nodes = new.nodeChanges(from: old)
        let (before, after) = (RowTerms.byNode(old), RowTerms.byNode(new))
        for index in changes.indices {
            // All of them share their rules.
            guard let node = changes[index].nodes.first else { continue }
            let row = changes[index].row
            changes[index].describe(
                before: before[node]?.rows[row], after: after[node]?.rows[row])
        }
        tables = withTables ? new.ruleset.changes(from: old.ruleset) : nil
    }
}

extension NodeRules {
    fileprivate func nodeChanges(from old: NodeRules) -> [NodeChange] {
        let before = Dictionary(old.nodes.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let after = Dictionary(nodes.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        return Set(before.keys).union(after.keys).sorted().compactMap { name in
            switch (before[name], after[name]) {
            case (nil, let node?):
                NodeChange(.joins, node)
            case (let node?, nil):
                NodeChange(.leaves, node)
            case (let old?, let new?) where Set(old.addresses) != Set(new.addresses):
                NodeChange(.moves, new, before: old.addresses)
            default: nil
            }
        }
    }
}

extension NodeChange {
    fileprivate init(_ kind: Kind, _ node: EnforcedNode, before: [IPAddress]? = nil) {
        self.init(
            kind: kind, node: node.name, role: node.role, addresses: node.addresses,
            addressesBefore: before)
    }
}

extension Ruleset {
    /// The tables that differ, sorted by name.
    fileprivate func changes(from old: Ruleset) -> [TableChange] {
        let before = Dictionary(old.tables.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let after = Dictionary(tables.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        return Set(before.keys).union(after.keys).sorted().compactMap { name in
            if before[name] == after[name] { return nil }
            return TableChange(
                name: name, before: before[name]?.text, after: after[name]?.text)
        }
    }
}

extension RowChange {
    fileprivate mutating func describe(before: RowTerms?, after: RowTerms?) {
        let present = after ?? before
        direction = present?.direction
        traffic = present?.traffic
        if kind == .changed, before?.traffic != after?.traffic { trafficBefore = before?.traffic }
        guard kind == .changed else {
            if case .only(let addresses)? = present?.peers { peers = PeerList(addresses) }
            return
        }
        switch (before?.peers, after?.peers) {
        case (.only(let before)?, .only(let after)?):
            let opened = after.subtracting(before)
            let closed = before.subtracting(after)
            if !opened.isEmpty { peersOpened = PeerList(opened) }
            if !closed.isEmpty { peersClosed = PeerList(closed) }
        case (.any?, .only(let after)?): peersClosed = PeerList(after, isComplement: true)
        case (.only(let before)?, .any?): peersOpened = PeerList(before, isComplement: true)
        case (.any?, .any?), (nil, _), (_, nil): break
        }
    }
}

/// The packets that a row's rules permit a node, read from the rules themselves.
private struct RowTerms {
    var direction: Direction?
    /// `TCP <any> -> 443`; for refusals what becomes of the packets.
    var traffic: String?
    var peers: Peers?

    /// A node's rows; one value for all nodes that share them.
    final class Rows {
        let rows: [String: RowTerms]
        init(_ rows: [String: RowTerms]) { self.rows = rows }
    }

    static func byNode(_ rules: NodeRules) -> [String: Rows] {
        let tables = Dictionary(
            rules.ruleset.tables.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        var groups: [[String]: Rows] = [:]
        var byNode: [String: Rows] = [:]
        for node in rules.nodes {
            guard let table = tables[node.table] else { continue }
            let group = [node.table, node.policyClass].compactMap { $0 }
            let rows = groups[group] ?? Rows(terms(of: table, policyClass: node.policyClass))
            groups[group] = rows
            byNode[node.name] = rows
        }
        return byNode
    }

    private static func terms(of table: Table, policyClass: String?) -> [String: RowTerms] {
        let sets = Dictionary(
            table.sets.map { ($0.name, $0.addresses) }, uniquingKeysWith: { $1 })
        var collected: [String: Collector] = [:]
        for chain in table.chains {
            guard let judged = chain.purpose.judged, judged.policyClass == policyClass else {
                continue
            }
            for rule in chain.rules {
                guard let row = rule.purpose?.row else { continue }
                collected[row.id, default: Collector(direction: judged.direction)].add(rule, sets)
            }
        }
        return collected.mapValues(\.terms)
    }

    /// Puts the rules of one row together.
    private struct Collector {
        let direction: Direction
        private var protocols: Set<String> = []
        private var sources = PortSet()
        private var destinations = PortSet()
        private var peers: AddressSet?
        private var isForAnyPeer = false
        private var refusal: String?

        init(direction: Direction) { self.direction = direction }

        mutating func add(_ rule: Rule, _ sets: [String: AddressSet]) {
            if rule.purpose?.refuses == true {
                refusal = rule.verdict == .drop ? "dropped" : "counted only"
                return
            }
            var source = PortSet.all
            var destination = PortSet.all
            var hasPeers = false
            for match in rule.matches {
                switch match {
                case .sourcePorts(let ipProtocol, let range):
                    protocols.insert(ipProtocol.name.uppercased())
                    source = PortSet([range])
                case .destinationPorts(let ipProtocol, let range):
                    protocols.insert(ipProtocol.name.uppercased())
                    destination = PortSet([range])
                case .protocolNumber(let number):
                    let ipProtocol = IPProtocol(rawValue: number)
                    protocols.insert(ipProtocol?.name.uppercased() ?? "protocol \(number)")
                case .sourceIn(let set, _) where direction == .inbound,
                    .destinationIn(let set, _) where direction == .outbound:
                    hasPeers = true
                    peers = (peers ?? AddressSet()).union(sets[set] ?? AddressSet())
                default: break
                }
            }
            sources = sources.union(source)
            destinations = destinations.union(destination)
            if !hasPeers { isForAnyPeer = true }
        }

        var terms: RowTerms {
            if let refusal { return RowTerms(direction: direction, traffic: refusal) }
            guard !protocols.isEmpty else { return RowTerms(direction: direction) }
            let names = protocols.sorted().joined(separator: "/")
            let ports =
                sources.isAll && destinations.isAll
                ? "" : " \(text(sources)) -> \(text(destinations))"
            return RowTerms(
                direction: direction, traffic: names + ports,
                peers: isForAnyPeer ? .any : peers.map { .only($0) })
        }

        private func text(_ ports: PortSet) -> String {
            if ports.isAll { return CellPorts.any.text }
            return ports.intervals.map {
                $0.lowerBound == $0.upperBound
                    ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
            }.joined(separator: ",")
        }
    }
}
