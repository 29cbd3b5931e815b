package import Reports
package import Ruleset
package import Site
internal import Synchronization

/// The agent's knowledge of its work at one moment: with the kernel's counts, everything that it
/// tells of itself belongs to one of these.
package struct Overview: Sendable {
    let identity: StatusReport.AgentIdentity
    /// The generation that the kernel is to hold; nil before the first and after a flush.
    package private(set) var generation: Generation?
    /// The deployment that ``generation`` was compiled from.
    package private(set) var deployment = DeploymentSource(nil)
    /// The generation's tables as they are to stand in the kernel, once they were needed.
    package var stamped: Ruleset?
    /// The state directory's record, and the damage to it.
    var record = Ledger.Record()
    /// The configuration as it was read last, whether it was applied or not.
    var configuration = Configuration()
    var drift = DriftLog()
    var measurements = Measurements()
    /// Why a configuration that is correct could not be put in force.
    var failedApply: String?
    /// Set while the kernel is not known to hold ``generation``.
    var kernelProblem: String?
    /// Of the flows that ``generation`` does not permit, the last time that they were looked for.
    var revocation = Revocation()
    /// When our tables were made, or made anew; nil where that was before the start.
    var tablesMade: Timestamp?
    /// When our tables began to note packets between nodes; nil where that was before the start.
    var pairsNoted: Timestamp?
    /// Other tables as they were seen last, whatever is in force.
    var foreign = ForeignTables()
    var shadowProblem: String?
    /// Why samples of refusals are not heard.
    var samplingProblem: String?
    /// Why changes of the configuration's files are noticed late.
    var watchProblem: String?
    /// Files of the configuration that are not taken up yet, each with the reason.
    var awaitedFiles: [String] = []
    /// Why the file for monitoring can't be written.
    var metricsProblem: String?

    struct Configuration {
        var diagnostics: [Diagnostic] = []
        var digest = ""
        var isEmpty = false
    }

    init(identity: StatusReport.AgentIdentity) { self.identity = identity }

    /// From now on the kernel is to hold a generation, or none.
    ///
    /// - Parameter deployment: the one that it was compiled from, where that is known.
    mutating func hold(_ generation: Generation?, from deployment: Deployment? = nil) {
        if generation?.number != self.generation?.number { revocation = Revocation() }
        self.generation = generation
        self.generation?.resolveRows()
        stamped = nil
        self.deployment = DeploymentSource(generation, deployment)
    }

    /// The generation needs no confirmation any more.
    mutating func confirm() { generation?.isProvisional = false }
}

/// The deployment that a generation was compiled from, read from its files when somebody asks for
/// it, and once.
package final class DeploymentSource: Sendable {
    private enum State {
        case unread(Generation)
        case known(Result<Deployment, RefusedFiles>)
    }

    private let state: Mutex<State>

    init(_ generation: Generation?, _ deployment: Deployment? = nil) {
        state = Mutex(
            deployment.map { .known(.success($0)) } ?? generation.map { .unread($0) }
                ?? .known(.failure(.none)))
    }

    /// Fails where nothing is in force, or this version refuses the files.
    package var value: Result<Deployment, RefusedFiles> {
        state.withLock { state in
            switch state {
            case .known(let deployment): return deployment
            case .unread(let generation):
                let deployment = generation.deployment
                state = .known(deployment)
                return deployment
            }
        }
    }
}

// MARK: In words

extension Overview {
    private static let namesInSummary = 5

    /// Whether the kernel is not known to hold what is to be in force, or flows may go on that it
    /// does not permit, so that it should be checked again soon.
    package var isOutOfSync: Bool { kernelProblem != nil || hasRefusedFlows }

    /// Whether flows may go on that the generation in force does not permit.
    package var hasRefusedFlows: Bool { revocation.problem != nil }

    /// One line for the service manager and the log, without a look at the kernel.
    package var summary: String {
        var line = state().rawValue
        if let generation {
            line += ", generation \(generation.number)"
            let names = generation.nodes.map(\.name)
            line +=
                names.count > Self.namesInSummary
                ? ", \(names.count.counted("node"))" : names.map { ", \($0)" }.joined()
        }
        if let problem = problem() { line += ": \(problem)" }
        return line
    }

    /// All that keeps the state from being as it should be, in words.
    private func problem(unreadable: String? = nil) -> String? {
        let obstacle = failedApply == nil ? record.obstacle : nil
        // The obstacle to reading the kernel has often made the others fail: once is enough.
        let problems = [failedApply, kernelProblem, revocation.problem, unreadable, obstacle]
            .compactMap { $0 }
            .reduce(into: [String]()) { told, problem in
                if !told.contains(where: { $0.contains(problem) }) { told.append(problem) }
            }
        return problems.isEmpty ? record.problem?.text : problems.joined(separator: "; ")
    }

    var presentWords: String {
        [failedApply, kernelProblem].compactMap { $0 }.first
            ?? generation.map { "generation \($0.number) is in force" } ?? "nothing is enforced"
    }

    /// Chains of other tables that packets come by which the generation judges.
    package var shadows: [Shadow] { foreign.shadows.concerning(generation) }

    /// The warning of others' tables that translate sources while answers to these are not tracked;
    /// nil where there is nothing to warn of.
    var translationWarning: String? {
        guard let generation, !generation.ruleset.placement.facts.tracksMedia,
            generation.mediaTracking ?? .auto == .auto
        else { return nil }
        return foreign.translations.concerning(generation.families).warning
    }

    func state(isReadable: Bool = true) -> StatusReport.State {
        StatusReport.State(
            StatusReport.State.Facts(
                hasGeneration: generation != nil,
                hasProblem: failedApply != nil || isOutOfSync || !isReadable
                    || record.problem?.isHealed == false || record.isUnrecorded
                    || record.obstacle != nil,
                isPending: record.standing?.pending != nil,
                hold: record.standing?.hold?.reason,
                isWrong: configuration.diagnostics.contains { $0.severity == .error },
                isEmpty: configuration.isEmpty))
    }

    /// - Parameters:
    ///   - counts: the kernel's counts in our tables, or why they can't be read.
    ///   - clock: tells how much of the time to confirm in is left.
    func report(
        on counts: Result<[ObservedTable], any Error>, by clock: some HostClock
    ) -> StatusReport {
        var traffic = Traffic([])
        var unreadable: String?
        switch counts {
        case .success(let tables): traffic = Traffic(tables)
        case .failure(let error): unreadable = "\(error)"
        }
        let standing = record.standing
        let shadows = shadows
        return StatusReport(
            state: state(isReadable: unreadable == nil), generation: generation?.number,
            confirmedGeneration: generation == nil
                ? nil : standing.map(\.confirmed) ?? generation?.number,
            pending: standing?.pending.map {
                StatusReport.PendingReport(
                    deadline: $0.deadline.time,
                    secondsLeft: max(0, Int($0.deadline.left(by: clock).components.seconds)),
                    fallback: $0.fallback)
            }, hold: standing?.hold.map(StatusReport.HoldReport.init),
            generationCreated: generation?.created,
            generationOrigin: generation?.origin, changedFiles: generation?.changedFiles,
            mode: generation?.mode,
            nodes: (generation?.nodes ?? []).map {
                StatusReport.NodeStatus(node: $0, dropped: traffic.dropped($0))
            },
            counters: traffic.counters, countersSince: generation == nil ? nil : tablesMade,
            warnings: traffic.warnings + shadows.warnings + foreign.lookalikes.warnings
                + [translationWarning].compactMap { $0 }
                + (shadowProblem.map { ["other tables can't be read: \($0)"] } ?? [])
                + (samplingProblem.map { ["refusals are not sampled: \($0)"] } ?? [])
                + awaitedFiles + [watchProblem, metricsProblem].compactMap { $0 },
            shadows: shadows, diagnostics: configuration.diagnostics,
            problem: problem(unreadable: unreadable), drift: drift.report, agent: identity)
    }
}
