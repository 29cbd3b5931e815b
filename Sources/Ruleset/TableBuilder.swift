internal import Policy
internal import PortModel
internal import Site

/// Collects the counters and sets of a table while its rules are made.
struct TableBuilder {
    private(set) var counters: Set<String> = []
    private(set) var sets: [String: NamedSet] = [:]

    func table(named name: String, chains: [Chain]) -> Table {
        Table(name: name, counters: Array(counters), sets: Array(sets.values), chains: chains)
    }

    /// A rule that counts packets by a counter of its own, which its comment names.
    mutating func counting(_ matches: [Match], as id: String, _ verdict: Verdict?) -> Rule {
        counters.insert(id)
        return Rule(matches, counter: id, verdict, comment: id)
    }

    /// The rules that end a way: one that samples where that is asked for, and one that counts and
    /// refuses.
    mutating func refusing(
        _ matches: [Match], as id: String, _ verdict: Verdict, sampledBy refusals: Refusals
    ) -> [Rule] {
        let refusal = counting(matches, as: id, verdict)
        guard refusals.isSampled else { return [refusal] }
        let sampling = Sampling(counter: id, group: refusals.group, rate: refusals.rate)
        return [Rule(matches, nil, comment: Sampling.comment, sampling: sampling), refusal]
    }

    /// Makes a set, for rules that match with it. An empty one is no set: its rules match nothing.
    mutating func set(
        _ name: String, _ family: AddressFamily, _ kind: NamedSet.Kind, _ all: AddressSet
    ) -> String? {
        let addresses = all.only(family)
        guard !addresses.isEmpty else { return nil }
        let name = name + family.suffix
        sets[name] = NamedSet(name: name, family: family, kind: kind, addresses: addresses)
        return name
    }

    /// A rule that notes the packet's addresses, and has no verdict: a full set must not cost a
    /// packet.
    mutating func noting(_ matches: [Match], in set: NoteSet, _ family: AddressFamily) -> Rule {
        let name = set.name(family)
        sets[name] = NamedSet(
            name: name, family: family, kind: set.kind, addresses: AddressSet())
        return Rule(matches, nil, note: Note(set: name, family: family), comment: Self.mesh)
    }

    /// What rules that concern the mesh's state are there for, and not its permits.
    static let mesh = "mesh"

    /// The chains that note refused packets of IPsec, which ``strayJumps`` lead to.
    ///
    /// - Parameter families: those of the nodes' addresses.
    mutating func strayChains(_ families: [AddressFamily]) -> [Chain] {
        let isUDP500 = Match.destinationPorts(.udp, 500...500)
        let traversal = Rule(
            [.destinationPorts(.udp, Self.traversalPort)], .jump("stray_nat_t"),
            comment: Self.mesh)
        return [
            Chain(name: "stray_esp", rules: families.map { noting([], in: .strayESP, $0) }),
            Chain(
                name: "stray_nat_t",
                rules: families.map { noting([], in: .strayTraversal, $0) }),
            Chain(
                name: "stray_udp",
                rules: families.map { noting([isUDP500], in: .strayIKE, $0) } + [traversal]),
        ]
    }

    /// For the end of a chain, before its packets are refused.
    static let strayJumps = [
        Rule([.protocolNumber(IPProtocol.esp.rawValue)], .jump("stray_esp"), comment: mesh),
        Rule([.protocolNumber(IPProtocol.udp.rawValue)], .jump("stray_udp"), comment: mesh),
    ]

    /// IPsec's UDP where there is a NAT (RFC 3948), which no row opens.
    static let traversalPort: ClosedRange<UInt16> = 4500...4500

    /// Makes the set of an origin's peers, as ``set(_:_:_:_:)`` does.
    mutating func set(
        _ origin: PeerOrigin, _ peers: AddressSet, _ family: AddressFamily, scope: String = ""
    ) -> String? {
        set(scope + origin.setName, family, origin.setKind, peers)
    }

    /// The condition on the peer: none for any, a named set otherwise, nil where no peer of this
    /// family is permitted.
    mutating func peerMatch(
        _ origin: PeerOrigin, _ peers: Peers, _ direction: Direction, _ family: AddressFamily,
        scope: String = ""
    ) -> [Match]? {
        guard case .only(let addresses) = peers else { return [] }
        guard let name = set(origin, addresses, family, scope: scope) else { return nil }
        return [
            direction == .inbound
                ? .sourceIn(set: name, family) : .destinationIn(set: name, family)
        ]
    }

    /// The conditions of a permit's rules, given those on addresses: one list for each pair of a
    /// source interval and a destination interval, so that no rule needs an anonymous set.
    ///
    /// The kernel gives a rule up at its first condition that fails, so what most packets fail at
    /// stands first: the narrower interval of ports, and ports before addresses. Of a rule for media
    /// most packets that come by meet all conditions, but for those of the other family and of TCP:
    /// there the protocol stands first, as the text of such rules says, and then the address, which
    /// tells families apart. Two single ports stand in the header's order, since nft makes one
    /// comparison of them and lists them so.
    static func matches(of permit: Permit, addresses: [Match]) -> [[Match]] {
        portMatches(of: permit).map { ports in
            permit.isStateless && permit.protocol == .udp ? addresses + ports : ports + addresses
        }
    }

    private static func portMatches(of permit: Permit) -> [[Match]] {
        let number = Match.protocolNumber(permit.protocol.rawValue)
        guard permit.protocol.hasPorts else { return [[number]] }
        return permit.sourcePorts.intervals.flatMap { source in
            permit.destinationPorts.intervals.map { destination in
                let matches = [
                    (source, Match.sourcePorts(permit.protocol, source)),
                    (destination, Match.destinationPorts(permit.protocol, destination)),
                ].filter { $0.0 != 0...UInt16.max }.sorted { $0.0.count < $1.0.count }
                return matches.isEmpty ? [number] : matches.map(\.1)
            }
        }
    }

    /// Rules for ICMP errors, which every placement lets pass, and for echo requests by option.
    static func icmpRules(_ family: AddressFamily, ping: Bool, _ verdict: Verdict) -> [Rule] {
        let errors =
            family == .ipv4
            ? ICMPTypes.errors4.map { $0...$0 } : [ICMPTypes.errors6]
        var rules = errors.map {
            Rule([.icmpType(family, $0)], verdict, comment: "icmp-error")
        }
        if ping {
            let echo = family == .ipv4 ? ICMPTypes.echoRequest4 : ICMPTypes.echoRequest6
            rules.append(Rule([.icmpType(family, echo...echo)], verdict, comment: "host.ping"))
        }
        return rules
    }
}

extension AddressFamily {
    /// Tells the sets of two families apart.
    fileprivate var suffix: String { self == .ipv4 ? ".v4" : ".v6" }
}

extension PeerOrigin {
    /// Infinity 14 has only these two, so that its kernel sets of all nodes need no roles to be told
    /// apart.
    private static let rolesOfPlainMesh: [NodeRole] = [.management, .conferencing]

    /// Follows from nothing but the origin: a set has the same name whatever other roles and rows
    /// there are, and another origin's set another one.
    fileprivate var setName: String {
        switch self {
        case .mesh(Self.rolesOfPlainMesh): "mesh"
        case .mesh(let roles): "mesh." + roles.map(\.rawValue).joined(separator: ".")
        case .devices(let peerClass): "peers.\(peerClass.rawValue)"
        case .site(let name): "site.\(name)"
        }
    }

    /// Nodes are single addresses, of which one joins or leaves at a time.
    fileprivate var setKind: NamedSet.Kind {
        switch self {
        case .mesh: .addresses
        case .devices, .site: .intervals
        }
    }
}
