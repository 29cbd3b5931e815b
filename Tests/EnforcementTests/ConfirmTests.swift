import KernelFake
import PortModel
import Ruleset
import Site
import Testing

@testable import Enforcement
@testable import Reports

/// What is applied for a time is confirmed, or taken back.
@Suite struct ConfirmTests {
    typealias Request = Reconciler.ApplyRequest

    static let minute = Request(confirm: .seconds(60))

    /// Generation 1 for good, generation 2 for a minute.
    static func pending(_ directory: TemporaryDirectory? = nil) async throws -> Bench {
        let bench = try await Bench.holding(1, in: directory)
        let report = await bench.reconciler.applied(configuration(2), minute)
        #expect(report.outcome == .applied)
        return bench
    }

    func expectPending(
        _ bench: Bench, _ number: Int, _ variant: Int, fallback: Int?, seconds: Int
    ) async throws {
        try await bench.expectInForce(number, variant, .pendingConfirmation)
        let status = await bench.reconciler.inspector.status()
        #expect(status.confirmedGeneration == fallback)
        #expect(status.pending?.fallback == fallback)
        #expect(status.pending?.secondsLeft == seconds)
        #expect(await bench.reconciler.timeToNextDeadline == .seconds(seconds))
    }

    func expectReverted(_ bench: Bench, to number: Int, _ variant: Int) async throws {
        try await bench.expectInForce(number, variant, .reverted)
        let status = await bench.reconciler.inspector.status()
        #expect(status.pending == nil)
        #expect(status.hold?.reason == .unconfirmed)
        #expect(
            status.hold?.explanation?.contains("generation \(number) is in force again") == true)
        #expect(await bench.reconciler.timeToNextDeadline == nil)
    }

    @Test func whatIsConfirmedStays() async throws {
        let bench = try await Self.pending()
        try await expectPending(bench, 2, 2, fallback: 1, seconds: 60)
        bench.clock.advance(by: .seconds(59))
        await bench.reconciler.keepDeadlines()
        try await expectPending(bench, 2, 2, fallback: 1, seconds: 1)
        let report = await bench.reconciler.confirmed()
        #expect(report.outcome == .applied)
        #expect(report.generation == 2)
        bench.clock.advance(by: .seconds(600))
        await bench.reconciler.keepDeadlines()
        try await bench.expectInForce(2, 2)
        #expect(await bench.reconciler.confirmed().outcome == .unchanged)
        let store = GenerationStore(directory: bench.directory.path)
        #expect(try !store.generation(2).isProvisional)
    }

    @Test func whatIsNotConfirmedIsTakenBackAndHeld() async throws {
        let bench = try await Self.pending()
        bench.clock.advance(by: .seconds(60))
        await bench.reconciler.keepDeadlines()
        try await expectReverted(bench, to: 1, 1)
        // The same configuration does not come back by itself, nor for another agent.
        await bench.reconciler.configurationChanged(configuration(2), origin: .directory)
        try await expectReverted(bench, to: 1, 1)
        let next = try bench.restarted()
        await next.reconciler.start(configuration(2))
        try await expectReverted(next, to: 1, 1)
        // Another one does, and so does what an administrator says.
        await next.reconciler.configurationChanged(configuration(3), origin: .directory)
        try await next.expectInForce(3, 3)
    }

    @Test func applyAfterATakeBackPutsItInForceForGood() async throws {
        let bench = try await Self.pending()
        bench.clock.advance(by: .seconds(60))
        await bench.reconciler.keepDeadlines()
        #expect(await bench.reconciler.applied(configuration(2)).outcome == .applied)
        try await bench.expectInForce(3, 2)
    }

    /// The wall clock may be set at any time.
    @Test(arguments: [-1_000_000, 1_000_000] as [Int64])
    func theWallClockMovesNoDeadline(_ seconds: Int64) async throws {
        let bench = try await Self.pending()
        bench.clock.set(Timestamp(seconds: bench.clock.now.seconds + seconds))
        bench.clock.advance(by: .seconds(30))
        await bench.reconciler.keepDeadlines()
        try await expectPending(bench, 2, 2, fallback: 1, seconds: 30)
        bench.clock.advance(by: .seconds(30))
        await bench.reconciler.keepDeadlines()
        try await expectReverted(bench, to: 1, 1)
    }

    // MARK: Restarts

    @Test func theDeadlineOutlivesTheAgent() async throws {
        let bench = try await Self.pending()
        bench.clock.advance(by: .seconds(20))
        let second = try bench.restarted()
        await bench.kernel.forgetCommits()
        await second.reconciler.start(configuration(2))
        try await expectPending(second, 2, 2, fallback: 1, seconds: 40)
        #expect(await bench.kernel.commits == [])
        bench.clock.advance(by: .seconds(40))
        await second.reconciler.keepDeadlines()
        try await expectReverted(second, to: 1, 1)
    }

    @Test func whatWasOverdueWhileNobodyRanIsTakenBackAtTheStart() async throws {
        let bench = try await Self.pending()
        bench.clock.advance(by: .seconds(61))
        let next = try bench.restarted()
        await next.reconciler.start(configuration(2))
        try await expectReverted(next, to: 1, 1)
    }

    /// The pending generation is never put into the kernel of the next boot.
    @Test(arguments: [1, 50])
    func aRebootTakesItBack(_ seconds: Int) async throws {
        let bench = try await Self.pending()
        bench.clock.advance(by: .seconds(seconds))
        bench.clock.reboot()
        await bench.kernel.tamper { $0 = NfTables() }
        await bench.kernel.forgetCommits()
        let next = try bench.restarted()
        await next.reconciler.start(configuration(2))
        try await expectReverted(next, to: 1, 1)
        #expect(await bench.kernel.commits.count == 1)
    }

    /// A kill between the kernel and the record.
    @Test func aTakeBackThatWasNotRecordedIsDoneAgain() async throws {
        let bench = try await Self.pending()
        let killed = try bench.directory.copy()
        bench.clock.advance(by: .seconds(60))
        await bench.reconciler.keepDeadlines()
        await bench.kernel.forgetCommits()
        let next = try Bench(killed, kernel: bench.kernel, clock: bench.clock)
        await next.reconciler.start(configuration(2))
        try await expectReverted(next, to: 1, 1)
        #expect(await bench.kernel.commits == [])
    }

    // MARK: Faults

    @Test(arguments: ApplyTests.failures)
    func aTakeBackThatFailsIsTriedAgain(
        _ what: String, _ fault: FakeKernel.CommitFault
    ) async throws {
        let bench = try await Self.pending()
        bench.clock.advance(by: .seconds(60))
        await bench.kernel.failCommits(fault)
        await bench.reconciler.keepDeadlines()
        let status = await bench.reconciler.inspector.status()
        #expect(status.state == .degraded)
        #expect(status.problem?.contains("can't be taken back") == true)
        #expect(await bench.reconciler.timeToNextDeadline.map { $0 <= .zero } == true)
        // Nobody repairs what is to go.
        await bench.kernel.tamper { $0 = NfTables() }
        #expect(await bench.reconciler.repair(after: nil) == nil)
        #expect(await bench.kernel.state == NfTables())
        await bench.reconciler.keepDeadlines()
        try await expectReverted(bench, to: 1, 1)
    }

    @Test func aTakeBackThatCannotBeRecordedCounts() async throws {
        let small = try SmallFileSystem(kibibytes: 512)
        let bench = try await Self.pending(small.directory)
        try small.fill()
        bench.clock.advance(by: .seconds(60))
        await bench.reconciler.keepDeadlines()
        let status = await bench.reconciler.inspector.status()
        #expect(status.state == .degraded)
        #expect(status.generation == 1)
        #expect(status.problem?.contains("No space left") == true)
        await bench.expectKernel(try generation(1, 1).stamped)
        // The configuration is held against it all the same, and the record is tried again.
        await bench.reconciler.configurationChanged(configuration(2), origin: .directory)
        await bench.expectKernel(try generation(1, 1).stamped)
        #expect(await bench.reconciler.timeToNextDeadline == .zero)
        try bench.directory.remove("filler")
        await bench.reconciler.keepDeadlines()
        try await expectReverted(bench, to: 1, 1)
    }

    @Test func aConfirmationThatCannotBeRecordedIsNone() async throws {
        let small = try SmallFileSystem(kibibytes: 512)
        let bench = try await Self.pending(small.directory)
        try small.fill()
        let report = await bench.reconciler.confirmed()
        #expect(report.outcome == .failed)
        #expect(report.problem?.contains("No space left") == true)
        #expect(await bench.state() == .degraded)
        try bench.directory.remove("filler")
        await bench.reconciler.secure()
        try await expectPending(bench, 2, 2, fallback: 1, seconds: 60)
        #expect(await bench.reconciler.confirmed().outcome == .applied)
        try await bench.expectInForce(2, 2)
    }

    @Test func aDamagedFallbackIsReplacedByAnOlderOne() async throws {
        let bench = try await Bench.holding(1, 2)
        _ = await bench.reconciler.applied(configuration(3), Self.minute)
        try bench.directory.write([0], to: "generations/2.json")
        bench.clock.advance(by: .seconds(60))
        await bench.reconciler.keepDeadlines()
        try await expectReverted(bench, to: 1, 1)
    }

    @Test func withoutAnyFallbackThatCanBeReadItStaysAndIsTold() async throws {
        let bench = try await Self.pending()
        try bench.directory.write([0], to: "generations/1.json")
        bench.clock.advance(by: .seconds(60))
        await bench.reconciler.keepDeadlines()
        let status = await bench.reconciler.inspector.status()
        #expect(status.state == .degraded)
        #expect(status.problem?.contains("no confirmed generation can be read") == true)
        await bench.expectKernel(try generation(2, 2).stamped)
    }

    /// Without its record, nothing but a confirmed generation is taken for the one in force.
    @Test func aLostRecordConfirmsNothing() async throws {
        let bench = try await Self.pending()
        try bench.directory.write([0], to: "standing.json")
        let next = try bench.restarted()
        await next.reconciler.start(wrongConfiguration)
        #expect(await next.reconciler.inspector.status().generation == 1)
        await next.expectKernel(try generation(1, 1).stamped)
    }

    @Test func aDamagedPendingGenerationIsTakenBack() async throws {
        let bench = try await Bench.holding(1, 2, 3)
        _ = await bench.reconciler.rolledBack(to: 1)
        _ = await bench.reconciler.applied(configuration(4), Self.minute)
        try bench.directory.write([0], to: "generations/4.json")
        let next = try bench.restarted()
        await next.reconciler.start(configuration(4))
        #expect(
            await next.reconciler.inspector.status().generation == 1, "what it would fall back to")
        await next.expectKernel(try generation(1, 1).stamped)
    }

    @Test func theFallbackIsNeverPruned() async throws {
        let bench = try await Self.pending()
        for variant in 3...(GenerationStore.kept + 10) {
            _ = await bench.reconciler.applied(configuration(variant), Self.minute)
        }
        #expect(try bench.storedNumbers().first == 1)
        bench.clock.advance(by: .seconds(60))
        await bench.reconciler.keepDeadlines()
        try await expectReverted(bench, to: 1, 1)
    }

    // MARK: Several applies

    @Test func theFirstConfirmedGenerationComesBackHoweverManyFollow() async throws {
        let bench = try await Self.pending()
        bench.clock.advance(by: .seconds(30))
        _ = await bench.reconciler.applied(configuration(3), Request(confirm: .seconds(90)))
        try await expectPending(bench, 3, 3, fallback: 1, seconds: 90)
        bench.clock.advance(by: .seconds(90))
        await bench.reconciler.keepDeadlines()
        try await expectReverted(bench, to: 1, 1)
    }

    @Test func applyWithoutATimeConfirms() async throws {
        for variant in [2, 3] {
            let bench = try await Self.pending()
            _ = await bench.reconciler.applied(configuration(variant))
            bench.clock.advance(by: .seconds(60))
            await bench.reconciler.keepDeadlines()
            try await bench.expectInForce(variant, variant)
        }
    }

    @Test func applyWithATimeBeginsTheWaitAnew() async throws {
        let bench = try await Self.pending()
        bench.clock.advance(by: .seconds(59))
        #expect(await bench.reconciler.applied(configuration(2), Self.minute).outcome == .unchanged)
        try await expectPending(bench, 2, 2, fallback: 1, seconds: 60)
    }

    /// A file that changes while somebody tries something out confirms nothing.
    @Test func anAutomaticApplyNeverConfirms() async throws {
        let bench = try await Self.pending()
        bench.clock.advance(by: .seconds(20))
        await bench.reconciler.configurationChanged(configuration(3), origin: .directory)
        try await expectPending(bench, 3, 3, fallback: 1, seconds: 40)
        await bench.reconciler.configurationChanged(configuration(3), origin: .directory)
        try await expectPending(bench, 3, 3, fallback: 1, seconds: 40)
        await bench.reconciler.configurationChanged(wrongConfiguration, origin: .directory)
        try await expectPending(bench, 3, 3, fallback: 1, seconds: 40)
        bench.clock.advance(by: .seconds(40))
        await bench.reconciler.keepDeadlines()
        try await bench.expectInForce(1, 1, .rejected)
        await bench.reconciler.configurationChanged(configuration(3), origin: .directory)
        try await expectReverted(bench, to: 1, 1)
    }

    @Test func rollbackTakesBackAtOnce() async throws {
        let bench = try await Bench.holding(1, 2, 3)
        _ = await bench.reconciler.rolledBack(to: 1)
        _ = await bench.reconciler.applied(configuration(4), Self.minute)
        let report = await bench.reconciler.rolledBack(to: nil)
        #expect(report.generation == 1, "not 3, which was rolled back from")
        try await bench.expectInForce(1, 1, .pinned)
        #expect(await bench.reconciler.timeToNextDeadline == nil)
    }

    @Test func flushEndsTheWait() async throws {
        let bench = try await Self.pending()
        _ = await bench.reconciler.flushed()
        bench.clock.advance(by: .seconds(60))
        await bench.reconciler.keepDeadlines()
        #expect(await bench.state() == .flushed)
        #expect(await bench.kernel.state == NfTables())
    }

    @Test func theFirstGenerationIsTakenBackToNothing() async throws {
        let bench = try Bench()
        await bench.reconciler.start(emptyConfiguration)
        _ = await bench.reconciler.applied(configuration(1), Self.minute)
        try await expectPending(bench, 1, 1, fallback: nil, seconds: 60)
        bench.clock.advance(by: .seconds(60))
        let next = try bench.restarted()
        await next.reconciler.start(configuration(1))
        #expect(await next.state() == .reverted)
        #expect(await next.reconciler.inspector.status().generation == nil)
        #expect(await bench.kernel.state == NfTables())
        #expect(await next.reconciler.applied(configuration(1)).outcome == .applied)
        #expect(await next.state() == .inSync)
    }

    // MARK: guard.confirm

    static func guarded(_ variant: Int, _ guards: String) -> Compilation {
        compile(
            """
            nodes: {conf: {role: conferencing, address: 10.0.0.21}}
            features: {ssh: true}
            peers: {ssh_clients: [10.9.0.\(variant)]}
            guard: {\(guards)}
            """)
    }

    @Test func automaticAppliesWaitForConfirmationWhereTheConfigurationSaysSo() async throws {
        let bench = try await Bench.holding(1)
        let next = Self.guarded(2, "confirm: 60s")
        await bench.reconciler.configurationChanged(next, origin: .directory)
        try await expectPending(bench, 2, 2, fallback: 1, seconds: 60)
        bench.clock.advance(by: .seconds(60))
        await bench.reconciler.keepDeadlines()
        try await expectReverted(bench, to: 1, 1)

        // What an administrator types does not.
        #expect(await bench.reconciler.applied(next).outcome == .applied)
        try await bench.expectInForce(3, 2)
        // What changed while nobody ran does.
        let restarted = try bench.restarted()
        await restarted.reconciler.start(Self.guarded(4, "confirm: 60s"))
        try await expectPending(restarted, 4, 4, fallback: 3, seconds: 60)
    }

    // MARK: Probes

    static let probes = "probes: [\"tcp://10.0.0.21:443\", \"tcp://10.0.0.21:444\"]"

    @Test func probesThatConnectLetItStay() async throws {
        let bench = try await Bench.holding(1)
        #expect(await bench.reconciler.applied(Self.guarded(2, Self.probes)).outcome == .applied)
        #expect(bench.prober.asked.map { $0.map(\.port) } == [[443, 444]])
        try await bench.expectInForce(2, 2)
    }

    @Test func aProbeThatDoesNotConnectTakesItBackAndHoldsIt() async throws {
        let bench = try await Bench.holding(1)
        bench.prober.fail([444])
        let report = await bench.reconciler.applied(Self.guarded(2, Self.probes))
        #expect(report.outcome == .failed)
        #expect(
            report.problem
                == "probe tcp://10.0.0.21:444 did not connect: as scripted; generation 1 is in force"
        )
        try await bench.expectInForce(1, 1, .reverted)
        #expect(await bench.reconciler.inspector.status().hold?.reason == .probe)
        // Not tried again and again: each time would cut traffic.
        #expect(await bench.reconciler.hasFailedApply == false)
        await bench.reconciler.configurationChanged(
            Self.guarded(2, Self.probes), origin: .directory)
        #expect(bench.prober.asked.count == 1)
        let next = try bench.restarted()
        await next.reconciler.start(Self.guarded(2, Self.probes))
        try await next.expectInForce(1, 1, .reverted)
        // But when it is said.
        #expect(await next.reconciler.applied(Self.guarded(2, Self.probes)).outcome == .applied)
        try await next.expectInForce(2, 2)
    }

    @Test func aForcedApplyTriesNoProbe() async throws {
        let bench = try await Bench.holding(1)
        bench.prober.fail([443, 444])
        let report = await bench.reconciler.applied(
            Self.guarded(2, Self.probes), Request(isForced: true))
        #expect(report.outcome == .applied)
        #expect(bench.prober.asked == [])
    }

    @Test func aFailedProbeConfirmsNothing() async throws {
        let bench = try await Self.pending()
        bench.prober.fail([443])
        #expect(await bench.reconciler.applied(Self.guarded(3, Self.probes)).outcome == .failed)
        try await bench.expectInForce(2, 2, .pendingConfirmation)
        bench.clock.advance(by: .seconds(60))
        await bench.reconciler.keepDeadlines()
        try await expectReverted(bench, to: 1, 1)
    }

    @Test func theFirstApplyWhoseProbeFailsLeavesNothing() async throws {
        let bench = try Bench()
        bench.prober.fail([443])
        await bench.reconciler.start(Self.guarded(1, Self.probes))
        #expect(await bench.state() == .reverted)
        #expect(await bench.kernel.state == NfTables())
    }
}
