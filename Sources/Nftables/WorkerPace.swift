internal import Netlink

/// How soon a request that ended its worker may be tried again, so that what no worker survives
/// never makes a loop of crashes.
struct WorkerPace {
    static let longestDelay = Duration.seconds(30)

    private var ends = 0
    private var last: (error: KernelError, until: ContinuousClock.Instant)?

    /// The next attempt may come at once, those after it 1, 2, 4 … 30 seconds later.
    mutating func ended(_ error: KernelError, now: ContinuousClock.Instant) {
        ends = min(ends + 1, 7)
        let delay = ends == 1 ? .zero : min(.seconds(1 << (ends - 2)), Self.longestDelay)
        last = (error, now + delay)
    }

    /// Why it may not be tried now: what happened the last time.
    func refusal(now: ContinuousClock.Instant) -> KernelError? {
        last.flatMap { now < $0.until ? $0.error : nil }
    }
}
