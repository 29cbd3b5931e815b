package import Policy
internal import PortModel
internal import Site

extension Policy {
    /// Compiles the policy for local placement: one table on the node itself.
    ///
    /// Two pairs of base chains. `raw_in` and `raw_out` exempt media and ESP from connection
    /// tracking and refuse hopeless UDP before it costs an entry, unless what comes may have to be
    /// translated back (``Policy/tracksMedia``); `input` and `output` decide. The
    /// media rule stands first since it meets most packets; other rules are plain, in the
    /// documentation's order behind one jump for each protocol and address of the node, so that an
    /// update in place loses and leaks nothing.
    package func compileLocal() -> Table {
        var compiler = LocalCompiler(self)
        return compiler.table()
    }
}

private struct LocalCompiler {
    let policy: Policy
    let permits: [Direction: [Permit]]
    let answerable: AnswerableUDP
    /// Enforcement drops; observation counts the same packets and lets them pass.
    let refusal: Verdict
    var builder = TableBuilder()
    /// The rules for media, which filter chains have and those before connection tracking.
    private var media: [Direction: [Rule]] = [:]
    /// Those for the inner packets of the mesh's tunnels: they pass because they were, or will be,
    /// protected, never because of their ports.
    private var protected: [Direction: [Rule]] = [:]

    init(_ policy: Policy) {
        self.policy = policy
        permits = Dictionary(grouping: policy.permits, by: \.direction)
        answerable = policy.answerableUDP
        refusal = policy.mode == .enforce ? .drop : .accept
    }

    mutating func table() -> Table {
        for direction in Direction.allCases {
            media[direction] = rules(direction) { $0.isStateless && $0.protocol == .udp }
            protected[direction] = protectedRules(direction)
        }
        let chains =
            [rawIn(), rawOut()] + [Direction.inbound, .outbound].flatMap { filterChains($0) }
            + protectedChains() + [icmp(.ipv4), icmp(.ipv6)] + unansweredChain() + meshChains()
        return builder.table(
            TableID(Placement.local.facts.family, policy.node.tableName), chains: chains)
    }

    // MARK: Before connection tracking

    private mutating func rawIn() -> Chain {
        var rules = exemptions(.inbound)
        if refusesUnanswered {
            rules.append(
                Rule(
                    [.protocolNumber(IPProtocol.udp.rawValue)], .jump(to: .unanswered),
                    for: .unanswered))
        }
        return Chain(
            .base(.raw, .inbound), hook: Hook(.prerouting, .raw, policy: .accept), rules: rules)
    }

    private mutating func rawOut() -> Chain {
        Chain(
            .base(.raw, .outbound), hook: Hook(.output, .raw, policy: .accept),
            rules: exemptions(.outbound))
    }

    /// Exempts from connection tracking exactly the media that the filter chains accept, ESP, and
    /// packets that IPsec protects. Both directions mirror each other: an answer to an exempted
    /// packet is itself exempted and accepted. Were a protected flow tracked, its packets would
    /// pass as established in the clear, once IPsec is gone.
    ///
    /// Media comes first, since it is most of the traffic, and TCP leaves as soon as it can.
    /// Loopback's packets pass tracked or not.
    private mutating func exemptions(_ direction: Direction) -> [Rule] {
        exempting(policy.tracksMedia ? [] : media[direction, default: []])
            + protectedJump(direction, before: .raw)
            + [
                Rule(
                    [.protocolNumber(IPProtocol.tcp.rawValue)], .accept,
                    for: .transport(.tcp)),
                Rule([loopback(direction)], .accept, for: .loopback),
            ]
            + exempting([
                Rule(
                    [.protocolNumber(IPProtocol.esp.rawValue)], .accept,
                    for: .transport(.esp))
            ])
    }

    private func exempting(_ rules: [Rule]) -> [Rule] {
        rules.map { Rule($0.matches, notrack: true, .accept, comment: $0.comment) }
    }

    private func loopback(_ direction: Direction) -> Match {
        direction == .inbound ? .inputIsLoopback : .outputIsLoopback
    }

    /// In `observe` mode the packet must reach the input chain, to be counted once.
    private var refusesUnanswered: Bool {
        policy.mode == .enforce && !policy.tracksMedia && !answerable.isEverything
    }

    private mutating func unansweredChain() -> [Chain] {
        guard refusesUnanswered else { return [] }
        var rules = answerable.nodePorts.intervals.map {
            Rule([.destinationPorts(.udp, $0)], .return)
        }
        rules += answerable.peerPorts.intervals.map { Rule([.sourcePorts(.udp, $0)], .return) }
        if !meshFamilies.isEmpty {
            rules += policy.node.allAddresses.map {
                builder.noting(
                    [.destinationPorts(.udp, TableBuilder.traversalPort), .destination($0)],
                    in: .strayTraversal, $0.family)
            }
        }
        rules += policy.node.allAddresses.flatMap {
            builder.refusing(
                [.destination($0)], as: .unanswered, refusal,
                sampledBy: policy.refusals)
        }
        return [Chain(.unanswered, rules: rules)]
    }

    // MARK: The decision

    private mutating func filterChains(_ direction: Direction) -> [Chain] {
        let isInbound = direction == .inbound
        var rules = media[direction, default: []]
        rules += ikeJumps(direction)
        rules += [
            Rule([.connection([.established, .related])], .accept, for: .established),
            Rule([loopback(direction)], .accept, for: .loopback),
        ]
        rules += protectedJump(direction, before: .filter)
        let invalid =
            isInbound
            ? builder.refusing(
                [.connection([.invalid])], as: .invalid, refusal,
                sampledBy: policy.refusals) : []
        // TCP leaves the chain early, with what holds for it too.
        let tcp = permitChain(.tcp, direction, after: invalid)
        let udp = permitChain(.udp, direction)
        rules += tcp.map { jumps(.tcp, direction, to: $0) } ?? []
        rules += [
            Rule([.protocolNumber(1)], .jump(to: .icmp(.ipv4)), for: .icmp(.ipv4)),
            Rule([.protocolNumber(58)], .jump(to: .icmp(.ipv6)), for: .icmp(.ipv6)),
        ]
        rules += invalid
        if policy.host.dhcpClient { rules += dhcpRules(direction) }
        rules += udp.map { jumps(.udp, direction, to: $0) } ?? []
        for permit in permits[direction, default: []] where permit.protocol == .esp {
            rules += notes(of: permit, in: .esp)
        }
        rules += self.rules(direction) { $0.protocol == .esp }
        if !meshFamilies.isEmpty { rules += TableBuilder.strayJumps }
        rules += builder.refusing(
            [], as: .unmatched(direction, policyClass: nil), refusal, sampledBy: policy.refusals)
        let hook = Hook(isInbound ? .input : .output, .filter, policy: refusal)
        return [Chain(.base(.filter, direction), hook: hook, rules: rules)]
            + [tcp, udp].compactMap { $0 }
    }

    /// The rules of a protocol's rows in a chain of their own; nil where there are none.
    private mutating func permitChain(
        _ ipProtocol: IPProtocol, _ direction: Direction, after first: [Rule] = []
    ) -> Chain? {
        let rules = rules(direction, isBehindJumps: true) {
            $0.protocol == ipProtocol && !$0.isStateless
        }
        guard !rules.isEmpty else { return nil }
        return Chain(.permits(direction, ipProtocol), rules: first + rules)
    }

    private func jumps(
        _ ipProtocol: IPProtocol, _ direction: Direction, to chain: Chain
    ) -> [Rule] {
        policy.node.allAddresses.map {
            Rule(
                [.protocolNumber(ipProtocol.rawValue), nodeMatch($0, direction)],
                .jump(chain.name), for: .transport(ipProtocol))
        }
    }

    private func nodeMatch(_ address: IPAddress, _ direction: Direction) -> Match {
        direction == .inbound ? .destination(address) : .source(address)
    }

    // MARK: What IPsec protects

    /// Few packets of a host are protected, and those of an appliance behind it none: one condition
    /// tells.
    private func protectedJump(_ direction: Direction, before: Hook.Priority) -> [Rule] {
        guard !protected[direction, default: []].isEmpty else { return [] }
        return [
            Rule(
                [direction == .inbound ? .wasDecrypted : .willBeEncrypted],
                .jump(to: .protected(before, direction)), for: .ipsec)
        ]
    }

    private func protectedChains() -> [Chain] {
        protected.filter { !$0.value.isEmpty }.flatMap { direction, rules in
            [
                Chain(.protected(.raw, direction), rules: exempting(rules)),
                Chain(.protected(.filter, direction), rules: rules),
            ]
        }
    }

    private mutating func protectedRules(_ direction: Direction) -> [Rule] {
        guard
            let origin = policy.rows.permits.lazy.map(\.peerOrigin).first(where: {
                if case .mesh = $0 { true } else { false }
            })
        else { return [] }
        return AddressFamily.allCases.compactMap { family in
            builder.peerMatch(origin, .only(policy.mesh), direction, family).map {
                Rule($0, .accept, for: .ipsec)
            }
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
                .accept, for: .dhcpClient)
        }
    }

    private func icmp(_ family: AddressFamily) -> Chain {
        var rules = TableBuilder.icmpRules(family, ping: policy.host.ping, .accept)
        if family == .ipv6 {
            rules.append(
                Rule(
                    [.icmpType(family, ICMPTypes.neighbourDiscovery), .hopLimit(255)], .accept,
                    for: .neighbourDiscovery))
            rules += ICMPTypes.multicastListener.map {
                Rule([.icmpType(family, $0)], .accept, for: .multicastListener)
            }
        }
        return Chain(.icmp(family), rules: rules)
    }

    // MARK: The state of the mesh

    /// The families in which the node can speak with another.
    private var meshFamilies: [AddressFamily] {
        AddressFamily.allCases.filter { family in
            !policy.mesh.only(family).isEmpty
                && policy.node.addresses.contains { $0.family == family }
        }
    }

    private func meshPermits(_ direction: Direction, _ ipProtocol: IPProtocol) -> [Permit] {
        permits[direction, default: []].filter { permit in
            guard permit.protocol == ipProtocol, case .mesh = permit.peerOrigin else {
                return false
            }
            return true
        }
    }

    /// Behind the media and before what is established, as most of IKE is.
    private func ikeJumps(_ direction: Direction) -> [Rule] {
        if meshFamilies.isEmpty { return [] }
        return meshPermits(direction, .udp).flatMap { TableBuilder.matches(of: $0, addresses: []) }
            .map {
                Rule($0, .jump(to: .mesh(direction)), for: .mesh)
            }
    }

    private mutating func meshChains() -> [Chain] {
        let families = meshFamilies
        if families.isEmpty { return [] }
        var chains = builder.strayChains(families)
        for direction in Direction.allCases {
            let rules = meshPermits(direction, .udp).flatMap { permit in
                notes(of: permit, in: .ike, hasPorts: false)
                    + notes(of: permit, in: .translated, hasPorts: false, [.isTranslated])
            }
            chains.append(Chain(.mesh(direction), rules: rules))
        }
        return chains
    }

    /// Rules that note what the permit lets pass.
    ///
    /// - Parameter hasPorts: false where the way to the rules asks for protocol and ports.
    private mutating func notes(
        of permit: Permit, in set: NoteSet, hasPorts: Bool = true, _ further: [Match] = []
    ) -> [Rule] {
        var rules: [Rule] = []
        for address in permit.nodeAddresses {
            guard
                let peers = builder.peerMatch(
                    permit.peerOrigin, permit.peers, permit.direction, address.family)
            else { continue }
            let ends = [nodeMatch(address, permit.direction)] + peers + further
            let all = hasPorts ? TableBuilder.matches(of: permit, addresses: ends) : [ends]
            rules += all.map { builder.noting($0, in: set, address.family) }
        }
        return rules
    }

    // MARK: Permits

    /// In the documentation's order.
    ///
    /// - Parameter isBehindJumps: whether the way to the rules asks for one of the node's addresses.
    private mutating func rules(
        _ direction: Direction, isBehindJumps: Bool = false, ofPermits isWanted: (Permit) -> Bool
    ) -> [Rule] {
        var rules: [Rule] = []
        for permit in permits[direction, default: []] where isWanted(permit) {
            for ends in ends(of: permit, isBehindJumps: isBehindJumps) {
                for matches in TableBuilder.matches(of: permit, addresses: ends) {
                    rules.append(builder.counting(matches, as: .permit(permit.id), .accept))
                }
            }
        }
        return rules
    }

    /// The conditions on addresses, for a rule each.
    private mutating func ends(of permit: Permit, isBehindJumps: Bool) -> [[Match]] {
        let node = policy.node
        if isBehindJumps, permit.nodeAddresses == node.allAddresses {
            if case .any = permit.peers { return [[]] }
            return AddressFamily.allCases.compactMap { family in
                guard permit.nodeAddresses.contains(where: { $0.family == family }) else {
                    return nil
                }
                return builder.peerMatch(
                    permit.peerOrigin, permit.peers, permit.direction, family)
            }
        }
        return permit.nodeAddresses.compactMap { address in
            builder.peerMatch(permit.peerOrigin, permit.peers, permit.direction, address.family)
                .map { [nodeMatch(address, permit.direction)] + $0 }
        }
    }
}
