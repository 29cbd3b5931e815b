internal import LinuxSystem
internal import Synchronization

/// One timer that is set or not: setting it again keeps the earlier deadline, so that timers never
/// multiply.
final class PendingTimer: Sendable {
    private struct Pending {
        var deadline: ContinuousClock.Instant
        var body: @Sendable () -> Void
    }

    private let pending: Shared<Pending?>
    private let timer: DeadlineTimer

    init() {
        let pending = Shared<Pending?>(nil)
        self.pending = pending
        timer = DeadlineTimer {
            let passed = pending.withLock { pending -> Pending? in
                // A timer that is set anew may still tell of its former deadline.
                guard let set = pending, set.deadline <= .now else { return nil }
                pending = nil
                return set
            }
            passed?.body()
        }
    }

    /// Calls `body` once after `delay`, unless it is set for an earlier moment already.
    func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void) {
        let deadline = ContinuousClock.now + delay
        pending.withLock { pending in
            if let pending, pending.deadline <= deadline { return }
            pending = Pending(deadline: deadline, body: body)
            timer.set(deadline)
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

    func withLock<Success: Sendable>(_ body: (inout Value) -> Success) -> Success {
        stored.withLock { body(&$0) }
    }
}
