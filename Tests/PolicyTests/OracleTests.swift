import DeploymentGenerator
import Policy
import PortModel
import Ruleset
import Site
import Testing

/// `decide(packet)` and the evaluation of the compiled rules are written apart from each other; here
/// they must agree about every generated packet.
@Suite("Oracle")
struct OracleTests {
    static let seeds: [UInt64] = Array(1...12)
    static let deploymentsPerSeed = 40
    static let packetsPerDeployment = 250

    @Test("local placement: rules decide as the policy does", arguments: seeds)
    func local(seed: UInt64) throws {
        var generator = DeploymentGenerator(seed: seed)
        for round in 0..<Self.deploymentsPerSeed {
            let deployment = generator.deployment()
            let node = generator.random.pick(deployment.nodes)
            let policy = Policy(of: node, in: deployment)
            let table = policy.compileLocal()
            let evaluator = TableEvaluator(table)
            var packets = PacketGenerator(
                deployment, [policy], seed: seed << 32 | UInt64(round))
            for _ in 0..<Self.packetsPerDeployment {
                let packet = packets.packet()
                let decision = policy.decide(packet)
                let evaluation = evaluator.evaluate(packet)
                guard agrees(decision, evaluation, policy.mode) else {
                    Issue.record(
                        "seed \(seed), deployment \(round): \(packet) is decided \(decision), but the rules say \(evaluation)\n\(table.text)"
                    )
                    return
                }
            }
        }
    }

    @Test("gateway placement: rules decide as the policy does", arguments: seeds)
    func gateway(seed: UInt64) throws {
        var generator = DeploymentGenerator(seed: seed)
        for round in 0..<Self.deploymentsPerSeed {
            let deployment = generator.deployment(placement: .gateway)
            let enforced = deployment.nodes.filter { _ in generator.random.chance(75) }
            let policy = GatewayPolicy(of: enforced, in: deployment)
            let table = policy.compile()
            let evaluator = TableEvaluator(table)
            let classes = policy.classes
            if enforced.isEmpty { continue }
            var packets = PacketGenerator(
                deployment, policy.policies, seed: seed << 32 | UInt64(round))
            for _ in 0..<Self.packetsPerDeployment {
                let packet = packets.packet()
                let decision = policy.decide(packet)
                let evaluation = evaluator.evaluateForwarded(packet)
                guard agrees(packet, decision, evaluation, policy, classes) else {
                    Issue.record(
                        "seed \(seed), deployment \(round): \(packet) is decided \(decision), but the rules say \(evaluation)\n\(table.text)"
                    )
                    return
                }
            }
        }
    }

    /// While nodes change class, what passes is what passes before and afterwards; nothing in between
    /// is judged by no class.
    @Test("a transition lets pass what both ends of it do", arguments: seeds.prefix(4))
    func transition(seed: UInt64) throws {
        var generator = DeploymentGenerator(seed: seed)
        var transitions = 0
        for round in 0..<Self.deploymentsPerSeed {
            var before = generator.deployment(placement: .gateway)
            before.mode = .enforce
            var after = before
            for index in after.nodes.indices where generator.random.chance(50) {
                after.nodes[index].features.formSymmetricDifference([.ssh, .sipUDP, .snmp])
            }
            let (old, new) = (
                GatewayPolicy(of: before.nodes, in: before).compile(),
                GatewayPolicy(of: after.nodes, in: after).compile()
            )
            guard
                let both = Ruleset(tables: [new]).transition(from: [ObservedTable(old)])?.tables
                    .first
            else {
                #expect(before == after || old == new, "seed \(seed), deployment \(round)")
                continue
            }
            transitions += 1
            let evaluators = [old, new, both].map { TableEvaluator($0) }
            var packets = PacketGenerator(
                before, GatewayPolicy(of: before.nodes, in: before).policies,
                seed: seed << 32 | UInt64(round))
            for _ in 0..<Self.packetsPerDeployment {
                let packet = packets.packet()
                let verdicts = evaluators.map { $0.evaluateForwarded(packet).verdict }
                let expected: Verdict = verdicts[..<2].contains(.drop) ? .drop : .accept
                guard verdicts[2] == expected else {
                    Issue.record(
                        "seed \(seed), deployment \(round): \(packet)\n\(evaluators[2].evaluateForwarded(packet))"
                    )
                    return
                }
            }
        }
        #expect(transitions > 10)
    }

    /// Same verdict; each end's row counted as far as the packet came; a translated packet between
    /// nodes counted whatever becomes of it.
    private func agrees(
        _ packet: Packet, _ decision: GatewayDecision, _ evaluation: Evaluation,
        _ policy: GatewayPolicy, _ classes: [PolicyClass]
    ) -> Bool {
        let isDropped = decision.verdict == .drop && policy.mode == .enforce
        guard evaluation.verdict == (isDropped ? .drop : .accept) else { return false }
        var expected: Set<String> = []
        if packet.isTranslated, policy.nodeAddresses.contains(packet.source),
            policy.nodeAddresses.contains(packet.destination)
        {
            expected.insert(CounterPurpose.translated.name)
        }
        for (decision, address, direction) in [
            (decision.inbound, packet.destination, Direction.inbound),
            (decision.outbound, packet.source, .outbound),
        ] {
            switch decision?.reason {
            case .permit(let id): expected.insert(id)
            case .noPermit:
                let own = classes.first {
                    $0.policies.contains { $0.node.allAddresses.contains(address) }
                }
                expected.insert(
                    Refusal.unmatched(direction, policyClass: own?.name).counter.name)
            default: break
            }
        }
        // Which end is asked first is the compiler's choice; a drop ends the packet's way.
        let counted = Set(evaluation.counters)
        return isDropped
            ? counted.isSubset(of: expected)
                && counted.contains { $0.hasPrefix("drop.") }
            : counted == expected
    }

    /// Same verdict, same row counted; observation accepts what enforcement drops, and counts it.
    private func agrees(_ decision: Decision, _ evaluation: Evaluation, _ mode: Mode) -> Bool {
        let counters = evaluation.counters
        switch decision.verdict {
        case .accept:
            guard evaluation.verdict == .accept else { return false }
            if case .permit(let id) = decision.reason { return counters == [id] }
            return counters.isEmpty
        case .drop:
            let expected: String
            switch decision.reason {
            case .invalid: expected = "drop.in.invalid"
            case .unansweredPort: expected = "drop.in.unanswered"
            default: expected = evaluation.decisive?.chain == "output" ? "drop.out" : "drop.in"
            }
            return evaluation.verdict == (mode == .enforce ? .drop : .accept)
                && counters == [expected]
        }
    }
}

extension ObservedTable {
    /// A table as the kernel would list it.
    fileprivate init(_ table: Table) {
        self.init(
            table.id,
            counters: Dictionary(
                table.counters.map { ($0, CounterValue()) }, uniquingKeysWith: { $1 }),
            sets: table.sets.map { ObservedSet(name: $0.name, set: $0) },
            chains: table.chains.map {
                ObservedChain(
                    name: $0.name, attachment: ObservedChain.Attachment($0.hook),
                    rules: $0.rules.map(ObservedRule.known))
            })
    }
}
