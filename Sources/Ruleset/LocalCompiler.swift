package import Policy
internal import Deployment
internal import PortModel

extension Policy {
    /// Compiles the policy for local placement: one table on the node itself.
    ///
    /// Two pairs of base chains. `raw_in` and `raw_out` exempt media and ESP from connection
    /// tracking and refuse hopeless UDP before it costs an entry; `input` and `output` decide. The
    /// media rule stands first since it meets most packets; other rules are plain, in the
    /// documentation's order behind one jump for each protocol, so that an update in place loses
    /// and leaks nothing.
    package func compileLocal() -> Table {
        var compiler = LocalCompiler(self)
        return compiler.table()
    }
}

/// The names of counters that no row has.
package enum DropCounter {
    /// Inbound packets that nothing permits.
    package static let inbound = "drop.in"
    /// Outbound packets that nothing permits.
    package static let outbound = "drop.out"
    /// Inbound packets that connection tracking can't place.
    package static let invalid = "drop.in.invalid"
    /// Inbound UDP that no row can answer, refused before connection tracking.
    package static let unanswered = "drop.in.unanswered"

    package static let all = [inbound, outbound, invalid, unanswered]
}

private struct LocalCompiler {
    let policy: Policy
    /// Enforcement drops; observation counts the same packets and lets them pass.
    let refusal: Verdict
    var counters: Set<String> = []
    var sets: [String: NamedSet] = [:]

    init(_ policy: Policy) {
        self.policy = policy
        refusal = policy.mode == .enforce ? .drop : .accept
    }

    mutating func table() -> Table {
        let chains =
            [rawIn(), rawOut()] + [Direction.inbound, .outbound].flatMap { filterChains($0) }
            + [icmp(.ipv4), icmp(.ipv6)] + unansweredChain()
        return Table(
            name: policy.node.tableName, counters: Array(counters), sets: Array(sets.values),
            chains: chains)
    }

    // MARK: Before connection tracking

    private mutating func rawIn() -> Chain {
        var rules = [Rule([.inputIsLoopback], .accept, comment: "loopback")]
        rules += statelessMediaRules(.inbound, counted: false)
        rules.append(
            Rule([.protocolNumber(IPProtocol.esp.rawValue)], notrack: true, .accept, comment: "esp")
        )
        if refusesUnanswered {
            for address in policy.node.allAddresses {
                rules.append(
                    Rule(
                        [.destination(address), .protocolNumber(IPProtocol.udp.rawValue)],
                        .jump("unanswered"), comment: "unanswered"))
            }
        }
        return Chain(
            name: "raw_in", hook: Hook(.prerouting, .raw, policy: .accept), rules: rules)
    }

    private mutating func rawOut() -> Chain {
        var rules = [Rule([.outputIsLoopback], .accept, comment: "loopback")]
        rules += statelessMediaRules(.outbound, counted: false)
        rules.append(
            Rule([.protocolNumber(IPProtocol.esp.rawValue)], notrack: true, .accept, comment: "esp")
        )
        return Chain(name: "raw_out", hook: Hook(.output, .raw, policy: .accept), rules: rules)
    }

    /// In `observe` mode the packet must reach the input chain, to be counted once.
    private var refusesUnanswered: Bool {
        policy.mode == .enforce && !policy.answerableUDP.isEverything
    }

    private mutating func unansweredChain() -> [Chain] {
        guard refusesUnanswered else { return [] }
        var rules = [Rule([.wasDecrypted], .return, comment: "ipsec")]
        let answerable = policy.answerableUDP
        rules += answerable.nodePorts.intervals.map { Rule([.destinationPorts(.udp, $0)], .return) }
        rules += answerable.peerPorts.intervals.map { Rule([.sourcePorts(.udp, $0)], .return) }
        rules.append(refuse(DropCounter.unanswered))
        return [Chain(name: "unanswered", rules: rules)]
    }

    // MARK: The decision

    private mutating func filterChains(_ direction: Direction) -> [Chain] {
        let isInbound = direction == .inbound
        let name = isInbound ? "input" : "output"
        var rules = statelessMediaRules(direction, counted: true)
        rules += [
            Rule([.connection([.established, .related])], .accept, comment: "established"),
            Rule([isInbound ? .inputIsLoopback : .outputIsLoopback], .accept, comment: "loopback"),
            Rule([.protocolNumber(1)], .jump("icmp_v4"), comment: "icmp"),
            Rule([.protocolNumber(58)], .jump("icmp_v6"), comment: "icmpv6"),
        ]
        if isInbound {
            counters.insert(DropCounter.invalid)
            rules.append(
                Rule(
                    [.connection([.invalid])], counter: DropCounter.invalid, refusal,
                    comment: DropCounter.invalid))
        }
        rules += protectedRules(direction)
        if policy.host.dhcpClient { rules += dhcpRules(direction) }

        let permits = policy.permits.filter { $0.direction == direction }
        var chains: [Chain] = []
        for ipProtocol in [IPProtocol.tcp, .udp] {
            let own = permits.filter { $0.protocol == ipProtocol && !$0.isStateless }
            let body = own.flatMap { self.rules(of: $0) }
            guard !body.isEmpty else { continue }
            let chain = "\(name)_\(ipProtocol.name)"
            rules.append(
                Rule(
                    [.protocolNumber(ipProtocol.rawValue)], .jump(chain), comment: ipProtocol.name))
            chains.append(Chain(name: chain, rules: body))
        }
        rules += permits.filter { $0.protocol == .esp }.flatMap { self.rules(of: $0) }
        rules.append(refuse(isInbound ? DropCounter.inbound : DropCounter.outbound))
        let hook = Hook(isInbound ? .input : .output, .filter, policy: refusal)
        return [Chain(name: name, hook: hook, rules: rules)] + chains
    }

    /// Inner packets of the mesh's tunnels pass because they were, or will be, protected: never
    /// because of their ports.
    private mutating func protectedRules(_ direction: Direction) -> [Rule] {
        AddressFamily.allCases.compactMap { family in
            guard let match = match(.mesh, .only(policy.mesh), direction, family) else {
                return nil
            }
            return Rule(
                match + [direction == .inbound ? .wasDecrypted : .willBeEncrypted], .accept,
                comment: "ipsec")
        }
    }

    private func dhcpRules(_ direction: Direction) -> [Rule] {
        AddressFamily.allCases.compactMap { family in
            guard let ports = Host.dhcpClientPorts[family] else { return nil }
            let (from, to) =
                direction == .inbound ? (ports.server, ports.client) : (ports.client, ports.server)
            return Rule(
                [
                    .family(family), .sourcePorts(.udp, from...from),
                    .destinationPorts(.udp, to...to),
                ],
                .accept, comment: "host.dhcp_client")
        }
    }

    private func icmp(_ family: AddressFamily) -> Chain {
        var rules: [Rule] = []
        func accept(_ types: ClosedRange<UInt8>, _ comment: String, _ more: [Match] = []) {
            rules.append(Rule([.icmpType(family, types)] + more, .accept, comment: comment))
        }
        switch family {
        case .ipv4:
            for type in ICMPTypes.errors4 { accept(type...type, "icmp-error") }
            if policy.host.ping {
                accept(ICMPTypes.echoRequest4...ICMPTypes.echoRequest4, "host.ping")
            }
        case .ipv6:
            accept(ICMPTypes.errors6, "icmp-error")
            accept(ICMPTypes.neighbourDiscovery, "neighbour-discovery", [.hopLimit(255)])
            for types in ICMPTypes.multicastListener { accept(types, "multicast-listener") }
            if policy.host.ping {
                accept(ICMPTypes.echoRequest6...ICMPTypes.echoRequest6, "host.ping")
            }
        }
        return Chain(name: family == .ipv4 ? "icmp_v4" : "icmp_v6", rules: rules)
    }

    // MARK: Permits

    /// UDP media. The raw chains exempt exactly what the filter chains accept, and both directions
    /// mirror each other: an answer to an exempted packet is itself exempted and accepted.
    private mutating func statelessMediaRules(_ direction: Direction, counted: Bool) -> [Rule] {
        let media = policy.permits.filter {
            $0.isStateless && $0.protocol == .udp && $0.direction == direction
        }
        return media.flatMap { permit in
            rules(of: permit).map { rule in
                guard !counted else { return rule }
                return Rule(rule.matches, notrack: true, .accept, comment: rule.comment)
            }
        }
    }

    /// One rule for each address of the node, interval of source ports and interval of destination
    /// ports.
    private mutating func rules(of permit: Permit) -> [Rule] {
        var rules: [Rule] = []
        for address in permit.nodeAddresses {
            guard
                let peers = match(
                    permit.peerOrigin, permit.peers, permit.direction, address.family)
            else { continue }
            let node = permit.direction == .inbound ? Match.destination(address) : .source(address)
            guard permit.protocol.hasPorts else {
                rules.append(
                    accept(permit, [node] + peers + [.protocolNumber(permit.protocol.rawValue)]))
                continue
            }
            for source in permit.sourcePorts.intervals {
                for destination in permit.destinationPorts.intervals {
                    var ports: [Match] = []
                    if source != 0...UInt16.max {
                        ports.append(.sourcePorts(permit.protocol, source))
                    }
                    if destination != 0...UInt16.max {
                        ports.append(.destinationPorts(permit.protocol, destination))
                    }
                    if ports.isEmpty { ports = [.protocolNumber(permit.protocol.rawValue)] }
                    rules.append(accept(permit, [node] + peers + ports))
                }
            }
        }
        return rules
    }

    private mutating func accept(_ permit: Permit, _ matches: [Match]) -> Rule {
        counters.insert(permit.id)
        return Rule(matches, counter: permit.id, .accept, comment: permit.id)
    }

    private mutating func refuse(_ counter: String) -> Rule {
        counters.insert(counter)
        return Rule([], counter: counter, refusal, comment: counter)
    }

    /// The condition on the peer: none for any, a named set otherwise, nil where no peer of this
    /// family is permitted.
    private mutating func match(
        _ origin: PeerOrigin, _ peers: Peers, _ direction: Direction, _ family: AddressFamily
    ) -> [Match]? {
        guard case .only(let all) = peers else { return [] }
        let addresses = all.only(family)
        guard !addresses.isEmpty else { return nil }
        let name = origin.setName + (family == .ipv4 ? ".v4" : ".v6")
        sets[name] = NamedSet(name: name, family: family, addresses: addresses)
        return [
            direction == .inbound
                ? .sourceIn(set: name, family) : .destinationIn(set: name, family)
        ]
    }
}

extension PeerOrigin {
    fileprivate var setName: String {
        switch self {
        case .mesh: "mesh"
        case .devices(let peerClass): "peers.\(peerClass.rawValue)"
        case .site(let name): "site.\(name)"
        }
    }
}
