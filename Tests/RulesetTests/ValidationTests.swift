import Configuration
import DeploymentGenerator
import Policy
import PortModel
import Ruleset
import Site
import Testing

/// What is read as a ruleset is judged as if a stranger had written it.
@Suite struct ValidationTests {
    @Test("whatever is compiled is valid", arguments: 1...20 as ClosedRange<UInt64>)
    func compiled(seed: UInt64) throws {
        var generator = DeploymentGenerator(seed: seed)
        for _ in 0..<20 {
            let deployment = generator.deployment()
            for node in deployment.nodes {
                try Ruleset(tables: [Policy(of: node, in: deployment).compileLocal()]).validate()
            }
            let gateway = generator.deployment(placement: .gateway)
            let table = GatewayPolicy(of: gateway.nodes, in: gateway).compile()
            try Ruleset(tables: [table]).validate()
            let stamp = Stamp(generation: 7, digest: "0123abcd")
            try Ruleset(tables: [table.stamped(stamp)]).validate()
        }
    }

    /// Packets note each other in it, and refused ones are sampled.
    static let sound: Table = {
        let text = """
            nodes:
              a: {role: conferencing, address: [10.0.0.1, "2001:db8::1"]}
              b: {role: management, address: [10.0.0.2, "2001:db8::2"]}
            refusals: {sample: true}
            peers: {dns_servers: [10.0.0.3]}
            """
        let loaded = LoadedConfiguration(
            parsing: [ConfigurationSource(path: "a.yaml", text: text)])
        guard let deployment = loaded.deployment else {
            preconditionFailure("\(loaded.diagnostics)")
        }
        return Policy(of: deployment.nodes[0], in: deployment).compileLocal()
    }()

    struct Forgery: Sendable, CustomTestStringConvertible {
        let fault: String
        let forge: @Sendable (inout Table) -> Void

        init(_ fault: String, _ forge: @escaping @Sendable (inout Table) -> Void) {
            self.fault = fault
            self.forge = forge
        }

        /// A rule at the end of the chain `input`.
        init(_ fault: String, rule: Rule) {
            self.init(fault) { table in
                for index in table.chains.indices where table.chains[index].name == "input" {
                    table.chains[index].rules.append(rule)
                }
            }
        }

        var testDescription: String { fault }
    }

    static let injection = "a\n    }\n}\nflush ruleset\n#"

    static let forgeries: [Forgery] = [
        Forgery("its family is none of our tables'") { $0.family = .bridge },
        // Names, which stand in the text as they are.
        Forgery("its name is none of our tables'") { $0.name = "pexip_fw_" },
        Forgery("its name is none of our tables'") { $0.name = "filter" },
        Forgery("its name is none of our tables'") { $0.name = "pexip_fw_a.b" },
        Forgery("is no table's name") { $0.name = "pexip_fw_a; flush ruleset" },
        Forgery("is no table's name") { $0.name = injection },
        Forgery("is no table's name") {
            $0.name = "pexip_fw_" + String(repeating: "a", count: 200)
        },
        Forgery("is no counter's name") { $0.counters.insert(injection, at: 0) },
        Forgery("is no counter's name") { $0.counters.insert("", at: 0) },
        Forgery("is no set's name") { $0.sets[0].name = "0" },
        Forgery("is no set's name") { $0.sets[0].name = "a }" },
        Forgery("is no chain's name") { $0.chains[0].name = "a { type filter hook" },
        Forgery("is no chain's name") { $0.chains[0].name = "é" },
        // What there is twice.
        Forgery("counter drop.in stands twice") { table in
            table.counters.append("drop.in")
            table.counters.sort()
        },
        Forgery("stands twice") { $0.chains.append($0.chains[0]) },
        Forgery("stands twice") { $0.sets.append($0.sets[0]) },
        Forgery("out of order") { $0.counters.reverse() },
        // Sets.
        Forgery("holds addresses that are not of") { table in
            table.sets[0].family = table.sets[0].family == .ipv4 ? .ipv6 : .ipv4
        },
        Forgery("too many single addresses") { table in
            let index = table.sets.firstIndex { $0.name == "mesh.v4" } ?? 0
            table.sets[index].addresses = AddressSet.all.only(.ipv4)
        },
        Forgery("too many single addresses") { table in
            let index = table.sets.firstIndex { $0.name == "mesh.v6" } ?? 0
            table.sets[index].addresses = AddressSet.all.only(.ipv6)
        },
        Forgery("is the packets' to fill") { table in
            let index = table.sets.firstIndex { $0.name == "seen.esp.v4" } ?? 0
            table.sets[index].addresses = AddressSet([IPAddress(family: .ipv4, value: 1)])
        },
        // Base chains.
        Forgery("neither accept nor drop") { table in
            for index in table.chains.indices where table.chains[index].name == "input" {
                table.chains[index].hook?.policy = .jump("x; } }; flush ruleset")
            }
        },
        // What a rule refers to.
        Forgery("no counter", rule: Rule([], counter: "none", .drop)),
        Forgery("no set", rule: Rule([.sourceIn(set: "none", .ipv4)], .drop)),
        Forgery("no set", rule: Rule([.destinationIn(set: injection, .ipv4)], .drop)),
        Forgery("of another family", rule: Rule([.sourceIn(set: "mesh.v4", .ipv6)], .drop)),
        Forgery("or kind", rule: Rule([.sourceIn(set: "seen.esp.v4", .ipv4)], .drop)),
        Forgery("or kind", rule: Rule([], nil, note: Note(set: "mesh.v4", family: .ipv4))),
        Forgery("no set", rule: Rule([], nil, note: Note(set: "x } drop", family: .ipv4))),
        Forgery("which the table does not have", rule: Rule([], .jump("nowhere"))),
        Forgery("which the table does not have", rule: Rule([], .jump(injection))),
        Forgery("jumps to base chain output", rule: Rule([], .jump("output"))),
        // What it says.
        Forgery("its comment can't be written", rule: Rule([], .drop, comment: "a\" accept")),
        Forgery("its comment can't be written", rule: Rule([], .drop, comment: "a\nb")),
        Forgery(
            "its comment can't be written",
            rule: Rule([], .drop, comment: String(repeating: "a", count: 129))),
        Forgery("asks for no state", rule: Rule([.connection([])], .drop)),
        Forgery("has no ports", rule: Rule([.sourcePorts(.esp, 1...1)], .drop)),
        Forgery(
            "can't be written",
            rule: Rule([], nil, sampling: Sampling(counter: "a\" drop", group: 1, rate: 1))),
        Forgery(
            "a group or rate",
            rule: Rule([], nil, sampling: Sampling(counter: "a", group: 0, rate: 1))),
        Forgery(
            "a group or rate",
            rule: Rule([], nil, sampling: Sampling(counter: "a", group: 1, rate: 2_000))),
        // Ways that do not end, or not soon.
        Forgery("jumps lead from chain a back to it") { table in
            table.chains.insert(Chain(name: "a", rules: [Rule([], .jump("a"))]), at: 0)
        },
        Forgery("jumps lead from chain a back to it") { table in
            table.chains.insert(
                contentsOf: [
                    Chain(name: "a", rules: [Rule([], .jump("b"))]),
                    Chain(name: "b", rules: [Rule([], .jump("c"))]),
                    Chain(name: "c", rules: [Rule([], .return), Rule([], .jump("a"))]),
                ], at: 0)
        },
        Forgery("more than 16 jumps follow one another") { $0.chains = chains(17) },
        Forgery("more than 16 jumps follow one another") { $0.chains = chains(100_000) },
        Forgery("a packet may meet more than") { $0.chains = chains(16, jumps: 10) },
    ]

    /// Chains of which each jumps to the next.
    static func chains(_ count: Int, jumps: Int = 1) -> [Chain] {
        func name(_ number: Int) -> String { "c\(1_000_000 + number)" }
        return
            (0..<count).map {
                Chain(
                    name: name($0),
                    rules: Array(repeating: Rule([], .jump(name($0 + 1))), count: jumps))
            } + [Chain(name: name(count), rules: [])]
    }

    @Test("a forged table is refused, with the fault", arguments: forgeries)
    func forged(forgery: Forgery) throws {
        try Ruleset(tables: [Self.sound]).validate()
        var table = Self.sound
        forgery.forge(&table)
        let error = #expect(throws: RulesetFault.self) {
            try Ruleset(tables: [table]).validate()
        }
        #expect(error?.description.contains(forgery.fault) == true, "\(String(describing: error))")
    }

    @Test func sixteenJumpsAreFollowed() throws {
        var table = Self.sound
        table.chains = Self.chains(16)
        try Ruleset(tables: [table]).validate()
    }

    @Test func tablesStandOnce() {
        #expect(throws: RulesetFault.self) {
            try Ruleset(tables: [Self.sound, Self.sound]).validate()
        }
    }

    @Test(arguments: ["accept comment \"a\u{301}\"", "drop comment \"a\nb\"", "drop\t", "\u{0}"])
    func aRulesTextIsPrintable(text: String) {
        #expect(throws: RuleSyntaxError.self) { try Rule(nft: text) }
    }

    @Test func aRulesTextIsNoBook() {
        let text = Array(repeating: "meta l4proto 6", count: 200_000).joined(separator: " ")
        let error = #expect(throws: RuleSyntaxError.self) { try Rule(nft: text) }
        #expect((error?.description.utf8.count ?? .max) < 200)
    }
}
