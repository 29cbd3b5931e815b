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
                if name == DropCounter.translated {
                    translated.append((value, labels))
                } else if let refusal = Refusal(name) {
                    labels["direction"] = refusal.direction.rawValue
                    labels["reason"] = refusal.reason
                    labels["class"] = refusal.policyClass
                    refusals.append((value, labels))
                } else {
                    labels["row"] = name
                    labels["direction"] = directions[name]?.rawValue
                    rows.append((value, labels))
                }
            }
        }
    }
}

/// What a counter of refused packets is about.
private struct Refusal {
    var direction: Direction
    var reason: String
    /// On a gateway.
    var policyClass: String?

    init?(_ counter: String) {
        switch counter {
        case DropCounter.invalid: self.init(direction: .inbound, reason: "invalid")
        case DropCounter.unanswered: self.init(direction: .inbound, reason: "unanswered")
        case DropCounter.inbound: self.init(direction: .inbound, reason: "unmatched")
        case DropCounter.outbound: self.init(direction: .outbound, reason: "unmatched")
        default:
            let inbound = DropCounter.inbound("")
            let outbound = DropCounter.outbound("")
            if counter.hasPrefix(inbound) {
                self.init(
                    direction: .inbound, reason: "unmatched",
                    policyClass: String(counter.dropFirst(inbound.count)))
            } else if counter.hasPrefix(outbound) {
                self.init(
                    direction: .outbound, reason: "unmatched",
                    policyClass: String(counter.dropFirst(outbound.count)))
            } else {
                return nil
            }
        }
    }

    private init(direction: Direction, reason: String, policyClass: String? = nil) {
        self.direction = direction
        self.reason = reason
        self.policyClass = policyClass
    }
}

extension Table {
    /// Of each counter that rules of one direction count by.
    fileprivate var directionOfCounters: [String: Direction] {
        var directions: [String: Direction] = [:]
        for chain in chains {
            let direction: Direction? =
                if chain.name.hasPrefix("input") || chain.name.hasSuffix("_in") {
                    .inbound
                } else if chain.name.hasPrefix("output") || chain.name.hasSuffix("_out") {
                    .outbound
                } else {
                    nil
                }
            guard let direction else { continue }
            for case let counter? in chain.rules.map(\.counter) { directions[counter] = direction }
        }
        return directions
    }
}
