internal import Metrics
internal import Reports

/// The agent's work since it started, for monitoring: no count here ever becomes less.
struct Measurements: Sendable {
    /// The fate of a foreign change that was found.
    enum Repair: String, CaseIterable, Sendable {
        case repaired
        case failed
        /// Somebody makes the same change again and again, so that the repair waits.
        case postponed
    }

    private(set) var applies: [ApplyReport.Outcome: Int] = [:]
    private(set) var rollbacks: [Hold.Reason: Int] = [:]
    private(set) var repairs: [Repair: Int] = [:]
    private(set) var endedFlows = 0
    /// When a configuration was last put in force, or found to be; nil where none was.
    private(set) var lastSuccess: Timestamp?
    private(set) var applyDurations = DurationHistogram()
    private(set) var repairDurations = DurationHistogram()

    /// - Parameter duration: until the kernel was known to hold it; of no meaning where nothing
    ///   was applied.
    mutating func tookUp(
        _ outcome: ApplyReport.Outcome, in duration: Duration, at time: Timestamp
    ) {
        applies[outcome, default: 0] += 1
        guard outcome == .applied || outcome == .unchanged else { return }
        lastSuccess = time
        if outcome == .applied { applyDurations.record(duration) }
    }

    mutating func wentBack(because reason: Hold.Reason) { rollbacks[reason, default: 0] += 1 }

    mutating func found(_ repair: Repair) { repairs[repair, default: 0] += 1 }

    /// - Parameter duration: from the notification until the kernel was known to be as it should.
    mutating func repaired(in duration: Duration) {
        found(.repaired)
        repairDurations.record(duration)
    }

    mutating func ended(_ flows: Int) { endedFlows += flows }
}
