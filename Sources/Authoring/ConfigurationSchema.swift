package import JSONValue
internal import PortModel
internal import Site

/// The JSON Schema of a configuration file, for editors that help to write one.
///
/// It is made of the parser's own keys, words, ranges and defaults, and is of draft 7, which every
/// editor's validator knows. One file may be a part of a configuration, so nothing is required that
/// another file may hold.
package enum ConfigurationSchema {
    /// Where the package installs it.
    package static let installedPath = "/usr/share/pexip-fw/pexip-fw.d.schema.json"

    /// The line by which editors find it, at the top of a file.
    package static let modeline = "# yaml-language-server: $schema=\(installedPath)"

    /// The whole schema, made anew at each use.
    package static var document: JSONValue {
        var root = SchemaNode.mapping(RootKey.self, root).orNothingBelow
        root.members["$schema"] = "http://json-schema.org/draft-07/schema#"
        root.members["title"] = "pexip-fw.d(5)"
        root.members["description"] =
            "A file of /etc/pexip-fw.d. Files are read in the order of their names; later ones override earlier ones. A mapping with nothing below it says nothing; every other key has a value."
        root.members["definitions"] = [
            "peer": peer.value, "hostAddress": hostAddress.value, "port": port.value,
            "portOrRange": SchemaNode.any(of: .reference("port"), portRange).value,
        ]
        return root.value
    }

    // MARK: Keys

    private static func root(_ key: RootKey) -> SchemaNode {
        switch key {
        case .version: SchemaNode(["enum": [1]]).described(key.meaning, default: 1)
        case .profile:
            SchemaNode.words(Profile.all.map(\.name))
                .described(key.meaning, default: .string(defaults.profile.name))
        case .placement:
            SchemaNode.words(Placement.self)
                .described(key.meaning, default: .string(defaults.placement.rawValue))
        case .enforce:
            SchemaNode.any(of: .words(["auto"]), .list(of: nodeName, isUnique: true))
                .described(key.meaning, default: "auto")
        case .mode:
            SchemaNode.words(Mode.self)
                .described(key.meaning, default: .string(defaults.mode.rawValue))
        case .ports: ports.described(key.meaning)
        case .transports: transports.described(key.meaning)
        case .features: features.described(key.meaning)
        case .groups: SchemaNode.names(namePattern, to: addresses).described(key.meaning)
        case .peers: peerClasses.described(key.meaning)
        case .nodes: SchemaNode.names(namePattern, to: node).described(key.meaning)
        case .host:
            SchemaNode.mapping(HostKey.self, host).described(key.meaning)
        case .rules:
            SchemaNode(["type": "array", "items": rule.value]).described(key.meaning)
        case .refusals:
            SchemaNode.mapping(RefusalKey.self, refusals).described(key.meaning)
        case .guards:
            SchemaNode.mapping(GuardKey.self, guards).described(key.meaning)
        }
    }

    private static let defaults = Deployment(nodes: [])

    private static var node: SchemaNode {
        SchemaNode.mapping(NodeKey.self) { key in
            switch key {
            case .role:
                SchemaNode.words(Profile.allRoleNames.map(\.rawValue)).described(key.meaning)
            case .address, .secondaryAddress:
                SchemaNode.any(of: .reference("hostAddress"), hostAddresses)
                    .described(key.meaning)
            case .features: features.described(key.meaning)
            case .ports: ports.described(key.meaning)
            case .transports: transports.described(key.meaning)
            case .peers: peerClasses.described(key.meaning)
            }
        }.refusing(
            NodeKey.secondaryAddress, where: .role, isOneOf: singleHomedRoles)
    }

    /// Those that no profile lets have a secondary address.
    private static var singleHomedRoles: [String] {
        Profile.allRoleNames.filter { role in
            !Profile.all.contains { $0[role]?.mayBeDualHomed == true }
        }.map(\.rawValue)
    }

    private static var features: SchemaNode {
        .mapping(Feature.self) { SchemaNode.boolean.described($0.meaning, default: false) }
    }

    private static var transports: SchemaNode {
        .mapping(TransportKey.self) { key in
            switch key {
            case .syslog:
                SchemaNode.words([IPProtocol.udp, .tcp].map(\.name))
                    .described(key.meaning, default: .string(IPProtocol.udp.name))
            }
        }
    }

    private static var ports: SchemaNode {
        .mapping(PortKey.self) { key in
            switch key {
            case .range(let range):
                let ports = defaults.profile.ports[range]
                return portRange.described(
                    range.meaning, default: .string("\(ports.lowerBound)-\(ports.upperBound)"))
            case .port(let name):
                let ports = defaults.profile.ports[name].map { JSONValue.integer(Int64($0)) }
                let schema: SchemaNode =
                    switch name {
                    case .psom:
                        .any(
                            of: port,
                            .list(
                                of: .reference("port"), atMost: ConfigurationLimits.portsOfRow,
                                isUnique: true))
                    case .snmp, .syslog, .stunTurn: port
                    }
                return schema.described(
                    name.meaning, default: ports.count == 1 ? ports[0] : .array(ports))
            }
        }
    }

    private static var peerClasses: SchemaNode {
        .mapping(PeerClass.self) { peersOrAny.described($0.meaning, default: "any") }
    }

    private static var rule: SchemaNode {
        // A list replaces another whole, so a rule is complete in its file.
        SchemaNode.mapping(
            RuleKey.self, requiring: [.name, .nodes, .direction, .ipProtocol]
        ) { key in
            switch key {
            case .name: ruleName.described(key.meaning)
            case .nodes:
                SchemaNode.any(of: nodeName, .list(of: nodeName)).described(key.meaning)
            case .direction: SchemaNode.words(Direction.self).described(key.meaning)
            case .ipProtocol:
                SchemaNode.words(IPProtocol.allCases.map(\.name)).described(key.meaning)
            case .sourcePorts, .destinationPorts:
                SchemaNode.any(
                    of: .reference("portOrRange"), .list(of: .reference("portOrRange"))
                ).described(key.meaning)
            case .peers: peersOrAny.described(key.meaning, default: "any")
            }
        }.refusing(
            RuleKey.sourcePorts, .destinationPorts, where: .ipProtocol,
            isOneOf: IPProtocol.allCases.filter { !$0.hasPorts }.map(\.name))
    }

    private static func host(_ key: HostKey) -> SchemaNode {
        switch key {
        case .ping:
            SchemaNode.boolean.described(key.meaning, default: .bool(defaults.host.ping))
        case .dhcpClient:
            SchemaNode.boolean.described(key.meaning, default: .bool(defaults.host.dhcpClient))
        case .trackMedia:
            SchemaNode.any(of: .words(Host.MediaTracking.words), .boolean)
                .described(key.meaning, default: .string(defaults.host.trackMedia.rawValue))
        }
    }

    private static func refusals(_ key: RefusalKey) -> SchemaNode {
        switch key {
        case .sample:
            SchemaNode.boolean
                .described(key.meaning, default: .bool(defaults.refusals.isSampled))
        case .group:
            SchemaNode.integer(Refusals.groups)
                .described(key.meaning, default: .integer(Int64(defaults.refusals.group)))
        case .rate:
            SchemaNode.integer(Refusals.rates)
                .described(key.meaning, default: .integer(Int64(defaults.refusals.rate)))
        }
    }

    private static func guards(_ key: GuardKey) -> SchemaNode {
        switch key {
        case .confirm: confirmationTime.described(key.meaning, default: "off")
        case .probes: SchemaNode(["type": "array", "items": probe.value]).described(key.meaning)
        case .revokeEstablished:
            SchemaNode.boolean
                .described(key.meaning, default: .bool(defaults.guards.revokeEstablished))
        }
    }

    // MARK: Values

    private static let namePattern =
        "[a-zA-Z0-9][a-zA-Z0-9_.-]{0,\(Deployment.nameLength - 1)}"

    private static let nodeName = SchemaNode.word(namePattern, "Must be the name of a node.")

    private static let ruleName = SchemaNode.word(
        "[a-z0-9][a-z0-9_.-]{0,\(SiteRule.nameLength - 1)}",
        "Must begin with a small letter or digit and go on with small letters, digits, \".\", \"_\" and \"-\"."
    )

    private static let peer = SchemaNode.text(
        "(?:@\(namePattern)|\(AddressPattern.range))",
        "Must be an address, a prefix, a range of addresses, or a group as \"@NAME\".")

    private static let addresses = SchemaNode.list(of: .reference("peer"))

    private static let peersOrAny = SchemaNode.any(of: .words(["any"]), addresses)

    private static let hostAddress = SchemaNode.text(
        AddressPattern.host, "Must be the IPv4 or IPv6 address of a host.")

    /// A list of at most one of each family.
    private static let hostAddresses: SchemaNode = {
        let families = AddressFamily.allCases
        var list = SchemaNode.list(of: .reference("hostAddress"), atMost: families.count)
        list.members["allOf"] = .array(
            families.map { family in
                let pattern = family == .ipv6 ? ":" : "^[^:]*$"
                return ["not": ["items": ["pattern": .string(pattern)], "minItems": 2]]
            })
        return list
    }()

    private static let port = SchemaNode.integer(1...Int(UInt16.max))

    private static let portRange: SchemaNode = {
        let port = decimalPattern(1...Int(UInt16.max))
        return .text("\(port)-\(port)", "Must be a range of ports LOW-HIGH.")
    }()

    private static let confirmationTime: SchemaNode = {
        let times = Guard.units.map { unit in
            let seconds = Guard.confirmSeconds
            let low = (seconds.lowerBound + unit.seconds - 1) / unit.seconds
            return "\(decimalPattern(low...seconds.upperBound / unit.seconds))\(unit.suffix)"
        }
        let words = Guard.unguarded.joined(separator: "|")
        return .any(
            of: .text(
                "(?:\(words)|(?=.{1,\(Guard.longestTime)}$)0*(?:\(times.joined(separator: "|"))))",
                "Must be a time from 10s to 24h, such as 60s, 5m or 1h, or off."),
            SchemaNode(["enum": [0]]))
    }()

    private static let probe = SchemaNode.text(
        "tcp://(?:\(AddressPattern.ipv4)|\\[\(AddressPattern.notMapped)\(AddressPattern.ipv6)\\]):0*\(decimalPattern(1...Int(UInt16.max)))",
        "Must be tcp://ADDRESS:PORT, as in tcp://10.0.0.1:443 or tcp://[2001:db8::1]:443.")
}
