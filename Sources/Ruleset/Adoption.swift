internal import Site
internal import PortModel

// A host's first rules come while connections stand. Connection tracking knows nothing of them: it
// begins where the first rule asks for it. Whoever's packet comes first is taken for who began: where
// that is the end that was called, no row permits it, and what it says is dropped, again and again,
// until the other end says something. So a ruleset that comes where there was none has rules for a
// time that judge such a packet by what it may answer.

extension Ruleset {
    /// The ruleset with rules that adopt the TCP connections that stand, in both directions as the
    /// rows have them.
    ///
    /// A segment of TCP that opens no connection, and belongs to none that is tracked, passes where a
    /// packet that it could answer would pass as the first of its flow. Nothing else passes, and
    /// those rules end by themselves: they look into a set whose element goes after ``adoptionTime``,
    /// whatever becomes of the agent.
    package var adopting: Ruleset { Ruleset(tables: tables.map(\.adopting)) }

    /// Whether it has such rules.
    package var adopts: Bool {
        tables.contains { table in table.sets.contains { $0.kind == .adoption } }
    }

    /// How long rules adopt, in seconds: long enough for whoever sends something now and then.
    package static let adoptionTime = 30
}

extension ObservedTable {
    /// Whether it has rules that adopt, or did until their time was over.
    package var adopts: Bool { sets.contains { $0.name == Table.adoptionSet } }
}

extension Table {
    /// The name of the set by which rules adopt, of which each table has one at most.
    package static var adoptionSet: String { SetPurpose.adoption.name(.ipv4) }

    fileprivate var adopting: Table {
        let additions =
            placement?.facts.judgesForwarded == true ? forwardAdoption : localAdoption
        if additions.chains.isEmpty { return self }
        let set = NamedSet(.adoption, .ipv4, .adoption)
        var chains = chains
        for index in chains.indices {
            guard let target = additions.ways[chains[index].name] else { continue }
            // Flags of TCP come before the set: libnftables 1.1.3 does not take them behind it.
            let guarding = Rule(
                [.connection([.new]), .continuesConnection, .isAdopted], .jump(target),
                for: .adoption)
            // Packets of tracked flows need no look.
            let established = chains[index].rules.firstIndex { rule in
                rule.verdict == .accept
                    && rule.matches.contains(.connection([.established, .related]))
            }
            chains[index].rules.insert(guarding, at: established.map { $0 + 1 } ?? 0)
        }
        return Table(
            family: family, name: name, counters: counters, sets: sets + [set],
            chains: chains + additions.chains)
    }

    /// Chains that adopt, and which of them each base chain leads to.
    private typealias Additions = (chains: [Chain], ways: [String: String])

    private static func purpose(of chain: String) -> ChainPurpose {
        .adopting(ChainPurpose(name: chain))
    }

    private func base(_ point: Hook.Point) -> Chain? {
        chains.first { $0.hook?.point == point && $0.hook?.priority == .filter }
    }

    private func chain(_ name: String) -> Chain? { chains.first { $0.name == name } }

    /// The conditions that an answer of TCP has to fulfil, for a packet that fulfils the chain's
    /// permits.
    ///
    /// - Parameter permits: the verdict of rules that permit.
    private func answers(
        to chain: Chain, permits: Verdict, _ verdict: Verdict
    ) -> Chain {
        Chain(
            Self.purpose(of: chain.name),
            rules: chain.rules.compactMap { rule in
                guard rule.permits, rule.verdict == permits, rule.isTCP,
                    let matches = rule.matches.answering
                else { return nil }
                return Rule(matches, counter: rule.counter, verdict, comment: rule.comment)
            })
    }

    // MARK: On the node

    /// Output's packets answer those that input permits, and the other way round.
    private var localAdoption: Additions {
        var additions: Additions = ([], [:])
        for (from, to) in [(Hook.Point.input, Hook.Point.output), (.output, .input)] {
            guard let permitting = base(from), let answering = base(to) else { continue }
            var jumps: [Rule] = []
            var branches: [Chain] = []
            for rule in permitting.rules where rule.isTCP {
                guard case .jump(let name) = rule.verdict, let branch = chain(name),
                    let matches = rule.matches.answering
                else { continue }
                let adopting = answers(to: branch, permits: .accept, .accept)
                jumps.append(
                    Rule(matches, .jump(adopting.name), for: .adoption))
                if !branches.contains(where: { $0.name == adopting.name }) {
                    branches.append(adopting)
                }
            }
            if jumps.isEmpty { continue }
            let way = Chain(Self.purpose(of: answering.name), rules: jumps)
            additions.chains += [way] + branches
            additions.ways[answering.name] = way.name
        }
        return additions
    }

    // MARK: In front of nodes

    /// The packet that it answers must be permitted at both ends, where both are enforced: behind
    /// the chain of the end that was called comes the chain of the one that called.
    private var forwardAdoption: Additions {
        guard let forward = base(.forward) else { return ([], [:]) }
        var called: [Rule] = []
        var calling: [Rule] = []
        var branches: [Chain] = []
        for rule in forward.rules {
            guard case .jump(let name) = rule.verdict, let branch = chain(name),
                let matches = rule.matches.answering, let match = rule.matches.first
            else { continue }
            let isCalled: Bool
            switch match {
            case .destinationIn where rule.matches.count == 1: isCalled = true
            case .sourceIn where rule.matches.count == 1: isCalled = false
            default: continue
            }
            // Where a chain permits nothing, no other end is asked.
            let way = Rule(
                matches, .goto(to: Self.purpose(of: name)), for: .adoption)
            if isCalled { called.append(way) } else { calling.append(way) }
            if branches.contains(where: { $0.purpose == Self.purpose(of: name) }) { continue }
            branches.append(
                answers(
                    to: branch, permits: .return,
                    isCalled ? .jump(to: .adoptingFarEnd) : .accept))
        }
        if branches.isEmpty { return ([], [:]) }
        let way = Chain(Self.purpose(of: forward.name), rules: called + calling)
        let other = Chain(
            .adoptingFarEnd, rules: calling + [Rule([], .accept, for: .adoption)])
        return ([way, other] + branches, [forward.name: way.name])
    }
}

extension Rule {
    /// Whether only packets of TCP meet it.
    fileprivate var isTCP: Bool {
        matches.contains { match in
            switch match {
            case .sourcePorts(.tcp, _), .destinationPorts(.tcp, _): true
            case .protocolNumber(let number): number == IPProtocol.tcp.rawValue
            default: false
            }
        }
    }
}

extension [Match] {
    /// The conditions for packets that answer those which fulfil these; nil where one can't be turned
    /// round.
    fileprivate var answering: [Match]? {
        let turned = compactMap(\.answering)
        guard turned.count == count else { return nil }
        // Two single ports stand in the header's order: see ``TableBuilder/matches(of:addresses:)``.
        guard
            let index = turned.indices.dropLast().first(where: { index in
                if case .destinationPorts = turned[index], case .sourcePorts = turned[index + 1] {
                    turned[index].hasOnePort && turned[index + 1].hasOnePort
                } else {
                    false
                }
            })
        else { return turned }
        var ordered = turned
        ordered.swapAt(index, index + 1)
        return ordered
    }
}

extension Match {
    fileprivate var answering: Match? {
        switch self {
        case .source(let address): .destination(address)
        case .destination(let address): .source(address)
        case .sourceIn(let set, let family): .destinationIn(set: set, family)
        case .destinationIn(let set, let family): .sourceIn(set: set, family)
        case .sourcePorts(let ipProtocol, let ports): .destinationPorts(ipProtocol, ports)
        case .destinationPorts(let ipProtocol, let ports): .sourcePorts(ipProtocol, ports)
        case .family, .protocolNumber: self
        case .icmpType, .hopLimit, .inputIsLoopback, .outputIsLoopback, .connection,
            .isTranslated, .wasDecrypted, .willBeEncrypted, .isAdopted, .continuesConnection:
            nil
        }
    }

    fileprivate var hasOnePort: Bool {
        switch self {
        case .sourcePorts(_, let ports), .destinationPorts(_, let ports): ports.count == 1
        default: false
        }
    }
}
