internal import Synchronization

/// One timer that is set or not: setting it again keeps the earlier deadline, so that timers never
/// multiply.
final class PendingTimer: Sendable {
    private struct Pending {
        var deadline: ContinuousClock.Instant
        var task: Task<Void, any Error>
    }

    private let pending = Mutex<Pending?>(nil)

    /// Calls `body` once after `delay`, unless it is set for an earlier moment already.
    func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void) {
        let deadline = ContinuousClock.now + delay
        pending.withLock { pending in
            if let pending, pending.deadline <= deadline { return }
            pending?.task.cancel()
            let task = Task {
                try await Task.sleep(until: deadline)
                self.clear(deadline)
                body()
            }
            pending = Pending(deadline: deadline, task: task)
        }
    }

    private func clear(_ deadline: ContinuousClock.Instant) {
        pending.withLock { pending in
            if pending?.deadline == deadline { pending = nil }
        }
    }
}

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

/// A value that several tasks see.
final class Shared<Value: Sendable>: Sendable {
    private let stored: Mutex<Value>

    init(_ value: Value) { stored = Mutex(value) }

    var value: Value {
        get { stored.withLock { $0 } }
        set { stored.withLock { $0 = newValue } }
    }
}
