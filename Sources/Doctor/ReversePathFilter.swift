internal import PortModel
internal import Site

extension Examination {
    /// Whether the kernel drops what comes to a dual-homed node by another way than it would
    /// answer. The kernel has such a filter for IPv4 only.
    static func reversePath(_ facts: HostFacts, _ site: EnforcedSite) -> [Finding] {
        let interfaces: [String: Interface]
        let ofAll: ReversePath
        switch (facts.interfaces, facts.reversePathOfAll) {
        case (.known(let known), .known(let setting)): (interfaces, ofAll) = (known, setting)
        case (.unknown(let reason), _), (_, .unknown(let reason)):
            return [Finding(.unknown, .reversePath, reason)]
        }
        var findings: [Finding] = []
        var severalWays = false
        var named: Set<String> = []
        for node in site.nodes {
            let ways: [Way]
            switch self.ways(to: node, interfaces, facts, site) {
            case .known(let known): ways = known
            case .unknown(let reason): return [Finding(.unknown, .reversePath, reason)]
            }
            guard Set(ways.map(\.interface)).count > 1 else { continue }
            severalWays = true
            for name in Set(ways.map(\.interface)).sorted() where !named.contains(name) {
                guard let interface = interfaces[name] else { continue }
                guard case .known(let own) = interface.reversePath else {
                    findings.append(
                        Finding(.unknown, .reversePath, "rp_filter of \(name) can't be read"))
                    continue
                }
                guard max(own.rawValue, ofAll.rawValue) == ReversePath.strict.rawValue else {
                    continue
                }
                named.insert(name)
                let addresses = Set(ways.filter { $0.interface == name }.map(\.address))
                findings.append(strict(name, addresses, of: node, site))
            }
        }
        if findings.isEmpty {
            findings.append(
                Finding(
                    .ok, .reversePath,
                    severalWays
                        ? "rp_filter does not drop what comes to a dual-homed node by the other way"
                        : "no node here is dual-homed over two interfaces, so rp_filter can't bite")
            )
        }
        return findings
    }

    /// By which interfaces the node's IPv4 packets come: on the node itself those that have its
    /// addresses, on a gateway those that lead to them.
    private static func ways(
        to node: Node, _ interfaces: [String: Interface], _ facts: HostFacts, _ site: EnforcedSite
    ) -> Fact<[Way]> {
        let addresses = node.allAddresses.filter { $0.family == .ipv4 }
        guard site.placement.judgesForwarded else {
            return .known(
                addresses.flatMap { address in
                    interfaces.filter { $0.value.addresses.contains(address) }
                        .map { Way(interface: $0.key, address: address) }
                })
        }
        switch facts.routes {
        case .known(let routes):
            return .known(
                addresses.compactMap { address in
                    routes[address].map { Way(interface: $0, address: address) }
                })
        case .unknown(let reason): return .unknown(reason)
        }
    }

    private static func strict(
        _ name: String, _ addresses: Set<IPAddress>, of node: Node, _ site: EnforcedSite
    ) -> Finding {
        Finding(
            site.placement.judgesForwarded ? .hint : .problem, .reversePath,
            "\(node.name) is dual-homed, and rp_filter of \(name) is strict",
            why: site.placement.judgesForwarded
                ? "The kernel drops, before any rule and any counter, what comes from the node by \(name) with its other address, as a node does whose default route is on the other side."
                : "The kernel drops, before any rule and any counter, what comes in by \(name) from where the route back leads by the other interface: whoever is not in the routes of \(name) does not reach the node.",
            mend: .setting([("net/ipv4/conf/\(name)/rp_filter", "\(ReversePath.loose.rawValue)")]),
            rows: site.rows { row in
                row.role == node.role && row.direction == .inbound
                    && !addresses.isDisjoint(with: node.addresses(of: row.plane))
            })
    }
}

private struct Way: Hashable, Sendable {
    let interface: String
    let address: IPAddress
}
