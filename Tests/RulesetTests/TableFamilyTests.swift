import Foundation
import Ruleset
import Testing
import Site

/// Generations that are stored outlive the agent that stored them, in both directions.
@Suite("A table's family")
struct TableFamilyTests {
    private static let table = Table(
        name: "pexip_fw_a", counters: ["c"], sets: [],
        chains: [Chain(name: "input", rules: [Rule([], counter: "c", .accept)])])

    @Test("inet is not stored, and a table without a family is of inet")
    func stored() throws {
        let data = try JSONEncoder().encode(Self.table)
        let stored = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(Set(stored.keys) == ["name", "counters", "sets", "chains"])
        let read = try JSONDecoder().decode(Table.self, from: data)
        #expect(read == Self.table)
        #expect(read.family == .inet)
    }

    @Test("a table says it wherever nft's language is written", arguments: TableFamily.allCases)
    func written(family: TableFamily) {
        var table = Self.table
        table.family = family
        let name = "\(family.rawValue) pexip_fw_a"
        #expect(table.text.hasPrefix("table \(name) {\n"))
        let making = Transaction(from: [], to: Ruleset(tables: [table]))
        #expect(
            making.text == """
                add table \(name)
                add counter \(name) c
                add chain \(name) input
                add rule \(name) input counter name "c" accept

                """)
        let removing = Transaction(
            from: [ObservedTable(family: family, name: "pexip_fw_a")], to: Ruleset(tables: []))
        #expect(removing.text == "delete table \(name)\n")
        #expect(table.stamped(Stamp(generation: 1, digest: "")).family == family)
    }
}
