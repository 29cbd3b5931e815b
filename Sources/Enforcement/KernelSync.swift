internal import Reports
internal import Ruleset

/// Whether the kernel holds the rules that it is to hold, as far as is known, and how it is brought
/// back to them.
struct KernelSync: Sendable {
    /// So many repairs in a row may be changed again before they are read back.
    private static let mostInterferences = 8

    /// Set while the kernel is not known to hold them.
    private(set) var problem: String?
    /// The kernel did not take them when it was asked last.
    private(set) var isRefused = false
    /// When the kernel was last read and held what was wanted, since the host was started.
    private(set) var verified = Duration.zero
    /// When our tables were made, or made anew; nil where that was before the start.
    private(set) var tablesMade: Timestamp?
    /// When our tables began to note packets between nodes; nil where that was before the start.
    private(set) var pairsNoted: Timestamp?
    private(set) var drift = DriftLog()
    private var pace = RepairPace()
    /// The last repair failed, so that to do the same again may fail again.
    private var mustRebuild = false
    /// How many repairs in a row were not what was read back.
    private var interferences = 0

    // MARK: What is known

    /// The kernel was read back, and holds what was put there.
    ///
    /// - Parameters:
    ///   - madeTables: whether tables were made, or made anew, so that their counters began at zero.
    ///   - wasNoting: whether the tables before noted packets between nodes.
    mutating func wasVerified(
        madeTables: Bool, wasNoting: Bool, by clock: some HostClock
    ) {
        if madeTables { tablesMade = clock.now }
        if madeTables || !wasNoting { pairsNoted = clock.now }
        verified = clock.sinceBoot
    }

    /// The kernel holds what it should: from now on a difference is a new one.
    mutating func cameInSync() {
        problem = nil
        isRefused = false
        mustRebuild = false
        interferences = 0
        drift.isInSync()
    }

    /// The kernel may differ because of us.
    ///
    /// - Parameter isRefusal: the kernel was asked to hold the rules, and did not take them.
    mutating func fellOut(because problem: String, isRefusal: Bool = false) {
        self.problem = problem
        isRefused = isRefusal
        drift.ownTransactionFailed()
    }

    /// Nothing is known to be in force, and the kernel may hold something all the same.
    mutating func becameUnknown(because problem: String) { self.problem = problem }

    // MARK: Repairs

    /// The way in which the next repair is made.
    var repairManner: VerifiedKernel.Manner { mustRebuild ? .rebuild : .atOnce }

    /// The kernel was found to hold what it should.
    ///
    /// - Returns: whether it was not known to, before.
    mutating func foundInSync() -> Bool {
        defer { wasRepaired() }
        return problem != nil
    }

    /// The kernel was found to differ.
    ///
    /// - Parameter writer: the process that changed it just now; nil where none is known to have.
    /// - Returns: who is to be told of as its author.
    mutating func found(_ differences: [Difference], by writer: Reconciler.Writer?) -> String {
        drift.found(differences, by: writer)
        return writer?.process ?? drift.report.last?.process ?? "somebody"
    }

    /// How long the repair of what was found must wait, since somebody makes the same change again and
    /// again; nil where it may be made now, which counts it.
    mutating func delayBeforeRepair(
        of differences: [Difference], by who: String, at now: Duration
    ) -> Duration? {
        guard let delay = pace.delayBeforeRepair(of: differences, now: now) else { return nil }
        problem =
            "\(who) keeps changing our tables; the next repair is in \(delay.components.seconds) s"
        return delay
    }

    /// Takes a repair that failed for one that was made, and changed again before it was read back:
    /// that change is heard of next, and to replace the tables for it would cost packets.
    ///
    /// - Returns: false where it is to count as failed.
    mutating func takesForInterference(_ failure: ApplyFailure) -> Bool {
        guard failure.mayBeForeign, interferences < Self.mostInterferences else { return false }
        interferences += 1
        problem = failure.description
        return true
    }

    /// A repair was made, and read back.
    mutating func wasRepaired() {
        cameInSync()
        pace.succeeded()
    }

    /// - Returns: when to try again.
    mutating func repairFailed(_ failure: ApplyFailure) -> Duration {
        problem = failure.description
        mustRebuild = true
        return pace.delayAfterFailure()
    }
}
