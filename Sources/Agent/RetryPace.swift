internal import Synchronization

/// Growing delays between attempts: 1, 2, 4 … 64 seconds.
final class RetryPace: Sendable {
    private let attempts = Mutex(0)

    func next() -> Duration {
        attempts.withLock { attempts in
            defer { attempts = min(attempts + 1, 6) }
            return .seconds(1 << attempts)
        }
    }

    func reset() { attempts.withLock { $0 = 0 } }
}
