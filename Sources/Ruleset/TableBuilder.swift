internal import Policy
internal import PortModel
internal import Site

/// Collects the counters and sets of a table while its rules are made.
struct TableBuilder {
    private(set) var counters: Set<String> = []
    private(set) var sets: [String: NamedSet] = [:]

    func table(_ id: TableID, chains: [Chain]) -> Table {
        Table(
            family: id.family, name: id.name, counters: Array(counters),
            sets: Array(sets.values), chains: chains)
    }

    /// A rule that counts packets by a counter of its own, which its comment names.
    mutating func counting(
        _ matches: [Match], as purpose: CounterPurpose, _ verdict: Verdict?
    ) -> Rule {
        counters.insert(purpose.name)
        return Rule(matches, counter: purpose, verdict, for: .counter(purpose))
    }

    /// The rules that end a way: one that samples where that is asked for, and one that counts and
    /// refuses.
    mutating func refusing(
        _ matches: [Match], as refusal: Refusal, _ verdict: Verdict, sampledBy refusals: Refusals
    ) -> [Rule] {
        let refusing = counting(matches, as: refusal.counter, verdict)
        guard refusals.isSampled else { return [refusing] }
        let sampling = Sampling(
            counter: refusal.counter.name, group: refusals.group, rate: refusals.rate)
        return [Rule(matches, nil, for: .sampling, sampling: sampling), refusing]
    }

    /// Makes a set, for rules that match with it. An empty one is no set: its rules match nothing.
    mutating func set(
        _ purpose: SetPurpose, _ family: AddressFamily, _ kind: NamedSet.Kind, _ all: AddressSet
    ) -> String? {
        let addresses = all.only(family)
        guard !addresses.isEmpty else { return nil }
        let set = NamedSet(purpose, family, kind, addresses)
        sets[set.name] = set
        return set.name
    }

    /// A rule that notes the packet's addresses, and has no verdict: a full set must not cost a
    /// packet.
    mutating func noting(_ matches: [Match], in set: NoteSet, _ family: AddressFamily) -> Rule {
        let set = NamedSet(.noted(set), family, set.kind)
        sets[set.name] = set
        return Rule(matches, nil, note: Note(set: set.name, family: family), for: .mesh)
    }

    /// The chains that note refused packets of IPsec, which ``strayJumps`` lead to.
    ///
    /// - Parameter families: those of the nodes' addresses.
    mutating func strayChains(_ families: [AddressFamily]) -> [Chain] {
        let isUDP500 = Match.destinationPorts(.udp, 500...500)
        let traversal = Rule(
            [.destinationPorts(.udp, Self.traversalPort)], .jump(to: .strayTraversal), for: .mesh)
        return [
            Chain(.strayESP, rules: families.map { noting([], in: .strayESP, $0) }),
            Chain(.strayTraversal, rules: families.map { noting([], in: .strayTraversal, $0) }),
            Chain(
                .strayUDP,
                rules: families.map { noting([isUDP500], in: .strayIKE, $0) } + [traversal]),
        ]
    }

    /// For the end of a chain, before its packets are refused.
    static var strayJumps: [Rule] {
        [
            Rule([.protocolNumber(IPProtocol.esp.rawValue)], .jump(to: .strayESP), for: .mesh),
            Rule([.protocolNumber(IPProtocol.udp.rawValue)], .jump(to: .strayUDP), for: .mesh),
        ]
    }

    /// IPsec's UDP where there is a NAT (RFC 3948), which no row opens.
    static let traversalPort: ClosedRange<UInt16> = 4500...4500

    /// Makes the set of an origin's peers, as ``set(_:_:_:_:)`` does.
    ///
    /// - Parameter policyClass: where it is this one's alone.
    mutating func set(
        _ origin: PeerOrigin, _ peers: AddressSet, _ family: AddressFamily,
        of policyClass: String? = nil
    ) -> String? {
        set(.peers(origin, policyClass: policyClass), family, origin.setKind, peers)
    }

    /// The condition on the peer: none for any, a named set otherwise, nil where no peer of this
    /// family is permitted.
    mutating func peerMatch(
        _ origin: PeerOrigin, _ peers: Peers, _ direction: Direction, _ family: AddressFamily,
        of policyClass: String? = nil
    ) -> [Match]? {
        guard case .only(let addresses) = peers else { return [] }
        guard let name = set(origin, addresses, family, of: policyClass) else { return nil }
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
            Rule([.icmpType(family, $0)], verdict, for: .icmpError)
        }
        if ping {
            let echo = family == .ipv4 ? ICMPTypes.echoRequest4 : ICMPTypes.echoRequest6
            rules.append(Rule([.icmpType(family, echo...echo)], verdict, for: .ping))
        }
        return rules
    }
}

extension PeerOrigin {
    /// Nodes are single addresses, of which one joins or leaves at a time.
    fileprivate var setKind: NamedSet.Kind {
        switch self {
        case .mesh: .addresses
        case .devices, .site: .intervals
        }
    }
}
