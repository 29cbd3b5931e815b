internal import PortModel
package import Reports

extension MeshReport {
    /// A line for each pair of nodes, the worst first, and what to look at.
    ///
    /// - Parameter now: what ages are counted to.
    package func page(now: Timestamp) -> Page {
        var screen = MeshScreen(report: self, now: now)
        screen.fill()
        return screen.page
    }
}

private struct MeshScreen {
    /// A longer name of a pair does not push the others' lines to the right.
    private static let widestName = 30
    private static let labelWidth = 10
    private static let shownStrangers = 5

    let report: MeshReport
    let now: Timestamp
    var page = Page()

    private mutating func add(_ label: String, _ text: Text, _ emphasis: Emphasis = .plain) {
        page.add(text, label: Text(label, emphasis), labelWidth: Self.labelWidth, indent: 2)
    }

    mutating func fill() {
        addSummary()
        let names = report.pairs.map { "\($0.first) <> \($0.second)" }
        let width = min(names.map(\.count).max() ?? 0, Self.widestName) + 2
        for (pair, name) in zip(report.pairs, names) { addPair(pair, name, width) }
        addOmitted()
        addHelp()
        if report.hasBroken { addStrangers() }
    }

    private mutating func addSummary() {
        let broken = report.counts.filter { MeshReport.State(rawValue: $0.key)?.isBroken ?? true }
            .values.reduce(0, +)
        let total = report.total.counted("pair")
        if total == "0 pairs" {
            page.add("mesh: no pairs: no other node is to be reached from an enforced one")
        } else if broken == 0 {
            page.add(Text("mesh: ") + Text("none broken", .good) + Text(" of \(total) of nodes"))
        } else {
            page.add(
                Text("mesh: ") + Text("\(broken) BROKEN", .bad) + Text(" of \(total) of nodes"))
        }
        let parts = MeshReport.State.allCases.compactMap { state in
            report.counts[state.rawValue].map { "\($0) \(state.name)" }
        }
        if parts.count > 1 || report.omitted > 0 {
            add("states", Text(parts.joined(separator: ", ")))
        }
        if let since = report.notedSince {
            add("noted", "since \(since) (\(Quantities.age(of: since, at: now)))")
        }
        if !report.pairs.isEmpty {
            add("ages", "of the last packet from the first node to the second / back")
        }
        if report.isFull {
            add(
                "warning",
                "the kernel holds no more pairs: nothing is known of those that began to speak since",
                .caution)
        }
    }

    private mutating func addPair(_ pair: MeshReport.Pair, _ name: String, _ width: Int) {
        let interfaces = pair.routes.compactMap(\.interface)
        let way =
            interfaces.count < pair.routes.count || interfaces.isEmpty
            ? "" : ", by \(interfaces.joined(separator: " and "))"
        page.add(
            Text(pair.state.name, pair.state.emphasis)
                + Text(": IKE \(ages(pair.ike)), ESP \(ages(pair.esp))\(way)"),
            label: Text(name, pair.state.isBroken ? .strong : .plain), labelWidth: width, indent: 2)
        func detail(_ text: String) { page.add(Text(text), indent: 2 + width) }
        for route in pair.routes where route.interface == nil {
            detail("this host has no route to \(route.address)")
        }
        for evidence in pair.evidence { detail(words(evidence, of: pair)) }
    }

    private func ages(_ sightings: MeshReport.Sightings) -> String {
        [sightings.forth, sightings.back].map { time in
            time.map { Quantities.age(of: $0, at: now) } ?? "never"
        }.joined(separator: " / ")
    }

    private func words(_ evidence: MeshReport.Evidence, of pair: MeshReport.Pair) -> String {
        let (from, to) = (evidence.from, evidence.to)
        let age = Quantities.age(of: evidence.seen, at: now)
        switch evidence.kind {
        case .translated:
            return "this host translated (NAT) packets from \(from) to \(to) \(age) ago"
        case .traversal:
            return
                "UDP 4500 from \(from) to \(to) was refused \(age) ago: IPsec itself found a NAT between them"
        case .sourcePort:
            return
                "IKE from \(from) to \(to) was refused \(age) ago, since it did not come from port 500: a NAT may have changed that"
        case .secondaryAddress:
            return
                "IPsec from \(from) to \(to) was refused \(age) ago, since one is a secondary address: it belongs to the primary ones"
        case .stranger:
            return
                "IPsec from \(from) to \(to) was refused \(age) ago, since one is no node's address: it may be \(silent(evidence, pair)) behind a NAT"
        }
    }

    /// The node that the stranger may be.
    private func silent(_ evidence: MeshReport.Evidence, _ pair: MeshReport.Pair) -> String {
        [evidence.from, evidence.to].contains(pair.firstAddress) ? pair.second : pair.first
    }

    private mutating func addOmitted() {
        guard report.omitted > 0 else { return }
        page.add(
            Text(
                "and \(report.omitted.counted("more pair")): see --all, or --node NAME for those of one node"
            ), indent: 2)
    }

    /// The things to look at, once for each state that is broken.
    private mutating func addHelp() {
        var told: Set<MeshReport.State> = []
        for pair in report.pairs where pair.state.isBroken && told.insert(pair.state).inserted {
            page.add(
                Text("\(pair.state.name): \(help(pair))", .strong), label: Text("->", .strong),
                labelWidth: 3, indent: 2)
        }
    }

    private func help(_ pair: MeshReport.Pair) -> String {
        let ends = [pair.firstAddress, pair.secondAddress]
        /// Source and destination of what is missing.
        func missing(_ sightings: MeshReport.Sightings) -> (IPAddress, IPAddress) {
            let isForth = sightings.forth?.seconds ?? .min < sightings.back?.seconds ?? .min
            return isForth ? (ends[0], ends[1]) : (ends[1], ends[0])
        }
        switch pair.state {
        case .noRoute:
            return "pexip-fwctl doctor says how to add a route"
        case .translated:
            return
                "there cannot be a NAT between nodes: exempt \(ends[0]) and \(ends[1]) from the NAT rules of whatever lies between them"
        case .natSuspected:
            return
                "nodes reach each other by the addresses that are configured, without a NAT; where the stranger is none of them, look whether \(ends[0]) and \(ends[1]) exchange UDP 500"
        case .espMissing:
            return
                "IKE passes and ESP does not: every firewall between \(ends[0]) and \(ends[1]) must let pass IP protocol 50, which has no ports, in both directions"
        case .espOneWay:
            let (from, to) = missing(pair.esp)
            return
                "every firewall on the way must let pass IP protocol 50 from \(from) to \(to); what the rules at either end do, tells pexip-fwctl explain esp \(from) \(to) there"
        case .ikeOneWay:
            let (from, to) = missing(pair.ike)
            return
                "no UDP from \(from) port 500 to \(to) port 500: that node is down, has no IPsec for the other, or a firewall on the way drops it; at either end ask pexip-fwctl explain udp \(from):500 \(to):500"
        case .silent:
            return
                "no IPsec between \(ends[0]) and \(ends[1]) came by: are both nodes up, and does their way lead over this host?"
        case .idle, .elsewhere, .up:
            return ""
        }
    }

    private mutating func addStrangers() {
        for stranger in report.strangers.prefix(Self.shownStrangers) {
            let age = Quantities.age(of: stranger.seen, at: now)
            add(
                "stranger",
                "\(stranger.kind.name) from \(stranger.from) to \(stranger.to), \(age) ago: refused; one end is \(stranger.node), the other is no node",
                .caution)
        }
        let more = report.strangers.count - Self.shownStrangers
        if more > 0 { add("", "and \(more.counted("more stranger")): see --json") }
    }
}

extension MeshReport.Stranger.Kind {
    fileprivate var name: String {
        switch self {
        case .ike: "IKE"
        case .esp: "ESP"
        case .traversal: "UDP 4500"
        }
    }
}

extension MeshReport.State {
    /// In words; what is broken stands out also without colour.
    package var name: String {
        switch self {
        case .noRoute: "NO ROUTE"
        case .translated: "NAT IN BETWEEN"
        case .espMissing: "IKE BUT NO ESP"
        case .espOneWay: "ESP ONE WAY"
        case .natSuspected: "NAT SUSPECTED"
        case .ikeOneWay: "IKE ONE WAY"
        case .silent: "NOTHING SEEN"
        case .idle: "idle"
        case .elsewhere: "not by this host"
        case .up: "up"
        }
    }

    fileprivate var emphasis: Emphasis {
        switch self {
        case .noRoute, .translated, .espMissing, .espOneWay, .natSuspected, .ikeOneWay, .silent:
            .bad
        case .idle: .caution
        case .elsewhere: .plain
        case .up: .good
        }
    }
}
