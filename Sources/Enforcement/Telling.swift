internal import Deployment
internal import Logging
package import Ruleset

/// Says what is known, to whoever asks or watches.
extension Reconciler {
    // MARK: What is known

    /// All generations that were in force and are stored, ascending; those that can't be read are
    /// left out.
    package func generations() throws(StoreError) -> [Generation] { try ledger.generations() }

    /// The generation in force.
    package var generationInForce: Generation? { current }

    /// Whether the kernel is not known to hold what is to be in force, or flows may go on that it
    /// does not permit, so that it should be checked again soon.
    package var isOutOfSync: Bool { kernelProblem != nil || revocation.problem != nil }

    /// Whether a configuration that is correct could not be put in force, so that it should be tried
    /// again.
    package var hasFailedApply: Bool { failedApply != nil }

    /// The counters of our tables; empty where they can't be read.
    package func counters() async -> [String: StatusReport.CounterReport] {
        do {
            return Traffic(try await kernel.kernel.observe(compiled: tableNames)).counters
        } catch {
            log.warning("can't read the counters: \(error)")
            return [:]
        }
    }

    /// Of the tables that are to be in force.
    var tableNames: Set<String> { current?.ruleset.tableNames ?? [] }

    /// One line for the service manager and the log, without a look at the kernel.
    package var summary: String {
        var line = state().rawValue
        if let current {
            line += ", generation \(current.number)"
            let names = current.nodes.map(\.name)
            line +=
                names.count > Self.namesInSummary
                ? ", \(names.count.counted("node"))" : names.map { ", \($0)" }.joined()
        }
        if let problem = problem() { line += ": \(problem)" }
        return line
    }

    private static let namesInSummary = 5

    /// All that keeps the state from being as it should be, in words.
    private func problem(unreadable: String? = nil) -> String? {
        let obstacle = failedApply == nil ? ledger.obstacle : nil
        // What keeps the kernel from being read has often made the others fail: once is enough.
        let problems = [failedApply, kernelProblem, revocation.problem, unreadable, obstacle]
            .compactMap { $0 }
            .reduce(into: [String]()) { told, problem in
                if !told.contains(where: { $0.contains(problem) }) { told.append(problem) }
            }
        return problems.isEmpty ? ledger.problem?.text : problems.joined(separator: "; ")
    }

    package func status() async -> StatusReport { report(on: await observation()) }

    /// Our tables as the kernel holds them, or why they can't be read.
    func observation() async -> Result<[ObservedTable], any Error> {
        do {
            return .success(try await kernel.kernel.observe(compiled: tableNames))
        } catch {
            return .failure(error)
        }
    }

    /// Waits for nothing, so that what is told belongs together.
    func report(on observation: Result<[ObservedTable], any Error>) -> StatusReport {
        var traffic = Traffic([])
        var unreadable: String?
        switch observation {
        case .success(let tables): traffic = Traffic(tables)
        case .failure(let error): unreadable = "\(error)"
        }
        let standing = ledger.standing
        let shadows = shadows
        return StatusReport(
            state: state(isReadable: unreadable == nil), generation: current?.number,
            confirmedGeneration: current == nil
                ? nil : standing.map(\.confirmed) ?? current?.number,
            pending: standing?.pending.map {
                StatusReport.PendingReport(
                    deadline: $0.deadline.time,
                    secondsLeft: max(0, Int($0.deadline.left(by: clock).components.seconds)),
                    fallback: $0.fallback)
            }, hold: standing?.hold.map(StatusReport.HoldReport.init),
            generationCreated: current?.created,
            generationOrigin: current?.origin, changedFiles: current?.changedFiles,
            mode: current?.mode,
            nodes: (current?.nodes ?? []).map {
                StatusReport.NodeStatus(node: $0, dropped: traffic.dropped($0))
            },
            counters: traffic.counters, countersSince: current == nil ? nil : tablesMade,
            warnings: traffic.warnings + shadows.warnings + foreign.lookalikes.warnings
                + [translationWarning].compactMap { $0 }
                + (shadowProblem.map { ["other tables can't be read: \($0)"] } ?? [])
                + (samplingProblem.map { ["refusals are not sampled: \($0)"] } ?? [])
                + [metricsProblem].compactMap { $0 },
            shadows: shadows, diagnostics: configuration.diagnostics,
            problem: problem(unreadable: unreadable), drift: drift.report, agent: identity)
    }

    func state(isReadable: Bool = true) -> StatusReport.State {
        StatusReport.State(
            StatusReport.State.Facts(
                hasGeneration: current != nil,
                hasProblem: failedApply != nil || kernelProblem != nil
                    || revocation.problem != nil || !isReadable
                    || ledger.problem?.isHealed == false || ledger.isUnrecorded
                    || ledger.obstacle != nil,
                isPending: ledger.standing?.pending != nil, hold: ledger.standing?.hold?.reason,
                isWrong: configuration.diagnostics.contains { $0.severity == .error },
                isEmpty: configuration.isEmpty))
    }

    // MARK: Shadows

    /// Looks at other programs' tables. May be called at any time: it changes nothing.
    package func lookForShadows() async {
        do {
            foreign = try await kernel.kernel.foreignTables(compiled: tableNames)
            shadowProblem = nil
        } catch {
            // Once, however often it is tried again; what was seen last is told until then.
            if shadowProblem != "\(error)" { log.warning("can't read other tables: \(error)") }
            shadowProblem = "\(error)"
        }
        if !isBusy { tellStateAndShadows() }
    }

    /// What was last seen of other tables that concerns what is in force.
    package var shadows: [Shadow] { foreign.shadows.concerning(current) }

    /// What others' tables do that answers must be tracked for and are not; nil where there is
    /// nothing.
    var translationWarning: String? {
        guard let current, !current.ruleset.isGateway, current.mediaTracking ?? .auto == .auto
        else { return nil }
        return foreign.translations.concerning(current.families).warning
    }

    /// Takes note of why samples of refusals are not heard; nil where they are, or none are wanted.
    /// May be called at any time.
    package func noteSampling(problem: String?) { samplingProblem = problem }

    // MARK: Telling

    /// Logs what happened and tells it to watchers; call when the state is as it is to be told.
    func tell(
        _ kind: Event.Kind, _ level: Logger.Level, _ message: String, process: String? = nil,
        pid: Int32? = nil, shadow: Shadow? = nil, metadata: Logger.Metadata = [:]
    ) {
        var metadata = metadata
        metadata["generation"] = generationMetadata["generation"]
        if let process { metadata["process"] = "\(process)" }
        journal.tell(
            event(kind, message, process: process, pid: pid, shadow: shadow), level: level,
            metadata: metadata)
    }

    func event(
        _ kind: Event.Kind, _ message: String, process: String? = nil, pid: Int32? = nil,
        shadow: Shadow? = nil
    ) -> Event {
        Event(
            kind, message: message, state: state(), generation: current?.number,
            process: process, pid: pid, shadow: shadow)
    }

    /// Says what differs from what was said last. The state is no line of the log: what changed it
    /// is one.
    func tellStateAndShadows() {
        let state = state()
        if let last = told.state, last != state {
            journal.publish(event(.state, "\(last.rawValue) became \(state.rawValue)"))
        }
        told.state = state
        let shadows = shadows
        for found in shadows where !told.shadows.contains(where: found.isSame) {
            tell(.shadowFound, .warning, found.warning, shadow: found)
        }
        for gone in told.shadows where !shadows.contains(where: gone.isSame) {
            tell(.shadowGone, .notice, "\(gone.place) shadows us no more", shadow: gone)
        }
        told.shadows = shadows
        let warning = translationWarning
        if let warning, warning != told.translations { log.warning("\(warning)") }
        told.translations = warning
    }

    /// The agent ends; the rules stay.
    package func announceEnd(_ message: String) { tell(.stopping, .notice, message) }

    /// What happens from now on, after an event that says how it stands.
    package func events() -> (present: Event, following: Journal.Events) {
        let following = journal.events()
        return (event(.present, presentWords), following)
    }

    var presentWords: String {
        [failedApply, kernelProblem].compactMap { $0 }.first
            ?? current.map { "generation \($0.number) is in force" } ?? "nothing is enforced"
    }

    var generationMetadata: Logger.Metadata {
        ["generation": current.map { "\($0.number)" } ?? "none"]
    }

    func report(
        _ outcome: ApplyReport.Outcome, _ changes: [RowChange], _ compilation: Compilation,
        _ revocation: Revocation? = nil, problem: String? = nil
    ) -> ApplyReport {
        ApplyReport(
            outcome: outcome, generation: current?.number, changes: changes,
            diagnostics: compilation.diagnostics, endedFlows: revocation?.ended,
            problem: problem ?? revocation?.problem)
    }
}
