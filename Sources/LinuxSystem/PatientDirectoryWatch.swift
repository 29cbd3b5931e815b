internal import Synchronization

/// A ``DirectoryWatch`` that goes on where the kernel's limits forbid to watch: until it can, files are
/// compared now and then.
package final class PatientDirectoryWatch: Sendable {
    /// How often files are compared, and watching is tried again.
    package static let interval = Duration.seconds(15)

    /// As ``DirectoryWatch/changes``, for one consumer.
    package let changes: AsyncStream<DirectoryChange>
    private let continuation: AsyncStream<DirectoryChange>.Continuation
    private let path: String
    private let make: @Sendable () throws(SystemError) -> DirectoryWatch

    private struct State {
        var watch: DirectoryWatch?
        var limit: WatchLimit?
        /// As it was when nothing was watched any more.
        var summary: DirectorySummary?
        /// Of all that watched before; each change of what watches counts as an event, and each look
        /// where nothing does, since it may see something else.
        var earlier = Counts()
    }

    /// Of a ``DirectoryState``.
    private struct Counts {
        var events = 0
        var tears = 0
    }

    private let state: Mutex<State>

    /// When this returns, every later change is noticed, sooner or later.
    ///
    /// - Parameter make: watches the directory at the path; called again where limits forbade it.
    /// - Throws: where it can't be watched for another reason.
    package init(
        path: String, _ make: @escaping @Sendable () throws(SystemError) -> DirectoryWatch
    ) throws(SystemError) {
        self.path = path
        self.make = make
        (changes, continuation) = AsyncStream.makeStream(
            of: DirectoryChange.self, bufferingPolicy: .bufferingNewest(64))
        var state = State()
        do throws(SystemError) {
            state.watch = try make()
        } catch {
            guard let limit = WatchLimit(error) else { throw error }
            state.limit = limit
            state.summary = DirectorySummary(of: path)
        }
        self.state = Mutex(state)
    }

    /// The watch now; nil while files are compared.
    package var watch: DirectoryWatch? { state.withLock { $0.watch } }

    /// As ``DirectoryWatch/look()``; while files are compared, nothing is known of them.
    package func look() -> DirectoryState {
        let (watch, earlier) = state.withLock { state in
            if state.watch == nil { state.earlier.events += 1 }
            return (state.watch, state.earlier)
        }
        guard let watch else {
            return DirectoryState(
                unclosed: [], awaited: nil, told: [], events: earlier.events, tears: earlier.tears)
        }
        var seen = watch.look()
        seen.events += earlier.events
        seen.tears += earlier.tears
        return seen
    }

    /// As ``DirectoryWatch/follow()``.
    package func follow() { watch?.follow() }

    /// As ``DirectoryWatch/took(_:)``.
    package func took(_ seen: DirectoryState) {
        let (watch, earlier) = state.withLock { ($0.watch, $0.earlier) }
        var seen = seen
        seen.events -= earlier.events
        watch?.took(seen)
    }

    /// Tells changes until it is cancelled, or nothing more will be noticed.
    ///
    /// - Parameter note: called with why nothing is watched, and with nil when it is again.
    package func run(
        by clock: TimerClock, note: @escaping @Sendable (WatchLimit?) async -> Void
    ) async {
        defer { continuation.finish() }
        while !Task.isCancelled {
            let (watch, limit) = state.withLock { ($0.watch, $0.limit) }
            if let watch {
                guard await follow(watch) else { return }
            } else if let limit {
                await note(limit)
                guard await compareUntilWatching(by: clock) else { return }
                await note(nil)
            }
        }
    }

    /// - Returns: false where nothing more will be noticed.
    private func follow(_ watch: DirectoryWatch) async -> Bool {
        for await change in watch.changes {
            if case .failed(let error) = change, let limit = WatchLimit(error) {
                // A change from here on is seen when the files are compared; what happened before
                // may have been missed.
                let summary = DirectorySummary(of: path)
                let last = watch.look()
                state.withLock { state in
                    let earlier = Counts(
                        events: state.earlier.events + last.events + 1,
                        tears: state.earlier.tears + last.tears + 1)
                    state = State(limit: limit, summary: summary, earlier: earlier)
                }
                continuation.yield(.overflow)
                return true
            }
            continuation.yield(change)
        }
        return false
    }

    private func compareUntilWatching(by clock: TimerClock) async -> Bool {
        while true {
            do {
                try await clock.sleep(for: Self.interval)
            } catch {
                return false  // cancelled
            }
            var watch: DirectoryWatch?
            var limit: WatchLimit?
            do throws(SystemError) {
                // Before the files are compared, so that nothing falls between.
                watch = try make()
            } catch {
                limit = WatchLimit(error)
                if limit == nil {
                    continuation.yield(.failed(error))
                    return false
                }
            }
            let summary = DirectorySummary(of: path)
            let isOther = state.withLock { [watch, limit] state in
                defer {
                    let earlier = Counts(
                        events: state.earlier.events + 1, tears: state.earlier.tears)
                    state = State(
                        watch: watch, limit: limit, summary: summary, earlier: earlier)
                }
                return state.summary != summary
            }
            if isOther { continuation.yield(.contents) }
            if watch != nil { return true }
        }
    }
}
