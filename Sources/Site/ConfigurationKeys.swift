package import PortModel

// The keys of the configuration, level by level. Features, peer classes and ports are keys by their
// raw values.

/// The keys at the top of a file.
package enum RootKey: String, CaseIterable {
    case version, profile, placement, enforce, mode, ports, transports, features, groups, peers
    case nodes, host, rules, refusals
    case guards = "guard"
}

/// The keys of one node below `nodes`.
package enum NodeKey: String, CaseIterable {
    case role, address
    case secondaryAddress = "secondary_address"
    case features, ports, transports, peers
}

/// The keys of `host`.
package enum HostKey: String, CaseIterable {
    case ping
    case dhcpClient = "dhcp_client"
    case trackMedia = "track_media"
}

/// The keys of one element of `rules`.
package enum RuleKey: String, CaseIterable {
    case name, nodes, direction
    case ipProtocol = "protocol"
    case sourcePorts = "source_ports"
    case destinationPorts = "destination_ports"
    case peers
}

/// The keys of `guard`.
package enum GuardKey: String, CaseIterable {
    case confirm, probes
    case revokeEstablished = "revoke_established"
}

/// The keys of `refusals`.
package enum RefusalKey: String, CaseIterable {
    case sample, group, rate
}

/// The keys of `transports`, for all nodes or for one: the rows whose transport the administrator
/// chooses (`†` at the protocol).
package enum TransportKey: String, CaseIterable {
    case syslog
}

/// A key of `ports`.
package enum PortKey: Hashable, CaseIterable, RawRepresentable {
    case range(NamedRange)
    case port(ConfigurablePort)

    /// The ranges, then the single ports.
    package static var allCases: [Self] {
        NamedRange.allCases.map(Self.range) + ConfigurablePort.allCases.map(Self.port)
    }

    /// nil for a name that neither a range nor a port has.
    package init?(rawValue: String) {
        if let range = NamedRange(rawValue: rawValue) {
            self = .range(range)
        } else if let port = ConfigurablePort(rawValue: rawValue) {
            self = .port(port)
        } else {
            return nil
        }
    }

    /// The key as files have it.
    package var rawValue: String {
        switch self {
        case .range(let range): range.rawValue
        case .port(let port): port.rawValue
        }
    }
}
