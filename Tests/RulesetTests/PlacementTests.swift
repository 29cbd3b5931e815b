import Site
import DeploymentGenerator
import Policy
import Testing

@testable import Ruleset

/// What a placement says of itself is what its compiler makes.
@Suite("Placements")
struct PlacementTests {
    @Test("a compiled table has its placement's hooks and names", arguments: Placement.allCases)
    func compiled(placement: Placement) {
        var generator = DeploymentGenerator(seed: 47)
        for _ in 0..<20 {
            let deployment = generator.deployment(placement: placement)
            let table =
                placement.facts.sharedTable == nil
                ? Policy(of: deployment.nodes[0], in: deployment).compileLocal()
                : GatewayPolicy(of: deployment.nodes, in: deployment).compile()
            #expect(Ruleset(tables: [table]).placement == placement)
            let name = placement.facts.sharedTable ?? deployment.nodes[0].tableName
            #expect(table.id == TableID(placement.facts.family, name))
            let isExempted = table.chains.flatMap(\.rules).contains(where: \.isNotrack)
            #expect(isExempted != placement.facts.tracksMedia)
        }
    }

    @Test("placements are told apart by their families and hooks")
    func hooks() {
        for family in TableFamily.allCases {
            let all = Placement.allCases.map(\.facts).filter { $0.family == family }
                .flatMap(\.hooks)
            #expect(Set(all).count == all.count)
        }
        #expect(Ruleset(tables: []).placement == .local)
    }

    @Test(
        "a table of another family has not the placement of the same hook",
        arguments: Placement.allCases)
    func otherFamily(placement: Placement) {
        var generator = DeploymentGenerator(seed: 48)
        let deployment = generator.deployment(placement: placement)
        let table =
            placement.facts.sharedTable == nil
            ? Policy(of: deployment.nodes[0], in: deployment).compileLocal()
            : GatewayPolicy(of: deployment.nodes, in: deployment).compile()
        for family in TableFamily.allCases {
            var other = table
            other.family = family
            #expect((other.placement == placement) == (family == placement.facts.family))
        }
    }
}
