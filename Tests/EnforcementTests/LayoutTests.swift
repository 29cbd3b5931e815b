import KernelFake
import Policy
import PortModel
import Ruleset
import Synchronization
import Testing

@testable import Enforcement
@testable import Reports

/// Tables of another layout: what can't be changed where it stands is made anew in steps, each of
/// which judges packets as before or as wanted, and finds its interval sets filled.
@Suite struct LayoutTests {
    static let table = "pexip_fw_conf"
    static let peers = "peers.ssh_clients.v4"

    /// What an older version may have left behind.
    enum Layout: CaseIterable, Sendable {
        case hook, foreignHook, plainChain, set, setAndHook

        func make(_ tables: inout NfTables) {
            switch self {
            case .hook: attach("input", .hook(Hook(.input, .raw, policy: .drop)), &tables)
            case .foreignHook: attach("raw_in", .foreign, &tables)
            case .plainChain:
                tables.tables[table]?.chains["output_tcp"] = nil
                tables.tables[table]?.chains["output"]?.rules = []
                attach("output", .none, &tables)
            case .set: tables.tables[table]?.sets[peers]?.kind = .addresses
            case .setAndHook:
                Layout.set.make(&tables)
                Layout.hook.make(&tables)
            }
            tables.tables[table]?.counters["drop.in"] = CounterValue(packets: 7, bytes: 9)
        }

        private func attach(
            _ chain: String, _ attachment: ObservedChain.Attachment, _ tables: inout NfTables
        ) {
            tables.tables[table]?.chains[chain]?.attachment = attachment
        }

        /// The transactions that it takes.
        var steps: Int {
            switch self {
            case .hook, .foreignHook, .plainChain: 1
            // The stand-in; the rules that look into it; the set; the rules that look into that.
            case .set, .setAndHook: 4
            }
        }
    }

    /// A bench whose kernel holds variant 2 in another layout, and its agent was stopped.
    private static func bench(_ layout: Layout) async throws -> Bench {
        let bench = try await Bench.holding(1, 2)
        await bench.kernel.tamper { layout.make(&$0) }
        return try bench.restarted()
    }

    // MARK: What is expected of every step

    /// From a permitted and from another SSH client.
    private static let permitted = IPAddress(family: .ipv4, value: 0x0a09_0002)
    private static let refused = IPAddress(family: .ipv4, value: 0x0a09_0063)

    /// Whether the tables together let a new SSH connection from the address in.
    private static func accepts(_ client: IPAddress, _ tables: NfTables) -> Bool {
        tables.observed.allSatisfy { observed in
            var known = observed
            // The evaluation has no words for its hook; it only exempts from tracking.
            known.chains.removeAll { $0.attachment == .foreign }
            guard let table = Table(known) else { return false }
            let packet = Packet(
                .inbound, from: client, to: hostAddress, .tcp(source: 50_000, destination: 22))
            return TableEvaluator(table).evaluate(packet).verdict == .accept
        }
    }

    private static func expectEnforced(_ tables: NfTables) {
        #expect(accepts(permitted, tables))
        #expect(!accepts(refused, tables))
        #expect(tables.observed.contains { $0.chains.contains { $0.name == "input" } })
    }

    /// Rules look only into interval sets that stood before the transaction: others are empty for a
    /// moment.
    private static func expectHitless(from before: NfTables, to after: NfTables) {
        for (name, contents) in after.tables {
            let rules = contents.chains.values.flatMap(\.rules)
            for case .known(let rule) in rules {
                for match in rule.matches {
                    let set: String
                    switch match {
                    case .sourceIn(let name, _), .destinationIn(let name, _): set = name
                    default: continue
                    }
                    if contents.sets[set]?.kind != .intervals { continue }
                    #expect(
                        before.tables[name]?.sets[set]?.kind == .intervals,
                        "\(rule.text) looks into a set of the same transaction")
                }
            }
        }
    }

    /// The kernel and the state directory before and after each transaction.
    private final class Steps: Sendable {
        private let steps = Mutex<[(moment: FakeKernel.Moment, directory: TemporaryDirectory)]>([])

        init(of bench: Bench) async {
            let directory = bench.directory
            await bench.kernel.onCommit { moment in
                let copy = try directory.copy()
                self.steps.withLock { $0.append((moment, copy)) }
            }
        }

        var remains: [(state: NfTables, directory: TemporaryDirectory)] {
            steps.withLock { $0 }.map { step in
                switch step.moment {
                case .before(let state), .after(let state): (state, step.directory)
                }
            }
        }

        func expectHitless() {
            let moments = steps.withLock { $0 }.map(\.moment)
            for case (.before(let before), .after(let after))
                in zip(moments, moments.dropFirst())
            {
                LayoutTests.expectHitless(from: before, to: after)
            }
            for (state, _) in remains { LayoutTests.expectEnforced(state) }
        }
    }

    // MARK: Tests

    @Test(arguments: Layout.allCases)
    func aTableOfAnotherLayoutIsChangedInPlace(_ layout: Layout) async throws {
        let bench = try await Self.bench(layout)
        let steps = await Steps(of: bench)
        await bench.reconciler.start(configuration(2))
        try await bench.expectInForce(2, 2)
        let commits = await bench.kernel.commits
        #expect(commits.count == layout.steps)
        #expect(!commits.contains { $0.text.contains("delete table") })
        let status = await bench.reconciler.inspector.status()
        #expect(status.counters["drop.in"]?.packets == 7)
        #expect(status.countersSince == nil)
        #expect(status.drift.count == 0)
        steps.expectHitless()
    }

    /// The older layout is what the last agent stored, and the new one what this one compiles.
    @Test func anUpgradeOfTheCompilerIsAnApply() async throws {
        let bench = try Bench()
        var older = configuration(2)
        var table = try #require(older.target?.ruleset.tables.first)
        for index in table.sets.indices { table.sets[index].kind = .addresses }
        for index in table.chains.indices where table.chains[index].name == "input" {
            table.chains[index].hook?.priority = .raw
        }
        older.target?.ruleset = Ruleset(tables: [table])
        await bench.reconciler.start(older)
        let next = try bench.restarted()
        let steps = await Steps(of: next)
        await next.reconciler.start(configuration(2))
        try await next.expectInForce(2, 2)
        #expect(steps.remains.count == 2 * Layout.setAndHook.steps)
        steps.expectHitless()
    }

    /// Whenever the agent is killed, the next one holds exactly the generation, hitless again.
    @Test(arguments: Layout.allCases, [2, nil])
    func aKillBetweenTheStepsOpensNothing(_ layout: Layout, _ variant: Int?) async throws {
        let first = try await Self.bench(layout)
        let steps = await Steps(of: first)
        await first.reconciler.start(configuration(2))
        for (state, directory) in steps.remains {
            let bench = try Bench(directory, kernel: FakeKernel(state))
            let further = await Steps(of: bench)
            await bench.reconciler.start(variant.map { configuration($0) } ?? wrongConfiguration)
            try await bench.expectInForce(2, 2, variant == nil ? .rejected : .inSync)
            #expect(await bench.reconciler.inspector.status().drift.count == 0)
            further.expectHitless()
        }
    }

    /// Of an apply that changes a set's type, any transaction fails, or seems to.
    @Test(arguments: 0..<Layout.set.steps, [false, true])
    func aFailureGoesBackAndOpensNothing(_ step: Int, _ isApplied: Bool) async throws {
        let bench = try await Bench.holding(2)
        let before = await bench.kernel.state
        await bench.kernel.tamper { $0.tables[Self.table]?.sets[Self.peers]?.kind = .addresses }
        var faults = [FakeKernel.CommitFault?](repeating: nil, count: step)
        faults.append(isApplied ? .refuseButApply : .refuse)
        await bench.kernel.failCommits(faults)
        let steps = await Steps(of: bench)
        let report = await bench.reconciler.applied(configuration(3))
        if isApplied {
            #expect(report.outcome == .applied)
            try await bench.expectInForce(2, 3)
        } else {
            #expect(report.problem?.hasSuffix("; generation 1 is in force") == true)
            let now = await bench.kernel.state.observed
            #expect(now.map(\.name) == before.observed.map(\.name))
            for (table, former) in zip(now, before.observed) {
                #expect(table.differences(from: try #require(Table(former))).isEmpty)
            }
        }
        for (state, _) in steps.remains { #expect(!Self.accepts(Self.refused, state)) }
    }

    /// Without any record what was only prepared goes again, whatever else the table holds.
    @Test func whatWasPreparedIsTakenBack() async throws {
        let bench = try await Self.bench(.foreignHook)
        await bench.kernel.tamper {
            $0.tables[Self.table]?.chains["input_tcp"]?.rules = [
                .known(Rule([.source(Self.permitted), .destinationPorts(.tcp, 22...22)], .accept))
            ]
            $0.tables[Self.table]?.sets[Self.peers] = nil
        }
        let before = await bench.kernel.state
        let next = try Bench(kernel: bench.kernel)
        await next.kernel.failCommits([nil, .refuse])
        await next.reconciler.start(configuration(2))
        let status = await next.reconciler.inspector.status()
        #expect(status.state == .degraded)
        #expect(status.problem?.hasSuffix("; what the kernel held before is in force") == true)
        #expect(await next.kernel.state == before)
        #expect(
            await next.kernel.commits.last?.text
                == "delete set inet \(Self.table) \(Self.peers)\n")
        await next.apply(2)
        try await next.expectInForce(1, 2)
    }

    /// A node that is renamed has another table, which takes over from the old one.
    @Test(arguments: [nil, FakeKernel.CommitFault.refuse])
    func aTableInThePlaceOfAnotherIsPrepared(_ fault: FakeKernel.CommitFault?) async throws {
        let bench = try await Bench.holding(2)
        let renamed = compile(
            """
            nodes: {renamed: {role: conferencing, address: 10.0.0.21}}
            features: {ssh: true}
            peers: {ssh_clients: [10.9.0.2]}
            """)
        bench.clock.advance(by: .seconds(60))
        await bench.kernel.failCommits([nil, fault])
        let steps = await Steps(of: bench)
        let report = await bench.reconciler.applied(renamed)
        #expect(report.outcome == (fault == nil ? .applied : .failed))
        let tables = await bench.kernel.state.tables.keys.sorted()
        #expect(tables == [fault == nil ? "pexip_fw_renamed" : Self.table])
        let since = await bench.reconciler.inspector.status().countersSince
        #expect((since == bench.clock.now) == (fault == nil))
        steps.expectHitless()
        // Whoever comes after a kill knows both tables.
        for (state, directory) in steps.remains {
            for (configuration, name) in [
                (renamed, "pexip_fw_renamed"), (wrongConfiguration, Self.table),
            ] {
                let next = try Bench(try directory.copy(), kernel: FakeKernel(state))
                await next.reconciler.start(configuration)
                let generation = try #require(await next.reconciler.generationInForce)
                #expect(generation.ruleset.tables.map(\.name) == [name])
                await next.expectKernel(generation.stamped)
            }
        }
    }

    /// What somebody else broke is repaired at once.
    @Test func aRepairNeedsOneTransaction() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.tamper { tables in
            Layout.setAndHook.make(&tables)
            tables.tables[Self.table]?.sets[Self.peers]?.addresses = AddressSet()
        }
        #expect(await bench.reconciler.repair(after: DriftTests.writer) == nil)
        #expect(await bench.kernel.commits.count == 1)
        try await bench.expectInForce(1, 1)
        #expect(await bench.reconciler.inspector.status().counters["drop.in"]?.packets == 7)
    }
}
