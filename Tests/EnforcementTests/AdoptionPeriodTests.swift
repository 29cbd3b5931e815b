import KernelFake
import Logging
import Reports
import Ruleset
import Testing

@testable import Enforcement

/// When rules adopt connections, and when they do so no more.
@Suite("Adopting")
struct AdoptionPeriodTests {
    private static let time = Duration.seconds(Ruleset.adoptionTime)

    private static func bench(
        _ directory: TemporaryDirectory? = nil, kernel: FakeKernel = FakeKernel(),
        clock: ManualClock = ManualClock()
    ) throws -> Bench {
        try Bench(directory, kernel: kernel, clock: clock, adopts: true)
    }

    private static func started(_ variant: Int = 1) async throws -> Bench {
        let bench = try bench()
        await bench.reconciler.start(configuration(variant))
        return bench
    }

    private func expectAdopting(
        _ bench: Bench, _ number: Int, _ variant: Int,
        sourceLocation: Testing.SourceLocation = #_sourceLocation
    ) async throws {
        await bench.expectKernel(
            try generation(number, variant).stamped.adopting, sourceLocation: sourceLocation)
        #expect(await bench.state() == .inSync, sourceLocation: sourceLocation)
    }

    /// Lets the time pass, and expects the rules as they are otherwise.
    private func expectEnd(
        _ bench: Bench, _ number: Int, _ variant: Int,
        sourceLocation: Testing.SourceLocation = #_sourceLocation
    ) async throws {
        bench.clock.advance(by: Self.time)
        #expect(await bench.reconciler.timeToNextDeadline == .zero, sourceLocation: sourceLocation)
        await bench.reconciler.keepDeadlines()
        try await bench.expectInForce(number, variant, sourceLocation: sourceLocation)
        #expect(await bench.reconciler.timeToNextDeadline == nil, sourceLocation: sourceLocation)
        #expect(
            await bench.reconciler.inspector.status().drift.count == 0,
            sourceLocation: sourceLocation)
    }

    @Test("the first rules adopt, and end it after their time")
    func first() async throws {
        let bench = try await Self.started()
        try await expectAdopting(bench, 1, 1)
        #expect(await bench.reconciler.timeToNextDeadline == Self.time)
        // Not before.
        bench.clock.advance(by: .seconds(1))
        await bench.reconciler.keepDeadlines()
        try await expectAdopting(bench, 1, 1)
        bench.clock.advance(by: .seconds(-1))
        try await expectEnd(bench, 1, 1)
        // Rules that come in the place of others adopt nothing.
        await bench.apply(2)
        try await bench.expectInForce(2, 2)
    }

    @Test("what is applied and repaired meanwhile adopts, until the same moment")
    func meanwhile() async throws {
        let bench = try await Self.started()
        bench.clock.advance(by: .seconds(10))
        await bench.apply(2)
        try await expectAdopting(bench, 2, 2)
        await bench.kernel.tamper { $0.tables["pexip_fw_conf"]?.chains["output"]?.rules = [] }
        #expect(await bench.reconciler.repair(after: nil) == nil)
        try await expectAdopting(bench, 2, 2)
        #expect(await bench.reconciler.inspector.status().drift.count == 1)
        #expect(await bench.reconciler.timeToNextDeadline == Self.time - .seconds(10))
        // Nor is what adopts taken for a foreign change.
        await bench.kernel.forgetCommits()
        _ = await bench.reconciler.repair(after: nil)
        #expect(await bench.kernel.commits.isEmpty)
    }

    @Test("another agent goes on with it and ends it")
    func restarted() async throws {
        let bench = try await Self.started()
        bench.clock.advance(by: .seconds(10))
        await bench.kernel.forgetCommits()
        let next = try Self.bench(bench.directory, kernel: bench.kernel, clock: bench.clock)
        await next.reconciler.start(configuration(1))
        #expect(await next.kernel.commits.isEmpty)
        try await expectAdopting(next, 1, 1)
        try await expectEnd(next, 1, 1)
    }

    @Test("an agent that was killed before it recorded what it committed is no obstacle")
    func unrecorded() async throws {
        let bench = try Self.bench()
        let remains = KillTests.Collected()
        let directory = bench.directory
        await bench.kernel.onCommit { moment in
            if case .after(let state) = moment {
                remains.add(KillTests.Remains(directory: try directory.copy(), state: state))
            }
        }
        await bench.reconciler.start(configuration(1))
        let left = try #require(remains.all.last)
        for compilation in [configuration(1), wrongConfiguration] {
            let next = try Self.bench(
                try left.directory.copy(), kernel: FakeKernel(left.state), clock: bench.clock)
            await next.reconciler.start(compilation)
            #expect(await next.reconciler.generationInForce?.number == 1)
            await next.expectKernel(try generation(1).stamped.adopting)
            next.clock.advance(by: Self.time)
            await next.reconciler.keepDeadlines()
            await next.expectKernel(try generation(1).stamped)
            bench.clock.advance(by: .zero - Self.time)
        }
    }

    @Test("nothing in force adopts nothing; what comes then adopts anew")
    func flushed() async throws {
        let bench = try await Self.started()
        _ = await bench.reconciler.flushed()
        await bench.expectKernel(Ruleset(tables: []))
        #expect(await bench.reconciler.timeToNextDeadline == nil)
        _ = await bench.reconciler.rolledBack(to: 1)
        await bench.expectKernel(try generation(1).stamped.adopting)
        #expect(await bench.reconciler.timeToNextDeadline == Self.time)
    }

    @Test("observation adopts nothing, nor does enforcement that follows it")
    func observation() async throws {
        let bench = try Self.bench()
        let observing = compile(
            "mode: observe\nnodes: {conf: {role: conferencing, address: 10.0.0.21}}")
        await bench.reconciler.start(observing)
        let observed = try #require(await bench.reconciler.generationInForce)
        await bench.expectKernel(observed.stamped)
        #expect(await bench.reconciler.timeToNextDeadline == nil)
        await bench.apply(1)
        await bench.expectKernel(try generation(2, 1).stamped)
    }

    @Test("a first apply that fails leaves nothing behind")
    func failed() async throws {
        let bench = try Self.bench()
        await bench.kernel.failCommits(.refuse)
        await bench.reconciler.start(configuration(1))
        await bench.expectKernel(Ruleset(tables: []))
        #expect(await bench.reconciler.timeToNextDeadline == nil)
        await bench.kernel.failCommits(.refuseButApply)
        await bench.apply(1)
        try await expectAdopting(bench, 1, 1)
    }

    @Test("what can't be ended is ended by the next check")
    func endFails() async throws {
        let bench = try await Self.started()
        bench.clock.advance(by: Self.time)
        await bench.kernel.failCommits(.refuse)
        await bench.reconciler.keepDeadlines()
        #expect(await bench.state() == .degraded)
        _ = await bench.reconciler.repair(after: nil)
        try await bench.expectInForce(1, 1)
    }

    @Test("what an agent left that could not read the kernel is nobody's change")
    func unread() async throws {
        let bench = try await Self.started()
        let next = try Self.bench(bench.directory, kernel: bench.kernel, clock: bench.clock)
        await next.kernel.failObservations(times: 2)
        await next.reconciler.start(configuration(1))
        #expect(await next.state() == .degraded)
        next.clock.advance(by: Self.time)
        let writer = Reconciler.Writer(process: "nft", name: "nft", pid: 7)
        #expect(await next.reconciler.repair(after: writer) == nil)
        try await next.expectInForce(1, 1)
        #expect(await next.reconciler.inspector.status().drift.count == 0)
    }

    @Test("what is taken back to nothing adopts nothing")
    func takenBack() async throws {
        let bench = try Self.bench()
        await bench.reconciler.start(emptyConfiguration)
        _ = await bench.reconciler.applied(
            configuration(1), Reconciler.ApplyRequest(confirm: .seconds(60)))
        await bench.expectKernel(try generation(1).stamped.adopting)
        bench.clock.advance(by: .seconds(60))
        await bench.reconciler.keepDeadlines()
        await bench.expectKernel(Ruleset(tables: []))
        #expect(await bench.reconciler.timeToNextDeadline == nil)
    }

    @Test("a boot, when there is no network yet, adopts nothing")
    func boot() async throws {
        let bench = try await Self.started()
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        for kernel in [FakeKernel(), bench.kernel] {
            let restoration = Restoration(
                kernel: kernel, store: GenerationStore(directory: bench.directory.path),
                clock: bench.clock, log: log)
            #expect(try await restoration.run() == 1)
            let found = await kernel.state.observed
            #expect(found[0].differences(from: try generation(1).stamped.tables[0]) == [])
        }
    }
}
