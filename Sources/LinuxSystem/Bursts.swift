internal import Synchronization

extension AsyncStream where Element: Sendable & Hashable {
    /// Calls the body with each burst of elements: the different ones, in the order of their first
    /// arrival. For one consumer, which reads nothing else of this stream.
    ///
    /// The call comes when nothing has arrived for `quiet`, and at latest `longest` after the
    /// burst's first element. Returns when this stream has ended, after what was held back; or when
    /// the task is cancelled, without it.
    package func forEachBurst<C: Clock>(
        quiet: Duration, longest: Duration, clock: C,
        _ body: @escaping @Sendable ([Element]) -> Void
    ) async where C.Duration == Duration {
        let burst = PendingBurst<Element, C>(quiet: quiet, longest: longest, clock: clock)
        await withDiscardingTaskGroup { group in
            for await element in self where burst.add(element) {
                group.addTask {
                    if let elements = await burst.whenSettled() { body(elements) }
                }
            }
            group.cancelAll()
        }
        if !Task.isCancelled, let elements = burst.take() { body(elements) }
    }
}

/// The elements that wait for the burst to end.
private final class PendingBurst<Element: Hashable & Sendable, C: Clock>: Sendable
where C.Duration == Duration {
    private struct Held {
        var elements: [Element]
        let first: C.Instant
        var last: C.Instant
    }

    private let quiet: Duration
    private let longest: Duration
    private let clock: C
    private let held = Mutex<Held?>(nil)

    init(quiet: Duration, longest: Duration, clock: C) {
        self.quiet = quiet
        self.longest = longest
        self.clock = clock
    }

    /// True where the element starts a burst.
    func add(_ element: Element) -> Bool {
        let now = clock.now
        return held.withLock { held in
            guard var burst = held else {
                held = Held(elements: [element], first: now, last: now)
                return true
            }
            if !burst.elements.contains(element) { burst.elements.append(element) }
            burst.last = now
            held = burst
            return false
        }
    }

    func take() -> [Element]? {
        held.withLock { held in
            defer { held = nil }
            return held?.elements
        }
    }

    /// The burst once it is over; nil where the task was cancelled before.
    func whenSettled() async -> [Element]? {
        while let deadline = deadline {
            if deadline <= clock.now { return take() }
            do {
                try await clock.sleep(until: deadline, tolerance: nil)
            } catch {
                // Cancelled: whoever cancels takes the burst.
                return nil
            }
        }
        return nil
    }

    private var deadline: C.Instant? {
        held.withLock { held in
            held.map {
                min($0.last.advanced(by: quiet), $0.first.advanced(by: longest))
            }
        }
    }
}
