internal import PortModel
package import Site

extension Deployment {
    /// A configuration file that means this deployment: everything stands in its node.
    package var configurationText: String {
        var lines = [
            "version: 1", "profile: \(profile.name)", "placement: \(placement.rawValue)",
            "mode: \(mode.rawValue)",
        ]
        if case .nodes(let names) = enforce {
            lines.append("enforce: [\(names.joined(separator: ", "))]")
        }
        lines.append("nodes:")
        for node in nodes { lines += node.configurationLines }
        lines.append(
            "host: {ping: \(host.ping), dhcp_client: \(host.dhcpClient), track_media: \(host.trackMedia.text)}"
        )
        lines.append("rules:\(rules.isEmpty ? " []" : "")")
        for rule in rules {
            lines.append(
                "  - {name: \(rule.name), nodes: [\(rule.nodes.sorted().joined(separator: ", "))], direction: \(rule.direction.rawValue), protocol: \(rule.protocol.name)\(rule.portsAndPeers)}"
            )
        }
        lines.append(
            "refusals: {sample: \(refusals.isSampled), group: \(refusals.group), rate: \(refusals.rate)}"
        )
        var guards = ["revoke_established: \(self.guards.revokeEstablished)"]
        if let confirm = self.guards.confirm {
            guards.append("confirm: \(confirm.components.seconds)s")
        }
        let probes = self.guards.probes.map { "\"\($0)\"" }.joined(separator: ", ")
        guards.append("probes: [\(probes)]")
        lines.append("guard: {\(guards.joined(separator: ", "))}")
        return lines.joined(separator: "\n") + "\n"
    }
}

extension Host.MediaTracking {
    fileprivate var text: String {
        switch self {
        case .auto: "auto"
        case .always: "true"
        case .never: "false"
        }
    }
}

extension Node {
    fileprivate var configurationLines: [String] {
        var lines = [
            "  \(name):", "    role: \(role.rawValue)", "    address: \(list(addresses))",
            "    transports: {syslog: \(syslogTransport.name)}",
        ]
        if !secondaryAddresses.isEmpty {
            lines.append("    secondary_address: \(list(secondaryAddresses))")
        }
        lines.append("    features:")
        for feature in Feature.allCases {
            lines.append("      \(feature.rawValue): \(features.contains(feature))")
        }
        lines.append("    ports:")
        for range in NamedRange.allCases {
            lines.append("      \(range.rawValue): \(text(ports[range]))")
        }
        for port in ConfigurablePort.allCases {
            let numbers = ports[port].map { "\($0)" }
            lines.append(
                "      \(port.rawValue): \(numbers.count == 1 ? numbers[0] : "[\(numbers.joined(separator: ", "))]")"
            )
        }
        lines.append("    peers:")
        for peerClass in PeerClass.allCases {
            lines.append("      \(peerClass.rawValue): \((peers[peerClass] ?? .any).text)")
        }
        return lines
    }

    private func list(_ addresses: [IPAddress]) -> String {
        "[\(addresses.map { "\"\($0)\"" }.joined(separator: ", "))]"
    }
}

extension Peers {
    fileprivate var text: String {
        switch self {
        case .any: "any"
        case .only(let set): "[\(set.elements.map { "\"\($0)\"" }.joined(separator: ", "))]"
        }
    }
}

extension SiteRule {
    fileprivate var portsAndPeers: String {
        let ports = [("source_ports", sourcePorts), ("destination_ports", destinationPorts)]
            .filter { !$0.1.isAll }.map {
                ", \($0.0): [\($0.1.intervals.map(text).joined(separator: ", "))]"
            }
        return ports.joined() + ", peers: \(peers.text)"
    }
}

private func text(_ range: ClosedRange<UInt16>) -> String {
    "\(range.lowerBound)-\(range.upperBound)"
}
