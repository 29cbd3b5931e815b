import DeploymentGenerator
import Foundation
import LinuxSystem
import Netlink
import Nftables
import Policy
import PortModel
import Ruleset
import Site
import Testing
import TestSupport

/// libnftables and netlink in a worker process of ours, against the kernel.
@Suite("nf_tables", .serialized)
struct NftablesKernelTests {
    private static func compile(_ deployment: Deployment) -> Table {
        switch deployment.placement {
        case .local: Policy(of: deployment.nodes[0], in: deployment).compileLocal()
        case .gateway: GatewayPolicy(of: deployment.nodes, in: deployment).compile()
        }
    }

    @Test(
        "what is committed is what is listed, and any table can become any other in place",
        arguments: Placement.allCases)
    func roundTrip(placement: Placement) async throws {
        try await TestedKernel.with { kernel in
            var generator = DeploymentGenerator(seed: 7)
            for round in 1...25 {
                var deployment = generator.deployment(placement: placement)
                // One name, so that each round changes the table of the round before.
                deployment.nodes[0].name = "node"
                let wanted = Self.compile(deployment).stamped(
                    Stamp(generation: round, digest: TestedKernel.digest))
                let before = try await TestedKernel.tables(kernel).tables
                let transaction = Transaction(from: before, to: Ruleset(tables: [wanted]))
                try await kernel.check(transaction)
                #expect(try await TestedKernel.tables(kernel).tables == before)
                try await kernel.commit(transaction)
                let after = try await TestedKernel.tables(kernel).tables
                #expect(after.count == 1)
                #expect(after.first?.differences(from: wanted) == [], "round \(round)")
                #expect(after.first?.stamp == Stamp(generation: round, digest: TestedKernel.digest))
                // Every other one with rules that adopt, which come and go.
                if round % 2 == 0 {
                    let adopting = Ruleset(tables: [wanted]).adopting
                    try await kernel.commit(Transaction(from: after, to: adopting))
                    let adopted = try await TestedKernel.tables(kernel).tables
                    #expect(
                        adopted.first?.differences(from: adopting.tables[0]) == [],
                        "round \(round)")
                    #expect(adopted.first?.adopts == true)
                }
            }
            try await TestedKernel.removeTables(kernel)
            #expect(try await TestedKernel.tables(kernel).tables.isEmpty)
        }
    }

    @Test("every condition, statement and verdict is listed as it was written")
    func samples() async throws {
        try await TestedKernel.with { kernel in
            let table = RuleSamples.table
            try await kernel.commit(Transaction(from: [], to: Ruleset(tables: [table])))
            let listed = try await TestedKernel.tables(kernel).tables
            #expect(listed.map { $0.differences(from: table) } == [[]])
            try await TestedKernel.removeTables(kernel)
        }
    }

    @Test("what is hooked elsewhere or of another type is made anew in its table")
    func otherLayout() async throws {
        try await TestedKernel.with { kernel in
            let address = try #require(IPAddress("192.0.2.1"))
            let sets = [NamedSet.Kind.intervals, .addresses, .countedAddresses].map { kind in
                NamedSet(
                    name: "set-\(kind.rawValue)", family: .ipv4, kind: kind,
                    addresses: AddressSet([address]))
            }
            let table = Table(
                family: .inet, name: "pexip_fw_layout", counters: ["c"], sets: sets,
                chains: [
                    Chain(
                        name: "input", hook: Hook(.input, .filter, policy: .drop),
                        rules: [Rule([.protocolNumber(17)], .jump("input_udp"))]),
                    Chain(
                        name: "input_udp",
                        rules: sets.map {
                            Rule([.sourceIn(set: $0.name, .ipv4)], counter: "c", .accept)
                        }),
                ])
            let older = [
                "add table inet pexip_fw_layout",
                "add counter inet pexip_fw_layout c { packets 7 bytes 900 ; }",
                "add set inet pexip_fw_layout set-intervals { type ipv6_addr; }",
                "add set inet pexip_fw_layout set-addresses { type ipv4_addr; flags timeout; }",
                "add set inet pexip_fw_layout set-countedAddresses { type ipv4_addr; flags dynamic; }",
                "add chain inet pexip_fw_layout input_udp { type nat hook output priority -100; }",
                "add chain inet pexip_fw_layout input { type filter hook forward priority 5; policy drop; }",
                "add rule inet pexip_fw_layout input ip6 saddr @set-intervals counter name c accept",
                "add rule inet pexip_fw_layout input_udp ip saddr @set-addresses accept",
            ]
            try ChildProcess.run(["nft", older.joined(separator: "\n")]).requireSuccess()
            let before = try await TestedKernel.tables(kernel).tables
            let transaction = Transaction(from: before, to: Ruleset(tables: [table]))
            #expect(!transaction.makesTables)
            try await kernel.check(transaction)
            try await kernel.commit(transaction)
            let after = try await TestedKernel.tables(kernel).tables
            #expect(after.first?.differences(from: table) == [])
            #expect(after.first?.counters["c"] == CounterValue(packets: 7, bytes: 900))
            try await TestedKernel.removeTables(kernel)
        }
    }

    @Test("what was read before is taken for what is there until somebody changes something")
    func structure() async throws {
        try await TestedKernel.with { kernel in
            var generator = DeploymentGenerator(seed: 9)
            let wanted = Self.compile(generator.deployment()).stamped(
                Stamp(generation: 1, digest: TestedKernel.digest))
            try await kernel.commit(Transaction(from: [], to: Ruleset(tables: [wanted])))
            let other = "\(wanted.name)_too"
            let compiled: Set<TableID> = [wanted.id, TableID(.inet, other)]
            let read = try await kernel.structure(compiled: compiled)
            #expect(read.tables.first?.differences(from: wanted) == [])
            #expect(try await kernel.structure(compiled: compiled) == read)

            for foreign in [
                "add rule inet \(wanted.name) input accept", "add table inet \(other)",
            ] {
                let before = try await kernel.structure(compiled: compiled)
                try ChildProcess.run(["nft", foreign]).requireSuccess()
                let after = try await kernel.structure(compiled: compiled)
                #expect(after.generationID != before.generationID)
                #expect(after.tables != before.tables, "\(foreign)")
            }
            try await kernel.commit(
                Transaction(
                    from: try await kernel.structure(compiled: compiled).tables,
                    to: Ruleset(tables: [])))
            #expect(try await kernel.structure(compiled: compiled).tables.isEmpty)
        }
    }

    @Test("addresses at the edges of their families come back as they were")
    func edges() async throws {
        try await TestedKernel.with { kernel in
            let texts = [
                ["0.0.0.0/0"], ["0.0.0.0", "255.255.255.255"], ["128.0.0.0/1"],
                ["10.0.0.1-10.0.0.2"],
                ["10.0.0.0/31", "10.0.0.3"], ["::/0"],
                ["::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
                ["::ffff:a00:1-::ffff:a00:9"], ["2001:db8::/127"], ["fe80::/10"], ["::1-::ff"],
            ]
            for text in texts {
                let ranges = try text.map { try parseAddressRange($0) }
                let family = ranges[0].lowerBound.family
                let set = NamedSet(
                    name: "edge", family: family, kind: .intervals,
                    addresses: AddressSet(ranges: ranges))
                let table = Table(
                    family: .inet, name: "pexip_fw_edges", counters: ["c"], sets: [set],
                    chains: [
                        Chain(
                            name: "input", hook: Hook(.input, .filter, policy: .accept),
                            rules: [
                                Rule([.sourceIn(set: "edge", family)], counter: "c", .accept)
                            ])
                    ])
                let before = try await TestedKernel.tables(kernel).tables
                try await kernel.commit(Transaction(from: before, to: Ruleset(tables: [table])))
                let after = try await TestedKernel.tables(kernel).tables
                #expect(after.first?.differences(from: table) == [], "\(text)")
            }
        }
    }

    @Test("a refusal names the statement and the row, and changes nothing")
    func refusal() async throws {
        try await TestedKernel.with { kernel in
            // The set that the second rule looks into does not exist.
            let table = Table(
                family: .inet, name: "pexip_fw_refused", counters: ["good.row", "bad.row"],
                sets: [],
                chains: [
                    Chain(
                        name: "input", hook: Hook(.input, .filter, policy: .accept),
                        rules: [
                            Rule(
                                [.destinationPorts(.tcp, 1...1)], counter: "good.row", .accept,
                                comment: "good.row"),
                            Rule(
                                [.sourceIn(set: "missing", .ipv4)], counter: "bad.row", .accept,
                                comment: "bad.row"),
                        ])
                ])
            let transaction = Transaction(from: [], to: Ruleset(tables: [table]))
            let error = await #expect(throws: KernelError.self) {
                try await kernel.commit(transaction)
            }
            #expect(error?.code == .refused)
            #expect(
                error?.description.contains("bad.row: ") == true, "\(String(describing: error))")
            #expect(error?.description.contains("ip saddr @missing") == true)
            #expect(error?.description.contains("good.row: ") == false)
            #expect(try await TestedKernel.tables(kernel).tables.isEmpty)
            // A failed transaction does not spoil the context for the next one.
            let good = Table(
                family: .inet, name: "pexip_fw_good", counters: ["c"], sets: [], chains: [])
            try await kernel.commit(Transaction(from: [], to: Ruleset(tables: [good])))
            #expect(
                try await TestedKernel.tables(kernel).tables.map(\.name) == [
                    "pexip_fw_good"
                ])
        }
    }

    @Test(
        "a table of the same name in another family is neither read nor counted nor taken away",
        arguments: TableFamily.allCases.filter { !TableFamily.ofPlacements.contains($0) })
    func otherFamily(family: TableFamily) async throws {
        try await TestedKernel.with { kernel in
            let name = "pexip_fw_twice"
            let stamp = Stamp(generation: 1, digest: TestedKernel.digest)
            func nft(_ command: String) throws -> String {
                try ChildProcess.run(["nft", command]).requireSuccess().standardOutput
            }
            // With our stamp, and objects called as ours are.
            let theirs = TableID(family, name).qualifiedName
            _ = try nft(
                """
                table \(theirs) { counter c { packets 7 bytes 900; }; \
                set s { type ipv4_addr; counter; elements = { 10.0.0.9 counter packets 7 bytes 900 }; }; \
                chain generation { return comment "\(stamp.comment)"; }; \
                chain input { counter name "c" accept; }; }
                """)
            let before = try nft("list table \(theirs)")
            let address = try #require(IPAddress("10.0.0.1"))
            let wanted = Table(
                family: .inet, name: name, counters: ["c"],
                sets: [
                    NamedSet(
                        name: "s", family: .ipv4, kind: .countedAddresses,
                        addresses: AddressSet([address]))
                ],
                chains: [Chain(name: "input", rules: [Rule([], counter: "c", .accept)])]
            ).stamped(stamp)

            #expect(try await kernel.tables(compiled: [wanted.id]).tables.isEmpty)
            try await kernel.commit(Transaction(from: [], to: Ruleset(tables: [wanted])))
            for compiled in [[wanted.id], []] as [Set<TableID>] {
                let read = try await kernel.tables(compiled: compiled).tables
                #expect(read.map(\.id) == [wanted.id])
                #expect(read.first?.differences(from: wanted) == [])
                #expect(try await kernel.foreign(compiled: compiled).lookalikes == [])
            }
            let counts = try await kernel.counts(of: [wanted], withNotes: true, .urgent)
            #expect(counts.map(\.id) == [wanted.id])
            #expect(counts.first?.counters == ["c": CounterValue()])
            #expect(counts.first?.sets.first?.counters == [address: CounterValue()])
            try await kernel.commit(
                Transaction(
                    from: try await kernel.tables(compiled: []).tables, to: Ruleset(tables: [])))
            #expect(try await kernel.tables(compiled: [wanted.id]).tables.isEmpty)
            #expect(try nft("list table \(theirs)") == before)
            _ = try nft("delete table \(theirs)")
        }
    }

    @Test("notifications tell our own commits from others', with the tables they touch")
    func notifications() async throws {
        try await TestedKernel.with { kernel in
            let listener = try RulesetListener()
            var events = try listener.events().makeAsyncIterator()
            func next() async throws -> RulesetChange {
                guard case .change(let change) = await events.next() else {
                    throw CancellationError()
                }
                return change
            }

            let table = Table(
                family: .inet, name: "pexip_fw_mine", counters: ["c"], sets: [], chains: [])
            try await kernel.commit(Transaction(from: [], to: Ruleset(tables: [table])))
            let own = try await next()
            #expect(own.tables == [table.id: .other])
            #expect(await kernel.takeUp(own))
            #expect(try await kernel.generationID() == own.generationID)

            let nft = Process()
            nft.executableURL = URL(filePath: "/usr/sbin/nft")
            nft.arguments = ["delete table inet pexip_fw_mine; add table ip theirs"]
            try nft.run()
            nft.waitUntilExit()
            let foreign = try await next()
            #expect(foreign.writer.pid == nft.processIdentifier)
            #expect(foreign.writer.name == "nft")
            // Tables of other families are other tables, whatever their names.
            #expect(foreign.tables == [table.id: .removed])
            #expect(await !kernel.takeUp(foreign))
        }
    }

    @Test(
        "what is committed at large is not heard, and what others do next is",
        .timeLimit(.minutes(10)))
    func largeTransaction() async throws {
        try OwnNamespace.require()
        let keeper = try KernelKeeper(program: BuiltProducts.path(of: "pexip-fwd"))
        let listener = try RulesetListener()
        let kernel = NftablesKernel(keeper, listener: listener) { Issue.record("\($0)") }
        var events = try listener.events().makeAsyncIterator()
        func table(_ count: UInt32) throws -> Ruleset {
            let addresses = try (0..<count).map {
                try #require(IPAddress("10.\($0 >> 14).\($0 >> 6 & 255).\($0 << 2 & 255)"))
            }
            let set = NamedSet(
                name: "s", family: .ipv4, kind: .addresses,
                addresses: AddressSet(ranges: addresses.map { $0...$0 }))
            return Ruleset(
                tables: [
                    Table(
                        family: .inet, name: "pexip_fw_large", counters: [], sets: [set], chains: []
                    )
                ])
        }
        let large = try table(8_000)
        try await kernel.commit(Transaction(from: [], to: large))
        let found = try await TestedKernel.tables(kernel)
        #expect(found.tables.first?.sets.first?.set == large.tables[0].sets[0])

        let nft = Process()
        nft.executableURL = URL(filePath: "/usr/sbin/nft")
        nft.arguments = ["add table ip theirs_as_well"]
        try nft.run()
        nft.waitUntilExit()
        let change = await events.next()
        guard case .change(let change) = change else {
            Issue.record("heard \(String(describing: change))")
            return
        }
        #expect(change.writer.pid == nft.processIdentifier)
        #expect(change.generationID == found.generationID + 1)

        // Also where the kernel refuses it.
        var refused = try table(8_001)
        refused.tables[0].chains = [
            Chain(name: "c", rules: [Rule([.sourceIn(set: "missing", .ipv4)], .accept)])
        ]
        await #expect(throws: KernelError.self) {
            try await kernel.commit(Transaction(from: found.tables, to: refused))
        }
        // A small one is heard, as our own.
        try await kernel.commit(Transaction(from: found.tables, to: Ruleset(tables: [])))
        guard case .change(let own) = await events.next() else {
            Issue.record("nothing of our own is heard")
            return
        }
        #expect(own.tables == [TableID(.inet, "pexip_fw_large"): .removed])
        #expect(await kernel.takeUp(own))
        try await kernel.stop()
    }

    @Test("a table with flags is told without being listed")
    func dormant() async throws {
        try await TestedKernel.with { kernel in
            let nft = Process()
            nft.executableURL = URL(filePath: "/usr/sbin/nft")
            nft.arguments = ["add table inet pexip_fw_sleeping { flags dormant; }"]
            try nft.run()
            nft.waitUntilExit()
            let tables = try await TestedKernel.tables(kernel).tables
            #expect(tables.first?.foreign == ["table flags dormant"])
            try await TestedKernel.removeTables(kernel)
            #expect(try await TestedKernel.tables(kernel).tables.isEmpty)
        }
    }

    @Test("routes are looked up without sending anything")
    func routes() throws {
        try OwnNamespace.require()
        let loopback = try #require(IPAddress("127.0.0.1"))
        let nowhere = try #require(IPAddress("192.0.2.1"))
        let nowhere6 = try #require(IPAddress("2001:db8::1"))
        let lookup = try RouteLookup()
        #expect(try lookup.hasRoute(to: loopback))
        #expect(try !lookup.hasRoute(to: nowhere))
        #expect(try !lookup.hasRoute(to: nowhere6))
    }
}
