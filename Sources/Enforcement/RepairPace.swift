/// Slows repairs down where somebody makes the same change again and again, so that a fight never
/// becomes a busy loop.
struct RepairPace: Sendable {
    /// So many repairs within ``window`` are made at once.
    static let burst = 20
    static let window = Duration.seconds(10)
    static let longestDelay = Duration.seconds(30)

    /// Times since the host was started.
    private var repairs: [Duration] = []
    private var failures = 0

    /// nil where the repair may be made now, which counts it.
    mutating func delayBeforeRepair(now: Duration) -> Duration? {
        repairs.removeAll { $0 + Self.window < now }
        guard repairs.count >= Self.burst else {
            repairs.append(now)
            return nil
        }
        return repairs[0] + Self.window - now + .seconds(1)
    }

    /// 1, 2, 4 … 30 seconds.
    mutating func delayAfterFailure() -> Duration {
        failures = min(failures + 1, 6)
        return min(.seconds(1 << (failures - 1)), Self.longestDelay)
    }

    mutating func succeeded() { failures = 0 }
}
