import Synchronization
import TestSupport
import Testing

@testable import LinuxSystem

@Suite(.timeLimit(.minutes(10))) struct TimerClockTests {
    private let clock = TimerClock()

    @Test(arguments: [Duration?.none, .zero, .milliseconds(20)])
    func noSleepEndsBeforeItsTime(tolerance: Duration?) async throws {
        // The pool's threads may be held by other tests.
        let time = try await withTaskExecutorPreference(QueueTaskExecutor(label: "test")) {
            let start = clock.now
            for _ in 0..<10 {
                let before = clock.now
                try await clock.sleep(for: .milliseconds(5), tolerance: tolerance)
                #expect(clock.now - before >= .milliseconds(5))
            }
            return clock.now - start
        }
        // Late only by what the machine and the tolerance cost.
        #expect(time < .seconds(20))
    }

    @Test(arguments: [Duration.zero, .seconds(-1), .seconds(-1 << 40)])
    func whatHasPassedIsNotWaitedFor(time: Duration) async throws {
        let slept = try await withTaskExecutorPreference(QueueTaskExecutor(label: "test")) {
            let start = clock.now
            try await clock.sleep(until: start.advanced(by: time))
            return clock.now - start
        }
        #expect(slept < .seconds(20))
    }

    @Test func aTaskThatIsCancelledAlreadyDoesNotSleep() async {
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await clock.sleep(for: .seconds(3600))
        }
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    /// With times that dispatch can't count too.
    @Test(arguments: [Duration.seconds(3600), .seconds(1 << 40), .seconds(Int64.max / 4)])
    func cancellingEndsAnySleep(time: Duration) async {
        let sleeps = (0..<1_000).map { _ in Task { try await clock.sleep(for: time) } }
        for sleep in sleeps { sleep.cancel() }
        for sleep in sleeps {
            await #expect(throws: CancellationError.self) { try await sleep.value }
        }
    }

    /// A sleep that ended twice would end the process.
    @Test func cancellingWhenTheTimeHasComeEndsASleepOnce() async throws {
        let sleeps = (0..<2_000).map { number in
            Task { try await clock.sleep(for: .microseconds(number)) }
        }
        for sleep in sleeps {
            try await clock.sleep(for: .zero)
            sleep.cancel()
        }
        for sleep in sleeps {
            do {
                try await sleep.value
            } catch {
                #expect(error is CancellationError)
            }
        }
    }

    @Test func cancellingAfterwardsChangesNothing() async throws {
        let sleep = Task {
            try await clock.sleep(for: .milliseconds(1))
            return true
        }
        #expect(try await sleep.value)
        sleep.cancel()
        #expect(try await sleep.value)
    }

    @Test func manySleepAtOnceEachForItsOwnTime() async throws {
        let late = try await withThrowingTaskGroup { group in
            for number in 0..<5_000 {
                group.addTask { [clock] in
                    let time = Duration.milliseconds(number * 37 % 200)
                    let start = clock.now
                    try await clock.sleep(for: time)
                    return clock.now - start - time
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(late.count == 5_000)
        #expect(try #require(late.min()) >= .zero)
    }

    enum End: CaseIterable { case time, cancelled, cancelledBefore }

    @Test(arguments: End.allCases) func nothingIsLeftOfASleep(end: End) async throws {
        weak var sleeper: Sleeper?
        var held: Sleeper? = Sleeper()
        sleeper = held
        if end == .cancelledBefore { held?.wake(.failure(CancellationError())) }
        do {
            try await withCheckedThrowingContinuation { continuation in
                held?.sleep(
                    for: end == .time ? .milliseconds(1) : .seconds(3600), tolerance: .zero,
                    continuation)
                if end == .cancelled { held?.wake(.failure(CancellationError())) }
            }
            #expect(end == .time)
        } catch is CancellationError {
            #expect(end != .time)
        }
        held = nil
        // Dispatch lets go of a cancelled timer a little later.
        #expect(try await waitSuspended { sleeper == nil })
    }
}
