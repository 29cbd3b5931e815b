import KernelFake
import Logging
import Reports
import Ruleset
import Testing

@testable import Enforcement

/// What a boot restores before the agent runs.
@Suite struct RestorationTests {
    /// Restores into an empty kernel, and expects the state directory to stay as it is.
    func restore(_ bench: Bench) async throws -> (number: Int?, kernel: Bench) {
        let kernel = FakeKernel()
        let before = try bench.directory.bytes(of: "standing.json")
        let names = try bench.directory.names("generations")
        let number = try await Restoration(
            kernel: kernel, store: GenerationStore(directory: bench.directory.path),
            clock: bench.clock, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ).run()
        #expect(try bench.directory.bytes(of: "standing.json") == before)
        #expect(try bench.directory.names("generations") == names)
        return (number, try Bench(bench.directory, kernel: kernel, clock: bench.clock))
    }

    @Test func theGenerationInForceComesBack() async throws {
        let bench = try await Bench.holding(1, 2)
        let (number, next) = try await restore(bench)
        #expect(number == 2)
        await next.expectKernel(try generation(2, 2).stamped)
        // The agent finds it and does nothing.
        await next.kernel.forgetCommits()
        await next.reconciler.start(configuration(2))
        try await next.expectInForce(2, 2)
        #expect(await next.kernel.commits == [])
    }

    @Test func aPinnedOneToo() async throws {
        let bench = try await Bench.holding(1, 2)
        _ = await bench.reconciler.rolledBack(to: 1)
        #expect(try await restore(bench).number == 1)
    }

    @Test(arguments: [false, true])
    func whatIsNotConfirmedDoesNot(_ isSameBoot: Bool) async throws {
        let bench = try await ConfirmTests.pending()
        if !isSameBoot { bench.clock.reboot() }
        let (number, next) = try await restore(bench)
        #expect(number == (isSameBoot ? 2 : 1))
        await next.reconciler.start(configuration(2))
        try await next.expectInForce(
            isSameBoot ? 2 : 1, isSameBoot ? 2 : 1,
            isSameBoot ? .pendingConfirmation : .reverted)
    }

    @Test func whatIsOverdueDoesNot() async throws {
        let bench = try await ConfirmTests.pending()
        bench.clock.advance(by: .seconds(60))
        #expect(try await restore(bench).number == 1)
    }

    @Test func nothingComesBackAfterAFlush() async throws {
        let bench = try await Bench.holding(1)
        _ = await bench.reconciler.flushed()
        let (number, next) = try await restore(bench)
        #expect(number == nil)
        #expect(await next.kernel.commits == [])
    }

    @Test func aDamagedOneIsReplacedByAnOlderOne() async throws {
        let bench = try await Bench.holding(1, 2, 3)
        try bench.directory.write([0], to: "generations/3.json")
        #expect(try await restore(bench).number == 2)
    }

    @Test func whereNothingCanBeReadOrCommittedItFails() async throws {
        let bench = try await Bench.holding(1)
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let kernel = FakeKernel()
        await kernel.failCommits(.refuse)
        let store = GenerationStore(directory: bench.directory.path)
        await #expect(throws: ApplyFailure.self) {
            try await Restoration(kernel: kernel, store: store, clock: bench.clock, log: log).run()
        }
        try bench.directory.write([0], to: "generations/1.json")
        let error = await #expect(throws: ApplyFailure.self) {
            try await Restoration(
                kernel: FakeKernel(), store: store, clock: bench.clock, log: log
            ).run()
        }
        #expect(error?.description.contains("1.json is damaged") == true)
    }
}
