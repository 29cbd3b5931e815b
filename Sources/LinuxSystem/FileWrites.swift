/// The files in one directory by all that inotify told of them: which are being written, which have
/// just vanished, and which are whole as far as events tell.
struct FileWrites: Sendable {
    /// As the directory holds it.
    typealias Name = [UInt8]

    enum Event: Hashable, Sendable {
        /// Made, whether by opening it or as another name of a file, or as a link.
        case created
        case modified
        /// Closed by the last who could write by one opening.
        case closed
        case attributes
        case deleted
        case movedOut(cookie: UInt32)
        case movedIn(cookie: UInt32)
    }

    private enum Stage {
        case created
        case written
    }

    /// An editor that renames makes the name anew within this time.
    static let vanishing = Duration.seconds(1)
    /// So many names are told apart; where there are more, nothing is known.
    private static let most = 8_192

    /// Not closed since they were made or written.
    private var unclosed: [Name: Stage] = [:]
    private var vanished: [Name: ContinuousClock.Instant] = [:]
    /// The last event after which a file was whole, or gone.
    private var settled: [Name: Int] = [:]
    /// A file that moves out may move in again under another name, in the next event.
    private var moving: (cookie: UInt32, stage: Stage?)?
    /// How many events there were.
    private(set) var events = 0
    /// How many of them tell that a file that is read meanwhile may be read in part, or not at all.
    private(set) var tears = 0
    /// The event since which files may be open of which nothing is known.
    private var unknownSince: Int? = 0

    /// Takes an event up.
    ///
    /// - Parameter matters: whether the file is one whose content is of interest.
    mutating func add(
        _ event: Event, _ name: Name, matters: Bool, at now: ContinuousClock.Instant
    ) {
        events += 1
        var isVanishing = false
        var stage: Stage?
        switch event {
        case .created: stage = .created
        case .modified: stage = .written
        case .closed: break
        case .attributes: stage = unclosed[name]
        case .deleted: isVanishing = true
        case .movedOut(let cookie):
            isVanishing = true
            moving = (cookie, unclosed[name])
        case .movedIn(let cookie):
            if let moving, moving.cookie == cookie { stage = moving.stage }
        }
        unclosed[name] = stage
        if matters, stage != nil || isVanishing { tears += 1 }
        vanished[name] = isVanishing && matters ? now : nil
        settled[name] = stage == nil && matters ? events : nil
        if unclosed.count + vanished.count + settled.count > Self.most { forget() }
    }

    /// Events were lost, or the directory is another one.
    mutating func forget() {
        events += 1
        tears += 1
        unknownSince = events
        (unclosed, vanished, settled, moving) = ([:], [:], [:], nil)
    }

    /// Something happened that concerns no file's content.
    mutating func addOther() { events += 1 }

    /// Takes what was read for known from now on.
    ///
    /// - Parameter events: how many there were when it was read.
    mutating func took(upTo events: Int) {
        settled = settled.filter { $0.value > events }
        if let since = unknownSince, since <= events { unknownSince = nil }
    }

    /// Files that were made, and of which nothing tells whether they were opened for that: those that
    /// are not empty are other names of whole files.
    var created: [Name] { unclosed.filter { $0.value == .created }.map(\.key) }

    mutating func isWhole(_ name: Name) {
        unclosed[name] = nil
        settled[name] = events
    }

    var isUnknown: Bool { unknownSince != nil }

    /// Those that are being written.
    var open: [Name] { Array(unclosed.keys) }

    /// The names of which events tell that they are whole, or gone.
    var told: Set<Name> { isUnknown ? [] : Set(settled.keys) }

    /// The names that vanished and are still waited for, and how long; nil where none is.
    mutating func awaited(
        at now: ContinuousClock.Instant
    ) -> (names: [Name], time: Duration)? {
        vanished = vanished.filter { $0.value + Self.vanishing > now }
        guard let last = vanished.values.max() else { return nil }
        return (Array(vanished.keys), last + Self.vanishing - now)
    }
}
