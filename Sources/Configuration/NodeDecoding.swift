internal import PortModel
internal import Site

/// A node of the configuration, known by name even where the rest of it is faulty.
struct DecodedNode {
    let name: String
    let nameLocation: SourceLocation
    var role: NodeRole?
    var primary: [(address: IPAddress, location: SourceLocation)] = []
    var secondary: [(address: IPAddress, location: SourceLocation)] = []
    /// nil when the node is faulty.
    var node: Node?
}

/// The settings that may be made for all nodes and overridden for one.
struct NodeSettings {
    var features: [Feature: Bool] = [:]
    var ports: PortAssignments
    /// Where ranges are set, if not to their defaults.
    var rangeLocations: [NamedRange: SourceLocation] = [:]
    var syslogTransport: IPProtocol = .udp
    var peers: [PeerClass: PeerList] = [:]

    var enabledFeatures: Set<Feature> { Set(features.filter(\.value).keys) }
    var narrowedPeers: [PeerClass: Peers] {
        peers.mapValues(\.peers).filter { $0.value != .any }
    }
}

/// The keys that stand at the top and in a node alike.
struct SettingsEntries {
    var features: YAMLEntry?
    var ports: YAMLEntry?
    var transports: YAMLEntry?
    var peers: YAMLEntry?

    var isEmpty: Bool { features == nil && ports == nil && transports == nil && peers == nil }
}

/// Settings as a node carries them, shared by all nodes that set nothing of their own.
private struct EffectiveSettings {
    let features: Set<Feature>
    let ports: PortAssignments
    let syslogTransport: IPProtocol
    let peers: [PeerClass: Peers]

    init(_ settings: NodeSettings) {
        features = settings.enabledFeatures
        ports = settings.ports
        syslogTransport = settings.syslogTransport
        peers = settings.narrowedPeers
    }
}

extension DeploymentDecoder {
    mutating func readNodes(_ node: YAMLNode, _ common: NodeSettings) {
        guard let mapping = mapping(node, "nodes") else { return }
        let ordinary = EffectiveSettings(common)
        for entry in mapping.entries {
            reportNoContent(entry, "node")
            checkName(entry, "node")
            let decoded = decodedNode(entry, common, ordinary)
            nodeIndex[entry.key] = nodes.count
            nodes.append(decoded)
            nodeNames.append(entry.key)
        }
    }

    private mutating func decodedNode(
        _ entry: YAMLEntry, _ common: NodeSettings, _ ordinary: EffectiveSettings
    ) -> DecodedNode {
        var result = DecodedNode(name: entry.key, nameLocation: entry.keyLocation)
        let path = "nodes.\(entry.key)"
        guard !entry.value.isNull,
            let entries = fields(of: entry.value, path, as: NodeKey.self)
        else { return result }
        if let role = entries[.role] {
            result.role = choice(
                role.value, "role", among: profile.roleNames.map { ($0.rawValue, $0) })
        } else {
            let roles = profile.roleNames.map { "role: \($0.rawValue)" }
            reportMissing("role: write \(alternatives(roles))", from: entry)
        }
        if let address = entries[.address] {
            result.primary = hostAddresses(address.value, "\(path).address")
        } else {
            reportMissing("address: write address and its primary one", from: entry)
        }
        if let secondary = entries[.secondaryAddress] {
            result.secondary = hostAddresses(secondary.value, "\(path).secondary_address")
            if let role = result.role.flatMap({ profile[$0] }), !role.mayBeDualHomed {
                findings.error(
                    secondary.keyLocation,
                    "a \(role.title) has no secondary address: remove it, or correct the role")
            }
        }
        var effective = ordinary
        let own = SettingsEntries(
            features: entries[.features], ports: entries[.ports],
            transports: entries[.transports], peers: entries[.peers])
        if !own.isEmpty {
            var settings = common
            readSettings(own, of: entry.key, into: &settings)
            effective = EffectiveSettings(settings)
        }
        guard let role = result.role, !result.primary.isEmpty else { return result }
        result.node = Node(
            name: entry.key, role: role, addresses: result.primary.map(\.address),
            secondaryAddresses: result.secondary.map(\.address), features: effective.features,
            ports: effective.ports, syslogTransport: effective.syslogTransport,
            peers: effective.peers)
        return result
    }

    private mutating func reportMissing(_ what: String, from entry: YAMLEntry) {
        guard isComplete else { return }
        findings.error(entry.keyLocation, "node \(quoted(entry.key)) has no \(what)")
    }

    /// Reads features, ports, transports and peers over what is set already.
    /// - Parameter name: the node whose settings they are; nil for those of all nodes.
    mutating func readSettings(
        _ entries: SettingsEntries, of name: String?, into settings: inout NodeSettings
    ) {
        let prefix = name.map { "nodes.\($0)." } ?? ""
        if let features = entries.features,
            let fields = fields(of: features.value, "\(prefix)features", as: Feature.self)
        {
            for feature in Feature.allCases {
                guard let entry = fields[feature] else { continue }
                if let value = boolean(entry.value, "\(prefix)features.\(feature.rawValue)") {
                    settings.features[feature] = value
                }
            }
        }
        if let ports = entries.ports {
            readPorts(ports.value, "\(prefix)ports", into: &settings)
        }
        if let transports = entries.transports,
            let fields = fields(
                of: transports.value, "\(prefix)transports", as: TransportKey.self),
            let syslog = fields[.syslog]
        {
            if syslog.value.content == .scalar("tls", isPlain: true) {
                findings.error(
                    syslog.value.location,
                    "unknown transport \"tls\": write tcp, which includes TLS")
            } else if let value = ipProtocol(syslog.value, "transport", among: [.udp, .tcp]) {
                settings.syslogTransport = value
            }
        }
        if let peers = entries.peers,
            let fields = fields(of: peers.value, "\(prefix)peers", as: PeerClass.self)
        {
            for peerClass in PeerClass.allCases {
                guard let entry = fields[peerClass] else { continue }
                let what = "\(prefix)peers.\(peerClass.rawValue)"
                guard let list = self.peers(entry.value, what) else { continue }
                settings.peers[peerClass] = list
                peerChecks.append(
                    PeerCheck(
                        what: what, list: list, location: entry.value.location,
                        nodes: name.map { [$0] }))
            }
        }
    }

    private mutating func readPorts(
        _ node: YAMLNode, _ what: String, into settings: inout NodeSettings
    ) {
        guard let fields = fields(of: node, what, as: PortKey.self) else { return }
        var own: Set<NamedRange> = []
        for key in PortKey.allCases {
            guard let entry = fields[key] else { continue }
            let what = "\(what).\(key.rawValue)"
            switch key {
            case .range(let name):
                guard let range = portRange(entry.value, what) else { continue }
                settings.ports[name] = range
                settings.rangeLocations[name] = entry.value.location
                own.insert(name)
            case .port(.psom):
                if let ports = ports(entry.value, what) { settings.ports[.psom] = ports }
            case .port(let name):
                if let port = port(entry.value, what) { settings.ports[name] = [port] }
            }
        }
        checkRanges(own, of: settings)
    }
}
