internal import PortModel
package import Ruleset

/// The counters of our tables, summed over all tables.
package struct Traffic {
    private let byPurpose: [CounterPurpose: StatusReport.CounterReport]
    private let nodeTotals: [IPAddress: StatusReport.CounterReport]

    /// - Parameter tables: our own; their counters are added up by purpose and by node's address.
    package init(_ tables: [ObservedTable]) {
        var counters: [CounterPurpose: StatusReport.CounterReport] = [:]
        var totals: [IPAddress: StatusReport.CounterReport] = [:]
        for table in tables {
            for (name, value) in table.counters {
                counters[CounterPurpose(name: name), default: .init()] += value
            }
            for set in table.sets {
                for (address, value) in set.counters { totals[address, default: .init()] += value }
            }
        }
        byPurpose = counters
        nodeTotals = totals
    }

    /// As reports call them.
    package var counters: [String: StatusReport.CounterReport] {
        Dictionary(uniqueKeysWithValues: byPurpose.map { ($0.id, $1) })
    }

    /// The packets that were refused to and from a node: on a gateway the node's own elements, in
    /// local placement everything that was refused.
    package func dropped(_ node: EnforcedNode) -> StatusReport.CounterReport {
        var total = StatusReport.CounterReport()
        if node.policyClass != nil {
            for address in node.addresses { total += nodeTotals[address] ?? .init() }
        } else {
            for case (.refusal, let value) in byPurpose { total += value }
        }
        return total
    }

    /// One line in words where packets between nodes were translated, which Pexip's guidance
    /// forbids; empty otherwise.
    package var warnings: [String] {
        guard let translated = byPurpose[.translated], translated.packets > 0 else {
            return []
        }
        return [
            "\(translated.packets) packets between nodes were translated (NAT): there cannot be a NAT between any Pexip nodes; exempt the nodes' addresses from this host's NAT rules"
        ]
    }
}

extension StatusReport.CounterReport {
    fileprivate static func += (a: inout Self, b: Self) {
        a.packets &+= b.packets
        a.bytes &+= b.bytes
    }

    fileprivate static func += (a: inout Self, b: CounterValue) {
        a += Self(packets: b.packets, bytes: b.bytes)
    }
}
