import DeploymentGenerator
import Policy
import Site
import Testing

@testable import Ruleset

/// What is read from a table's text is what the table holds.
@Suite("Outlines of tables")
struct TableOutlineTests {
    private static func lines(of set: NamedSet) -> [String] {
        set.properties + set.elements.map { "element \($0)" }
    }

    private static func lines(of chain: Chain) -> [String] {
        [chain.hook?.text].compactMap { $0 } + chain.rules.map(\.text)
    }

    private static func expect(_ table: Table) {
        var objects: [String: [String]] = [:]
        if !table.counters.isEmpty {
            objects["counters"] = table.counters.map { "counter \($0)" }
        }
        for set in table.sets { objects["set \(set.name)"] = lines(of: set) }
        for chain in table.chains { objects["chain \(chain.name)"] = lines(of: chain) }
        let outline = TableOutline(text: table.text)
        #expect(outline.title == "table \(table.id.qualifiedName)")
        #expect(outline.objects == objects)
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func compiledTables(seed: UInt64) {
        var generator = DeploymentGenerator(seed: seed)
        for _ in 0..<8 {
            let local = generator.deployment(placement: .local)
            Self.expect(Policy(of: local.nodes[0], in: local).compileLocal())
            let gateway = generator.deployment(placement: .gateway)
            Self.expect(GatewayPolicy(of: gateway.nodes, in: gateway).compile())
        }
        Self.expect(RuleSamples.table)
    }

    @Test func anyText() {
        for text in [
            "", "\n", "}", "table", "        x", "    }\n        y\n", " {", "    a {\n    {",
        ] {
            let outline = TableOutline(text: text)
            #expect(outline.objects.values.allSatisfy { $0.isEmpty }, "\(outline)")
        }
    }
}
