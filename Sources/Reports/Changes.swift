internal import Policy
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
        let (old, new) = (old ?? .none, new ?? .none)
        nodes = new.nodeChanges(from: old)
        let (before, after) = (ChangedTerms(of: old), ChangedTerms(of: new))
        for index in changes.indices {
            // All of them share their rules.
            guard let node = changes[index].nodes.first else { continue }
            let row = changes[index].row
            changes[index].describe(
                before: before.terms(of: row, at: node), after: after.terms(of: row, at: node))
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

/// The packets that a row permits a node.
private struct RowTerms {
    var direction: Direction?
    /// `TCP <any> -> 443`; for refusals what becomes of the packets.
    var traffic: String?
    var peers: Peers?
}

extension RowTerms {
    /// nil of a row that permits nothing.
    fileprivate init?(_ row: ResolvedRow) {
        guard row.state == .open else { return nil }
        direction = row.direction
        traffic = Self.traffic(
            Set(row.protocols.map(\.title)), row.sourcePorts.set, row.destinationPorts.set)
        switch row.peers {
        case .any: peers = .any
        case .only(let addresses):
            // No packet of another family than the node's comes by.
            peers = .only(
                Set(row.addresses.map(\.family)).map { addresses.only($0) }
                    .reduce(AddressSet()) { $0.union($1) })
        }
    }

    fileprivate static func traffic(
        _ protocols: Set<String>, _ sources: PortSet, _ destinations: PortSet
    ) -> String {
        let ports =
            sources.isAll && destinations.isAll
            ? "" : " \(text(sources)) -> \(text(destinations))"
        return protocols.sorted().joined(separator: "/") + ports
    }

    private static func text(_ ports: PortSet) -> String {
        if ports.isAll { return CellPorts.any.text }
        return ports.intervals.map {
            $0.lowerBound == $0.upperBound
                ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
        }.joined(separator: ",")
    }
}

extension IPProtocol {
    /// As people write it: `TCP`.
    fileprivate var title: String { name.uppercased() }
}

/// The terms of everything that changes are told of: rows as they were resolved, and refusals and
/// options of the host, which are no rows, as the rules say.
private struct ChangedTerms {
    private let rules: NodeRules
    private var others: [String: Others] = [:]

    /// Those of a node; one value for all nodes that share them.
    private final class Others {
        let terms: [String: RowTerms]
        init(_ terms: [String: RowTerms]) { self.terms = terms }
    }

    init(of rules: NodeRules) {
        self.rules = rules
        let tables = Dictionary(
            rules.ruleset.tables.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        var groups: [[String]: Others] = [:]
        for node in rules.nodes {
            guard let table = tables[node.table] else { continue }
            let group = [node.table, node.policyClass].compactMap { $0 }
            let known = groups[group] ?? Others(Self.others(in: table, of: node.policyClass))
            groups[group] = known
            others[node.name] = known
        }
    }

    /// nil where the node has none, or its rows are not known.
    func terms(of row: String, at node: String) -> RowTerms? {
        if let other = others[node]?.terms[row] { return other }
        return rules.rows?.rows(of: node).first { $0.id == row }.flatMap(RowTerms.init)
    }

    private static func others(in table: Table, of policyClass: String?) -> [String: RowTerms] {
        var collected: [String: Collector] = [:]
        for chain in table.chains {
            guard let judged = chain.purpose.judged, judged.policyClass == policyClass else {
                continue
            }
            for rule in chain.rules {
                guard let purpose = rule.purpose?.row else { continue }
                if case .counter(.permit) = purpose { continue }
                collected[purpose.id, default: Collector(direction: judged.direction)].add(rule)
            }
        }
        return collected.mapValues(\.terms)
    }

    /// Puts the rules of one purpose together.
    private struct Collector {
        let direction: Direction
        private var protocols: Set<String> = []
        private var sources = PortSet()
        private var destinations = PortSet()
        private var refusal: String?

        init(direction: Direction) { self.direction = direction }

        mutating func add(_ rule: Rule) {
            if rule.purpose?.refuses == true {
                refusal = rule.verdict == .drop ? "dropped" : "counted only"
                return
            }
            for match in rule.matches {
                switch match {
                case .sourcePorts(let ipProtocol, let range):
                    protocols.insert(ipProtocol.title)
                    sources = sources.union(PortSet([range]))
                case .destinationPorts(let ipProtocol, let range):
                    protocols.insert(ipProtocol.title)
                    destinations = destinations.union(PortSet([range]))
                default: break
                }
            }
        }

        var terms: RowTerms {
            if let refusal { return RowTerms(direction: direction, traffic: refusal) }
            return RowTerms(
                direction: direction,
                traffic: protocols.isEmpty
                    ? nil : RowTerms.traffic(protocols, sources, destinations),
                peers: protocols.isEmpty ? nil : .any)
        }
    }
}
