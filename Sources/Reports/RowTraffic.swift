internal import PortModel
package import Ruleset

/// The counters of our tables, each with labels that say which packets it counts.
package struct RowTraffic: Sendable {
    /// A counter's value with its labels, as monitoring has them: of `node`, `row`, `direction`,
    /// `reason` and `class` those that apply.
    package typealias Counted = (value: StatusReport.CounterReport, labels: [String: String])

    /// Permitted packets, with `row` and `direction`; `node` where the table is a single node's.
    package private(set) var rows: [Counted] = []
    /// Refused packets, with `direction` and `reason`; `class` on a gateway, `node` in local
    /// placement.
    package private(set) var refusals: [Counted] = []
    /// Packets of flows between two nodes that this host translates (NAT).
    package private(set) var translated: [Counted] = []

    /// - Parameter generation: in force; tables that it does not know are left out.
    package init(_ tables: [ObservedTable], of generation: Generation?) {
        for wanted in generation?.ruleset.tables ?? [] {
            guard let table = tables.first(where: { $0.id == wanted.id }) else { continue }
            // On a gateway all nodes share the table, and classes tell them apart.
            let node = generation?.nodes.first {
                $0.table == wanted.name && $0.policyClass == nil
            }
            let directions = wanted.directionOfCounters
            for (name, value) in table.counters.sorted(by: { $0.key < $1.key }) {
                let value = StatusReport.CounterReport(packets: value.packets, bytes: value.bytes)
                var labels = [String: String]()
                labels["node"] = node?.name
                switch CounterPurpose(name: name) {
                case .translated: translated.append((value, labels))
                case .refusal(let refusal):
                    labels["direction"] = refusal.direction.rawValue
                    labels["reason"] = refusal.reason
                    labels["class"] = refusal.policyClass
                    refusals.append((value, labels))
                case .permit(let row):
                    labels["row"] = row
                    labels["direction"] = directions[name]?.rawValue
                    rows.append((value, labels))
                }
            }
        }
    }
}

extension Refusal {
    /// As monitoring calls it.
    fileprivate var reason: String {
        switch self {
        case .unmatched: "unmatched"
        case .invalid: "invalid"
        case .unanswered: "unanswered"
        }
    }
}

extension Table {
    /// Of each counter that rules of one direction count by.
    fileprivate var directionOfCounters: [String: Direction] {
        var directions: [String: Direction] = [:]
        for chain in chains {
            guard let direction = chain.purpose.judged?.direction else { continue }
            for case let counter? in chain.rules.map(\.counter) { directions[counter] = direction }
        }
        return directions
    }
}
