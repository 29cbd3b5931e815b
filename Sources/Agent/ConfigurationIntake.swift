internal import Configuration
internal import LinuxSystem
internal import Site
internal import Synchronization

/// Decides when what is in the configuration directory is whole enough to be taken up.
///
/// An event of creation tells that a file begins: it is taken up after its writer closed it. A name
/// that vanishes is waited for, since editors make it anew. Where no event told that a file is
/// whole (at the start, after events were lost, on file systems that others write) it must have
/// been unchanged for a while. A change that no event tells of at all is read again now and then,
/// and compared.
final class ConfigurationIntake: Sendable {
    /// How long a file must have been unchanged where events don't tell.
    static let unchanged = Duration.seconds(2)
    /// How often is compared where no event tells of changes: with the time above within 15 seconds.
    static let comparison = Duration.seconds(10)

    /// Why is looked.
    enum Cause: Sendable {
        /// Something happened, or may have.
        case event
        /// Nothing did, as far as is known.
        case comparison
        /// Somebody wants it taken up again.
        case request
    }

    enum Outcome: Sendable {
        case whole(Reading)
        /// The directory holds what was taken up last.
        case same
        /// Something is to be waited for, and will be told: what, in words.
        case waiting([String])
    }

    /// This is to be taken up, if it is still there then.
    struct Reading: Sendable {
        fileprivate let reading: ConfigurationReading
        fileprivate let seen: DirectoryState
        let loaded: LoadedConfiguration
    }

    private struct State: Sendable {
        var taken: ConfigurationReading?
        /// The result of it.
        var loaded: LoadedConfiguration?
        /// How many events there had been then.
        var events: Int?
        /// A change that no event told of, and since when it is there.
        var candidate: (reading: ConfigurationReading, since: ContinuousClock.Instant)?
    }

    private let directory: ConfigurationDirectory
    private let watch: PatientDirectoryWatch
    private let state = Mutex(State())
    private let comparisons = PendingTimer()
    private let waits = PendingTimer()
    private let wake: @Sendable () -> Void

    /// - Parameter wake: called when it is time to look again.
    init(
        _ directory: ConfigurationDirectory, watch: PatientDirectoryWatch,
        wake: @escaping @Sendable () -> Void
    ) {
        self.directory = directory
        self.watch = watch
        self.wake = wake
    }

    /// The configuration that was taken up last; nil before.
    var loaded: LoadedConfiguration? { state.withLock { $0.loaded } }

    /// Reads the directory, and says whether that may be taken up.
    func look(because cause: Cause) -> Outcome {
        if state.withLock({ $0.taken?.isToldByEvents == false }) { watch.follow() }
        let seen = watch.look()
        guard seen.unclosed.isEmpty else { return .waiting(seen.unclosed.map(unclosedWords)) }
        if let awaited = seen.awaited {
            look(after: awaited.time)
            return .waiting(awaited.names.map(vanishedWords))
        }
        let state = state.withLock { $0 }
        if cause == .event, seen.events == state.events { return .same }
        let reading = directory.read()
        compareLater(reading)
        if cause == .comparison, let taken = state.taken, reading.isSame(as: taken) {
            watch.took(seen)
            self.state.withLock { state in
                state.events = seen.events
                state.candidate = nil
            }
            return .same
        }
        // An incomplete one is refused anyway.
        if reading.isComplete {
            let doubtful = reading.changes(from: state.taken).filter { change in
                !seen.told.contains(change.name) && change.file?.isOld != true
            }
            if !doubtful.isEmpty, let left = timeToBelieve(reading) {
                look(after: left)
                return .waiting(doubtful.map { doubtWords($0.name) })
            }
        }
        return .whole(Reading(reading: reading, seen: seen, loaded: reading.loaded()))
    }

    /// Makes what was read the one that was taken up; false where it may have been half, since it was
    /// written meanwhile. Then there is to be looked again, and will be.
    func take(_ reading: Reading) -> Bool {
        let now = watch.look()
        guard now.tears == reading.seen.tears, now.unclosed.isEmpty else {
            look(after: .milliseconds(200))
            return false
        }
        take(reading.reading, reading.loaded, reading.seen)
        return true
    }

    /// The configuration as it is now, whole or not: as somebody asks for it. It warns of files
    /// that were not closed.
    func asItIs() -> Reading {
        let seen = watch.look()
        let reading = directory.read()
        return Reading(
            reading: reading, seen: seen, loaded: reading.loaded(unclosed: seen.unclosed))
    }

    /// Makes that the one that was taken up.
    func takeAsItIs(_ reading: Reading) {
        take(reading.reading, reading.loaded, reading.seen)
        compareLater(reading.reading)
    }

    private func take(
        _ reading: ConfigurationReading, _ loaded: LoadedConfiguration, _ seen: DirectoryState
    ) {
        watch.took(seen)
        state.withLock { state in
            state = State(taken: reading, loaded: loaded, events: seen.events)
        }
    }

    /// How long the very same is to be there until it is believed; nil where it was.
    private func timeToBelieve(_ reading: ConfigurationReading) -> Duration? {
        let now = ContinuousClock.now
        return state.withLock { state in
            if let candidate = state.candidate, candidate.reading.isSame(as: reading) {
                let left = Self.unchanged - (now - candidate.since)
                return left > .zero ? left : nil
            }
            state.candidate = (reading, now)
            return Self.unchanged
        }
    }

    private func look(after delay: Duration) { waits.schedule(after: delay, wake) }

    private func compareLater(_ reading: ConfigurationReading) {
        if !reading.isToldByEvents { comparisons.schedule(after: Self.comparison, wake) }
    }

    private func unclosedWords(_ name: [UInt8]) -> String {
        "\(directory.path(of: name)) is being written, and not closed since: nothing in the directory is taken up until it is; pexip-fwctl apply takes up what is there"
    }

    private func vanishedWords(_ name: [UInt8]) -> String {
        "\(directory.path(of: name)) has just vanished, and may come again as by an editor: the directory is taken up when no file has vanished for a second"
    }

    private func doubtWords(_ name: [UInt8]) -> String {
        "\(directory.path(of: name)) has just changed, and nothing tells that it is whole: the directory is taken up when it was unchanged for \(Self.unchanged.components.seconds) s; pexip-fwctl apply takes up what is there"
    }
}

extension ConfigurationReading.File {
    /// Whether it was unchanged for long enough, by its own time. One that lies ahead says nothing.
    fileprivate var isOld: Bool {
        WallTime.now - modified >= ConfigurationIntake.unchanged
    }
}
