import DeploymentGenerator
import Netlink
import Policy
import PortModel
import Ruleset
import Site
import Testing
import TestSupport

@testable import Nftables

extension NftablesKernelTests {
    /// Sets that packets fill, as nftables lists them and as the kernel keeps them.
    @Suite("noted pairs") struct NotedPairsTests {
        private static let a = IPAddress("10.0.0.1")!
        private static let b = IPAddress("10.0.0.2")!

        private static func set(_ family: AddressFamily, _ set: NoteSet) -> NamedSet {
            NamedSet(
                name: set.name(family), family: family, kind: set.kind, addresses: AddressSet())
        }

        private static func listed(
            flags: String, elements: [UInt8]? = nil
        ) throws -> ObservedSet {
            let json = """
                {"nftables": [
                  {"set": {"family": "inet", "name": "seen.esp.v4", "table": "pexip_fw_x",
                    "type": ["ipv4_addr", "ipv4_addr"], "handle": 4, "size": 16384,
                    "flags": \(flags), "timeout": 604800}},
                  {"chain": {"family": "inet", "table": "pexip_fw_x", "name": "c", "handle": 1}},
                  {"rule": {"family": "inet", "table": "pexip_fw_x", "chain": "c", "handle": 5,
                    "comment": "mesh", "expr": [
                    {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": 50}},
                    {"set": {"op": "update", "elem": {"concat": [
                      {"payload": {"protocol": "ip", "field": "saddr"}},
                      {"payload": {"protocol": "ip", "field": "daddr"}}]}, "set": "@seen.esp.v4"}}
                  ]}}
                ]}
                """
            let listed = elements.map { [ListedElements(set: "seen.esp.v4", attributes: $0)] }
            let table = try Listing(json: Array(json.utf8), elements: listed ?? [])
                .table(TableID(.inet, "pexip_fw_x"))
            #expect(
                table.chains.first?.rules == [
                    .known(
                        Rule(
                            [.protocolNumber(50)], nil,
                            note: Note(set: "seen.esp.v4", family: .ipv4), comment: "mesh"))
                ])
            return try #require(table.sets.first)
        }

        @Test(
            "both versions' listings are read alike",
            arguments: [#"["timeout"]"#, #"["timeout", "dynamic"]"#])
        func listings(flags: String) throws {
            let empty = try Self.listed(flags: flags)
            #expect(empty.set == Self.set(.ipv4, .esp))
            #expect(empty.noted.isEmpty)
            let full = try Self.listed(
                flags: flags,
                elements: NetlinkBytes.setElement([10, 0, 0, 1, 10, 0, 0, 2], left: 604_797_900)
                    + NetlinkBytes.setElement([10, 0, 0, 2, 10, 0, 0, 1], left: 5_000)
                    + NetlinkBytes.setElement([10, 0, 0, 3, 10, 0, 0, 1])
                    + NetlinkBytes.setElement([10, 0, 0, 3], left: 5_000))
            #expect(full.set == empty.set)
            #expect(
                full.noted == [
                    AddressPair(from: Self.a, to: Self.b): 3,
                    AddressPair(from: Self.b, to: Self.a): 604_795,
                ])
        }

        @Test("sets that only look so are foreign", arguments: [#"["interval"]"#, "[]"])
        func foreign(flags: String) throws { #expect(try Self.listed(flags: flags).set == nil) }

        private static func tables(_ placement: Placement) -> (before: Table, after: Table) {
            func node(_ name: String, _ host: UInt32) -> Node {
                Node(
                    name: name, role: .conferencing,
                    addresses: AddressFamily.allCases.map {
                        DeploymentGenerator.address($0, network: 1, host: host)
                    })
            }
            let deployment = Deployment(
                placement: placement, nodes: [node("node", 1), node("other", 2)])
            let after =
                placement == .local
                ? Policy(of: deployment.nodes[0], in: deployment).compileLocal()
                : GatewayPolicy(of: deployment.nodes, in: deployment).compile()
            var before = after
            before.sets.removeAll { $0.kind.noteLimits != nil }
            for index in before.chains.indices {
                before.chains[index].rules.removeAll { rule in
                    guard rule.comment == "mesh" else { return false }
                    return true
                }
                for rule in before.chains[index].rules.indices {
                    before.chains[index].rules[rule].note = nil
                }
            }
            before.chains.removeAll {
                $0.name.hasPrefix("mesh_") || $0.name.hasPrefix("stray_")
            }
            return (before, after)
        }

        @Test(
            "a table of an earlier version learns to note in place, and what was noted stays",
            arguments: Placement.allCases)
        func upgrade(placement: Placement) async throws {
            try await TestedKernel.with { kernel in
                let (before, after) = Self.tables(placement)
                #expect(before != after)
                func put(_ table: Table, _ generation: Int) async throws -> Transaction {
                    let observed = try await TestedKernel.tables(kernel).tables
                    let wanted = Ruleset(tables: [
                        table.stamped(Stamp(generation: generation, digest: TestedKernel.digest))
                    ])
                    let transaction = Transaction(from: observed, to: wanted)
                    try await kernel.commit(transaction)
                    let now = try await TestedKernel.tables(kernel).tables
                    #expect(now.first?.differences(from: wanted.tables[0]) == [])
                    return transaction
                }
                _ = try await put(before, 1)
                let upgrade = try await put(after, 2)
                #expect(!upgrade.makesTables)
                #expect(
                    upgrade.statements.allSatisfy {
                        !$0.text.hasPrefix("delete") || $0.text.hasPrefix("delete rule ")
                    })

                let (one, other) = (
                    DeploymentGenerator.address(.ipv4, network: 1, host: 1),
                    DeploymentGenerator.address(.ipv4, network: 1, host: 2)
                )
                try ChildProcess.run([
                    "nft", "add element inet \(after.name) seen.esp.v4 { \(one) . \(other) }",
                ]).requireSuccess()
                func noted() async throws -> [AddressPair: Int]? {
                    try await TestedKernel.tables(kernel).tables.first?.sets
                        .first { $0.name == "seen.esp.v4" }?.noted
                }
                let pair = AddressPair(from: one, to: other)
                #expect(try await noted()?.keys.contains(pair) == true)
                _ = try await put(after, 3)
                #expect(try await noted()?.keys.contains(pair) == true)
                // Back to the earlier version, in place as well.
                #expect(try await !put(before, 4).makesTables)
            }
        }
    }
}
