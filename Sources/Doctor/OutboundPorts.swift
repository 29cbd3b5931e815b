internal import PortModel
internal import Site

extension Examination {
    /// Whether the ports that the kernel gives to the host's own connections are those that the
    /// rows permit. On a gateway they are the nodes' business.
    static func outboundPorts(_ facts: HostFacts, _ site: EnforcedSite) -> [Finding] {
        guard site.placement.judgesHost, let node = site.nodes.first else { return [] }
        let range: ClosedRange<UInt16>
        let reserved: PortSet
        switch (facts.localPorts, facts.reservedPorts) {
        case (.known(let known), .known(let set)): (range, reserved) = (known, set)
        case (.unknown(let reason), _), (_, .unknown(let reason)):
            return [Finding(.unknown, .outboundPorts, reason)]
        }
        let used = PortSet([range]).intersection(reserved.complement)
        let refused = used.intersection(PortSet([node.ports[.ephemeral]]).complement)
        if !refused.isEmpty {
            return [refusedPorts(refused, of: range, on: node, site)]
        }
        return [
            Finding(
                .ok, .outboundPorts,
                "the host's own connections leave from \(used.text), which the rows permit")
        ]
    }

    private static func refusedPorts(
        _ refused: PortSet, of range: ClosedRange<UInt16>, on node: Node, _ site: EnforcedSite
    ) -> Finding {
        let permitted = node.ports[.ephemeral]
        // Ports below 1024 are not given away, and the kernel refuses a range that has some.
        let low = max(permitted.lowerBound, 1024)
        let wanted = low <= permitted.upperBound ? low...permitted.upperBound : nil
        let calls = PortSet([node.ports[.signaling], node.ports[.media]])
        let shared =
            site.deployment.profile.carriesCalls(node.role)
            ? refused.intersection(calls) : PortSet()
        let taken =
            shared.isEmpty
            ? "" : " They also take the ports \(shared.text), which calls need."
        return Finding(
            .problem, .outboundPorts,
            "the host's own connections may leave from the ports \(refused.text), which no row permits",
            why:
                "The kernel picks them from \(PortSet([range]).text), for IPv6 too; the rows want \(PortSet([permitted]).text). Queries for names, time and licenses that leave from elsewhere are dropped, so these fail now and then, or always.\(taken)",
            mend: wanted.map {
                .setting([
                    ("net/ipv4/ip_local_port_range", "\($0.lowerBound) \($0.upperBound)")
                ])
            },
            rows: site.rows { $0.direction == .outbound && $0.source.uses(.ephemeral) })
    }
}

extension PortSet {
    /// As the kernel and people write it: `22,33000-49999`.
    var text: String {
        intervals.map {
            $0.lowerBound == $0.upperBound
                ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
        }.joined(separator: ",")
    }
}
