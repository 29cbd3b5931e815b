internal import LinuxSystem

/// Elements at an interval, the first after one interval, until the task is cancelled.
struct Ticks: AsyncSequence, AsyncIteratorProtocol {
    private let interval: Duration
    private let clock: TimerClock

    init(every interval: Duration, by clock: TimerClock) {
        self.interval = interval
        self.clock = clock
    }

    func next() async -> Void? {
        do {
            try await clock.sleep(for: interval)
            return ()
        } catch {
            return nil  // cancelled
        }
    }

    func makeAsyncIterator() -> Ticks { self }
}
