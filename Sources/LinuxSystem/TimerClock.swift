@preconcurrency internal import Dispatch
internal import Synchronization

/// A clock that wakes from a serial queue, and never from Swift's pool, as `Task.sleep` does
/// (``QueueTaskExecutor`` tells why that matters).
///
/// It stands still while the host sleeps, as timers of dispatch do.
package struct TimerClock: Clock {
    package typealias Instant = SuspendingClock.Instant

    package init() {}

    package var now: Instant { .now }
    package var minimumResolution: Duration { .nanoseconds(1) }

    /// - Throws: `CancellationError` as soon as the task is cancelled.
    package func sleep(until deadline: Instant, tolerance: Duration? = nil) async throws {
        let sleeper = Sleeper()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                sleeper.sleep(for: deadline - now, tolerance: tolerance ?? .zero, continuation)
            }
        } onCancel: {
            sleeper.wake(.failure(CancellationError()))
        }
    }
}

/// One sleep, which its timer or its cancellation ends, whichever comes first.
final class Sleeper: Sendable {
    private enum State {
        case notYet
        case asleep(CheckedContinuation<Void, any Error>, any DispatchSourceTimer)
        case over
    }

    private let state = Mutex(State.notYet)

    func sleep(
        for time: Duration, tolerance: Duration,
        _ continuation: CheckedContinuation<Void, any Error>
    ) {
        let isCancelled = state.withLock { state in
            guard case .notYet = state else { return true }
            let timer = DispatchSource.makeTimerSource(queue: DeadlineTimer.sharedQueue)
            // Keeps this alive until the timer is cancelled.
            timer.setEventHandler { @Sendable in self.wake(.success(())) }
            timer.schedule(
                deadline: .now() + DispatchTimeInterval(time),
                leeway: DispatchTimeInterval(tolerance))
            timer.activate()
            state = .asleep(continuation, timer)
            return false
        }
        if isCancelled { continuation.resume(throwing: CancellationError()) }
    }

    func wake(_ result: Result<Void, any Error>) {
        let before = state.withLock { state in
            defer { state = .over }
            return state
        }
        guard case .asleep(let continuation, let timer) = before else { return }
        timer.cancel()
        continuation.resume(with: result)
    }
}

extension DispatchTimeInterval {
    /// None where it has passed already; as long as dispatch can count where it is longer.
    init(_ duration: Duration) {
        let (seconds, attoseconds) = max(.zero, duration).components
        let (nanoseconds, isTooLong) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isLonger) = nanoseconds.addingReportingOverflow(attoseconds / 1_000_000_000)
        self = .nanoseconds(isTooLong || isLonger ? .max : Int(sum))
    }
}
