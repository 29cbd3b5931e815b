import DeploymentGenerator
import Policy
import PortModel
import Ruleset
import Site
import Testing

/// Removing any one compiled rule, or widening it by any one of its conditions, must change what
/// becomes of some packet: of those packets the oracle and the row matrix are made.
@Suite("Mutations")
struct MutationTests {
    enum Subject: String, CaseIterable, Sendable {
        case management, conferencing, dualHomed, gateway
    }

    /// Every feature on and every class of peers narrowed to addresses of its own, so that no row
    /// covers another.
    private static func deployment(_ subject: Subject) -> Deployment {
        func addresses(_ network: UInt8, _ host: UInt32) -> [IPAddress] {
            AddressFamily.allCases.map {
                DeploymentGenerator.address($0, network: network, host: host)
            }
        }
        var peers: [PeerClass: Peers] = [:]
        for (index, peerClass) in PeerClass.allCases.enumerated() {
            peers[peerClass] = .only(AddressSet(addresses(3, UInt32(index + 10))))
        }
        func node(_ name: String, _ role: NodeRole, _ host: UInt32, dual: Bool = false) -> Node {
            Node(
                name: name, role: role, addresses: addresses(1, host),
                secondaryAddresses: dual ? addresses(2, host) : [],
                features: Set(Feature.allCases), peers: peers)
        }
        var host = Host()
        host.ping = true
        host.dhcpClient = true
        var refusals = Refusals()
        refusals.isSampled = true
        return Deployment(
            placement: subject == .gateway ? .gateway : .local,
            nodes: [
                node("a", .management, 9), node("b", .conferencing, 2),
                node("c", .conferencing, 3, dual: true), node("d", .conferencing, 4),
            ], host: host,
            rules: [
                SiteRule(
                    name: "exporter", nodes: ["a", "b", "c"], direction: .inbound, protocol: .tcp,
                    destinationPorts: [9100...9100],
                    peers: .only(AddressSet(addresses(4, 1))))
            ], refusals: refusals)
    }

    @Test("no rule can be removed or widened unnoticed", arguments: Subject.allCases)
    func mutants(subject: Subject) throws {
        let deployment = Self.deployment(subject)
        let name = ["management": "a", "conferencing": "b", "dualHomed": "c"][subject.rawValue]
        // Node b is not enforced on the gateway: where both ends judge, one's rule can be widened
        // without effect.
        let nodes = deployment.nodes.filter { name == $0.name || (name == nil && $0.name != "b") }
        let policies = nodes.map { Policy(of: $0, in: deployment) }
        let table =
            subject == .gateway
            ? GatewayPolicy(of: nodes, in: deployment).compile() : policies[0].compileLocal()
        func evaluate(_ evaluator: TableEvaluator, _ packet: Packet) -> Outcome {
            Outcome(
                subject == .gateway
                    ? evaluator.evaluateForwarded(packet) : evaluator.evaluate(packet))
        }
        let packets = Self.packets(deployment, policies)
        let original = TableEvaluator(table)
        let outcomes = packets.map { evaluate(original, $0) }
        var tried = 0
        var survivors: [String] = []
        for mutant in Self.mutants(of: table) {
            tried += 1
            let evaluator = TableEvaluator(mutant.table)
            let isNoticed = packets.indices.contains { index in
                mutant.concerns(packets[index], original)
                    && evaluate(evaluator, packets[index]) != outcomes[index]
            }
            if !isNoticed { survivors.append(mutant.name) }
        }
        #expect(survivors.isEmpty, "\(survivors.joined(separator: "\n"))")
        #expect(tried > 100)
    }

    /// What can be seen of a packet's way from outside: its fate, what was counted and noted, whose
    /// samples it is among, and whether it cost an entry in the table of connections.
    private struct Outcome: Equatable {
        let verdict: Verdict
        let counters: [String]
        let notes: [String]
        let totals: [Rule]
        let samples: [String]
        let isUntracked: Bool

        init(_ evaluation: Evaluation) {
            verdict = evaluation.verdict
            counters = evaluation.counters
            notes = evaluation.notes
            totals = evaluation.matched.map(\.rule).filter { $0.purpose == .nodeTotals }
            samples = evaluation.matched.compactMap(\.rule.sampling?.counter)
            isUntracked = evaluation.isUntracked
        }
    }

    private static func packets(_ deployment: Deployment, _ policies: [Policy]) -> [Packet] {
        let decoys = AddressFamily.allCases.map {
            DeploymentGenerator.address($0, network: 1, host: 99)
        }
        let strangers = AddressFamily.allCases.map {
            DeploymentGenerator.address($0, network: 9, host: 9)
        }
        var packets = policies.flatMap {
            CellMaker($0, decoys: decoys, strangers: strangers).cells.map(\.packet)
        }
        var generator = PacketGenerator(deployment, policies, seed: 1)
        packets += (0..<6000).map { _ in generator.packet() }
        return packets + packets.flatMap(ipsecVariants)
    }

    /// What a packet of IPsec is when its flow is older, or meets a NAT.
    private static func ipsecVariants(_ packet: Packet) -> [Packet] {
        guard packet.transport == .udp(source: 500, destination: 500) else { return [] }
        var (established, translated, traversal) = (packet, packet, packet)
        established.connection = .established
        translated.isTranslated = true
        traversal.transport = .udp(source: 4500, destination: 4500)
        return [established, translated, traversal]
    }

    private struct Mutant {
        let name: String
        let table: Table
        /// The conditions that are left, and the one that was taken away; nil where the whole rule
        /// was.
        let remaining: [Match]
        let removed: Match?

        /// Whether the mutation can matter to a packet: it met the rule, or would meet it now.
        func concerns(_ packet: Packet, _ evaluator: TableEvaluator) -> Bool {
            remaining.allSatisfy { evaluator.fulfils(packet, $0) }
                && removed.map { !evaluator.fulfils(packet, $0) } ?? true
        }
    }

    private static func mutants(of table: Table) -> [Mutant] {
        var mutants: [Mutant] = []
        for (chainIndex, chain) in table.chains.enumerated() {
            for (ruleIndex, rule) in chain.rules.enumerated() {
                if !isShortcut(rule, of: chain) {
                    var mutant = table
                    mutant.chains[chainIndex].rules.remove(at: ruleIndex)
                    mutants.append(
                        Mutant(
                            name: "\(chain.name): removed \(rule.text)", table: mutant,
                            remaining: rule.matches, removed: nil))
                }
                for (matchIndex, match) in rule.matches.enumerated() {
                    if case .jump(let branch) = rule.verdict,
                        case .protocolNumber(let number) = match,
                        asksAgain(branch, for: number, in: table)
                    {
                        continue
                    }
                    var wider = rule
                    wider.matches.remove(at: matchIndex)
                    var mutant = table
                    mutant.chains[chainIndex].rules[ruleIndex] = wider
                    mutants.append(
                        Mutant(
                            name: "\(chain.name): widened \(rule.text) by \(match.text)",
                            table: mutant, remaining: wider.matches, removed: match))
                }
            }
        }
        return mutants
    }

    /// Whether the rule only spares TCP those that follow, which are not for it.
    private static func isShortcut(_ rule: Rule, of chain: Chain) -> Bool {
        chain.hook?.priority == .raw
            && rule == Rule([.protocolNumber(6)], .accept, comment: "tcp")
    }

    /// Whether each rule of a branch asks for the protocol that leads there.
    private static func asksAgain(_ branch: String, for number: UInt8, in table: Table) -> Bool {
        guard let chain = table.chains.first(where: { $0.name == branch }) else { return false }
        return chain.rules.allSatisfy { rule in
            rule.matches.contains { match in
                switch match {
                case .protocolNumber(let other): other == number
                case .sourcePorts(let other, _), .destinationPorts(let other, _):
                    other.rawValue == number
                case .icmpType(let family, _): number == (family == .ipv4 ? 1 : 58)
                default: false
                }
            }
        }
    }
}
