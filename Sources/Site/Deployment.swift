package import PortModel

/// The merged, validated content of the configuration directory.
///
/// Everything that refers to something else is resolved: groups are addresses, and every node
/// carries its own effective features, ports and peers.
package struct Deployment: Hashable, Sendable {
    /// The documented version whose rows apply.
    package var profile: Profile
    /// Whether the rules stand on a node itself or in front of nodes.
    package var placement: Placement
    /// Which of ``nodes`` are enforced here, as configured: `auto` is resolved with the host's
    /// addresses.
    package var enforce: Enforce
    /// Whether packets that no row permits are dropped or only counted.
    package var mode: Mode
    /// Sorted by name.
    package var nodes: [Node]
    /// The host's own needs beside the rows.
    package var host: Host
    /// The site's own rows, in the files' order.
    package var rules: [SiteRule]
    /// The safeguards of an apply.
    package var guards: Guard
    /// How refused packets are sampled.
    package var refusals: Refusals

    /// Sorts the nodes by name. A default is the value of a configuration without the key.
    package init(
        profile: Profile = .standard, placement: Placement = .local, enforce: Enforce = .auto,
        mode: Mode = .enforce, nodes: [Node], host: Host = Host(), rules: [SiteRule] = [],
        guards: Guard = Guard(), refusals: Refusals = Refusals()
    ) {
        self.profile = profile
        self.placement = placement
        self.enforce = enforce
        self.mode = mode
        self.nodes = nodes.sorted { $0.name < $1.name }
        self.host = host
        self.rules = rules
        self.guards = guards
        self.refusals = refusals
    }

    /// nil where no node has this name.
    package func node(named name: String) -> Node? { nodes.first { $0.name == name } }
}

/// Which nodes are enforced here.
package enum Enforce: Hashable, Sendable {
    /// Local placement: the node whose address this host has. Gateway: all.
    case auto
    case nodes([String])
}

/// The fate of packets that no row permits.
package enum Mode: String, Hashable, Sendable, CaseIterable, Codable {
    case enforce
    /// Count what would be dropped, drop nothing.
    case observe
}

/// The addresses that a class of peers is narrowed to.
package enum Peers: Hashable, Sendable, Codable {
    case any
    case only(AddressSet)
}

/// A Management or Conferencing Node with everything that may be overridden for it resolved.
package struct Node: Hashable, Sendable {
    /// Unique in the deployment, as ``Deployment/isName(_:)`` wants it.
    package var name: String
    /// Says which of the profile's rows are for the node.
    package var role: NodeRole
    /// Primary addresses, sorted: at least one, at most one of each family.
    package var addresses: [IPAddress]
    /// Secondary addresses of a dual-homed Conferencing Node, sorted, at most one of each family.
    package var secondaryAddresses: [IPAddress]
    /// Those that are on: the ones set for all nodes, with the node's own settings over them.
    package var features: Set<Feature>
    /// The profile's ports, with those set for all nodes and then the node's own over them.
    package var ports: PortAssignments
    /// UDP or TCP for syslog, which the specification leaves to the administrator.
    package var syslogTransport: IPProtocol
    /// Classes that are narrowed; a class that is not a key is any.
    package var peers: [PeerClass: Peers]

    /// Sorts the addresses of each kind.
    package init(
        name: String, role: NodeRole, addresses: [IPAddress], secondaryAddresses: [IPAddress] = [],
        features: Set<Feature> = [], ports: PortAssignments = Profile.standard.ports,
        syslogTransport: IPProtocol = .udp, peers: [PeerClass: Peers] = [:]
    ) {
        self.name = name
        self.role = role
        self.addresses = addresses.sorted()
        self.secondaryAddresses = secondaryAddresses.sorted()
        self.features = features
        self.ports = ports
        self.syslogTransport = syslogTransport
        self.peers = peers
    }

    /// The name of the node's nftables table in local placement.
    ///
    /// nftables takes letters, digits and `_` (and a few more that need quoting in a shell), so every
    /// other character becomes `_`; two nodes of a deployment never have one name.
    package var tableName: String { Self.tableName(of: name) }

    /// The ``tableName`` of a node with this name: `pexip_fw_` and the name.
    package static func tableName(of name: String) -> String {
        let characters = name.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                byte
            default: UInt8(ascii: "_")
            }
        }
        return "pexip_fw_" + String(decoding: characters, as: UTF8.self)
    }

    /// The addresses of both kinds.
    package var homes: NodeAddresses {
        NodeAddresses(primary: addresses, secondary: secondaryAddresses)
    }

    /// Every address of the node, sorted.
    package var allAddresses: [IPAddress] { homes.all }

    /// The addresses that rows of a plane bind to, sorted.
    package func addresses(of plane: Plane) -> [IPAddress] { homes[plane] }
}

/// The addresses of a node, by which its rows bind to some of them.
package struct NodeAddresses: Hashable, Sendable, Codable {
    /// Sorted: at least one, at most one of each family.
    package var primary: [IPAddress]
    /// Sorted, at most one of each family; empty but for a dual-homed node.
    package var secondary: [IPAddress]

    /// Both must be sorted.
    package init(primary: [IPAddress], secondary: [IPAddress]) {
        self.primary = primary
        self.secondary = secondary
    }

    /// Every address, sorted.
    package var all: [IPAddress] {
        secondary.isEmpty ? primary : (primary + secondary).sorted()
    }

    /// The addresses that rows of a plane bind to, sorted.
    ///
    /// Signaling and media use the secondary address of each family that has one. A family without
    /// a secondary address has only the primary one to signal on.
    package subscript(plane: Plane) -> [IPAddress] {
        switch plane {
        case .primary: return primary
        case .any: return all
        case .signalingAndMedia where secondary.isEmpty: return primary
        case .signalingAndMedia:
            let families = Set(secondary.map(\.family))
            return (secondary + primary.filter { !families.contains($0.family) }).sorted()
        }
    }
}

/// The host's own needs beside its node's rows. On a gateway only ``ping`` counts, for the nodes
/// behind it.
package struct Host: Hashable, Sendable {
    /// ICMP and ICMPv6 echo requests to and from the nodes pass.
    package var ping = false
    /// Let the host's own DHCP and DHCPv6 client work.
    package var dhcpClient = false
    /// Whether UDP is tracked before it is judged.
    package var trackMedia = MediaTracking.auto

    /// Media needs no connection tracking, but answers to what the host translates for others do:
    /// they come to the host's own ports.
    package enum MediaTracking: String, Hashable, Sendable, Codable {
        /// Not tracked; told of where others' tables translate sources.
        case auto
        /// `true`
        case always
        /// `false`: not tracked, whatever others' tables do.
        case never

        /// Those that stand as words in a configuration; others are truth values.
        package static let words = [auto.rawValue]
    }

    /// The values of a configuration without `host`.
    package init() {}
}

/// A row of the site's own.
package struct SiteRule: Hashable, Sendable {
    /// Unique; letters, digits, `-`, `_` and `.`.
    package var name: String
    /// Names of the nodes it applies to, roles and `all` resolved.
    package var nodes: Set<String>
    /// Seen from the nodes.
    package var direction: Direction
    /// One protocol: a site rule for TCP and UDP is written as two.
    package var `protocol`: IPProtocol
    /// The sender's ports; all for ESP, which has none.
    package var sourcePorts: PortSet
    /// The receiver's ports; all for ESP, which has none.
    package var destinationPorts: PortSet
    /// The addresses at the other end.
    package var peers: Peers

    package init(
        name: String, nodes: Set<String>, direction: Direction, protocol: IPProtocol,
        sourcePorts: PortSet = .all, destinationPorts: PortSet = .all, peers: Peers = .any
    ) {
        self.name = name
        self.nodes = nodes
        self.direction = direction
        self.protocol = `protocol`
        self.sourcePorts = sourcePorts
        self.destinationPorts = destinationPorts
        self.peers = peers
    }

    /// The id that stands beside the rows' ids in comments and counters.
    package var id: String { "site.\(name)" }
}

/// The safeguards of an apply.
package struct Guard: Hashable, Sendable {
    /// The times to confirm in that are neither too short for people nor forgotten: 10 s to 24 h.
    package static let confirmSeconds = 10...86_400

    /// Automatic applies roll back unless confirmed within this time; nil is off.
    package var confirm: Duration?
    /// The connections that are tried after an apply; one that fails takes it back.
    package var probes: [Probe] = []
    /// End established flows that a new generation no longer permits.
    package var revokeEstablished = true

    /// The values of a configuration without `guard`.
    package init() {}
}

/// A TCP connection that must succeed after an apply.
package struct Probe: Hashable, Sendable, CustomStringConvertible {
    /// Never a name: names are not looked up.
    package var address: IPAddress
    /// Of TCP.
    package var port: UInt16

    package init(address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// As it is configured: `tcp://10.0.0.10:443`.
    package var description: String {
        address.family == .ipv6 ? "tcp://[\(address)]:\(port)" : "tcp://\(address):\(port)"
    }
}
