import KernelFake
import Ruleset
import Testing

@testable import Enforcement
@testable import Reports

@Suite struct RollbackTests {
    @Test(arguments: [(nil, 2), (2, 2), (1, 1), (3, 3)])
    func anOlderGenerationIsHeld(_ number: Int?, _ expected: Int) async throws {
        let bench = try await Bench.holding(1, 2, 3)
        let report = await bench.reconciler.rolledBack(to: number)
        #expect(report.outcome == .applied)
        #expect(report.generation == expected)
        #expect(report.changes.map(\.kind) == (expected == 3 ? [] : [.changed]))
        try await bench.expectInForce(expected, expected, .pinned)

        // The same configuration, seen again or by another agent, does not end it.
        await bench.reconciler.configurationChanged(configuration(3), origin: .directory)
        try await bench.expectInForce(expected, expected, .pinned)
        let next = try bench.restarted()
        await bench.kernel.forgetCommits()
        await next.reconciler.start(configuration(3))
        try await next.expectInForce(expected, expected, .pinned)
        #expect(await bench.kernel.commits == [])
    }

    @Test func anotherConfigurationEndsThePin() async throws {
        let bench = try await Bench.holding(1, 2, 3)
        _ = await bench.reconciler.rolledBack(to: 1)
        await bench.reconciler.configurationChanged(configuration(4), origin: .directory)
        try await bench.expectInForce(4, 4)
    }

    @Test func anotherConfigurationAtTheStartEndsThePin() async throws {
        let bench = try await Bench.holding(1, 2)
        _ = await bench.reconciler.rolledBack(to: 1)
        let next = try bench.restarted()
        await next.reconciler.start(configuration(5))
        try await next.expectInForce(3, 5)
    }

    @Test func applyEndsThePin() async throws {
        let bench = try await Bench.holding(1, 2)
        _ = await bench.reconciler.rolledBack(to: 1)
        await bench.apply(2)
        try await bench.expectInForce(3, 2)
        // Also where the configuration says what is pinned.
        _ = await bench.reconciler.rolledBack(to: 1)
        let report = await bench.reconciler.applied(configuration(1))
        #expect(report.outcome == .unchanged)
        try await bench.expectInForce(1, 1)
        await bench.apply(7)
        try await bench.expectInForce(4, 7)
    }

    @Test func aWrongConfigurationLeavesThePin() async throws {
        let bench = try await Bench.holding(1, 2)
        _ = await bench.reconciler.rolledBack(to: 1)
        await bench.reconciler.configurationChanged(wrongConfiguration, origin: .directory)
        try await bench.expectInForce(1, 1, .rejected)
        // What was rolled back from is still not what is wanted.
        await bench.reconciler.configurationChanged(configuration(2), origin: .directory)
        try await bench.expectInForce(1, 1, .pinned)
        await bench.reconciler.configurationChanged(configuration(3), origin: .directory)
        try await bench.expectInForce(3, 3)
    }

    @Test func oneCanRollBackWhileTheConfigurationIsWrong() async throws {
        let bench = try await Bench.holding(1, 2)
        _ = await bench.reconciler.applied(wrongConfiguration)
        _ = await bench.reconciler.rolledBack(to: nil)
        try await bench.expectInForce(1, 1, .rejected)
        await bench.reconciler.configurationChanged(configuration(2), origin: .directory)
        try await bench.expectInForce(3, 2)
    }

    @Test(arguments: [
        (1, "generations/1.json is damaged"), (2, "generation 2 is not in"),
        (77, "generation 77 is not in"), (0, "generation 0 is not in"), (-1, "is not in"),
    ])
    func whatIsNotStoredWholeChangesNothing(_ number: Int, _ words: String) async throws {
        let bench = try await Bench.holding(1, 2, 3)
        try bench.directory.write([0], to: "generations/1.json")
        try bench.directory.remove("generations/2.json")
        let report = await bench.reconciler.rolledBack(to: number)
        #expect(report.outcome == .failed)
        #expect(report.generation == 3)
        #expect(report.problem?.contains(words) == true)
        #expect(report.problem?.contains("show generations") == true)
        #expect(await bench.kernel.commits == [])
        try await bench.expectInForce(3, 3)
    }

    @Test func withoutANumberDamagedOnesAreSkipped() async throws {
        let bench = try await Bench.holding(1, 2, 3)
        try bench.directory.write([0], to: "generations/2.json")
        #expect(await bench.reconciler.rolledBack(to: nil).generation == 1)
        try await bench.expectInForce(1, 1, .pinned)
        let report = await bench.reconciler.rolledBack(to: nil)
        #expect(report.problem?.contains("nothing to roll back to") == true)
        try await bench.expectInForce(1, 1, .pinned)
    }

    @Test(arguments: ApplyTests.failures)
    func aFailedRollbackLeavesWhatWasInForce(
        _ what: String, _ fault: FakeKernel.CommitFault
    ) async throws {
        let bench = try await Bench.holding(1, 2)
        await bench.kernel.failCommits(fault)
        let report = await bench.reconciler.rolledBack(to: nil)
        #expect(report.outcome == .failed)
        #expect(report.generation == 2)
        #expect(report.problem?.hasSuffix("generation 2 is in force") == true)
        try await bench.expectInForce(2, 2)
        #expect(await bench.reconciler.rolledBack(to: nil).outcome == .applied)
        try await bench.expectInForce(1, 1, .pinned)
    }

    @Test func aRollbackThatCannotBeRecordedIsTakenBack() async throws {
        let small = try SmallFileSystem(kibibytes: 512)
        let bench = try await Bench.holding(1, 2, in: small.directory)
        try small.fill()
        let report = await bench.reconciler.rolledBack(to: nil)
        #expect(report.outcome == .failed)
        #expect(await bench.kernel.commits.count == 2)
        try await bench.expectInForce(2, 2, .degraded)
        #expect(
            await bench.reconciler.inspector.status().problem?.contains("(make room there)") == true
        )
        await bench.reconciler.secure()
        try await bench.expectInForce(2, 2, .degraded)
        try bench.directory.remove("filler")
        await bench.reconciler.secure()
        try await bench.expectInForce(2, 2)
    }

    // MARK: Flush

    func expectFlushed(
        _ bench: Bench, _ state: StatusReport.State = .flushed
    ) async throws {
        let status = await bench.reconciler.inspector.status()
        #expect(status.state == state)
        #expect(status.generation == nil)
        #expect(status.confirmedGeneration == nil)
        #expect(await bench.kernel.state == NfTables())
        #expect(await bench.reconciler.generationInForce?.stamped == nil)
    }

    @Test func flushHoldsUntilSomethingIsSaid() async throws {
        let bench = try await Bench.holding(1, 2)
        let report = await bench.reconciler.flushed()
        #expect(report.outcome == .applied)
        #expect(report.generation == nil)
        #expect(report.changes == [], "no packet is refused because of it")
        try await expectFlushed(bench)
        #expect(await bench.reconciler.repair(after: nil) == nil)
        await bench.reconciler.configurationChanged(configuration(2), origin: .directory)
        try await expectFlushed(bench)
        await bench.reconciler.configurationChanged(wrongConfiguration, origin: .directory)
        try await expectFlushed(bench)

        let next = try bench.restarted()
        await bench.kernel.forgetCommits()
        await next.reconciler.start(configuration(2))
        try await expectFlushed(next)
        await next.reconciler.start(wrongConfiguration)
        try await expectFlushed(next)
        #expect(await bench.kernel.commits == [])

        await next.apply(2)
        try await next.expectInForce(3, 2)
        _ = await next.reconciler.flushed()
        #expect(await next.reconciler.rolledBack(to: nil).generation == 3)
        try await next.expectInForce(3, 2, .pinned)
        _ = await next.reconciler.flushed()
        await next.reconciler.configurationChanged(configuration(4), origin: .directory)
        try await next.expectInForce(4, 4)
    }

    @Test func flushLeavesTablesOfOthers() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.tamper { $0.tables["pexip_fw_notours"] = NfTables.Contents() }
        _ = await bench.reconciler.flushed()
        #expect(await bench.kernel.state.tables.keys.sorted() == ["pexip_fw_notours"])
    }

    @Test func flushBeforeAnythingIsHeldToo() async throws {
        let bench = try Bench()
        await bench.reconciler.start(emptyConfiguration)
        #expect(await bench.reconciler.flushed().outcome == .applied)
        try await expectFlushed(bench)
        let next = try bench.restarted()
        await next.reconciler.start(configuration(1))
        try await next.expectInForce(1, 1)
    }

    @Test func aFlushThatIsRefusedButAppliedIsOne() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.failCommits(.refuseButApply)
        #expect(await bench.reconciler.flushed().outcome == .applied)
        try await expectFlushed(bench)
    }

    @Test func aFailedFlushLeavesWhatWasInForce() async throws {
        let small = try SmallFileSystem(kibibytes: 512)
        let bench = try await Bench.holding(1, in: small.directory)
        await bench.kernel.failCommits(.refuse)
        #expect(await bench.reconciler.flushed().outcome == .failed)
        try await bench.expectInForce(1, 1)
        try small.fill()
        let report = await bench.reconciler.flushed()
        #expect(report.outcome == .failed)
        #expect(report.generation == 1)
        try await bench.expectInForce(1, 1, .degraded)
    }

    /// After a flush there is no generation to go back to, but also nothing to leave behind.
    @Test func whatFailsAfterAFlushLeavesNothing() async throws {
        let small = try SmallFileSystem(kibibytes: 512)
        let bench = try await Bench.holding(1, in: small.directory)
        _ = await bench.reconciler.flushed()
        try small.fill()
        #expect(await bench.reconciler.rolledBack(to: 1).outcome == .failed)
        try await expectFlushed(bench, .degraded)
        #expect(
            await bench.reconciler.applied(configuration(2)).outcome == .failed)
        #expect(await bench.state() == .degraded)
        #expect(await bench.kernel.state == NfTables())
    }
}
