internal import PortModel
package import Ruleset

/// What the counters of our tables say, with what each of them counts.
package struct RowTraffic: Sendable {
    package typealias Counted = (value: StatusReport.CounterReport, labels: [String: String])

    package private(set) var rows: [Counted] = []
    package private(set) var refusals: [Counted] = []
    package private(set) var translated: [Counted] = []

    /// - Parameter generation: in force; tables that it does not know are left out.
    package init(_ tables: [ObservedTable], of generation: Generation?) {
        for wanted in generation?.ruleset.tables ?? [] {
            guard let table = tables.first(where: { $0.name == wanted.name }) else { continue }
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
