package import Policy
internal import PortModel

/// A packet's way through a table, rule by rule, as the kernel would take it.
package struct Evaluation: Hashable, Sendable {
    /// The verdict of the last base chain that saw the packet.
    package var verdict: Verdict
    /// The rules that matched, in order, with the chains that they stand in.
    package var matched: [Step]
    /// The packet was exempted from connection tracking.
    package var isUntracked: Bool

    /// A rule that matched, in its place.
    package struct Step: Hashable, Sendable {
        /// The chain's name in the kernel.
        package var chain: String
        /// The rule's place in its chain, from 0.
        package var index: Int
        /// As it stands in the table.
        package var rule: Rule
    }

    /// The counters that the packet advanced.
    package var counters: [String] { matched.compactMap(\.rule.counter) }
    /// The rule that decided; nil where a base chain's policy did.
    package var decisive: Step? {
        matched.last { step in
            switch step.rule.verdict {
            case .accept, .drop, .return: true
            case .jump, .goto, nil: false
            }
        }
    }
    /// The sets in which the packet's addresses were noted.
    package var notes: [String] { matched.compactMap(\.rule.note?.set) }
}

/// Evaluates packets against one table, prepared for many of them.
package struct TableEvaluator: Sendable {
    private let chains: [String: Chain]
    private let sets: [String: NamedSet]
    private let inbound: [Chain]
    private let outbound: [Chain]
    private let forwarded: [Chain]

    /// Prepares the base chains in the order of hooks and priorities.
    package init(_ table: Table) {
        chains = Dictionary(table.chains.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        sets = Dictionary(table.sets.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        func path(_ points: [Hook.Point]) -> [Chain] {
            points.flatMap { point in
                table.chains.filter { $0.hook?.point == point }.sorted {
                    ($0.hook?.priority.rawValue ?? 0) < ($1.hook?.priority.rawValue ?? 0)
                }
            }
        }
        inbound = path([.prerouting, .input])
        outbound = path([.output])
        forwarded = path([.prerouting, .forward])
    }

    /// Takes a packet of this host through the base chains that it passes in local placement:
    /// prerouting and input, or output.
    ///
    /// - Parameter arriving: the packet as it is before destination NAT, where there is any.
    package func evaluate(_ packet: Packet, arriving: Packet? = nil) -> Evaluation {
        evaluate(
            packet, arriving: arriving ?? packet,
            through: packet.direction == .inbound ? inbound : outbound)
    }

    /// Takes a packet that this host forwards through the base chains that it passes.
    package func evaluateForwarded(_ packet: Packet) -> Evaluation {
        evaluate(packet, arriving: packet, through: forwarded)
    }

    /// A verdict of accept ends a base chain, not the packet's way; drop ends both.
    private func evaluate(
        _ packet: Packet, arriving: Packet, through path: [Chain]
    ) -> Evaluation {
        var passage = Passage(chains: chains, sets: sets, packet: arriving)
        var verdict = Verdict.accept
        for chain in path {
            // NAT comes between the two priorities, and needs connection tracking.
            if chain.hook?.priority == .filter, !passage.isUntracked { passage.packet = packet }
            verdict = passage.run(chain) ?? chain.hook?.policy ?? .accept
            if verdict == .drop { break }
        }
        return Evaluation(
            verdict: verdict, matched: passage.matched, isUntracked: passage.isUntracked)
    }

    /// Whether a packet that nothing has exempted from tracking fulfils a condition.
    package func fulfils(_ packet: Packet, _ match: Match) -> Bool {
        Passage(chains: chains, sets: sets, packet: packet).matches(match)
    }
}

/// One packet on its way through a table.
private struct Passage {
    let chains: [String: Chain]
    let sets: [String: NamedSet]
    var packet: Packet
    var matched: [Evaluation.Step] = []
    var isUntracked = false

    /// Accept or drop; nil where no rule of the chain, or of those it jumps to, decided.
    mutating func run(_ chain: Chain) -> Verdict? {
        for (index, rule) in chain.rules.enumerated()
        where rule.matches.allSatisfy({ matches($0) })
            && rule.note.map({ $0.family == packet.family }) ?? true
        {
            matched.append(Evaluation.Step(chain: chain.name, index: index, rule: rule))
            if rule.isNotrack { isUntracked = true }
            switch rule.verdict {
            case nil: continue
            case .accept: return .accept
            case .drop: return .drop
            case .return: return nil
            case .jump(let name):
                guard let target = chains[name] else {
                    preconditionFailure("a jump to \(name), which the table does not have")
                }
                if let verdict = run(target) { return verdict }
            case .goto(let name):
                guard let target = chains[name] else {
                    preconditionFailure("a goto to \(name), which the table does not have")
                }
                return run(target)
            }
        }
        return nil
    }

    func matches(_ match: Match) -> Bool {
        switch match {
        case .family(let family):
            return packet.family == family
        case .source(let address):
            return packet.source == address
        case .destination(let address):
            return packet.destination == address
        case .sourceIn(let set, let family):
            return packet.family == family && contains(set, packet.source)
        case .destinationIn(let set, let family):
            return packet.family == family && contains(set, packet.destination)
        case .protocolNumber(let number):
            return packet.transport.number(packet.family) == number
        case .sourcePorts(let ipProtocol, let ports):
            guard packet.transport.ipProtocol == ipProtocol, let own = packet.transport.ports else {
                return false
            }
            return ports.contains(own.source)
        case .destinationPorts(let ipProtocol, let ports):
            guard packet.transport.ipProtocol == ipProtocol, let own = packet.transport.ports else {
                return false
            }
            return ports.contains(own.destination)
        case .icmpType(let family, let types):
            guard packet.family == family, case .icmp(let type) = packet.transport else {
                return false
            }
            return types.contains(type)
        case .hopLimit(let limit):
            return packet.family == .ipv6 && packet.hopLimit == limit
        case .inputIsLoopback:
            return packet.isLoopback && packet.direction == .inbound
        case .outputIsLoopback:
            return packet.isLoopback && packet.direction == .outbound
        case .connection(let states):
            return states.contains(trackedState)
        case .isTranslated:
            return packet.isTranslated
        case .wasDecrypted:
            return packet.isProtected && packet.direction == .inbound
        case .willBeEncrypted:
            return packet.isProtected && packet.direction == .outbound
        // An evaluated packet comes when that time is over.
        case .isAdopted:
            return false
        case .continuesConnection:
            return packet.transport.ipProtocol == .tcp && packet.connection != .new
        }
    }

    private var trackedState: TrackedState {
        if isUntracked { return .untracked }
        switch packet.connection {
        case .new: return .new
        case .established: return .established
        case .related: return .related
        case .invalid: return .invalid
        }
    }

    private func contains(_ set: String, _ address: IPAddress) -> Bool {
        guard let set = sets[set] else {
            preconditionFailure("a match with set \(set), which the table does not have")
        }
        return set.addresses.contains(address)
    }
}

extension Transport {
    /// The IP protocol number.
    fileprivate func number(_ family: AddressFamily) -> UInt8 {
        switch self {
        case .tcp: IPProtocol.tcp.rawValue
        case .udp: IPProtocol.udp.rawValue
        case .esp: IPProtocol.esp.rawValue
        case .icmp: family == .ipv4 ? 1 : 58
        case .other(let number): number
        }
    }
}
