import DeploymentGenerator
import KernelFake
import Policy
import PortModel
import Ruleset
import Site
import Testing

/// Rules that sample refusals, beside those that refuse.
@Suite struct SamplingTests {
    private static func table(_ deployment: Deployment, sampled: Bool) -> Table {
        var deployment = deployment
        deployment.refusals.isSampled = sampled
        return switch deployment.placement {
        case .local: Policy(of: deployment.nodes[0], in: deployment).compileLocal()
        case .gateway: GatewayPolicy(of: deployment.nodes, in: deployment).compile()
        }
    }

    /// Deployments of both placements and modes.
    private static let deployments: [Deployment] = {
        var generator = DeploymentGenerator(seed: 3)
        return Placement.allCases.flatMap { placement in
            (0..<20).map { _ in generator.deployment(placement: placement) }
        }
    }()

    @Test func everyRefusalIsSampledRightBeforeItAndNothingElse() {
        for deployment in Self.deployments {
            let refusals = deployment.refusals
            let sampled = Self.table(deployment, sampled: true)
            for chain in sampled.chains {
                for (index, rule) in chain.rules.enumerated() {
                    let isRefusal = rule.counter?.hasPrefix("drop.") ?? false
                    #expect(rule.sampling == nil || (rule.counter == nil && rule.verdict == nil))
                    guard isRefusal, let counter = rule.counter else { continue }
                    #expect(
                        chain.rules[index - 1]
                            == Rule(
                                rule.matches, nil, comment: "refusals.sample",
                                sampling: Sampling(
                                    counter: counter, group: refusals.group, rate: refusals.rate)))
                }
            }
            let sampling = Ruleset(tables: [sampled]).sampling
            #expect(sampling?.group == refusals.group)
            #expect(sampling?.rate == refusals.rate)
        }
    }

    @Test func withoutThemTheTablesAreAsTheyWere() {
        for deployment in Self.deployments {
            var table = Self.table(deployment, sampled: true)
            for index in table.chains.indices {
                table.chains[index].rules.removeAll { $0.sampling != nil }
            }
            let plain = Self.table(deployment, sampled: false)
            #expect(table == plain)
            #expect(!plain.text.contains("limit rate ") && !plain.text.contains("log prefix"))
            #expect(Ruleset(tables: [plain]).sampling == nil)
        }
    }

    @Test func theyComeAndGoInPlaceAndKeepEveryCounter() throws {
        for deployment in Self.deployments {
            let tables = [false, true, false].map { Self.table(deployment, sampled: $0) }
            var kernel = NfTables()
            try kernel.apply(Transaction(from: [], to: Ruleset(tables: [tables[0]])))
            for table in tables.dropFirst() {
                let transaction = try TransactionTests.lead(&kernel, to: table)
                #expect(!transaction.makesTables)
                #expect(
                    transaction.statements.allSatisfy {
                        let verb = $0.text.prefix { $0 != " " }
                        let isOfRule = $0.text.dropFirst(verb.count).hasPrefix(" rule ")
                        return isOfRule || $0.text.hasPrefix("flush chain ")
                    }, "\(transaction.text)")
            }
        }
    }

    @Test func namesFitTheKernelsPrefix() {
        for deployment in Self.deployments {
            for rule in Self.table(deployment, sampled: true).chains.flatMap(\.rules) {
                if let sampling = rule.sampling { #expect(sampling.counter.utf8.count <= 127) }
            }
        }
    }

    @Test(arguments: [
        ("drop.in", Direction.inbound), ("drop.in.invalid", .inbound),
        ("drop.in.unanswered", .inbound), ("drop.in.conferencing_0123456789abcdef", .inbound),
        ("drop.out", .outbound), ("drop.out.management_0123456789abcdef", .outbound),
        ("drop.inside", nil), ("drop.", nil), ("conferencing.in.ssh", nil), ("", nil),
        ("nat.between-nodes", nil),
    ])
    func aCounterTellsTheDirection(_ counter: String, _ direction: Direction?) {
        #expect(Refusal(id: counter)?.direction == direction)
    }
}
