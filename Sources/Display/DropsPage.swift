internal import Policy
internal import PortModel
package import Reports
internal import Ruleset
internal import Site

extension DropsReport {
    /// The talkers that are refused most, for people: each with the row that comes closest.
    ///
    /// - Parameter now: what ages are counted to.
    package func page(now: Timestamp) -> Page {
        var page = Page()
        if let problem {
            page.add(Text(problem), label: Text("problem", .bad), labelWidth: 9)
        }
        if let incomplete {
            page.add(Text(incomplete), label: Text("unknown", .caution), labelWidth: 9)
        }
        guard let since else {
            page.add(Text(sampling == nil ? Self.off : "no sample was heard yet"))
            return page
        }
        let age = Quantities.age(of: since, at: now)
        page.add(
            Text(
                "\(Quantities.counted(samples, "sample")) of \(mode == .observe ? "packets that would be refused" : "refused packets") since \(since) (\(age))"
            ))
        if let sampling {
            page.add(
                Text(
                    "at most \(sampling.rate) a second by each rule that refuses: pexip-fwctl show counters tells how many were refused"
                ))
        } else {
            page.add(Text(Self.off))
        }
        if lost > 0 {
            page.add(
                Text(
                    "\(Quantities.counted(lost, "more sample")) lost: the agent did not read in time"
                ), label: Text("warning", .caution), labelWidth: 9)
        }
        if unreadable > 0 {
            page.add(
                Text(
                    "\(Quantities.counted(unreadable, "message")) of somebody else's rules came by the same group: give refusals.group a number of its own"
                ), label: Text("warning", .caution), labelWidth: 9)
        }
        for talker in talkers { talker.add(to: &page, now) }
        if more > 0 {
            page.add(Text("and \(more.counted("more talker")): see --limit and --json"))
        }
        return page
    }

    private static let off =
        "refusals are not sampled: write refusals: {sample: true} into a .yaml file of the configuration"
}

extension DropsReport.Talker {
    /// Numbers stand at the right of their column, what there is to say of a talker left of it.
    private static let width = 11

    fileprivate func add(to page: inout Page, _ now: Timestamp) {
        let count = count
        page.add(
            Text(title, .strong) + Text(", \(Quantities.age(of: last, at: now)) ago"),
            label: Text(
                String(repeating: " ", count: max(0, Self.width - 2 - count.count)) + count),
            labelWidth: Self.width)
        func add(_ label: Text, _ text: String) {
            page.add(
                Text(text), label: label, labelWidth: Self.width - 2, indent: 2)
        }
        switch verdict {
        case .accept:
            let by = permits.isEmpty ? reason : Quantities.list(permits, atMost: 3)
            add(Text("permit", .good), "would pass now: \(by)")
        case .drop, nil: add("", "\(counter): \(reason)")
        }
        if let row = nearest.first {
            add("nearest", "\(row.row), but \(row.differences.joined(separator: ", and "))")
        }
        for row in inactive { add("off", "\(row) would permit it, but its feature is off") }
    }

    /// Such as `85`, or `3-85` where some of them may be somebody else's.
    private var count: String {
        excess == 0
            ? Quantities.count(samples)
            : "\(Quantities.count(samples - excess))-\(Quantities.count(samples))"
    }

    /// Such as `TCP 5061 from 192.0.2.7 to conf-lon-1 (10.0.0.21)`.
    private var title: String {
        let own = node.map { "\($0) (\(ownAddress))" } ?? "\(ownAddress)"
        return direction == .inbound
            ? "\(traffic) from \(source) to \(own)" : "\(traffic) from \(own) to \(destination)"
    }

    private var ownAddress: IPAddress { direction == .inbound ? destination : source }

    private var traffic: String {
        let name = UInt8(`protocol`) == nil ? `protocol`.uppercased() : "protocol \(`protocol`)"
        if isFragment { return "\(name) fragment" }
        if let icmpType { return "\(name == "ICMPV6" ? "ICMPv6" : name) type \(icmpType)" }
        return destinationPort.map { "\(name) \($0)" } ?? name
    }
}
