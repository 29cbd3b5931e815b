package import Ruleset

/// Something that happened, as `Monitor` tells it.
package struct Event: Hashable, Sendable, Codable {
    package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        /// How it stands when somebody begins to watch.
        case present
        case applied
        /// What was applied is taken back unless it is confirmed in time.
        case pending
        case confirmed
        /// Nobody confirmed: what was in force before is again.
        case reverted
        case rejected
        /// It would have cut the operator's own session.
        case refused
        case failed
        /// An apply was taken back because it cut a probe's connection.
        case probeFailed = "probe-failed"
        case rolledBack = "rolled-back"
        case flushed
        /// A foreign change was undone, or what was missing put back.
        case repaired
        /// Somebody makes the same change again and again.
        case fight
        case outOfSync = "out-of-sync"
        case inSync = "in-sync"
        /// The state is another one.
        case state
        case shadowFound = "shadow-found"
        case shadowGone = "shadow-gone"
        case stopping
    }

    package var kind: Kind
    package var time: Timestamp
    /// For people.
    package var message: String
    /// The state afterwards.
    package var state: StatusReport.State
    /// The generation in force afterwards.
    package var generation: Int?
    /// Who changed our tables, where it is about that.
    package var process: String?
    package var pid: Int32?
    package var shadow: Shadow?
    /// So many events before this one were not delivered because they were not read in time.
    package var lost: Int?

    package init(
        _ kind: Kind, time: Timestamp, message: String, state: StatusReport.State,
        generation: Int?, process: String? = nil, pid: Int32? = nil, shadow: Shadow? = nil
    ) {
        self.kind = kind
        self.time = time
        self.message = message
        self.state = state
        self.generation = generation
        self.process = process
        self.pid = pid
        self.shadow = shadow
    }
}
