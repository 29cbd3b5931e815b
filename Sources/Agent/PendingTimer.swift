internal import LinuxSystem

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
