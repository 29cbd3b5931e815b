package import Ruleset
package import Site

/// The agent's account of itself: the answer of the control protocol's `Status`, and with it the
/// documented JSON of `pexip-fwctl status --json`.
package struct StatusReport: Hashable, Sendable, Codable {
    /// How the kernel, the configuration and the state directory agree.
    package var state: State
    /// The generation in force; nil where nothing is.
    package var generation: Int?
    /// The newest generation that a boot would restore.
    package var confirmedGeneration: Int?
    /// Set while the generation in force waits for confirmation.
    package var pending: PendingReport?
    /// Why something else than what is configured is in force; nil where it is not.
    package var hold: HoldReport?
    /// When the generation in force was made; nil where nothing is in force.
    package var generationCreated: Timestamp?
    /// The cause of that generation; nil where nothing is in force.
    package var generationOrigin: Generation.Origin?
    /// The configuration's files in which that one differs from the generation before it; nil where
    /// that is not known.
    package var changedFiles: [String]?
    /// Whether refused packets are dropped or only counted; nil while nothing is in force.
    package var mode: Mode?
    /// Every node that the generation in force enforces; empty while nothing is in force.
    package var nodes: [NodeStatus]
    /// Of the tables in force, by name: a row's id, a site rule's id, or a reason for dropping.
    package var counters: [String: CounterReport]
    /// Since when they count: when our tables were made, or made anew. nil where that was before the
    /// agent started, or nothing is in force.
    package var countersSince: Timestamp?
    /// In words: findings in the kernel that need an administrator, and files of the configuration
    /// that are not taken up yet because they are being written.
    package var warnings: [String]
    /// Chains of other tables that may cut what is permitted; ``warnings`` has them in words.
    package var shadows: [Shadow]
    /// Of the configuration as it was read last, whether it was applied or not.
    package var diagnostics: [Diagnostic]
    /// Why the state is `degraded`: what the kernel or the last failed apply ran into. In another
    /// state, damage of the state directory that was found at the start and is healed.
    package var problem: String?
    /// Since the agent started, without its own changes.
    package var drift: Drift
    /// Tells one agent's answers from those of the one after it.
    package var agent: AgentIdentity

    package init(
        state: State, generation: Int? = nil, confirmedGeneration: Int? = nil,
        pending: PendingReport? = nil, hold: HoldReport? = nil,
        generationCreated: Timestamp? = nil, generationOrigin: Generation.Origin? = nil,
        changedFiles: [String]? = nil, mode: Mode? = nil, nodes: [NodeStatus],
        counters: [String: CounterReport], countersSince: Timestamp? = nil, warnings: [String],
        shadows: [Shadow], diagnostics: [Diagnostic], problem: String? = nil, drift: Drift,
        agent: AgentIdentity
    ) {
        self.state = state
        self.generation = generation
        self.confirmedGeneration = confirmedGeneration
        self.pending = pending
        self.hold = hold
        self.generationCreated = generationCreated
        self.generationOrigin = generationOrigin
        self.changedFiles = changedFiles
        self.mode = mode
        self.nodes = nodes
        self.counters = counters
        self.countersSince = countersSince
        self.warnings = warnings
        self.shadows = shadows
        self.diagnostics = diagnostics
        self.problem = problem
        self.drift = drift
        self.agent = agent
    }

    /// The states in the words of the documented JSON.
    package enum State: String, Hashable, Sendable, Codable, CaseIterable {
        /// The kernel holds what the configuration says.
        case inSync = "in-sync"
        /// The kernel holds what the configuration says, but only until the deadline, where nobody
        /// confirms.
        case pendingConfirmation = "pending-confirmation"
        /// The kernel holds an older generation because `rollback` was said.
        case pinned
        /// The configuration's own generation was in force and was taken back: nobody confirmed in
        /// time, or a probe did not connect.
        case reverted
        /// The configuration is wrong; the last good generation is in force.
        case rejected
        /// The kernel could not be brought to, or kept at, the generation that is to be in force, or
        /// flows go on that it does not permit, or the state directory is damaged.
        case degraded
        /// Nothing was ever configured: nothing is enforced.
        case unconfigured
        /// `pexip-fwctl flush` took the tables away: nothing is enforced.
        case flushed

        /// Whether the kernel holds a generation that was asked for, by the configuration or by a
        /// command. `pexip-fwctl status` ends with success where it does.
        package var isHealthy: Bool {
            switch self {
            case .inSync, .pendingConfirmation, .pinned: true
            case .reverted, .rejected, .degraded, .unconfigured, .flushed: false
            }
        }
    }

    /// A generation that waits for `pexip-fwctl confirm`.
    package struct PendingReport: Hashable, Sendable, Codable {
        /// When it is taken back.
        package var deadline: Timestamp
        /// At the moment of the answer, never negative.
        package var secondsLeft: Int
        /// The generation that comes back; nil for none.
        package var fallback: Int?

        /// - Parameter fallback: the generation that comes back without confirmation; nil for none.
        package init(deadline: Timestamp, secondsLeft: Int, fallback: Int?) {
            self.deadline = deadline
            self.secondsLeft = secondsLeft
            self.fallback = fallback
        }
    }

    /// Keeps something else in force than the configuration says: an older generation, or none.
    package struct HoldReport: Hashable, Sendable, Codable {
        /// The command or the event that keeps it.
        package var reason: HoldReason
        /// In words: the generation that was taken back, and why; nil where a command holds it.
        package var explanation: String?

        /// - Parameter explanation: nil where a command holds it.
        package init(reason: HoldReason, explanation: String?) {
            self.reason = reason
            self.explanation = explanation
        }
    }

    /// A node with its refusals.
    package struct NodeStatus: Hashable, Sendable, Codable {
        /// As the generation in force has it.
        package var node: EnforcedNode
        /// The packets that were refused to and from the node.
        package var dropped: CounterReport

        /// - Parameter dropped: on a gateway of the node's own addresses, in local placement of
        ///   everything that the host refused.
        package init(node: EnforcedNode, dropped: CounterReport) {
            self.node = node
            self.dropped = dropped
        }
    }

    /// A counter's value, as the kernel counts; in `observe` mode refusals count packets that pass.
    package struct CounterReport: Hashable, Sendable, Codable {
        /// Since ``StatusReport/countersSince``.
        package var packets: UInt64
        /// Of the packets from their IP headers on.
        package var bytes: UInt64

        /// Without arguments: a counter that no packet advanced yet.
        package init(packets: UInt64 = 0, bytes: UInt64 = 0) {
            self.packets = packets
            self.bytes = bytes
        }
    }

    /// Changes of our tables that did not come from the agent.
    package struct Drift: Hashable, Sendable, Codable {
        /// Since the agent started.
        package var count: Int
        /// nil where there was none.
        package var last: Occurrence?

        /// - Parameters:
        ///   - count: since the agent started.
        ///   - last: nil where there was none.
        package init(count: Int, last: Occurrence? = nil) {
            self.count = count
            self.last = last
        }

        /// One change of our tables that somebody else made.
        package struct Occurrence: Hashable, Sendable, Codable {
            /// When the agent found it, not when it was made.
            package var time: Timestamp
            /// The name of the process that made the change, with its arguments where it still ran
            /// when they were read; "unknown" where notifications were lost.
            package var process: String
            /// nil where notifications were lost.
            package var pid: Int32?
            /// The differences that were found, at most ``shownDifferences`` of them.
            package var differences: [String]

            /// So many differences are told; a flushed table makes one for each rule.
            package static let shownDifferences = 5

            /// - Parameters:
            ///   - process: "unknown" where notifications were lost.
            ///   - pid: nil where notifications were lost.
            package init(time: Timestamp, process: String, pid: Int32?, differences: [String]) {
                self.time = time
                self.process = process
                self.pid = pid
                self.differences = differences
            }
        }
    }

    /// The agent's process, by which its users see that it was started anew.
    package struct AgentIdentity: Hashable, Sendable, Codable {
        /// As `pexip-fwd --version` prints it.
        package var version: String
        /// In the agent's own pid namespace.
        package var pid: Int32
        /// When the agent began, by the wall clock.
        package var started: Timestamp

        /// - Parameter pid: in the agent's own pid namespace.
        package init(version: String, pid: Int32, started: Timestamp) {
            self.version = version
            self.pid = pid
            self.started = started
        }
    }
}

extension StatusReport {
    /// The ``counters`` of what was refused.
    package var refusals: [(refusal: Refusal, value: CounterReport)] {
        counters.compactMap { id, value in
            if case .refusal(let refusal) = CounterPurpose(id: id) { (refusal, value) } else { nil }
        }
    }
}

/// Why something else than what is configured is in force.
package enum HoldReason: String, Hashable, Sendable, Codable, CaseIterable {
    /// `rollback` put an older generation in force.
    case rollback
    /// `flush` took our tables away.
    case flush
    /// Nobody confirmed in time, or before the host was started anew.
    case unconfirmed
    /// A probe did not connect.
    case probe
}

/// The outcome of an apply, a plan, a rollback or a flush.
package struct ApplyReport: Hashable, Sendable, Codable {
    /// The words of the documented JSON.
    package enum Outcome: String, Hashable, Sendable, Codable, CaseIterable {
        /// The kernel holds exactly that already.
        case unchanged
        case applied
        /// A plan: the kernel would take it, as far as it was asked.
        case wouldApply = "would-apply"
        /// The configuration is wrong; nothing was changed.
        case rejected
        /// It would cut the operator off; nothing was changed.
        case refused
        /// It could not be put in force; what was in force before still is.
        case failed
    }

    package var outcome: Outcome
    /// The generation in force afterwards.
    package var generation: Int?
    /// The rows that changed, or would, in the port model's words.
    package var changes: [RowChange]
    /// The nodes that join, leave or move, or would.
    package var nodes: [NodeChange] = []
    /// How the tables differ; nil where that was not asked for.
    package var tables: [TableChange]?
    /// Of the configuration that was read for it; empty where none was, as for a rollback.
    package var diagnostics: [Diagnostic]
    /// How many established flows were ended, or would be, because they are not permitted any more;
    /// nil where none was looked for.
    package var endedFlows: Int?
    /// Why it failed, and what that leaves in force; or, where it did not, why flows go on that
    /// are not permitted any more.
    package var problem: String?

    /// Node and table changes come later, by ``describe(from:to:withTables:)``.
    package init(
        outcome: Outcome, generation: Int?, changes: [RowChange] = [],
        diagnostics: [Diagnostic] = [], endedFlows: Int? = nil, problem: String? = nil
    ) {
        self.outcome = outcome
        self.generation = generation
        self.changes = changes
        self.diagnostics = diagnostics
        self.endedFlows = endedFlows
        self.problem = problem
    }
}

/// The tables in force: the answer of the control protocol's `Rules`.
package struct RulesReport: Hashable, Sendable, Codable {
    /// Sorted by name, without stamps.
    package var tables: [TableText]

    /// A table in nft's language.
    package struct TableText: Hashable, Sendable, Codable {
        /// Without its family, as `pexip_fw_gateway`.
        package var name: String
        /// As ``Table/text``, or a part of it where an answer comes in parts.
        package var text: String

        /// - Parameter text: in nft's language; a part of the table's where more parts follow.
        package init(name: String, text: String) {
            self.name = name
            self.text = text
        }
    }

    /// - Parameter tables: as they were compiled, not as the kernel lists them.
    package init(_ tables: [Table]) {
        self.tables = tables.map { TableText(name: $0.name, text: $0.text) }
    }

    /// Puts the parts of each table together, which follow each other.
    package init(joining parts: [TableText]) {
        tables = []
        for part in parts {
            if tables.last?.name == part.name {
                tables[tables.count - 1].text += part.text
            } else {
                tables.append(part)
            }
        }
    }
}

/// One line of the list of stored generations.
package struct GenerationSummary: Hashable, Sendable, Codable {
    /// Counts from 1, as ``Generation/number``.
    package var number: Int
    /// When it was compiled.
    package var created: Timestamp
    /// The cause of the apply that made it.
    package var origin: Generation.Origin
    /// The names of the nodes that it enforces.
    package var nodes: [String]

    /// Leaves out the rules and the configuration, which make most of a generation.
    package init(_ generation: Generation) {
        number = generation.number
        created = generation.created
        origin = generation.origin
        nodes = generation.nodes.map(\.name)
    }
}
