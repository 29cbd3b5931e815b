import DeploymentGenerator
import Policy
import PortModel
import Ruleset
import Site
import Testing

/// What rules adopt is exactly what could answer a packet of TCP that the policy permits, and the
/// other rules stay as they are.
@Suite("Adoption's oracle")
struct AdoptionOracleTests {
    static let seeds: [UInt64] = Array(1...6)
    static let deploymentsPerSeed = 40
    static let packetsPerDeployment = 250

    @Test("local placement", arguments: seeds)
    func local(seed: UInt64) throws {
        var generator = DeploymentGenerator(seed: seed)
        var adopted = 0
        for round in 0..<Self.deploymentsPerSeed {
            let deployment = generator.deployment()
            let node = generator.random.pick(deployment.nodes)
            let policy = Policy(of: node, in: deployment)
            let table = policy.compileLocal()
            let adopting = try Self.adopting(table)
            var packets = PacketGenerator(
                deployment, [policy], seed: seed << 32 | UInt64(round))
            for _ in 0..<Self.packetsPerDeployment {
                guard let (packet, answer) = Self.pair(packets.packet()) else { continue }
                let evaluator = TableEvaluator(
                    Self.adoption(of: adopting, at: answer.direction == .inbound ? .input : .output)
                )
                let isPermitted = policy.permits.contains { $0.matches(packet) }
                let isAdopted = evaluator.evaluate(answer).verdict == .accept
                #expect(
                    isAdopted == isPermitted,
                    "seed \(seed), deployment \(round): \(answer)\n\(adopting.text)")
                adopted += isAdopted ? 1 : 0
            }
        }
        #expect(adopted > 100)
    }

    @Test("gateway placement", arguments: seeds)
    func gateway(seed: UInt64) throws {
        var generator = DeploymentGenerator(seed: seed)
        var adopted = 0
        for round in 0..<Self.deploymentsPerSeed {
            let deployment = generator.deployment(placement: .gateway)
            let enforced = deployment.nodes.filter { _ in generator.random.chance(75) }
            if enforced.isEmpty { continue }
            let policy = GatewayPolicy(of: enforced, in: deployment)
            let adopting = try Self.adopting(policy.compile())
            let evaluator = TableEvaluator(Self.adoption(of: adopting, at: .forward))
            var packets = PacketGenerator(
                deployment, policy.policies, seed: seed << 32 | UInt64(round))
            for _ in 0..<Self.packetsPerDeployment {
                guard let (packet, answer) = Self.pair(packets.packet()) else { continue }
                let decision = policy.decide(packet)
                // What no node is concerned with passes without being adopted.
                let isPermitted =
                    decision.verdict == .accept
                    && (decision.inbound != nil || decision.outbound != nil)
                let isAdopted = evaluator.evaluateForwarded(answer).verdict == .accept
                #expect(
                    isAdopted == isPermitted,
                    "seed \(seed), deployment \(round): \(answer)\n\(adopting.text)")
                adopted += isAdopted ? 1 : 0
            }
        }
        #expect(adopted > 100)
    }

    /// A packet of TCP as the first of its connection, and the one that answers it.
    private static func pair(_ packet: Packet) -> (packet: Packet, answer: Packet)? {
        guard case .tcp(let source, let destination) = packet.transport else { return nil }
        return (
            Packet(
                packet.direction, from: packet.source, to: packet.destination, packet.transport),
            Packet(
                packet.direction == .inbound ? .outbound : .inbound, from: packet.destination,
                to: packet.source, .tcp(source: destination, destination: source))
        )
    }

    /// The table with rules that adopt; expects it to be the same but for these.
    private static func adopting(_ table: Table) throws -> Table {
        let adopting = try #require(Ruleset(tables: [table]).adopting.tables.first)
        func isAdoption(_ name: String) -> Bool { name.hasPrefix("adopt") }
        var rest = adopting
        rest.sets.removeAll { isAdoption($0.name) }
        rest.chains.removeAll { isAdoption($0.name) }
        for index in rest.chains.indices {
            let guards = rest.chains[index].rules.filter { $0.matches.contains(.isAdopted) }
            // None where no row of TCP could be answered there.
            #expect(guards.count <= (rest.chains[index].hook?.priority == .filter ? 1 : 0))
            for rule in guards {
                #expect(
                    rule.matches == [.connection([.new]), .continuesConnection, .isAdopted])
            }
            rest.chains[index].rules.removeAll { $0.matches.contains(.isAdopted) }
        }
        #expect(rest == table)
        return adopting
    }

    /// Of an adopting table, what adopts at a hook, without that it ends.
    private static func adoption(of table: Table, at point: Hook.Point) -> Table {
        var adoption = table
        for index in table.chains.indices {
            guard var hook = table.chains[index].hook else { continue }
            hook.policy = hook.priority == .filter ? .drop : .accept
            adoption.chains[index].hook = hook
            adoption.chains[index].rules = table.chains[index].rules.compactMap { rule in
                guard hook.point == point, rule.matches.contains(.isAdopted) else { return nil }
                return Rule([], rule.verdict)
            }
        }
        return adoption
    }
}
