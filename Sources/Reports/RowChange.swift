package import Policy
package import PortModel
package import Ruleset

/// How one row of nodes differs between two generations, alike for all of them.
package struct RowChange: Hashable, Sendable, Codable {
    /// The three ways in which a row's rules differ.
    package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        /// The row was not enforced before: its packets pass now.
        case opened
        /// The row is gone: its packets are refused now, unless nothing judges the node any more.
        case closed
        /// Its addresses, peers or ports are others.
        case changed
    }

    /// Refusals are only ever `changed`: by the mode.
    package var kind: Kind
    /// The nodes' names, sorted; never empty.
    package var nodes: [String]
    /// The row's or the site rule's id, a `host.` key, or a counter of refusals.
    package var row: String
    /// Whether it is about packets to or from the node.
    package var direction: Direction?
    /// The packets that pass, as `TCP <any> -> 443`, or that passed where the row is closed. Of
    /// refusals, `dropped` or `counted only`. nil where the rules tell none.
    package var traffic: String?
    /// The packets that passed before, where they differ.
    package var trafficBefore: String?
    /// Of a row that opens or closes, who is at the other end; nil for anybody.
    package var peers: PeerList?
    /// Of a row that changes, who may be at the other end from now on.
    package var peersOpened: PeerList?
    /// Of a row that changes, who may not any more.
    package var peersClosed: PeerList?
}

/// Nodes with the rules that enforce them.
package struct NodeRules {
    let nodes: [EnforcedNode]
    let ruleset: Ruleset
    /// What rows mean; nil where that is not known.
    let rows: NodeRows?

    /// - Parameter nodes: each names the table, and the class, of the ruleset that enforces it.
    package init(nodes: [EnforcedNode], ruleset: Ruleset, rows: NodeRows?) {
        self.nodes = nodes
        self.ruleset = ruleset
        self.rows = rows
    }

    /// No node is enforced.
    static let none = NodeRules(nodes: [], ruleset: Ruleset(tables: []), rows: nil)
}

extension Generation {
    /// The part of the generation that changes are told from.
    package var nodeRules: NodeRules { NodeRules(nodes: nodes, ruleset: ruleset, rows: rows) }
}

extension NodeRules {
    /// The changes for the nodes' packets from `old` to these rules, sorted by node and row; nodes
    /// that share their rules are told together. A node that joins has its rows opened, one that
    /// leaves has them closed.
    package func changes(from old: NodeRules?) -> [RowChange] {
        var texts = TextNumbers()
        let before = NodeMeanings(old ?? .none, &texts)
        let after = NodeMeanings(self, &texts)
        var changes: [RowChange] = []
        var places: [ChangedRow: Int] = [:]
        var known: [Likeness: [(row: RulePurpose, kind: RowChange.Kind)]] = [:]
        for node in Set(before.nodes.keys).union(after.nodes.keys).sorted() {
            let groups = [before.group(of: node), after.group(of: node)]
            let likeness = Likeness(before.nodes[node], after.nodes[node])
            let rows =
                likeness.flatMap { known[$0] }
                ?? Self.changedRows(before.rows(of: node), after.rows(of: node))
            if let likeness { known[likeness] = rows }
            for (row, kind) in rows {
                let changed = ChangedRow(groups: groups, row: row, kind: kind)
                if let place = places[changed] {
                    changes[place].nodes.append(node)
                } else {
                    places[changed] = changes.count
                    changes.append(RowChange(kind: kind, nodes: [node], row: row.id))
                }
            }
        }
        return changes
    }

    private static func changedRows(
        _ before: [RulePurpose: Set<RulePart>], _ after: [RulePurpose: Set<RulePart>]
    ) -> [(row: RulePurpose, kind: RowChange.Kind)] {
        Set(before.keys).union(after.keys).sorted { $0.id < $1.id }.compactMap { row in
            if before[row] == after[row] { return nil }
            let kind: RowChange.Kind =
                before[row] == nil ? .opened : after[row] == nil ? .closed : .changed
            // Refusals come and go with their node; a change is one of the mode.
            if row.refuses, kind != .changed { return nil }
            return (row, kind)
        }
    }
}

/// Everything that two nodes must share to change alike: classes are about all addresses of their
/// nodes.
private struct Likeness: Hashable {
    /// Before and afterwards.
    private let groups: [NodeMeanings.Group]
    private let families: Set<AddressFamily>

    /// nil where a node's own addresses matter.
    init?(_ before: EnforcedNode?, _ after: EnforcedNode?) {
        guard let before, let after, before.addresses == after.addresses,
            before.policyClass != nil, after.policyClass != nil
        else { return nil }
        groups = [before, after].map {
            NodeMeanings.Group(table: $0.table, policyClass: $0.policyClass)
        }
        families = Set(after.addresses.map(\.family))
    }
}

/// A change that is told once for all nodes that it is the same for.
private struct ChangedRow: Hashable {
    /// Before and afterwards.
    let groups: [NodeMeanings.Group?]
    let row: RulePurpose
    let kind: RowChange.Kind
}

/// Numbers for texts, so that what a thousand nodes share is compared as a whole once.
private struct TextNumbers {
    private var numbers: [String: Int] = [:]

    mutating func number(of text: String) -> Int {
        if let number = numbers[text] { return number }
        numbers[text] = numbers.count
        return numbers.count - 1
    }
}

/// Everything of a rule that decides which packets it meets, but for the node's own addresses.
private struct RuleMeaning {
    /// Which of the nodes' own addresses a rule is about.
    enum Own {
        case every
        case these(AddressSet)
        /// It holds whatever these are.
        case unasked
    }

    /// The number of its text without names that depend on other nodes.
    let text: Int
    /// The families whose packets it can meet.
    let families: Set<AddressFamily>
    let own: Own

    /// The rule as it concerns a node with these addresses.
    func parts(_ addresses: [IPAddress]) -> [RulePart] {
        let concerned: [IPAddress]
        switch own {
        case .unasked: return [RulePart(address: nil, text: text)]
        case .every: concerned = addresses
        case .these(let own): concerned = addresses.filter(own.contains)
        }
        return concerned.filter { families.contains($0.family) }.map {
            RulePart(address: $0, text: text)
        }
    }
}

/// A rule as it concerns one address of a node; nil where the address is no matter.
private struct RulePart: Hashable {
    let address: IPAddress?
    let text: Int
}

/// The meaning of each node's rows in one generation.
private struct NodeMeanings {
    /// A node's table, and its class where it has one.
    struct Group: Hashable {
        let table: String
        let policyClass: String?
    }

    let nodes: [String: EnforcedNode]
    /// Those of a class once, however many nodes share it.
    private var groups: [Group: [RulePurpose: [RuleMeaning]]] = [:]

    init(_ rules: NodeRules, _ texts: inout TextNumbers) {
        nodes = Dictionary(rules.nodes.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let tables = Dictionary(
            rules.ruleset.tables.map { ($0.name, TableMeanings($0)) }, uniquingKeysWith: { $1 })
        for node in rules.nodes {
            let group = Group(table: node.table, policyClass: node.policyClass)
            guard groups[group] == nil, let table = tables[node.table] else { continue }
            groups[group] =
                node.policyClass.map { table.rows(ofClass: $0, &texts) } ?? table.rows(&texts)
        }
    }

    /// nil where the node is not enforced.
    func group(of name: String) -> Group? {
        nodes[name].map { Group(table: $0.table, policyClass: $0.policyClass) }
    }

    /// By row, the rules that concern a node; empty where the node is not enforced.
    func rows(of name: String) -> [RulePurpose: Set<RulePart>] {
        guard let node = nodes[name], let group = group(of: name), let rows = groups[group]
        else { return [:] }
        let addresses = node.addresses.sorted()
        return rows.compactMapValues { rules in
            let parts = rules.flatMap { $0.parts(addresses) }
            return parts.isEmpty ? nil : Set(parts)
        }.merging(refusals(rows)) { $1 }
    }

    /// Refusals are about whatever is left, whichever address it is for.
    private func refusals(
        _ rows: [RulePurpose: [RuleMeaning]]
    ) -> [RulePurpose: Set<RulePart>] {
        rows.filter { $0.key.refuses }.mapValues {
            Set($0.map { RulePart(address: nil, text: $0.text) })
        }
    }
}

/// A table, prepared to tell what its rules mean.
private struct TableMeanings {
    private let chains: [String: Chain]
    private let counters: Set<CounterPurpose>
    private let sets: [String: NamedSet]
    private let purposes: [String: SetPurpose]
    private let elements: [String: String]

    init(_ table: Table) {
        chains = Dictionary(table.chains.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        counters = Set(table.counters.map(CounterPurpose.init(name:)))
        sets = Dictionary(table.sets.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        purposes = sets.mapValues(\.purpose)
        elements = sets.mapValues { $0.addresses.elements.joined(separator: ",") }
    }

    /// By row, the rules of a node's own table. Others, as those for loopback and ICMP errors, are
    /// of no row.
    func rows(_ texts: inout TextNumbers) -> [RulePurpose: [RuleMeaning]] {
        var asked: [String: AddressSet] = [:]
        for rule in chains.values.flatMap(\.rules) {
            guard case .jump(let name) = rule.verdict else { continue }
            let addresses = rule.matches.compactMap(\.address)
            if addresses.isEmpty { continue }
            asked[name] = (asked[name] ?? AddressSet()).union(AddressSet(addresses))
        }
        var rows: [RulePurpose: [RuleMeaning]] = [:]
        for chain in chains.values.sorted(by: { $0.name < $1.name })
        where chain.purpose != .stamp {
            for rule in chain.rules {
                guard let row = row(of: rule) else { continue }
                rows[row, default: []].append(
                    meaning(
                        of: rule, inClass: nil, chain.name,
                        asked[chain.name].map { .these($0) } ?? .unasked, &texts))
            }
        }
        return rows
    }

    /// By row, the rules of a class's two chains. The class's name is no part of their meaning: a
    /// node that gets another feature gets another class, and most of its rows stay.
    func rows(ofClass name: String, _ texts: inout TextNumbers) -> [RulePurpose: [RuleMeaning]] {
        var rows: [RulePurpose: [RuleMeaning]] = [:]
        for direction in Direction.allCases {
            let chain = chains[ChainPurpose.policyClass(name, direction).name]
            for rule in chain?.rules ?? [] {
                guard let row = row(of: rule) else { continue }
                rows[row, default: []].append(
                    meaning(of: rule, inClass: name, direction.rawValue, .every, &texts))
            }
        }
        return rows
    }

    /// The rule's row, where the table counts it or it is an option of the host.
    private func row(of rule: Rule) -> RulePurpose? {
        guard let purpose = rule.purpose, let row = purpose.row else { return nil }
        if case .counter(let counter) = purpose, !counters.contains(counter) { return nil }
        return row
    }

    /// - Parameters:
    ///   - policyClass: nil in a node's own table.
    ///   - place: where it stands, which is part of what it means.
    ///   - asked: for which addresses there is a way to it.
    private func meaning(
        of rule: Rule, inClass policyClass: String?, _ place: String, _ asked: RuleMeaning.Own,
        _ texts: inout TextNumbers
    ) -> RuleMeaning {
        var families = Set(AddressFamily.allCases)
        var own = asked
        var peers: [String] = []
        var others: [Match] = []
        for match in rule.matches {
            if let family = match.family { families.formIntersection([family]) }
            guard let name = match.setName, let set = sets[name] else {
                // The family is told apart by the node's addresses, or by the ports.
                if case .family = match { continue }
                // Peers are named sets.
                if let address = match.address {
                    own = .these(AddressSet([address]))
                } else {
                    others.append(match)
                }
                continue
            }
            switch purposes[name] {
            case .nodes: own = .these(set.addresses)
            // Each node that joins is a peer of all others: no news of theirs.
            case .peers(.mesh, _) where policyClass != nil: peers.append(name)
            default: peers.append(elements[name] ?? "")
            }
        }
        let text = Rule(others, notrack: rule.isNotrack, rule.verdict).text
        return RuleMeaning(
            text: texts.number(of: ([place, text] + peers).joined(separator: " ")),
            families: families, own: own)
    }
}

extension Match {
    /// The named set that it looks into.
    fileprivate var setName: String? {
        switch self {
        case .sourceIn(let set, _), .destinationIn(let set, _): set
        default: nil
        }
    }
}

extension RulePurpose {
    /// The row, the option or the refusal that a change is told of; nil for every other purpose.
    /// Classes come and go with their nodes, and are no part of it.
    var row: RulePurpose? {
        switch self {
        case .counter(.refusal(let refusal)): .counter(.refusal(refusal.ofAnyClass))
        case .counter, .hostOption: self
        default: nil
        }
    }

    /// It is a row of refusals.
    var refuses: Bool { if case .counter(.refusal) = self { true } else { false } }
}
