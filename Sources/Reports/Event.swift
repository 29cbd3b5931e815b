package import Ruleset

/// Something that happened, as `Monitor` tells it.
package struct Event: Hashable, Sendable, Codable {
    /// The words that monitors and their scripts know.
    package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        /// How it stands when somebody begins to watch.
        case present
        case applied
        /// The applied generation is taken back unless it is confirmed in time.
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

    /// Decides which of the optional values there are.
    package var kind: Kind
    /// When it happened, by the wall clock.
    package var time: Timestamp
    /// For people.
    package var message: String
    /// The state afterwards.
    package var state: StatusReport.State
    /// The generation in force afterwards.
    package var generation: Int?
    /// The name of the process that changed our tables, where it is about that.
    package var process: String?
    /// The process's id; nil where it is about no change, or notifications were lost.
    package var pid: Int32?
    /// The chain that was found or is gone; nil for all other kinds.
    package var shadow: Shadow?
    /// So many events before this one were not delivered because they were not read in time.
    package var lost: Int?

    /// Events that were lost before it are counted when it is delivered: see ``lost``.
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
