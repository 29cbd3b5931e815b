import Foundation
import PortModel
import Ruleset
import Testing
import Site

/// Generations that are stored outlive the agent that stored them, in both directions.
@Suite("A table's family")
struct TableFamilyTests {
    private static let table = Table(
        family: .inet, name: "pexip_fw_a", counters: ["c"], sets: [],
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
            from: [ObservedTable(TableID(family, "pexip_fw_a"))], to: Ruleset(tables: []))
        #expect(removing.text == "delete table \(name)\n")
        #expect(table.stamped(Stamp(generation: 1, digest: "")).family == family)
    }

    @Test("a family that is not inet is stored")
    func otherStored() throws {
        var table = Self.table
        table.family = .bridge
        let data = try JSONEncoder().encode(table)
        #expect(try JSONDecoder().decode(Table.self, from: data) == table)
    }

    @Test("a table of the same name in another family is not changed but made beside it")
    func sameName() throws {
        var other = Self.table
        other.family = .bridge
        let observed = [ObservedTable(Self.table.id, counters: ["c": CounterValue()])]
        #expect(
            Transaction(from: observed, to: Ruleset(tables: [other])).text == """
                add table bridge pexip_fw_a
                add counter bridge pexip_fw_a c
                add chain bridge pexip_fw_a input
                add rule bridge pexip_fw_a input counter name "c" accept
                delete table inet pexip_fw_a

                """)
        let before = [ObservedTable(other.id)] + observed
        #expect(
            try #require(Transaction(takingBackPreparationIn: before, to: observed)).text
                == "delete table bridge pexip_fw_a\n")
        #expect(Transaction(takingBackPreparationIn: observed, to: before) == nil)
    }

    @Test("a set is prepared in the table of its family")
    func prepared() {
        let set = NamedSet(name: "s", family: .ipv4, kind: .intervals, addresses: AddressSet())
        var wanted = Self.table
        wanted.sets = [set]
        var other = wanted
        other.family = .bridge
        let observed = [ObservedTable(other.id, sets: [ObservedSet(name: "s", set: set)])]
        // It is there, in another table, in whose place the wanted one comes.
        #expect(
            Transaction(preparing: Ruleset(tables: [wanted]), from: observed).text == """
                add table inet pexip_fw_a
                add set inet pexip_fw_a s { type ipv4_addr; flags interval; }

                """)
        #expect(Transaction(preparing: Ruleset(tables: [other]), from: observed).isEmpty)
    }

    @Test("people are told of a family that is not inet")
    func told() {
        var other = Self.table
        other.family = .bridge
        func first(_ table: Table) -> String? {
            ObservedTable(table.id).differences(from: table).first?.description
        }
        #expect(first(Self.table) == "table pexip_fw_a: counter c is missing")
        #expect(first(other) == "table bridge pexip_fw_a: counter c is missing")
    }
}
