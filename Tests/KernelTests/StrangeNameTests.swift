import Enforcement
import Foundation
import Reports
import TestSupport
import Testing
import Reports

/// Names that others give to what they put into nf_tables: none of them is carried out, and none keeps
/// the agent from its work.
@Suite("Strange names")
struct StrangeNameTests {
    private static let configuration = """
        features: {ssh: false}
        nodes:
          conf-1: {role: conferencing, address: 10.0.0.21}
          conf-2: {role: conferencing, address: 10.0.0.22}
        """
    private static let table = "pexip_fw_conf_1"

    private static func agent(_ body: (AgentFixture) throws -> Void) throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try namespace.configure(["address add 10.0.0.21/32 dev lo"])
            try AgentFixture.with(configuration, in: namespace, body)
        }
    }

    /// Names with what ends a statement, begins another, or is no text.
    static let names: [[UInt8]] = [
        Array("pexip_fw_a b".utf8),
        Array("pexip_fw_x\nadd table inet carried_out\n".utf8),
        Array("pexip_fw_y; add table inet carried_out; ".utf8),
        Array("pexip_fw_\"q\"".utf8),
        Array("pexip_fw_{".utf8),
        Array("pexip_fw_".utf8) + [0xff, 0xfe],
        Array("pexip_fw_conf_1 ".utf8),
        Array("pexip_fw_\u{1b}[2J".utf8),
    ]

    private static func isCarriedOut(_ agent: AgentFixture) throws -> Bool {
        try agent.namespace.run(["nft", "list", "table", "inet", "carried_out"]).succeeded
    }

    @Test(
        "a table that is called nearly as ours are is left alone, named, and taken away by the command that status names",
        arguments: names)
    func lookalike(name: [UInt8]) throws {
        try Self.agent { agent in
            try agent.namespace.run(StrangeObject(.table, named: name).insertion).requireSuccess()

            // Repair.
            try Nft.run(in: agent.namespace, "flush chain inet \(Self.table) input")
            try agent.waitForStatus("the repair") { $0.state == .inSync && $0.drift.count == 1 }
            // Apply and rollback.
            try agent.write(Self.configuration + "\nhost: {ping: true}\n")
            try agent.waitForStatus("generation 2") { $0.generation == 2 && $0.state == .inSync }
            try agent.control("rollback", "1").requireSuccess()
            // Flush and apply.
            try agent.control("flush").requireSuccess()
            #expect(try !agent.rulesInKernel().contains(Self.table + " {"))
            try agent.control("rollback", "1").requireSuccess()
            // Another start.
            try agent.stop()
            try agent.start()
            #expect(try agent.status().state == .pinned)
            // What a boot does.
            try agent.stop()
            try Nft.run(in: agent.namespace, "delete table inet \(Self.table)")
            let program = try BuiltProducts.path(of: "pexip-fwd")
            let state = ["--state-dir", agent.stateDirectory.path]
            try agent.namespace.run([program, "restore"] + state).requireSuccess()
            #expect(try agent.rulesInKernel().contains("table inet \(Self.table) {"))
            try agent.start()

            let told = try #require(
                try agent.status().warnings.first { $0.contains("is not ours") })
            #expect(told.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f })
            let command = try #require(
                told.split(separator: ": ").last?.split(separator: " takes").first)
            #expect(command.hasPrefix("nft delete table inet handle "))

            // What a removal of the package does.
            try agent.stop()
            let removal = try agent.namespace.run([program, "remove-tables"]).requireSuccess()
            #expect(removal.standardError.contains(command))
            #expect(try !agent.rulesInKernel().contains(Self.table + " {"))
            try agent.start()

            try agent.namespace.run(command.split(separator: " ").map(String.init))
                .requireSuccess()
            try agent.waitForStatus("no warning") { $0.warnings.isEmpty }
            #expect(try agent.rulesInKernel().contains("table inet \(Self.table) {"))
            #expect(try !Self.isCarriedOut(agent))
        }
    }

    /// Names of objects in our own table: some are words of nft's language.
    static let objects: [(kind: StrangeObject.Kind, name: [UInt8])] =
        [StrangeObject.Kind.chain, .set, .counter].flatMap { kind in
            [
                Array("evil".utf8), Array("tcp".utf8), Array("a b".utf8), Array("\"".utf8),
                Array("x\nadd table inet carried_out\n".utf8), [0xff, 0xfe],
            ].map { (kind, $0) }
        }

    @Test("whatever stands in our table under whatever name goes", arguments: objects)
    func object(kind: StrangeObject.Kind, name: [UInt8]) throws {
        try Self.agent { agent in
            let rules = try agent.rulesInKernel()
            try agent.namespace.run(
                StrangeObject(kind, in: Array(Self.table.utf8), named: name).insertion
            ).requireSuccess()
            try agent.waitForStatus("the repair") { $0.state == .inSync && $0.drift.count == 1 }
            #expect(try agent.rulesInKernel() == rules)
            #expect(try !Self.isCarriedOut(agent))
        }
    }

    @Test("rules with strange comments, jumps and references go")
    func rules() throws {
        try Self.agent { agent in
            let rules = try agent.rulesInKernel()
            let name = #"a b\nadd table inet carried_out\n\""#
            let commands = [
                #"{"chain": {"family": "inet", "table": "\#(Self.table)", "name": "\#(name)"}}"#,
                #"{"counter": {"family": "inet", "table": "\#(Self.table)", "name": "\#(name)"}}"#,
                #"{"set": {"family": "inet", "table": "\#(Self.table)", "name": "\#(name)", "type": "ipv4_addr"}}"#,
                #"{"rule": {"family": "inet", "table": "\#(Self.table)", "chain": "\#(name)", "comment": "\#(name)", "expr": [{"counter": "\#(name)"}, {"drop": null}]}}"#,
                #"{"rule": {"family": "inet", "table": "\#(Self.table)", "chain": "input", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@\#(name)"}}, {"jump": {"target": "\#(name)"}}]}}"#,
                #"{"rule": {"family": "inet", "table": "\#(Self.table)", "chain": "output", "comment": "\#(name)", "expr": [{"accept": null}]}}"#,
            ].map { #"{"add": \#($0)}"# }
            try agent.namespace.run(
                ["nft", "-j", "-f", "-"],
                input: #"{"nftables": [\#(commands.joined(separator: ", "))]}"#
            ).requireSuccess()
            try agent.waitForStatus("the repair") { $0.state == .inSync && $0.drift.count == 1 }
            #expect(try agent.rulesInKernel() == rules)
            #expect(try !Self.isCarriedOut(agent))
        }
    }

    @Test(
        "a table of the same name in another family is a stranger's, whatever stamp it carries",
        arguments: ["ip", "ip6", "arp", "bridge"])
    func otherFamily(family: String) throws {
        try Self.agent { agent in
            let theirs = "\(family) \(Self.table)"
            let stamp = "generation 1 sha256 \(String(repeating: "0a", count: 32))"
            try Nft.run(
                in: agent.namespace,
                """
                table \(theirs) { counter drop.in { packets 7 bytes 900; }; \
                chain generation { return comment "\(stamp)"; }; \
                chain input { type filter hook input priority 0; policy accept; }; chain more { }; }
                """)
            try Nft.run(in: agent.namespace, "delete chain \(theirs) more")
            func listing() throws -> String {
                try agent.namespace.run(["nft", "list", "table", family, Self.table])
                    .requireSuccess().standardOutput
            }
            let before = try listing()

            // Repair: of theirs nothing is told, and nothing repaired.
            try Nft.run(in: agent.namespace, "flush chain inet \(Self.table) input")
            try agent.waitForStatus("the repair") { $0.state == .inSync && $0.drift.count == 1 }
            #expect(try agent.status().warnings == [])
            #expect(try agent.status().counters.values.allSatisfy { $0.packets != 7 })
            // Apply, flush and rollback.
            try agent.write(Self.configuration + "\nhost: {ping: true}\n")
            try agent.waitForStatus("generation 2") { $0.generation == 2 && $0.state == .inSync }
            try agent.control("flush").requireSuccess()
            #expect(try !agent.rulesInKernel().contains("table inet \(Self.table) {"))
            try agent.control("rollback", "1").requireSuccess()
            // Another start.
            try agent.stop()
            try agent.start()
            #expect(try agent.status().state == .pinned)
            #expect(try agent.status().drift.count <= 1)
            // What a removal of the package does.
            try agent.stop()
            let program = try BuiltProducts.path(of: "pexip-fwd")
            try agent.namespace.run([program, "remove-tables"]).requireSuccess()
            #expect(try !agent.rulesInKernel().contains("table inet \(Self.table) {"))
            #expect(try listing() == before)
        }
    }

    @Test("a bridge's table that is called as the gateway's is told for what it does")
    func bridged() throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            let configuration = "placement: gateway\n" + Self.configuration
            try AgentFixture.with(configuration, in: namespace) { agent in
                try Nft.run(
                    in: namespace,
                    "table bridge pexip_fw_gateway { chain forward { type filter hook forward priority -200; policy drop; }; }"
                )
                func isTold(_ status: StatusReport) -> Bool {
                    status.warnings.contains {
                        $0.hasPrefix(
                            "table bridge pexip_fw_gateway, chain forward (hook forward, priority -200) drops by its policy"
                        )
                    }
                }
                try agent.waitForStatus("the warning", isTold)
                try Nft.run(in: namespace, "flush chain inet pexip_fw_gateway forward")
                try agent.waitForStatus("the repair") {
                    $0.state == .inSync && $0.drift.count == 1
                }
                try Nft.run(in: namespace, "delete table bridge pexip_fw_gateway")
                try agent.waitForStatus("no warning") { !isTold($0) }
                #expect(try agent.status().drift.count == 1)
            }
        }
    }

    @Test("a stranger's table by our kind of name stays; with a stamp it is handed over to us")
    func stamped() throws {
        try Self.agent { agent in
            let stamp = "generation 1 sha256 \(String(repeating: "0a", count: 32))"
            func script(_ table: String, _ stamp: String) -> String {
                "table inet \(table) { chain generation { return comment \"\(stamp)\"; }; }"
            }
            for (table, stamp) in [
                ("pexip_fw_short", "generation 1 sha256 0a"),
                ("pexip_fw_zero", stamp.replacing("generation 1", with: "generation 0")),
                ("pexip_fw_padded", stamp.replacing("generation 1", with: "generation 01")),
                ("pexip_fw_large", stamp.replacing("0a", with: "0A")),
                ("pexip_fw_a.b", stamp), ("pexip_fx_c", stamp),
            ] {
                try Nft.run(in: agent.namespace, script(table, stamp))
            }
            try Nft.run(in: agent.namespace, script("pexip_fw_handed_over", stamp))
            try agent.waitForStatus("the repair") { $0.state == .inSync && $0.drift.count == 1 }
            try agent.waitForStatus("the warnings") { status in
                status.warnings.count { $0.contains("is not ours") } == 5
            }
            let listing = try Nft.ruleset(in: agent.namespace)
            #expect(listing.split(separator: "\n").count { $0.hasPrefix("table ") } == 7)
            #expect(!listing.contains("pexip_fw_handed_over"))
        }
    }
}
