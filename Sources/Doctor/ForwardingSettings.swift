internal import PortModel
internal import Site

extension Examination {
    /// Whether a gateway forwards the packets of the nodes behind it, by routing or by bridging, and
    /// whether they meet its rules.
    static func forwarding(_ facts: HostFacts, _ site: EnforcedSite) -> [Finding] {
        guard site.placement.traffic == .routed else { return [] }
        return site.families.flatMap { family in
            let ways: [String]
            switch (facts.routes, facts.interfaces) {
            case (.known(let routes), .known(let interfaces)):
                let own = site.nodes.flatMap(\.allAddresses).filter { $0.family == family }
                ways = Set(own.compactMap { routes[$0] }).sorted()
                return forwarding(
                    family, by: ways.compactMap { name in interfaces[name].map { (name, $0) } },
                    facts, site)
            case (.unknown(let reason), _), (_, .unknown(let reason)):
                return [Finding(.unknown, .forwarding, reason)]
            }
        }
    }

    private static func forwarding(
        _ family: AddressFamily, by ways: [(name: String, interface: Interface)],
        _ facts: HostFacts, _ site: EnforcedSite
    ) -> [Finding] {
        let name = family.name
        let routes: Bool
        switch facts.forwards[family] ?? .notRead {
        case .known(let known): routes = known
        case .unknown(let reason): return [Finding(.unknown, .forwarding, reason)]
        }
        let bridges = ways.filter { $0.interface.filtersAsBridge != nil }
        let unfiltered = bridges.filter { !filters($0.interface, family, facts) }
        var findings: [Finding] = []
        if !routes {
            // A hypervisor may only bridge.
            if bridges.count < ways.count || ways.isEmpty || !unfiltered.isEmpty {
                findings.append(
                    Finding(
                        .problem, .forwarding,
                        "this host forwards no \(name)",
                        why:
                            "No \(name) packet of the nodes comes by: they reach nobody through this host.",
                        mend: .setting([(family.parameter, "1")]), rows: site.rows { _ in true }))
            }
        } else {
            for (way, interface) in ways {
                switch interface.forwards[family] ?? .notRead {
                case .known(true): continue
                case .known(false):
                    findings.append(
                        Finding(
                            .problem, .forwarding,
                            "this host forwards no \(name) that comes in by \(way)",
                            why: "The nodes' \(name) packets come in by it and end there.",
                            mend: .setting([
                                ("net/\(family.rawValue)/conf/\(way)/forwarding", "1")
                            ]), rows: site.rows { _ in true }))
                case .unknown(let reason):
                    findings.append(Finding(.unknown, .forwarding, reason))
                }
            }
        }
        if !unfiltered.isEmpty {
            let isLoaded = facts.filtersBridges != nil
            let names = unfiltered.map(\.name).joined(separator: ", ")
            findings.append(
                Finding(
                    .hint, .bridges,
                    "\(name) packets between machines on \(names) do not meet the rules",
                    why:
                        "They are bridged, and the rules see what is routed. Machines on the same bridge as a node reach all its ports.",
                    mend: .setting(
                        [(family.bridgeParameter, "1")], of: "br_netfilter", isLoaded: isLoaded),
                    rows: site.rows { _ in true }))
        } else if !bridges.isEmpty {
            findings.append(
                Finding(
                    .ok, .bridges,
                    "bridged \(name) packets of \(bridges.map(\.name).joined(separator: ", ")) meet the rules"
                ))
        }
        if !findings.contains(where: { $0.check == .forwarding }) {
            findings.append(Finding(.ok, .forwarding, "\(name) packets of the nodes come by"))
        }
        return findings
    }

    private static func filters(
        _ bridge: Interface, _ family: AddressFamily, _ facts: HostFacts
    ) -> Bool {
        guard let ofAll = facts.filtersBridges else { return false }
        return ofAll[family] == true || bridge.filtersAsBridge?[family] == true
    }
}

extension AddressFamily {
    var name: String { self == .ipv4 ? "IPv4" : "IPv6" }

    /// Below `/proc/sys`: whether this host forwards at all.
    var parameter: String {
        self == .ipv4 ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding"
    }

    /// Below `/proc/sys`: whether bridged packets meet rules.
    var bridgeParameter: String {
        "net/bridge/bridge-nf-call-\(self == .ipv4 ? "iptables" : "ip6tables")"
    }

    /// The same for one bridge, in its directory of `/sys/class/net`.
    var bridgeAttribute: String { self == .ipv4 ? "nf_call_iptables" : "nf_call_ip6tables" }
}
