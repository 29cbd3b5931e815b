package import Reports
package import Ruleset
internal import Site

/// The agent's knowledge of its work at one moment: with the kernel's counts, everything that it
/// tells of itself belongs to one of these.
package struct Overview: Sendable {
    let identity: StatusReport.AgentIdentity
    let desired: DesiredRules
    let sync: KernelSync
    let configuration: LatestConfiguration
    let surroundings: Surroundings
    let measurements: Measurements
    /// The state directory's record, and the damage to it.
    let record: Ledger.Record

    /// The generation that the kernel is to hold; nil before the first and after a flush.
    package var generation: Generation? { desired.generation }
    /// The deployment that ``generation`` was compiled from.
    package var deployment: DeploymentSource { desired.deployment }
    /// The generation's tables as they are to stand in the kernel, once they were needed.
    package var stamped: Ruleset? { desired.stamped }
}

// MARK: In words

extension Overview {
    private static let namesInSummary = 5

    /// Whether the kernel is not known to hold what is to be in force, or flows may go on that it
    /// does not permit, so that it should be checked again soon.
    package var isOutOfSync: Bool { sync.problem != nil || hasRefusedFlows }

    /// Whether flows may go on that the generation in force does not permit.
    package var hasRefusedFlows: Bool { desired.revocation.problem != nil }

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
        let failure = configuration.failure
        let obstacle = failure == nil ? record.obstacle : nil
        // The obstacle to reading the kernel has often made the others fail: once is enough.
        let problems = [failure, sync.problem, desired.revocation.problem, unreadable, obstacle]
            .compactMap { $0 }
            .reduce(into: [String]()) { told, problem in
                if !told.contains(where: { $0.contains(problem) }) { told.append(problem) }
            }
        return problems.isEmpty ? record.problem?.text : problems.joined(separator: "; ")
    }

    var presentWords: String {
        [configuration.failure, sync.problem].compactMap { $0 }.first
            ?? generation.map { "generation \($0.number) is in force" } ?? "nothing is enforced"
    }

    /// Chains of other tables that packets come by which the generation judges.
    package var shadows: [Shadow] { surroundings.foreign.shadows.concerning(generation) }

    /// The warning of others' tables that translate sources while answers to these are not tracked;
    /// nil where there is nothing to warn of.
    var translationWarning: String? {
        guard let generation, !generation.ruleset.placement.facts.tracksMedia,
            generation.mediaTracking ?? .auto == .auto
        else { return nil }
        return surroundings.foreign.translations.concerning(generation.families).warning
    }

    func state(isReadable: Bool = true) -> StatusReport.State {
        StatusReport.State(
            StatusReport.State.Facts(
                hasGeneration: generation != nil,
                hasProblem: configuration.failure != nil || isOutOfSync || !isReadable
                    || record.problem?.isHealed == false || record.isUnrecorded
                    || record.obstacle != nil,
                isPending: record.standing?.pending != nil,
                hold: record.standing?.hold?.reason,
                isWrong: configuration.isWrong,
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
            counters: traffic.counters, countersSince: generation == nil ? nil : sync.tablesMade,
            warnings: traffic.warnings + shadows.warnings
                + surroundings.foreign.lookalikes.warnings
                + [translationWarning].compactMap { $0 } + surroundings.warnings,
            shadows: shadows, diagnostics: configuration.diagnostics,
            problem: problem(unreadable: unreadable), drift: sync.drift.report, agent: identity)
    }
}
