internal import Synchronization

extension AsyncStream where Element: Sendable & Hashable {
    /// Turns each burst of elements into one event, which holds the burst's different elements in
    /// the order of their first arrival.
    ///
    /// The event comes when nothing has arrived for `quiet`, and at latest `longest` after the
    /// burst's first element. When this stream ends, what is held back is delivered first. Ends
    /// when its consumer's task is cancelled or drops it.
    package func settled<C: Clock>(
        quiet: Duration, longest: Duration, clock: C = ContinuousClock()
    ) -> AsyncStream<[Element]> where C.Duration == Duration, Self: Sendable {
        AsyncStream<[Element]> { output in
            let burst = PendingBurst<Element, C>(quiet: quiet, longest: longest, clock: clock)
            let pump = Task {
                await withDiscardingTaskGroup { group in
                    for await element in self where burst.add(element) {
                        group.addTask {
                            if let elements = await burst.whenSettled() { output.yield(elements) }
                        }
                    }
                    group.cancelAll()
                    if let elements = burst.take() { output.yield(elements) }
                }
                output.finish()
            }
            output.onTermination = { _ in pump.cancel() }
        }
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
