internal import Policy
internal import Ruleset

/// The counters of the tables in force: the answer of the control protocol's `Counters`.
package struct CountersReport: Hashable, Sendable, Codable {
    /// nil where nothing is in force.
    package var generation: Int?
    /// Since when they count; nil where that was before the agent started.
    package var since: Timestamp?
    /// Sorted by kind, then by name.
    package var counters: [Counter]
    /// Each node with the packets that were refused to and from it.
    package var nodes: [StatusReport.NodeStatus]

    /// One counter, summed over all tables that have it.
    package struct Counter: Hashable, Sendable, Codable {
        /// A row's id, a site rule's id, or the reason of a refusal.
        package var name: String
        /// Follows from the counter's purpose.
        package var kind: Kind
        /// On a gateway, the classes whose packets it counts; empty in local placement, where it
        /// counts the one node's.
        package var classes: [String]
        /// Since ``CountersReport/since``.
        package var packets: UInt64
        /// Of the packets from their IP headers on.
        package var bytes: UInt64
    }

    /// The order of the cases is that of the report.
    package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        /// Packets that a row or a site rule permits.
        case row
        /// Packets that are refused, or would be in `observe` mode.
        case refusal
        /// Packets that are counted for another reason, whatever becomes of them.
        case note
    }
}

extension CountersReport {
    /// - Parameters:
    ///   - status: which holds the counters' values.
    ///   - generation: in force.
    ///   - node: only what concerns this one: its own table's, or its class's.
    package init(_ status: StatusReport, of generation: Generation?, node: String? = nil) {
        self.generation = generation?.number
        since = status.countersSince
        nodes = status.nodes.filter { node == nil || $0.node.name == node }
        let wanted = node == nil ? nil : Set(nodes.compactMap(\.node.policyClass))
        let uses = generation.map { CounterUse.all(in: $0.ruleset) } ?? [:]
        counters = uses.compactMap { purpose, use in
            // A counter that no class's chain uses concerns all classes.
            if let wanted, !use.classes.isEmpty, use.classes.isDisjoint(with: wanted) { return nil }
            let value = status.counters[purpose.id] ?? StatusReport.CounterReport()
            return Counter(
                name: purpose.id, kind: use.kind, classes: use.classes.sorted(),
                packets: value.packets,
                bytes: value.bytes)
        }
        let order = Dictionary(uniqueKeysWithValues: zip(Kind.allCases, 0...))
        counters.sort { (order[$0.kind] ?? 0, $0.name) < (order[$1.kind] ?? 0, $1.name) }
    }
}

/// The use that a ruleset's rules make of a counter.
private struct CounterUse {
    var kind: CountersReport.Kind
    var classes: Set<String> = []

    static func all(in ruleset: Ruleset) -> [CounterPurpose: CounterUse] {
        var uses: [CounterPurpose: CounterUse] = [:]
        for table in ruleset.tables {
            for chain in table.chains {
                let policyClass = chain.purpose.judged?.policyClass
                for purpose in chain.rules.compactMap(\.counterPurpose) {
                    var use = uses[purpose] ?? CounterUse(kind: purpose.kind)
                    if let policyClass { use.classes.insert(policyClass) }
                    uses[purpose] = use
                }
            }
        }
        return uses
    }
}

extension CounterPurpose {
    fileprivate var kind: CountersReport.Kind {
        switch self {
        case .permit: .row
        case .refusal: .refusal
        case .translated: .note
        }
    }
}

/// The nodes that are enforced: what `pexip-fwctl show nodes --json` prints.
package struct NodesReport: Hashable, Sendable, Codable {
    /// In the order of the generation's nodes.
    package var nodes: [StatusReport.NodeStatus]

    /// - Parameter nodes: with the refusals that an agent told.
    package init(_ nodes: [StatusReport.NodeStatus]) { self.nodes = nodes }

    /// Those of which nothing was refused yet.
    package init(of nodes: [EnforcedNode]) {
        self.nodes = nodes.map { StatusReport.NodeStatus(node: $0, dropped: .init()) }
    }
}
