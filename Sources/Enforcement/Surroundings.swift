package import LinuxSystem
internal import Logging
internal import Reports
internal import Ruleset

/// What is noticed beside the rules, at any time: warnings tell of it, and nothing waits for it.
struct Surroundings: Sendable {
    /// Work beside the rules that may be impossible.
    enum Work {
        case readingForeignTables
        case samplingRefusals
        case watchingFiles
        case writingMetrics
    }

    /// Other tables as they were seen last, whatever is in force.
    private(set) var foreign = ForeignTables()
    /// Files of the configuration that are not taken up yet, each with the reason.
    private(set) var awaitedFiles: [String] = []
    /// Why work can't be done, in words.
    private(set) var problems: [Work: String] = [:]

    mutating func saw(_ tables: ForeignTables) {
        foreign = tables
        problems[.readingForeignTables] = nil
    }

    mutating func awaits(_ files: [String]) { awaitedFiles = files }

    /// - Parameter problem: nil where the work is done.
    mutating func note(_ problem: String?, of work: Work) { problems[work] = problem }

    /// Beside those of the tables themselves, in the order in which they are told.
    var warnings: [String] {
        (problems[.readingForeignTables].map { ["other tables can't be read: \($0)"] } ?? [])
            + (problems[.samplingRefusals].map { ["refusals are not sampled: \($0)"] } ?? [])
            + awaitedFiles
            + [problems[.watchingFiles], problems[.writingMetrics]].compactMap(\.self)
    }
}

extension Reconciler {
    /// Looks at other programs' tables. May be called at any time: it changes nothing.
    package func lookForShadows() async {
        do {
            let names = current?.ruleset.tableIDs ?? []
            let found = try await kernel.kernel.foreignTables(compiled: names)
            surroundings.saw(found)
        } catch {
            // Once, however often it is tried again; what was seen last is told until then.
            if surroundings.problems[.readingForeignTables] != "\(error)" {
                log.warning("can't read other tables: \(error)")
            }
            surroundings.note("\(error)", of: .readingForeignTables)
        }
        publishUnlessBusy()
    }

    /// Takes note of why samples of refusals are not heard; nil where they are, or none are wanted.
    /// May be called at any time.
    package func noteSampling(problem: String?) { note(problem, of: .samplingRefusals) }

    /// - Parameter problem: why the file for monitoring can't be written; nil where it can.
    package func noteMetricsFile(problem: String?) { note(problem, of: .writingMetrics) }

    /// Takes note of why the configuration's files are not watched but compared; nil where they are
    /// watched. May be called at any time.
    package func noteWatching(limit: WatchLimit?) {
        guard let limit else {
            log.notice("the configuration's files are watched again")
            note(nil, of: .watchingFiles)
            return
        }
        let delay = PatientDirectoryWatch.interval.components.seconds
        let problem =
            "changes of the configuration's files are noticed up to \(delay) s late, since they can't be watched: \(limit)"
        if surroundings.problems[.watchingFiles] != problem { log.warning("\(problem)") }
        note(problem, of: .watchingFiles)
    }

    /// Takes note of files of the configuration that are not taken up yet, each with the reason. May be
    /// called at any time.
    package func note(waitingFor files: [String]) {
        if surroundings.awaitedFiles == files { return }
        surroundings.awaits(files)
        publishUnlessBusy()
    }

    private func note(_ problem: String?, of work: Surroundings.Work) {
        surroundings.note(problem, of: work)
        publishUnlessBusy()
    }
}
