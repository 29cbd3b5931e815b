package import LinuxSystem
internal import Logging
package import Reports
internal import Ruleset
internal import Site

/// Says what is known, to whoever asks or watches.
extension Reconciler {
    /// The generation in force.
    package var generationInForce: Generation? { current }

    /// Whether the kernel is not known to hold what is to be in force, so that it should be checked
    /// again soon.
    package var isOutOfSync: Bool { overview.kernelProblem != nil }

    /// Whether a configuration that is correct could not be put in force, so that it should be tried
    /// again.
    package var hasFailedApply: Bool { overview.failedApply != nil }

    // MARK: Shadows

    /// Looks at other programs' tables. May be called at any time: it changes nothing.
    package func lookForShadows() async {
        do {
            let found = try await kernel.kernel.foreignTables(
                compiled: current?.ruleset.tableIDs ?? [])
            note {
                $0.foreign = found
                $0.shadowProblem = nil
            }
        } catch {
            // Once, however often it is tried again; what was seen last is told until then.
            if overview.shadowProblem != "\(error)" {
                log.warning("can't read other tables: \(error)")
            }
            note { $0.shadowProblem = "\(error)" }
        }
    }

    /// Takes note of why samples of refusals are not heard; nil where they are, or none are wanted.
    /// May be called at any time.
    package func noteSampling(problem: String?) { note { $0.samplingProblem = problem } }

    /// - Parameter problem: why the file for monitoring can't be written; nil where it can.
    package func noteMetricsFile(problem: String?) { note { $0.metricsProblem = problem } }

    /// Takes note of why the configuration's files are not watched but compared; nil where they are
    /// watched. May be called at any time.
    package func noteWatching(limit: WatchLimit?) {
        guard let limit else {
            log.notice("the configuration's files are watched again")
            note { $0.watchProblem = nil }
            return
        }
        let delay = PatientDirectoryWatch.interval.components.seconds
        let problem =
            "changes of the configuration's files are noticed up to \(delay) s late, since they can't be watched: \(limit)"
        if overview.watchProblem != problem { log.warning("\(problem)") }
        note { $0.watchProblem = problem }
    }

    /// Takes note of files of the configuration that are not taken up yet, each with the reason. May be
    /// called at any time.
    package func note(waitingFor files: [String]) {
        if overview.awaitedFiles != files { note { $0.awaitedFiles = files } }
    }

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
            kind, time: .now, message: message, state: state, generation: current?.number,
            process: process, pid: pid, shadow: shadow)
    }

    /// Tells the differences from the state that was told last. The state is no line of the log:
    /// the event that changed it is one.
    func tellStateAndShadows() {
        let state = state
        if let last = told.state, last != state {
            journal.publish(event(.state, "\(last.rawValue) became \(state.rawValue)"))
        }
        told.state = state
        let shadows = overview.shadows
        for found in shadows where !told.shadows.contains(where: found.isSame) {
            tell(.shadowFound, .warning, found.warning, shadow: found)
        }
        for gone in told.shadows where !shadows.contains(where: gone.isSame) {
            tell(.shadowGone, .notice, "\(gone.place) shadows us no more", shadow: gone)
        }
        told.shadows = shadows
        let warning = overview.translationWarning
        if let warning, warning != told.translations { log.warning("\(warning)") }
        told.translations = warning
    }

    /// The agent ends; the rules stay.
    package func announceEnd(_ message: String) { tell(.stopping, .notice, message) }

    /// The events from now on, after one that says how it stands.
    package func events() -> (present: Event, following: Journal.Events) {
        let following = journal.events()
        return (event(.present, overview.presentWords), following)
    }

    /// As it stands at this moment of an operation.
    private var state: StatusReport.State {
        overview.record = ledger.record
        return overview.state()
    }

    var generationMetadata: Logger.Metadata {
        ["generation": current.map { "\($0.number)" } ?? "none"]
    }

    func report(
        _ outcome: ApplyReport.Outcome, _ changes: [RowChange], _ compilation: Compilation,
        problem: String? = nil
    ) -> ApplyReport {
        ApplyReport(
            outcome: outcome, generation: current?.number, changes: changes,
            diagnostics: compilation.diagnostics, problem: problem)
    }
}
