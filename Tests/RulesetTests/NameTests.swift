import DeploymentGenerator
import Policy
import Ruleset
import Site
import Testing

/// Which names may stand in nft's language, how others are shown, and whose table is whose.
@Suite("Names")
struct NameTests {
    @Test(
        "what nft's language takes as one word is plain",
        arguments: [
            ("input", true), ("drop.in", true), ("peers.dns_servers.v4", true), ("a-b_c.d", true),
            (String(repeating: "a", count: 128), true), (String(repeating: "a", count: 129), false),
            ("", false), ("1", false), ("_a", false), ("-a", false), (".a", false),
            ("a b", false), ("a\n", false), ("a;b", false), ("a{", false), ("a\"", false),
            ("a#b", false), ("a@b", false), ("ä", false), ("aä", false), ("a\u{0}", false),
            ("a/b", false), ("a[", false), ("a`", false),
        ])
    func plain(name: String, isPlain: Bool) {
        #expect(ObjectName.isPlain(name) == isPlain)
    }

    @Test("every name and comment that is compiled is plain, and every table has a name of ours")
    func compiled() {
        var generator = DeploymentGenerator(seed: 31)
        for placement in Placement.allCases {
            for _ in 0..<40 {
                let deployment = generator.deployment(placement: placement)
                let table =
                    placement == .local
                    ? Policy(of: deployment.nodes[0], in: deployment).compileLocal()
                    : GatewayPolicy(of: deployment.nodes, in: deployment).compile()
                #expect(OwnTable.isName(table.name))
                for name in table.counters + table.sets.map(\.name) + table.chains.map(\.name) {
                    #expect(ObjectName.isPlain(name), "\(name)")
                }
                let stamped = table.stamped(
                    Stamp(generation: .max, digest: String(repeating: "0f", count: 32)))
                for comment in stamped.chains.flatMap(\.rules).compactMap(\.comment) {
                    #expect(ObjectName.isPlainComment(comment), "\(comment)")
                }
                #expect(stamped.stamp?.generation == .max)
            }
        }
    }

    @Test(
        "names are shown so that nothing in them is taken for anything else",
        arguments: [
            ("input", "input"), ("a b", "\"a b\""), ("", "\"\""), ("a\nb\t", #""a\nb\t""#),
            (#"a"\b"#, #""a\"\\b""#), ("\u{1b}[2J", #""\u{1b}[2J""#), ("ä/ö", "\"ä/ö\""),
            ("a\u{202e}b", #""a\u{202e}b""#), ("e\u{301}\u{301}", "\"e\u{301}\u{301}\""),
            ("\u{fffd}", "\"\u{fffd}\""), ("\u{200b}", #""\u{200b}""#), ("\u{7f}", #""\u{7f}""#),
            (String(repeating: " ", count: 65), "\"\(String(repeating: " ", count: 64))…\""),
        ])
    func words(name: String, words: String) {
        #expect(ObjectName.words(name) == words)
    }

    @Test(
        "a table of ours is called as the compilers call one",
        arguments: [
            ("pexip_fw_conf_1", true), ("pexip_fw_1", true), ("pexip_fw_gateway", true),
            ("pexip_fw_", false), ("pexip_fw", false), ("pexip_fw_a b", false),
            ("pexip_fw_a.b", false), ("pexip_fw_a-b", false), ("Pexip_fw_a", false),
            ("xpexip_fw_a", false), ("pexip_fw_ä", false),
        ])
    func own(name: String, isOurs: Bool) {
        #expect(OwnTable.isName(name) == isOurs)
        let stamp = Stamp(generation: 1, digest: String(repeating: "0", count: 64))
        let id = TableID(.inet, name)
        #expect(OwnTable.isID(id) == isOurs)
        #expect(OwnTable.isOurs(id, compiled: []) { stamp } == isOurs)
        #expect(!OwnTable.isOurs(id, compiled: []) { nil })
        #expect(OwnTable.isOurs(id, compiled: [id]) { nil } == isOurs)
    }

    @Test("a table of the same name in another family is not ours, whatever stamp it carries")
    func otherFamilies() {
        let ours = TableID(.inet, "pexip_fw_gateway")
        let stamp = Stamp(generation: 1, digest: String(repeating: "0", count: 64))
        for family in TableFamily.allCases where family != ours.family {
            let other = TableID(family, ours.name)
            #expect(!OwnTable.isOurs(other, compiled: [ours]) { nil })
            // Where a placement is of that family, a stamp hands the table over.
            let isPlaced = Placement.allCases.contains { $0.facts.family == family }
            #expect(OwnTable.isOurs(other, compiled: [ours]) { stamp } == isPlaced)
            #expect(OwnTable.isID(other) == isPlaced)
        }
    }

    @Test("a name that only looks the same is another one")
    func canonicallyEqualName() {
        // KELVIN SIGN, which is K to Swift's comparison of texts.
        let lookalike = TableID(.inet, "pexip_fw_\u{212a}")
        #expect(lookalike == TableID(.inet, "pexip_fw_K"))
        #expect(!OwnTable.isOurs(lookalike, compiled: [TableID(.inet, "pexip_fw_K")]) { nil })
    }

    @Test("a stamp is read where it is to the letter what we write")
    func stamps() {
        let digest = String(repeating: "0a", count: 32)
        #expect(
            Stamp(comment: "generation 7 sha256 \(digest)")
                == Stamp(generation: 7, digest: digest))
        for comment in [
            "generation 0 sha256 \(digest)", "generation -1 sha256 \(digest)",
            "generation 01 sha256 \(digest)", "generation +1 sha256 \(digest)",
            "generation 7 sha256 \(digest.uppercased())", "generation 7 sha256 \(digest)0",
            "generation 7 sha256 \(digest.dropLast())", "generation 7  sha256 \(digest)",
            "generation 7 sha512 \(digest)", "Generation 7 sha256 \(digest)",
            "generation 7 sha256 \(digest) ", "generation 7 sha256 ", "",
        ] { #expect(Stamp(comment: comment) == nil, "\(comment)") }
    }
}
