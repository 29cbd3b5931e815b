import PortModel
import Ruleset
import Site
import Testing

@testable import Nftables

/// What a listing is read as where names in it are others'.
@Suite("Listings")
struct ListingTests {
    /// A table with one rule in its chain `c`, and one more object.
    private static func table(
        _ expressions: String, comment: String? = nil, _ object: String? = nil
    ) throws -> ObservedTable {
        let comment = comment.map { #""comment": "\#($0)", "# } ?? ""
        let objects =
            [
                #"{"table": {"family": "inet", "name": "t", "handle": 1}}"#,
                #"{"chain": {"family": "inet", "table": "t", "name": "c", "handle": 2}}"#,
                #"{"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 3, \#(comment)"expr": [\#(expressions)]}}"#,
            ] + [object].compactMap { $0 }
        let json = #"{"nftables": [\#(objects.joined(separator: ", "))]}"#
        return try Listing(json: Array(json.utf8), elements: []).table(
            TableID(.inet, "t"))
    }

    @Test("what stands in a table of the same name in another family is not read")
    func otherFamily() throws {
        let json = #"""
            {"nftables": [
                {"chain": {"family": "bridge", "table": "t", "name": "c", "handle": 1}},
                {"chain": {"family": "inet", "table": "t", "name": "d", "handle": 1}}
            ]}
            """#
        let listing = try Listing(json: Array(json.utf8), elements: [])
        for (family, chain) in [(TableFamily.inet, "d"), (.bridge, "c")] {
            let table = listing.table(TableID(family, "t"))
            #expect(table.id == TableID(family, "t"))
            #expect(table.chains.map(\.name) == [chain])
            #expect(table.foreign.isEmpty)
        }
    }

    private static let strange = #"a b\n"#

    /// Expressions with a place for a name.
    static let expressions: [@Sendable (String) -> String] = [
        { #"{"jump": {"target": "\#($0)"}}"# },
        { #"{"counter": "\#($0)"}, {"accept": null}"# },
        {
            #"{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@\#($0)"}}, {"accept": null}"#
        },
        {
            #"{"set": {"op": "update", "elem": {"concat": [{"payload": {"protocol": "ip", "field": "saddr"}}, {"payload": {"protocol": "ip", "field": "daddr"}}]}, "set": "@\#($0)"}}"#
        },
        {
            #"{"limit": {"rate": 20, "burst": 20, "per": "second"}}, {"log": {"prefix": "\#($0)", "group": 5001, "snaplen": 128}}"#
        },
    ]

    @Test("a rule that refers to a strange name is none of ours", arguments: expressions.indices)
    func references(index: Int) throws {
        func rules(_ name: String) throws -> [ObservedRule] {
            try Self.table(Self.expressions[index](name)).chains[0].rules
        }
        let known = try rules("a.b_c")
        guard case .known = known.first else {
            Issue.record("\(known)")
            return
        }
        let strange = try rules(Self.strange)
        guard case .foreign = strange.first else {
            Issue.record("\(strange)")
            return
        }
    }

    @Test("a rule with a strange comment is none of ours")
    func comments() throws {
        let accept = #"{"accept": null}"#
        #expect(
            try Self.table(accept, comment: "generation 1").chains[0].rules == [
                .known(Rule([], .accept, comment: "generation 1"))
            ])
        for comment in [#"a\" drop"#, #"a\nb"#, "a;b", "ä"] {
            guard case .foreign = try Self.table(accept, comment: comment).chains[0].rules[0] else {
                Issue.record("\(comment)")
                continue
            }
        }
    }

    @Test("an object with a strange name is foreign to its table")
    func objects() throws {
        for (kind, more) in [
            ("chain", ""), ("set", #", "type": "ipv4_addr""#),
            ("counter", #", "packets": 0, "bytes": 0"#), ("map", ""), ("ct helper", ""),
        ] {
            let table = try Self.table(
                #"{"accept": null}"#,
                #"{"\#(kind)": {"family": "inet", "table": "t", "name": "\#(Self.strange)", "handle": 9\#(more)}}"#
            )
            #expect(table.foreign == [#"\#(kind) "a b\n""#])
            #expect(table.chains.map(\.name) == ["c"])
            #expect(table.sets.isEmpty && table.counters.isEmpty)
            #expect(Table(table) == nil)
        }
    }
}
