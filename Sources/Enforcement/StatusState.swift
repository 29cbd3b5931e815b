internal import Reports

extension StatusReport.State {
    /// The facts that the state follows from.
    struct Facts: Hashable, Sendable {
        /// The generation that is to be in force; nil before the first and after a flush.
        var hasGeneration = false
        /// The kernel differs, could not be read, or has flows that should have ended, or the last
        /// apply failed, or the state directory is damaged.
        var hasProblem = false
        /// The generation waits for confirmation.
        var isPending = false
        /// Why something else than what is configured is in force; nil where it is not.
        var hold: Hold.Reason?
        /// The configuration has errors.
        var isWrong = false
        /// The directory configures nothing at all.
        var isEmpty = false
    }

    /// The worst that is the case. A failure comes first, even after a flush; then the things that
    /// an administrator must do before anything changes.
    init(_ facts: Facts) {
        self =
            if facts.hasProblem {
                .degraded
            } else if facts.isPending {
                .pendingConfirmation
            } else if let hold = facts.hold,
                hold == .flush || hold == .rollback && !facts.hasGeneration
            {
                .flushed
            } else if facts.isEmpty, !facts.hasGeneration {
                .unconfigured
            } else if facts.isWrong || facts.isEmpty {
                .rejected
            } else {
                switch facts.hold {
                case .unconfirmed, .probe: .reverted
                case .rollback: .pinned
                case .flush: .flushed
                case nil: facts.hasGeneration ? .inSync : .unconfigured
                }
            }
    }
}
