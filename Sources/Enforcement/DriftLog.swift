internal import Reports
internal import Ruleset

/// Counts foreign changes, each once: looking again at what is still out of order finds nothing new.
struct DriftLog: Sendable {
    private(set) var report = StatusReport.Drift(count: 0, last: nil)
    /// By what the kernel calls the process.
    private(set) var origins = CountsByName()
    /// The differences that are accounted for already.
    private var accounted = Accounted.differences([])

    /// The name of a process that is not known.
    private static let unknown = "unknown"

    private enum Accounted {
        case differences(Set<Difference>)
        /// Our own transaction failed half way, so nobody else needs to have done anything.
        case anything
    }

    /// The kernel was found to differ.
    ///
    /// - Parameter writer: the process that changed it just now; nil where none is known to have.
    mutating func found(_ differences: [Difference], by writer: Reconciler.Writer?) {
        if writer == nil {
            switch accounted {
            case .anything: return
            case .differences(let known) where known.isSuperset(of: differences): return
            case .differences: break
            }
        }
        accounted = .differences(Set(differences))
        report.count += 1
        origins.count(writer?.name ?? Self.unknown)
        report.last = StatusReport.Drift.Occurrence(
            time: .now, process: writer?.process ?? Self.unknown, pid: writer?.pid,
            differences: differences.prefix(StatusReport.Drift.Occurrence.shownDifferences).map(
                \.description))
    }

    /// The kernel holds what it should: from now on a difference is a new one.
    mutating func isInSync() { accounted = .differences([]) }

    /// The kernel may differ because of us.
    mutating func ownTransactionFailed() { accounted = .anything }
}
