package import Reports

/// The generation that is to be in force, and why: the part of the agent's state that outlives it.
///
///     configured ──apply with a time to confirm──▶ pending ──confirm──▶ configured
///         │                                          │ deadline, reboot
///         │ rollback, flush, failed probe            ▼
///         └────────────────────────────────────────▶ held ──apply, another configuration──▶ …
package struct Standing: Hashable, Sendable, Codable {
    /// The generation that the kernel is to hold; nil for none.
    package var generation: Int?
    /// The highest number that was ever in force. A stored generation above it was left behind by
    /// an apply that was killed or failed.
    package var newest: Int
    /// Why it is not what the configuration says; nil where it is.
    package var hold: Hold?
    /// Set while the generation waits for confirmation.
    package var pending: Pending?

    /// - Parameters:
    ///   - hold: set where `generation` is not what the configuration says.
    ///   - pending: set where `generation` waits for confirmation.
    package init(generation: Int?, newest: Int, hold: Hold? = nil, pending: Pending? = nil) {
        self.generation = generation
        self.newest = newest
        self.hold = hold
        self.pending = pending
    }

    /// The generation that a boot restores, and that is in force where nobody confirms; nil for
    /// none.
    package var confirmed: Int? { pending.map(\.fallback) ?? generation }

    /// The pending generation is lost, and the one in force now is held against it.
    mutating func endPending(
        because explanation: String = "the generation that waited for confirmation is damaged"
    ) {
        guard let pending else { return }
        hold = Hold(
            .unconfirmed, against: pending.configurationDigest, explanation: explanation)
        self.pending = nil
    }
}

/// Something else than the configuration is in force, until the configuration changes or `apply` is
/// said.
package struct Hold: Hashable, Sendable, Codable {
    /// Reports tell the same reasons.
    package typealias Reason = HoldReason

    /// The event that put something else in force.
    package var reason: Reason
    /// Digest of the configuration that is not in force.
    package var against: String
    /// For people: the thing that was taken back, and why; nil where it was commanded.
    package var explanation: String?

    /// Bytes of an explanation, which may name many probes.
    static let longestExplanation = 16_384

    /// - Parameters:
    ///   - against: digest of the configuration that is not in force.
    ///   - explanation: shortened where it is too long to be stored.
    package init(_ reason: Reason, against: String, explanation: String? = nil) {
        self.reason = reason
        self.against = against
        // With the mark of what was left out.
        self.explanation = explanation?.shortened(to: Self.longestExplanation - 8)
    }
}

extension StatusReport.HoldReport {
    /// The hold without the digest, which only the agent compares.
    package init(_ hold: Hold) { self.init(reason: hold.reason, explanation: hold.explanation) }
}

/// A generation that is taken back unless somebody confirms it.
package struct Pending: Hashable, Sendable, Codable {
    /// When it is taken back. A restart of the host ends the time as well.
    package var deadline: Deadline
    /// The generation that comes back; nil for none.
    package var fallback: Int?
    /// Digest of the configuration that is pending.
    package var configurationDigest: String
}

/// A moment that a restart of the agent, or of the host, does not move.
package struct Deadline: Hashable, Sendable, Codable {
    /// The boot that ``sinceBoot`` counts from: once it has ended, so has the time.
    package var bootID: String
    /// Milliseconds from the host's start.
    package var milliseconds: Int64
    /// By the wall clock as it was, for people.
    package var time: Timestamp

    /// The moment this long after the clock's now.
    package init(after duration: Duration, by clock: some HostClock) {
        bootID = clock.bootID
        milliseconds = (clock.sinceBoot + duration).milliseconds
        time = Timestamp(seconds: clock.now.seconds + duration.components.seconds)
    }

    /// The time that is left; zero or less where it has passed, or the host was started anew.
    package func left(by clock: some HostClock) -> Duration {
        guard clock.bootID == bootID else { return .zero }
        return .milliseconds(milliseconds) - clock.sinceBoot
    }
}

extension Duration {
    fileprivate var milliseconds: Int64 {
        components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000
    }
}
