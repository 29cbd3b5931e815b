internal import Site
package import Policy
internal import PortModel

/// Why a packet passes or not, from the rules that decide it.
package struct Explanation: Hashable, Sendable, Codable {
    /// `accept` or `drop`; in `observe` mode what enforcement would do.
    package var verdict: Decision.Verdict
    /// The rules that counted or decided the packet, in order.
    package var rules: [AppliedRule]
    /// Rows that permit it: on a gateway up to one for each end.
    package var permits: [String]
    /// In words, where no row permits it or none is needed.
    package var reason: String
    /// For a refusal, the rules that came closest, the closest first.
    package var nearest: [NearMiss]

    /// A rule in its place.
    package struct AppliedRule: Hashable, Sendable, Codable {
        /// The table's name without its family.
        package var table: String
        /// The chain's name in the kernel.
        package var chain: String
        /// From 1, as people count.
        package var number: Int
        /// The rule in nft's language.
        package var rule: String
        /// The id of the rule's counter, as reports call it; nil where it counts nothing.
        package var counter: String?
    }

    /// A row whose rule the packet missed.
    package struct NearMiss: Hashable, Sendable, Codable {
        /// The row's or the site rule's id.
        package var row: String
        /// The conditions that the packet does not fulfil, in words; empty where it fulfils all.
        package var differences: [String]
    }
}

extension Ruleset {
    /// How many rows a refusal names.
    private static let shownNearMisses = 3

    /// Explains a packet by the tables' rules.
    package func explain(_ packet: Packet) -> Explanation {
        var rules: [Explanation.AppliedRule] = []
        var verdict = Decision.Verdict.accept
        var permits: [String] = []
        var reason = "no rule judges it: it is neither from nor to an enforced node"
        var misses: [Explanation.NearMiss] = []
        let isForwarded = placement.facts.judgesForwarded
        for table in tables {
            let evaluator = TableEvaluator(table)
            let evaluation =
                isForwarded ? evaluator.evaluateForwarded(packet) : evaluator.evaluate(packet)
            for step in evaluation.matched where step.rule.note == nil {
                rules.append(
                    Explanation.AppliedRule(
                        table: table.name, chain: step.chain, number: step.index + 1,
                        rule: step.rule.text, counter: step.rule.counterPurpose?.id))
            }
            var refusal: Refusal?
            for counter in evaluation.counters.map(CounterPurpose.init(name:)) {
                switch counter {
                case .permit(let id): permits.append(id)
                case .refusal(let first): refusal = refusal ?? first
                case .translated: break
                }
            }
            if let refusal {
                // Observation counts a refusal and lets the packet pass.
                verdict = .drop
                reason = refusal.words
                misses += table.nearMisses(of: packet, refusedIn: evaluation.matched)
            } else if let step = evaluation.decisive {
                reason = step.rule.counter == nil ? Self.words(step.rule) : "a row permits it"
            }
        }
        return Explanation(
            verdict: verdict, rules: rules, permits: verdict == .accept ? permits : [],
            reason: reason, nearest: Array(misses.prefix(Self.shownNearMisses)))
    }

    /// The meaning of a rule that no row is about.
    private static func words(_ rule: Rule) -> String {
        switch rule.purpose {
        case .established: "it belongs to a flow that was permitted"
        case .loopback: "the host's traffic with itself passes"
        case .icmpError: "ICMP errors pass, for path-MTU discovery"
        case .neighbourDiscovery, .multicastListener: "IPv6 needs it to find its neighbours"
        case .ipsec: "IPsec with a mesh member protects it"
        case let purpose?: "\(purpose.id) lets it pass"
        case nil: rule.text
        }
    }
}

extension Refusal {
    /// Why, for people.
    package var words: String {
        switch self {
        case .invalid: "connection tracking can't place it in any flow"
        case .unanswered: "no row opens this UDP port or asks from it"
        case .unmatched(let direction, _): "no \(direction.rawValue) row permits it"
        }
    }
}

/// A condition that a packet does not fulfil. An administrator sooner meant another peer than
/// another port, and another port than another protocol.
private struct Lack {
    static let address = 1
    static let port = 1_000
    static let `protocol` = 100_000

    let text: String
    let weight: Int
}

extension [Lack] {
    fileprivate var weight: Int { reduce(0) { $0 + $1.weight } }
}

extension Table {
    /// The permitting rules beside the one that refused, the closest first, each with what the packet
    /// lacks; a row counts once, with its closest rule.
    fileprivate func nearMisses(
        of packet: Packet, refusedIn steps: [Evaluation.Step]
    ) -> [Explanation.NearMiss] {
        guard let refusal = steps.last(where: { $0.rule.counter != nil }),
            let judged = ChainPurpose(name: refusal.chain).judged
        else { return [] }
        let chains = chains.filter { $0.purpose.judged == judged }
        var jumps: [String: [Rule]] = [:]
        for rule in chains.lazy.flatMap(\.rules) {
            if case .jump(let target) = rule.verdict { jumps[target, default: []].append(rule) }
        }
        var closest: [String: [Lack]] = [:]
        for chain in chains {
            let ways = jumps[chain.name, default: []]
            for rule in chain.rules {
                guard case .permit(let row) = rule.counterPurpose else { continue }
                let lacking =
                    lacks(packet, of: ways, to: rule)
                    + rule.matches.flatMap { lacks(packet, of: $0) }
                if lacking.weight < closest[row]?.weight ?? .max { closest[row] = lacking }
            }
        }
        return closest.sorted { ($0.value.weight, $0.key) < ($1.value.weight, $1.key) }.map {
            Explanation.NearMiss(row: $0, differences: $1.map(\.text))
        }
    }

    /// The addresses that jumps to a rule's chain ask for and the packet does not have, by the
    /// closest jump. The protocol, which they ask for as well, the rule has itself, and where it
    /// asks for one of the addresses, it has the last word on them.
    private func lacks(_ packet: Packet, of ways: [Rule], to rule: Rule) -> [Lack] {
        if rule.matches.contains(where: { $0.address != nil }) { return [] }
        return ways.filter { !$0.excludes(rule) }.map { way in
            way.matches.filter { $0.address != nil }.flatMap { lacks(packet, of: $0) }
        }.min { $0.weight < $1.weight } ?? []
    }

    /// The part of one condition that the packet does not fulfil; empty where it fulfils all of it.
    private func lacks(_ packet: Packet, of match: Match) -> [Lack] {
        func unless(
            _ isFulfilled: Bool, _ text: @autoclosure () -> String, of family: AddressFamily? = nil
        ) -> [Lack] {
            // An address of the other family is farther.
            let weight = family == nil || family == packet.family ? 1 : 2
            return isFulfilled ? [] : [Lack(text: text(), weight: weight * Lack.address)]
        }
        switch match {
        case .family(let family):
            return unless(packet.family == family, "the family is not \(family.rawValue)")
        case .source(let address):
            return unless(
                packet.source == address, "the source is not \(address)", of: address.family)
        case .destination(let address):
            return unless(
                packet.destination == address, "the destination is not \(address)",
                of: address.family)
        case .sourceIn(let set, let family):
            return unless(
                contains(set, packet.source),
                "the source \(packet.source) is not in \(members(set))", of: family)
        case .destinationIn(let set, let family):
            return unless(
                contains(set, packet.destination),
                "the destination \(packet.destination) is not in \(members(set))", of: family)
        case .protocolNumber(let number):
            guard IPProtocol(rawValue: number) != packet.transport.ipProtocol else { return [] }
            let name = IPProtocol(rawValue: number)?.name ?? "\(number)"
            return [Lack(text: "the protocol is not \(name)", weight: Lack.protocol)]
        case .sourcePorts(let ipProtocol, let ports):
            return Self.portLacks(
                "source", packet.transport, ipProtocol, ports, packet.transport.ports?.source)
        case .destinationPorts(let ipProtocol, let ports):
            return Self.portLacks(
                "destination", packet.transport, ipProtocol, ports,
                packet.transport.ports?.destination)
        case .icmpType, .hopLimit, .inputIsLoopback, .outputIsLoopback, .connection,
            .isTranslated, .wasDecrypted, .willBeEncrypted, .isAdopted, .continuesConnection:
            return []
        }
    }

    private static func portLacks(
        _ side: String, _ transport: Transport, _ ipProtocol: IPProtocol,
        _ ports: ClosedRange<UInt16>, _ port: UInt16?
    ) -> [Lack] {
        guard transport.ipProtocol == ipProtocol, let port else {
            return [Lack(text: "the protocol is not \(ipProtocol.name)", weight: Lack.protocol)]
        }
        if ports.contains(port) { return [] }
        let wanted =
            ports.count == 1
            ? "\(ports.lowerBound)" : "\(ports.lowerBound)-\(ports.upperBound)"
        let nearest = min(max(port, ports.lowerBound), ports.upperBound)
        return [
            Lack(
                text: "the \(side) port \(port) is not \(wanted)",
                weight: Lack.port + abs(Int(port) - Int(nearest)))
        ]
    }

    private func contains(_ name: String, _ address: IPAddress) -> Bool {
        sets.first { $0.name == name }?.addresses.contains(address) ?? false
    }

    /// A set's name with its members, as far as they fit a line.
    private func members(_ name: String) -> String {
        let elements = sets.first { $0.name == name }?.addresses.elements ?? []
        let shown = elements.prefix(4).joined(separator: ", ")
        let more = elements.count > 4 ? ", … \(elements.count) in all" : ""
        return "\(name) (\(shown)\(more))"
    }
}
