import Netlink
import PortModel
import Ruleset
import Site
import TestSupport
import Testing

@testable import Nftables

extension NftablesKernelTests {
    /// What is known of our tables from notifications is what the kernel holds.
    @Suite("changes that are taken up") struct TakenUpChangesTests {
        private static let name = TestedKernel.prefix + "heard"
        private static let id = TableID(.inet, name)

        private static let table = Table(
            family: .inet, name: name, counters: ["c"],
            sets: [
                NamedSet(
                    name: "s", family: .ipv4, kind: .addresses,
                    addresses: AddressSet([IPAddress(family: .ipv4, value: 1)]))
            ],
            chains: ["a", "b"].map { name in
                Chain(
                    name: name,
                    rules: (1...4).map { Rule([.destinationPorts(.tcp, $0...$0)], .accept) })
            })

        /// A kernel that holds the table and has read it, with one that listens.
        private static func with(
            _ body: (NftablesKernel, inout AsyncStream<RulesetEvent>.Iterator) async throws -> Void
        ) async throws {
            try await TestedKernel.with { kernel in
                let listener = try RulesetListener()
                var events = try listener.events().makeAsyncIterator()
                try await kernel.commit(
                    Transaction(from: [], to: Ruleset(tables: [table])))
                _ = await events.next()
                // Something that can change without a transaction.
                try nft("delete counter inet \(name) c")
                try nft("add counter inet \(name) c { packets 5 bytes 7 }")
                _ = await events.next()
                _ = await events.next()
                _ = try await kernel.tables(compiled: [id])
                try await body(kernel, &events)
            }
        }

        private static func nft(_ command: String) throws {
            try ChildProcess.run(["nft", command]).requireSuccess()
        }

        /// - Returns: the tables as they are known, without reading them where that can be.
        @discardableResult
        private static func compare(_ kernel: NftablesKernel) async throws -> [ObservedTable] {
            let known = try await kernel.structure(compiled: [id])
            // Read in any case.
            let read = try await kernel.tables(compiled: [id])
            #expect(known.generationID == read.generationID)
            #expect(known.tables.map(\.withoutCounts) == read.tables.map(\.withoutCounts))
            func handles(_ tables: [ObservedTable]) -> [[UInt64]] {
                tables.flatMap { $0.chains.map(\.handles) }
            }
            #expect(handles(known.tables) == handles(read.tables))
            return known.tables
        }

        @Test(
            .timeLimit(.minutes(10)),
            arguments: [
                ("flush chain inet \(name) a", TableEffect.lostRules(["a": [5, 6, 7, 8]])),
                ("delete rule inet \(name) a handle 5", .lostRules(["a": [5]])),
                (
                    "flush table inet \(name)",
                    .lostRules(["a": [5, 6, 7, 8], "b": [9, 10, 11, 12]])
                ),
                (
                    "delete rule inet \(name) a handle 7; delete rule inet \(name) b handle 9",
                    .lostRules(["a": [7], "b": [9]])
                ),
                ("delete table inet \(name)", .removed), ("flush ruleset", .removed),
                ("add rule inet \(name) a accept", .other),
                ("insert rule inet \(name) b accept; flush chain inet \(name) a", .other),
                ("replace rule inet \(name) a handle 5 drop", .other),
                ("add element inet \(name) s { 0.0.0.7 }", .other),
                ("delete element inet \(name) s { 0.0.0.1 }", .other),
                ("add chain inet \(name) d", .other), ("delete counter inet \(name) c", .other),
                ("flush chain inet \(name) b; delete chain inet \(name) b", .other),
                ("delete table inet \(name); add table inet \(name)", .other),
            ])
        func effects(command: String, effect: TableEffect) async throws {
            try await Self.with { kernel, events in
                try Self.nft(command)
                guard case .change(let change) = await events.next() else {
                    Issue.record("nothing was heard")
                    return
                }
                #expect(change.tables[Self.id] == effect)
                #expect(await !kernel.takeUp(change))
                _ = try ChildProcess.run(["nft", "reset", "counters", "table", "inet", Self.name])
                let known = try await Self.compare(kernel)
                if let counter = known.first?.counters["c"] {
                    #expect(counter.packets == (effect == .other ? 0 : 5))
                }
            }
        }

        /// A table of the same name in another family is another table.
        @Test(.timeLimit(.minutes(10))) func otherFamily() async throws {
            try await Self.with { kernel, events in
                let theirs = TableID(.ip, Self.name).qualifiedName
                for command in [
                    "add table \(theirs)", "add chain \(theirs) a", "add rule \(theirs) a accept",
                    "flush chain \(theirs) a", "delete table \(theirs)",
                ] {
                    try Self.nft(command)
                    guard case .change(let change) = await events.next() else {
                        Issue.record("nothing was heard")
                        return
                    }
                    #expect(change.tables.isEmpty)
                    #expect(change.touchesOtherFamilies)
                    #expect(await !kernel.takeUp(change))
                    let known = try await Self.compare(kernel)
                    #expect(known.first?.chains.map(\.rules.count) == [4, 4])
                }
            }
        }

        /// Where notifications were lost, a change may be told of in part.
        @Test func forgotten() async throws {
            try await Self.with { kernel, events in
                try Self.nft("delete rule inet \(Self.name) a handle 5")
                guard case .change(var change) = await events.next() else {
                    Issue.record("nothing was heard")
                    return
                }
                change.tables[Self.id] = .lostRules(["b": [9]])
                #expect(await !kernel.takeUp(change))
                await kernel.forgetTables()
                try await Self.compare(kernel)
                // What is heard of it later is known already.
                #expect(await !kernel.takeUp(change))
                try await Self.compare(kernel)
            }
        }

        /// Whatever of what happens is heard, and in whatever pieces.
        @Test(.timeLimit(.minutes(10))) func manyChanges() async throws {
            var random = SystemRandomNumberGenerator()
            for _ in 0..<12 {
                try await Self.with { kernel, events in
                    for _ in 0..<Int.random(in: 1...4, using: &random) {
                        let handles = try await kernel.tables(compiled: [Self.id]).tables.first?
                            .chains.flatMap { chain in chain.handles.map { (chain.name, $0) } }
                        guard let rule = handles?.randomElement(using: &random) else { break }
                        let commands = [
                            "delete rule inet \(Self.name) \(rule.0) handle \(rule.1)",
                            "flush chain inet \(Self.name) \(rule.0)",
                            "add rule inet \(Self.name) \(rule.0) drop",
                            "add table ip others",
                        ]
                        for _ in 0..<Int.random(in: 1...2, using: &random) {
                            let command = commands.randomElement(using: &random) ?? commands[0]
                            // The rule may have gone with the first, and what is there already
                            // makes no generation.
                            let before = try await kernel.generationID()
                            _ = try ChildProcess.run(["nft", command])
                            guard try await kernel.generationID() != before,
                                case .change(let change) = await events.next()
                            else { continue }
                            if Int.random(in: 0..<4, using: &random) > 0 {
                                #expect(await !kernel.takeUp(change))
                            }
                        }
                        try await Self.compare(kernel)
                    }
                }
            }
        }
    }
}
