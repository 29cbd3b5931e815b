internal import PortModel
package import Reports
internal import Site

extension CountersReport {
    /// Every counter for people, by kind, and what was refused to and from each node.
    ///
    /// - Parameter now: what ages are counted to.
    package func page(now: Timestamp) -> Page {
        var page = Page()
        guard let generation else {
            page.add("nothing is enforced")
            return page
        }
        let age = since.map { "since \($0) (\(Quantities.age(of: $0, at: now)))" }
        page.add(Text("generation \(generation), \(age ?? "since before the agent started")"))
        for kind in Kind.allCases {
            let counters = counters.filter { $0.kind == kind }
            if counters.isEmpty { continue }
            page.add(Text(kind.title, .strong))
            let width = counters.map(\.name.count).max() ?? 0
            for counter in counters {
                page.add(
                    Text(Quantities.traffic(counter.packets, counter.bytes)),
                    label: Text(counter.name), labelWidth: width + 2, indent: 2)
            }
        }
        // In local placement the refusals above are the one node's.
        let nodes = nodes.filter { $0.node.policyClass != nil }
        if !nodes.isEmpty { page.add(Text("refused, by node", .strong)) }
        let width = nodes.map(\.node.name.count).max() ?? 0
        for status in nodes {
            page.add(
                Text(
                    Quantities.traffic(status.dropped.packets, status.dropped.bytes)
                        + (status.node.policyClass.map { ", class \($0)" } ?? "")),
                label: Text(status.node.name), labelWidth: width + 2, indent: 2)
        }
        return page
    }
}

extension CountersReport.Kind {
    fileprivate var title: String {
        switch self {
        case .row: "permitted, by row"
        case .refusal: "refused, by reason"
        case .note: "noted"
        }
    }
}

extension Quantities {
    /// `1,234 packets, 56 kB`
    fileprivate static func traffic(_ packets: UInt64, _ bytes: UInt64) -> String {
        "\(counted(packets, "packet")), \(self.bytes(bytes))"
    }
}

extension NodesReport {
    /// The enforced nodes for people.
    package var page: Page {
        var page = Page()
        if nodes.isEmpty { page.add("no node is enforced") }
        for status in nodes {
            let node = status.node
            page.add(
                Text(node.name, .strong)
                    + " (\(node.role.rawValue)): \(node.rows.counted("row")); \(Quantities.counted(status.dropped.packets, "packet")) refused"
            )
            page.add(
                Text(node.addresses.map(\.description).joined(separator: ", ")),
                label: "addresses", labelWidth: 11, indent: 2)
            let policyClass = node.policyClass.map { ", class \($0)" } ?? ""
            page.add(
                Text(node.table + policyClass), label: "table", labelWidth: 11, indent: 2)
        }
        return page
    }
}
