import Foundation
import Testing

@testable import Enforcement
@testable import Reports
@testable import Ruleset
import Site

@Suite struct RowChangeTests {
    static func changes(
        _ old: String, _ new: String
    ) throws -> [RowChange] {
        let node = "nodes: {conf: {role: conferencing, address: 10.0.0.21}}\n"
        let before = try #require(compile(node + old).target?.nodeRules)
        let after = try #require(compile(node + new).target?.nodeRules)
        return after.changes(from: before)
    }

    static func change(_ kind: RowChange.Kind, _ row: String) -> RowChange {
        RowChange(kind: kind, nodes: ["conf"], row: row)
    }

    static let ssh = "features: {ssh: true}\n"
    static let peers = ssh + "peers: {ssh_clients: [10.9.0.1]}\n"
    static let site = """
        rules: [{name: x, nodes: all, direction: inbound, protocol: tcp, destination_ports: 9100}]

        """

    @Test(arguments: [
        ("", ssh, [change(.opened, "conferencing.in.ssh")]),
        (ssh, "", [change(.closed, "conferencing.in.ssh")]),
        (ssh, peers, [change(.changed, "conferencing.in.ssh")]),
        (peers, peers.replacing("9.0.1", with: "9.0.2"), [change(.changed, "conferencing.in.ssh")]),
        ("", site, [change(.opened, "site.x")]),
        (site, site.replacing("9100", with: "9101"), [change(.changed, "site.x")]),
        ("", "host: {ping: false}\n", []),
        ("", "host: {ping: true}\n", [change(.opened, "host.ping")]),
        (
            "", "mode: observe\n",
            [
                change(.changed, "drop.in"), change(.changed, "drop.in.invalid"),
                change(.changed, "drop.out"),
            ]
        ),
        ("", "", []),
    ])
    func saysWhatChangesForPackets(_ old: String, _ new: String, _ expected: [RowChange]) throws {
        #expect(try Self.changes(old, new) == expected)
    }

    @Test func fromNothingEveryRowOpensAndNoRefusalIsNamed() throws {
        let rules = try #require(configuration(1).target?.nodeRules)
        let changes = rules.changes(from: nil)
        #expect(!changes.isEmpty)
        #expect(changes.allSatisfy { $0.kind == .opened && !$0.row.hasPrefix("drop.") })
        #expect(rules.changes(from: rules) == [])
    }

    /// Where rows are for all addresses, the way to their rules asks for these.
    @Test(arguments: [
        ("10.0.0.21", "10.0.0.29", ["https", "sip-tls", "media", "esp"], []),
        (
            "10.0.0.21", #"[10.0.0.21, "2001:db8::21"]"#, ["https", "sip-tls", "media"],
            ["drop.in"]
        ),
        (
            "10.0.0.21", "10.0.0.21, secondary_address: 198.51.100.21",
            ["https", "sip-tls", "media"], ["ssh", "ike", "esp"]
        ),
    ])
    func addressesThatChangeAreToldOfTheRowsThatBindToThem(
        _ old: String, _ new: String, _ changed: [String], _ same: [String]
    ) throws {
        func rules(_ address: String) throws -> NodeRules {
            let text = """
                features: {ssh: true}
                nodes:
                  conf: {role: conferencing, address: \(address)}
                  other: {role: conferencing, address: 10.0.0.22}
                enforce: [conf]

                """
            return try #require(compile(text).target?.nodeRules)
        }
        let changes = try rules(new).changes(from: try rules(old))
        #expect(changes.allSatisfy { $0.kind == .changed })
        let rows = Set(changes.map(\.row))
        for row in changed { #expect(rows.contains("conferencing.in.\(row)"), "\(row)") }
        for row in same {
            #expect(!rows.contains("conferencing.in.\(row)") && !rows.contains(row), "\(row)")
        }
        #expect(try rules(new).changes(from: try rules(new)) == [])
    }

    /// A generation that was stored before the ways to rules asked for addresses.
    @Test func whereInATableAddressesStandIsNoChange() throws {
        let text = """
            features: {ssh: true}
            peers: {ssh_clients: [10.9.0.1, "2001:db8:9::1"]}
            nodes: {conf: {role: conferencing, address: [10.0.0.21, "2001:db8::21"]}}
            host: {dhcp_client: true}

            """
        let rules = try #require(compile(text).target?.nodeRules)
        let own = try #require(rules.nodes.first).addresses
        func older(_ chain: Chain) -> [Rule] {
            chain.rules.flatMap { rule -> [Rule] in
                let isBehindJump = chain.name.hasSuffix("_tcp") || chain.name.hasSuffix("_udp")
                guard isBehindJump, rule.counter?.hasPrefix("conferencing.") == true else {
                    return [rule]
                }
                return own.compactMap { address in
                    let match: Match =
                        chain.name.hasPrefix("input")
                        ? .destination(address) : .source(address)
                    let way = Rule([match], .accept)
                    guard !way.excludes(rule) else { return nil }
                    return Rule(
                        [match] + rule.matches, counter: rule.counter, rule.verdict,
                        comment: rule.comment)
                }
            }
        }
        let tables = rules.ruleset.tables.map { table in
            Table(
                family: .inet, name: table.name, counters: table.counters, sets: table.sets,
                chains: table.chains.map { chain in
                    // The jumps asked for the protocol only.
                    var seen: Set<Verdict?> = []
                    let rules = older(chain).compactMap { rule -> Rule? in
                        guard case .jump(let name) = rule.verdict, name.hasPrefix(chain.name)
                        else { return rule }
                        guard seen.insert(rule.verdict).inserted else { return nil }
                        return Rule(Array(rule.matches.prefix(1)), rule.verdict)
                    }
                    return Chain(name: chain.name, hook: chain.hook, rules: rules)
                })
        }
        let before = NodeRules(
            nodes: rules.nodes, ruleset: Ruleset(tables: tables), rows: rules.rows)
        #expect(before.ruleset != rules.ruleset)
        #expect(rules.changes(from: before) == [])
    }

    // MARK: Gateway

    static let a = "  a: {role: conferencing, address: 10.0.0.21}"
    static let b = "  b: {role: conferencing, address: 10.0.0.22}"
    static let sshNode = "  b: {role: conferencing, address: 10.0.0.22, features: {ssh: true}}"
    static let both = #"  b: {role: conferencing, address: [10.0.0.22, "2001:db8::22"]}"#
    static let dual = #"  a: {role: conferencing, address: [10.0.0.21, "2001:db8::21"]}"#

    static func gateway(_ nodes: [String], _ other: String = "") throws -> NodeRules {
        let text = "placement: gateway\nnodes:\n\(nodes.joined(separator: "\n"))\n\(other)"
        return try #require(compile(text).target?.nodeRules)
    }

    @Test func aNodeOfAnotherClassChangesInWhatDiffers() throws {
        let before = try Self.gateway([Self.a, Self.b])
        let after = try Self.gateway([Self.a, Self.sshNode])
        #expect(Set(after.nodes.map(\.policyClass)).count == 2)
        let row = "conferencing.in.ssh"
        #expect(after.changes(from: before) == [RowChange(kind: .opened, nodes: ["b"], row: row)])
        #expect(before.changes(from: after) == [RowChange(kind: .closed, nodes: ["b"], row: row)])
        #expect(after.changes(from: after) == [])
    }

    @Test(arguments: ["", "enforce: [a]\n"])
    func aNodeThatJoinsOpensItsRowsAndOneThatLeavesClosesThem(_ enforce: String) throws {
        // Not configured at first, or configured and not enforced.
        let before = try Self.gateway(enforce.isEmpty ? [Self.a] : [Self.a, Self.b], enforce)
        let after = try Self.gateway([Self.a, Self.b])
        for (changes, kind) in [
            (after.changes(from: before), RowChange.Kind.opened),
            (before.changes(from: after), .closed),
        ] {
            #expect(changes.allSatisfy { $0.nodes == ["b"] && $0.kind == kind })
            let rows = changes.map(\.row)
            #expect(rows.contains("conferencing.in.sip"))
            #expect(rows.contains("conferencing.in.esp"))
            #expect(rows.allSatisfy { !$0.hasPrefix("drop.") })
            #expect(rows.count == after.nodes.first { $0.name == "b" }?.rows)
        }
    }

    @Test func aNodeOfAnotherFamilyIsNoChangeForTheOthers() throws {
        let peers = #"peers: {endpoints: [192.0.2.0/24, "2001:db8:1::/64"]}"# + "\n"
        let before = try Self.gateway([Self.a], peers)
        let after = try Self.gateway([Self.a, Self.both], peers)
        #expect(Set(after.nodes.map(\.policyClass)).count == 2)
        #expect(Set(after.changes(from: before).map(\.nodes)) == [["b"]])
    }

    @Test func anAddressThatJoinsChangesTheRowsOfItsNode() throws {
        let before = try Self.gateway([Self.a, Self.b])
        let changes = try Self.gateway([Self.dual, Self.b]).changes(from: before)
        #expect(Set(changes.map(\.nodes)) == [["a"]])
        #expect(
            changes.contains(RowChange(kind: .changed, nodes: ["a"], row: "conferencing.in.sip")))
        #expect(changes.allSatisfy { !$0.row.hasPrefix("drop.") })
    }

    @Test(arguments: [
        (peers, peers.replacing("9.0.1", with: "9.0.2"), ["conferencing.in.ssh"]),
        (site, site.replacing("9100", with: "9101"), ["site.x"]),
        ("", "host: {ping: true}\n", ["host.ping"]),
        ("", "mode: observe\n", ["drop.in", "drop.out"]),
    ])
    func whatConcernsAllNodesIsToldOnce(_ old: String, _ new: String, _ rows: [String]) throws {
        let before = try Self.gateway([Self.a, Self.b], old)
        let changes = try Self.gateway([Self.a, Self.b], new).changes(from: before)
        #expect(changes.map(\.nodes) == rows.map { _ in ["a", "b"] })
        #expect(changes.map(\.row) == rows)
        let kind: RowChange.Kind = rows == ["host.ping"] ? .opened : .changed
        #expect(changes.allSatisfy { $0.kind == kind })
    }

    @Test func aThousandNodesAreTold() throws {
        let nodes = (0..<1_000).map {
            "  n\($0): {role: conferencing, address: 10.1.\($0 / 250).\($0 % 250 + 1)}"
        }
        let before = try Self.gateway(nodes, Self.ssh)
        let after = try Self.gateway(nodes, Self.peers)
        let changes = after.changes(from: before)
        let names = (0..<1_000).map { "n\($0)" }.sorted()
        #expect(changes == [RowChange(kind: .changed, nodes: names, row: "conferencing.in.ssh")])
    }
}
