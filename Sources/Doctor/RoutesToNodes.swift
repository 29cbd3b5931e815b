internal import PortModel
internal import Site

extension Examination {
    /// So many nodes are named; a site whose routes are all missing has one cause.
    private static let namedNodes = 5

    /// Whether every node of the mesh is routed, and by the interface of the primary address.
    static func routes(_ facts: HostFacts, _ site: EnforcedSite) -> [Finding] {
        let routes: [IPAddress: String]
        switch facts.routes {
        case .known(let known): routes = known
        case .unknown(let reason): return [Finding(.unknown, .routes, reason)]
        }
        let destinations = site.destinations
        guard !destinations.isEmpty else { return [] }
        var lost: [(node: String, address: IPAddress)] = []
        for (node, addresses) in destinations {
            lost += addresses.filter { routes[$0] == nil }.map { (node.name, $0) }
        }
        var findings: [Finding] = []
        if !lost.isEmpty {
            let words = lost.map { Mend.word("\($0.address)/\($0.address.family.bits)") }
            findings.append(
                Finding(
                    .problem, .routes,
                    "this host has no route to \(named(lost.map { "\($0.node) (\($0.address))" }))",
                    why: site.placement.judgesForwarded
                        ? "Packets of nodes that are not routed through it meet no rule, and it can't deliver those that come."
                        : "All nodes must reach each other by IPsec: a call that is spread over nodes fails, and \"connectivity lost to node\" is raised.",
                    mend: Mend(
                        "for node in \(words.joined(separator: " ")); do ip route add \"$node\" via ROUTER; done",
                        permanently:
                            "in the host's network configuration, such as /etc/network/interfaces"),
                    rows: site.placement.judgesForwarded
                        ? site.rows { _ in true } : site.meshRows))
        }
        findings += astray(routes, facts, site)
        if findings.isEmpty {
            findings.append(Finding(.ok, .routes, "this host has a route to every node"))
        }
        return findings
    }

    /// Nodes that a dual-homed one would speak to by another interface than that of its primary
    /// address.
    private static func astray(
        _ routes: [IPAddress: String], _ facts: HostFacts, _ site: EnforcedSite
    ) -> [Finding] {
        guard site.placement.judgesHost, let node = site.nodes.first,
            case .known(let interfaces) = facts.interfaces
        else { return [] }
        return node.addresses.flatMap { primary -> [Finding] in
            let own = interfaces.filter { $0.value.addresses.contains(primary) }.map(\.key)
            let others = interfaces.filter { name, interface in
                !own.contains(name)
                    && node.secondaryAddresses.contains(where: interface.addresses.contains)
            }.map(\.key)
            guard let right = own.first, !others.isEmpty else { return [] }
            let astray = site.destinations.compactMap { destination in
                destination.addresses.first { address in
                    address.family == primary.family
                        && routes[address].map(others.contains) == true
                }.map { (destination.node.name, $0) }
            }
            guard !astray.isEmpty else { return [] }
            let words = astray.map { "\($0.1)/\(primary.family.bits)" }
            return [
                Finding(
                    .hint, .routes,
                    "the route to \(named(astray.map { "\($0.0) (\($0.1))" })) does not lead by \(right), which has the primary address \(primary)",
                    why:
                        "Nodes speak with each other by their primary addresses. Packets with that source that leave by another interface are dropped by whoever checks where sources belong.",
                    mend: Mend(
                        "for node in \(words.joined(separator: " ")); do ip route replace \"$node\" via ROUTER dev \(Mend.word(right)); done",
                        permanently:
                            "in the host's network configuration, such as /etc/network/interfaces"),
                    rows: site.meshRows)
            ]
        }
    }

    private static func named(_ texts: [String]) -> String {
        let more = texts.count > namedNodes ? " and \(texts.count - namedNodes) more" : ""
        return texts.prefix(namedNodes).joined(separator: ", ") + more
    }
}
