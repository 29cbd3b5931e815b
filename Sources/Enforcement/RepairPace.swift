internal import Ruleset

/// Slows repairs down where somebody makes the same change again and again, so that a fight never
/// becomes a busy loop. Changes that differ are repaired at once, however many there are.
struct RepairPace: Sendable {
    /// So many repairs within ``window``, all of the same few changes, are a fight.
    static let burst = 20
    static let window = Duration.seconds(10)
    /// Two tools may take turns, and a tool may have a few steps.
    static let fewChanges = 3
    static let longestDelay = Duration.seconds(30)

    private struct Repair {
        /// Since the host was started.
        var time: Duration
        var change: Int
    }

    /// The last ``burst`` ones.
    private var repairs: [Repair] = []
    private var failures = 0

    /// nil where the repair may be made now, which counts it.
    mutating func delayBeforeRepair(of differences: [Difference], now: Duration) -> Duration? {
        repairs.removeAll { $0.time + Self.window < now }
        let isFight =
            repairs.count == Self.burst && Set(repairs.map(\.change)).count <= Self.fewChanges
        if isFight { return repairs[0].time + Self.window - now + .seconds(1) }
        if repairs.count == Self.burst { repairs.removeFirst() }
        repairs.append(Repair(time: now, change: Set(differences).hashValue))
        return nil
    }

    /// 1, 2, 4 … 30 seconds.
    mutating func delayAfterFailure() -> Duration {
        failures = min(failures + 1, 6)
        return min(.seconds(1 << (failures - 1)), Self.longestDelay)
    }

    mutating func succeeded() { failures = 0 }
}
