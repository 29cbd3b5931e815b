internal import Logging
package import Reports
internal import Ruleset

/// The facts that watchers know already, so that each difference is told once.
struct Announcements: Sendable {
    private var state: StatusReport.State?
    private var shadows: [Shadow] = []
    private var translationWarning: String?

    /// What is to be told.
    struct News {
        /// The state that watchers knew, where it is another one now.
        fileprivate(set) var formerState: StatusReport.State?
        fileprivate(set) var foundShadows: [Shadow] = []
        fileprivate(set) var goneShadows: [Shadow] = []
        /// Where it is another one than before.
        fileprivate(set) var translationWarning: String?
    }

    /// The differences from what was told last; from now on, that is known.
    mutating func news(
        state: StatusReport.State, shadows: [Shadow], translationWarning: String?
    ) -> News {
        var news = News()
        if let known = self.state, known != state { news.formerState = known }
        news.foundShadows = shadows.filter { !self.shadows.contains(where: $0.isSame) }
        news.goneShadows = self.shadows.filter { !shadows.contains(where: $0.isSame) }
        if translationWarning != self.translationWarning {
            news.translationWarning = translationWarning
        }
        self.state = state
        self.shadows = shadows
        self.translationWarning = translationWarning
        return news
    }
}

extension Reconciler {
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

    private func event(
        _ kind: Event.Kind, _ message: String, process: String? = nil, pid: Int32? = nil,
        shadow: Shadow? = nil
    ) -> Event {
        Event(
            kind, time: .now, message: message, state: overview.state(),
            generation: current?.number, process: process, pid: pid, shadow: shadow)
    }

    /// Tells the differences from what was told last. The state is no line of the log: the event that
    /// changed it is one.
    func tellNews(_ overview: Overview) {
        let state = overview.state()
        let news = announcements.news(
            state: state, shadows: overview.shadows,
            translationWarning: overview.translationWarning)
        if let former = news.formerState {
            journal.publish(event(.state, "\(former.rawValue) became \(state.rawValue)"))
        }
        for found in news.foundShadows {
            tell(.shadowFound, .warning, found.warning, shadow: found)
        }
        for gone in news.goneShadows {
            tell(.shadowGone, .notice, "\(gone.place) shadows us no more", shadow: gone)
        }
        if let warning = news.translationWarning { log.warning("\(warning)") }
    }

    /// The agent ends; the rules stay.
    package func announceEnd(_ message: String) { tell(.stopping, .notice, message) }

    /// The events from now on, after one that says how it stands.
    package func events() -> (present: Event, following: Journal.Events) {
        let following = journal.events()
        return (event(.present, overview.presentWords), following)
    }

    var generationMetadata: Logger.Metadata {
        ["generation": current.map { "\($0.number)" } ?? "none"]
    }
}
