internal import Display
internal import Drawing
internal import Policy
internal import PortModel
internal import Reports
internal import Ruleset
internal import Site

/// Something that is not as the documentation has it by default.
struct Deviation: Hashable {
    enum Kind: String, CaseIterable {
        /// More passes than the documentation needs by default.
        case opens = "opens more"
        /// Less passes than the documentation allows.
        case closes = "closes more"
        case changes = "changes"

        var plural: String {
            switch self {
            case .opens: "open more"
            case .closes: "close more"
            case .changes: "change"
            }
        }
    }

    var kind: Kind
    /// The key of the configuration.
    var key: String
    var documented: String
    var here: String
}

/// A deviation with the nodes that it concerns.
struct ConcernedDeviation: Hashable {
    var deviation: Deviation
    /// The ids of the rows concerned; empty where it is no matter of rows.
    var rows: [String]
    /// Labels of groups; nil where it is the whole deployment.
    var groups: [String]?
}

extension Audit {
    private static let shownPeers = 6

    /// The deviations from the documented defaults, those that open something first.
    var deviations: [ConcernedDeviation] {
        var order: [Deviation] = []
        var concerned: [Deviation: (rows: [String], groups: [String])] = [:]
        for facts in groups {
            for (deviation, rows) in deviations(of: facts) {
                if concerned[deviation] == nil { order.append(deviation) }
                concerned[deviation, default: ([], [])].groups.append(facts.group.label)
                let known = concerned[deviation]?.rows ?? []
                concerned[deviation]?.rows += rows.filter { !known.contains($0) }
            }
        }
        let all =
            general.map { ConcernedDeviation(deviation: $0, rows: [], groups: nil) }
            + order.map { deviation in
                let (rows, labels) = concerned[deviation] ?? ([], [])
                return ConcernedDeviation(
                    deviation: deviation, rows: rows,
                    groups: labels.count == groups.count ? nil : labels)
            }
        return Deviation.Kind.allCases.flatMap { kind in
            all.filter { $0.deviation.kind == kind }
        }
    }

    private var general: [Deviation] {
        var found: [Deviation] = []
        func add(_ kind: Deviation.Kind, _ key: String, _ documented: String, _ here: String) {
            found.append(Deviation(kind: kind, key: key, documented: documented, here: here))
        }
        if deployment.mode == .observe {
            add(
                .opens, "mode", "only the documented ports are open",
                "observe: refusals are counted, and nothing is dropped")
        }
        if case .nodes(let names) = deployment.enforce, names.count < deployment.nodes.count {
            add(
                .opens, "enforce", "all nodes use the documented ports only",
                "\(deployment.nodes.count - names.count) of \(deployment.nodes.count) nodes are not enforced by this host"
            )
        }
        if deployment.host.ping {
            add(.opens, "host.ping", "no such row", "ICMP echo requests from and to the nodes pass")
        }
        if deployment.host.dhcpClient {
            add(
                .opens, "host.dhcp_client", "no such row", "the host's DHCP and DHCPv6 client works"
            )
        }
        if !deployment.guards.revokeEstablished {
            add(
                .opens, "guard.revoke_established",
                "pexip-fw's default: flows end when they are permitted no more",
                "false: established flows go on until they end by themselves")
        }
        if let translated = status?.counters[CounterPurpose.translated.id], translated.packets > 0 {
            add(
                .changes, "NAT between nodes", "There cannot be a NAT between any Pexip nodes",
                "\(Quantities.counted(translated.packets, "packet")) between nodes were translated")
        }
        return found
    }

    /// Those of a group, with the rows that they concern.
    private func deviations(of facts: GroupFacts) -> [(Deviation, rows: [String])] {
        let node = facts.group.representative
        let profile = deployment.profile
        let rows = profile.rows.filter { $0.role == node.role }
        let open = facts.open
        func ids(_ isConcerned: (Row) -> Bool) -> [String] {
            open.filter { $0.row.map(isConcerned) ?? false }.map(\.id)
        }
        var found: [(Deviation, rows: [String])] = []
        func add(
            _ kind: Deviation.Kind, _ key: String, _ documented: String, _ here: String,
            _ rows: [String]
        ) {
            if rows.isEmpty { return }
            found.append(
                (Deviation(kind: kind, key: key, documented: documented, here: here), rows))
        }
        for feature in Feature.allCases where node.features.contains(feature) {
            let marked = rows.filter { $0.feature == feature }
            let footnote: Footnote =
                marked.contains { $0.footnotes.contains(.administrativeAccess) }
                ? .administrativeAccess : .featureOnly
            add(
                .opens, "features.\(feature.rawValue)",
                profile.footnote(footnote)?.line ?? footnote.rawValue, "on",
                ids { $0.feature == feature })
        }
        for rule in deployment.rules(of: node.name) {
            let drawn = facts.rows.first { $0.id == rule.id }.flatMap(facts.drawn)
            let preposition = rule.direction == .inbound ? "from" : "to"
            var peers = "any"
            if case .only(let addresses) = rule.peers {
                peers = Quantities.list(addresses.elements, atMost: Self.shownPeers)
            }
            add(
                .opens, "rules: \(rule.name)", "no such row",
                "\(rule.direction.rawValue) \(drawn?.arrow.traffic ?? rule.protocol.name) \(preposition) \(peers)",
                [rule.id])
        }
        for range in NamedRange.allCases where node.ports[range] != profile.ports[range] {
            add(
                .changes, "ports.\(range.rawValue)", Self.text(profile.ports[range]),
                Self.text(node.ports[range]), ids { $0.uses(range) })
        }
        for port in ConfigurablePort.allCases where node.ports[port] != profile.ports[port] {
            add(
                .changes, "ports.\(port.rawValue)", Self.text(profile.ports[port]),
                Self.text(node.ports[port]), ids { $0.uses(port) })
        }
        if node.syslogTransport != .udp {
            add(
                .changes, "transports.syslog", "UDP",
                node.syslogTransport.name.uppercased(), ids(\.hasConfigurableTransport))
        }
        for peerClass in PeerClass.allCases {
            guard case .only(let addresses)? = node.peers[peerClass] else { continue }
            let list = Quantities.list(addresses.elements, atMost: Self.shownPeers)
            add(
                .closes, "peers.\(peerClass.rawValue)", "any such device",
                list.isEmpty ? "nobody" : "only \(list)",
                ids { $0.peer == .devices(peerClass) })
        }
        return found
    }

    private static func text(_ range: ClosedRange<UInt16>) -> String {
        "\(range.lowerBound)–\(range.upperBound)"
    }

    private static func text(_ ports: [UInt16]) -> String {
        ports.map(String.init).joined(separator: " / ")
    }
}
