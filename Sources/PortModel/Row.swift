/// Whether a row stands in the "Inbound" or the "Outbound" table of its role.
package enum Direction: String, Hashable, Sendable, CaseIterable, Codable {
    case inbound
    case outbound
}

/// The IP protocols that the specification names.
package enum IPProtocol: UInt8, Hashable, Sendable, CaseIterable, Codable {
    case tcp = 6
    case udp = 17
    case esp = 50

    /// ESP has an SPI in place of ports (RFC 4303).
    package var hasPorts: Bool { self != .esp }
    /// The name that nftables and the configuration use.
    package var name: String {
        switch self {
        case .tcp: "tcp"
        case .udp: "udp"
        case .esp: "esp"
        }
    }
}

/// A port range that the administrator may move: `**`, and the ephemeral range's note.
package enum NamedRange: String, Hashable, Sendable, CaseIterable, Codable {
    case ephemeral
    case signaling
    case media
}

/// A single port, or a few, that the administrator may change: `†` and `‡‡`.
package enum ConfigurablePort: String, Hashable, Sendable, CaseIterable, Codable {
    case snmp
    case syslog
    case stunTurn = "stun_turn"
    case psom
}

/// A "Source-Port" or "Dest-Port" cell.
package enum PortCell: Hashable, Sendable, Codable {
    /// `<any>`
    case any
    /// `n/a`: the protocol has no ports.
    case notApplicable
    /// Constants and at most one named range, joined as the documentation joins them.
    case ports([UInt16], NamedRange? = nil)
    case configurable(ConfigurablePort)

    /// A cell of one named range, such as `55000–65535`.
    package static func range(_ range: NamedRange) -> Self { .ports([], range) }
    /// A cell of one constant port, such as `22`.
    package static func port(_ port: UInt16) -> Self { .ports([port]) }
}

/// An optional part of the product (`‡`) or an administrative access (`*`): its rows apply only
/// where the administrator says that it is used.
package enum Feature: String, Hashable, Sendable, CaseIterable, Codable {
    case ssh
    case http
    case snmp
    case sipUDP = "sip_udp"
    case ldap
    case smtp
    case syslog
    case incidentReporting = "incident_reporting"
    case usageStatistics = "usage_statistics"
}

/// The "Device" column as a name whose addresses the administrator may narrow; any by default.
///
/// Each distinct cell that means a different population has a class of its own, so that narrowing
/// one cannot cut another: `web_clients` are those of the Management Node, who are administrators;
/// `conference_clients` those of Conferencing Nodes, who are everybody that joins by a browser.
package enum PeerClass: String, Hashable, Sendable, CaseIterable, Codable {
    case sshClients = "ssh_clients"
    case webClients = "web_clients"
    case conferenceClients = "conference_clients"
    case snmpServers = "snmp_servers"
    case dnsServers = "dns_servers"
    case ldapServers = "ldap_servers"
    case vsphereHosts = "vsphere_hosts"
    case licensingServers = "licensing_servers"
    case incidentReportingServers = "incident_reporting_servers"
    case usageStatisticsServers = "usage_statistics_servers"
    case smtpServers = "smtp_servers"
    case ntpServers = "ntp_servers"
    case snmpManagers = "snmp_managers"
    case syslogServers = "syslog_servers"
    case endpoints
    case mediaEndpoints = "media_endpoints"
    case rtmpServers = "rtmp_servers"
    case lyncWebConferencing = "lync_web_conferencing"
    case lyncServers = "lync_servers"
    case stunTurnServers = "stun_turn_servers"
}

/// The other end of a row.
package enum Peer: Hashable, Sendable, Codable {
    /// Devices outside the deployment, narrowed by the administrator.
    case devices(PeerClass)
    /// Other nodes of the deployment with one of these roles, at their primary addresses. The
    /// routing guidance: fully routable to each other, UDP 500 and ESP in both directions, no NAT.
    case nodes([NodeRole])
}

/// Which of a node's addresses a row concerns.
package enum Plane: String, Hashable, Sendable, CaseIterable, Codable {
    /// "The primary address is always used for inter-node communication"; SSH as well.
    case primary
    /// "The secondary address is always used for signaling and media", where there is one.
    case signalingAndMedia
    /// Any address of the node.
    case any
}

/// The marks of the specification's footnotes.
package enum Footnote: String, Hashable, Sendable, CaseIterable, Codable {
    case administrativeAccess = "*"
    case portConfigurable = "†"
    case rangeConfigurable = "**"
    case featureOnly = "‡"
    case psomPorts = "‡‡"
    case infinityConnectClients = "††"
}

/// A column of the tables, to say which cell carries a footnote's mark.
package enum Column: String, Hashable, Sendable, CaseIterable, Codable,
    CodingKeyRepresentable
{
    case `protocol`
    case sourcePort
    case destinationPort
    case description
    case device
}

/// One line of the specification's tables.
package struct Row: Hashable, Sendable, Codable {
    /// Stable: `<role>.<in|out>.<name>`, in letters, digits, `-` and `.`.
    package let id: String
    /// The role in whose table the row stands.
    package let role: NodeRole
    /// The one of the role's two tables in which the row stands.
    package let direction: Direction
    /// The "Protocol" cell; a row with two gives a permit for each.
    package let protocols: [IPProtocol]
    /// `(TLS)` after the protocol.
    package let isTLS: Bool
    /// The "Source-Port" cell.
    package let source: PortCell
    /// The "Dest-Port" cell.
    package let destination: PortCell
    /// The "Description" cell without marks.
    package let description: String
    /// The "Device" cell without marks.
    package let device: String
    /// The meaning of ``device`` for the rules.
    package let peer: Peer
    /// The addresses of the node that the row binds to, by the guidance on dual-homed nodes.
    package let plane: Plane
    /// The feature that makes the row apply; nil for rows that always do.
    package let feature: Feature?
    /// Whether the administrator may choose UDP or TCP: `†` at the protocol (syslog).
    package let hasConfigurableTransport: Bool
    /// The marks by the cell that carries them.
    package let marks: [Column: Footnote]

    /// The footnotes that any cell refers to, in the tables' order of columns.
    package var footnotes: [Footnote] {
        var seen: [Footnote] = []
        for column in Column.allCases {
            if let mark = marks[column], !seen.contains(mark) { seen.append(mark) }
        }
        return seen
    }
}

extension Row {
    /// The line as the documentation prints it, with these ports.
    package func line(_ ports: PortAssignments) -> String {
        [
            marked(protocolText(protocols), .protocol),
            marked(CellPorts(source, ports).text, .sourcePort),
            marked(CellPorts(destination, ports).text, .destinationPort),
            marked(description, .description),
            marked(device, .device),
        ].joined(separator: " ")
    }

    /// The "Protocol" cell without marks, of these of the row's protocols.
    package func protocolText(_ protocols: [IPProtocol]) -> String {
        protocols.map { $0.name.uppercased() }.joined(separator: "/") + (isTLS ? " (TLS)" : "")
    }

    /// A cell's text with the mark that the column carries.
    package func marked(_ text: String, _ column: Column) -> String {
        marks[column].map { "\(text) \($0.rawValue)" } ?? text
    }
}

// MARK: Questions about rows

extension Row {
    /// Whether the row applies to nodes of its role that use these features.
    package func applies(with features: Set<Feature>) -> Bool {
        feature.map(features.contains) ?? true
    }

    /// Whether ports of this range are among those of either end.
    package func uses(_ range: NamedRange) -> Bool {
        source.uses(range) || destination.uses(range)
    }

    /// Whether either end's cell is this configurable port.
    package func uses(_ port: ConfigurablePort) -> Bool {
        [source, destination].contains(.configurable(port))
    }

    /// Whether this is one of the pair of rows "RTP / RTCP / …", which mirror each other: the media
    /// range is the destination of the inbound row and the source of the outbound one, both with
    /// any port and the same devices at the other end.
    package var carriesMedia: Bool {
        switch direction {
        case .inbound: source == .any && destination == .range(.media)
        case .outbound: source == .range(.media) && destination == .any
        }
    }
}

extension PortCell {
    /// Whether ports of this range are among those of the cell.
    package func uses(_ range: NamedRange) -> Bool {
        if case .ports(_, range) = self { true } else { false }
    }
}
