@preconcurrency internal import Dispatch
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// A change that a ``DirectoryWatch`` noticed. It never says which file: read the directory again.
package enum DirectoryChange: Hashable, Sendable {
    /// A file in the directory was written, added, moved or removed, or attributes changed, there or
    /// above.
    case contents
    /// File systems were mounted or unmounted, somewhere: a file may lie below one.
    case mounts
    /// The kernel dropped events: anything may have changed.
    case overflow
    /// The path leads to no directory that may be read any more.
    case gone
    /// The path leads to a directory which is not the one it led to before.
    case appeared
    /// Watching has ended, and so does the stream: nothing more will be noticed.
    case failed(SystemError)
}

/// The knowledge of the files in a watched directory, at one moment.
package struct DirectoryState: Sendable {
    /// Names of files that were made or written and not closed since, in byte order.
    package var unclosed: [[UInt8]]
    /// Names that have just vanished and may come again, in byte order, and how long these are to be
    /// waited for; nil where none has.
    package var awaited: (names: [[UInt8]], time: Duration)?
    /// Names of which events tell that their files are whole, or gone, since ``DirectoryWatch/took(_:)``.
    package var told: Set<[UInt8]>
    /// Grows with each event.
    package var events: Int
    /// Grows with each event that means that what is read meanwhile may be half.
    package var tears: Int
}

/// Notices changes of the files directly in one directory, which need not exist yet.
///
/// Besides the directory, each of its ancestors is watched for the entry that leads on to it, and
/// the mount table for file systems that come over any of them or go, so that nothing is polled
/// when the directory, or one above it, is removed, moved, replaced, created, mounted or unmounted.
/// Only where a directory on the way may not be listed, what is missing below it is looked for now
/// and then. Not noticed: what ``OpenedFile/isToldByEvents`` tells, and where the path has a
/// symlink, the return of what the link leads to (a new link is).
package struct DirectoryWatch: Sendable {
    /// For one consumer; watching ends when that one is cancelled or drops the stream. Changes of
    /// one reading are told once; a consumer that is behind loses the oldest, never the newest.
    package let changes: AsyncStream<DirectoryChange>

    private let state: WatchState
    /// Takes up what inotify has to tell now.
    private let read: @Sendable () -> Void
    /// Looks where the path leads now.
    private let followAgain: @Sendable () -> Void

    /// How often is looked for what no event can tell of.
    private static let blindInterval = Duration.seconds(2)

    /// When this returns, every later change is noticed.
    ///
    /// - Parameter matters: whether the content of a file of this name is of interest: of others it is
    ///   not noticed while it is written.
    package init(
        path: String, matters: @escaping @Sendable ([UInt8]) -> Bool = { _ in true }
    ) throws(SystemError) {
        let raw = try systemCall("inotify_init1") {
            inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        }
        let inotify = SharedDescriptor(OwnedDescriptor(adopting: FileDescriptor(rawValue: raw)))
        // Before the way is followed, so that no mount falls between.
        let table = try MountTable()
        var watched = WatchedPath(path, inotify: inotify, matters: matters)
        _ = try watched.follow()

        let (changes, continuation) = AsyncStream.makeStream(
            of: DirectoryChange.self, bufferingPolicy: .bufferingNewest(64))
        self.changes = changes
        let state = WatchState(watched)
        let queue = DispatchQueue(label: "directory-watch")
        @Sendable func tell(_ changes: () throws(SystemError) -> [DirectoryChange]) {
            do throws(SystemError) {
                for change in try changes() { continuation.yield(change) }
            } catch {
                continuation.yield(.failed(error))
                continuation.finish()
            }
        }
        self.state = state
        read = { tell { () throws(SystemError) in try state.readChanges() } }
        followAgain = { tell { () throws(SystemError) in try state.follow() } }
        let source = DescriptorSource(inotify, .readable, queue: queue, handler: read)
        let mounts = try MountWatch(table) { (failure: SystemError?) in
            queue.async {
                tell { () throws(SystemError) in
                    if let failure { throw failure }
                    return try state.follow() + [.mounts]
                }
            }
        }
        state.lookAgain(
            every: Self.blindInterval,
            by: DeadlineTimer(queue: queue) { [weak state] in
                tell { () throws(SystemError) in try state?.lookAgain() ?? [] }
            })
        source.resume()
        continuation.onTermination = { _ in
            source.cancel()
            mounts.stop()
        }
    }

    /// The knowledge of now, up to the last event; ``changes`` tells of these as well.
    package func look() -> DirectoryState {
        read()
        return state.look()
    }

    /// Follows the path, which may lead elsewhere without any event.
    package func follow() { followAgain() }

    /// Takes what was read by a state for known from now on.
    package func took(_ seen: DirectoryState) { state.took(seen) }
}

/// The handlers' state.
private final class WatchState: Sendable {
    private struct State: Sendable {
        var watched: WatchedPath
        var timer: DeadlineTimer?
        var interval = Duration.zero
        var isTimerSet = false

        /// Busy neighbours must not put off what no event can tell of: a timer that is set stays.
        mutating func setTimer() {
            if watched.isBlind == isTimerSet { return }
            isTimerSet = watched.isBlind
            timer?.set(isTimerSet ? .now + interval : nil)
        }
    }

    private let state: Mutex<State>

    init(_ watched: WatchedPath) { state = Mutex(State(watched: watched)) }

    /// The timer is set while what is missing of the way can appear without any event.
    func lookAgain(every interval: Duration, by timer: DeadlineTimer) {
        state.withLock { state in
            state.timer = timer
            state.interval = interval
            state.setTimer()
        }
    }

    /// To be called when the timer has passed.
    func lookAgain() throws(SystemError) -> [DirectoryChange] {
        state.withLock { $0.isTimerSet = false }
        return try follow()
    }

    func readChanges() throws(SystemError) -> [DirectoryChange] {
        try update { (watched) throws(SystemError) in try watched.readChanges() }
    }

    /// Looks where the path leads now, whatever inotify told.
    func follow() throws(SystemError) -> [DirectoryChange] {
        try update { (watched) throws(SystemError) in try watched.follow() }
    }

    func look() -> DirectoryState { state.withLock { $0.watched.look() } }

    func took(_ seen: DirectoryState) {
        state.withLock { $0.watched.writes.took(upTo: seen.events) }
    }

    private func update(
        _ body: (inout WatchedPath) throws(SystemError) -> [DirectoryChange]
    ) throws(SystemError) -> [DirectoryChange] {
        try state.withLock { (state) throws(SystemError) in
            defer { state.setTimer() }
            return try body(&state.watched)
        }
    }
}

/// The inotify watches of a directory and of the way to it.
private struct WatchedPath: Sendable {
    private static let wayMask =
        UInt32(IN_CREATE) | UInt32(IN_MOVED_TO) | UInt32(IN_MOVED_FROM) | UInt32(IN_DELETE)
        | UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF) | UInt32(IN_ATTRIB)
    /// Of files that were unlinked nothing is told any more: another may have the name.
    private static let directoryMask =
        wayMask | UInt32(IN_MODIFY) | UInt32(IN_CLOSE_WRITE) | UInt32(IN_EXCL_UNLINK)
    /// The watched inode itself went away or elsewhere.
    private static let selfMask =
        UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF) | UInt32(IN_UNMOUNT) | UInt32(IN_IGNORED)

    private let inotify: SharedDescriptor
    /// `/`, `/etc`, `/etc/pexip-fw.d`: the last one is the directory.
    private let way: [String]
    /// The entry in `way[i]` which leads to `way[i + 1]`.
    private let entries: [[UInt8]]
    /// Watch descriptors of `way`'s beginning, as far as it exists; nil where one may not be read.
    private var watches: [Int32?] = []
    /// The next directory of the way is missing below one that may not be listed: nothing will tell
    /// when it comes.
    private(set) var isBlind = false
    var writes = FileWrites()
    private let matters: @Sendable ([UInt8]) -> Bool

    init(
        _ path: String, inotify: SharedDescriptor,
        matters: @escaping @Sendable ([UInt8]) -> Bool
    ) {
        self.inotify = inotify
        self.matters = matters
        let absolute = FilePath(path).isAbsolute ? path : "\(Self.workingDirectory)/\(path)"
        let names = absolute.split(separator: "/").filter { $0 != "." }
        way = (0...names.count).map { "/" + names[..<$0].joined(separator: "/") }
        entries = names.map { Array($0.utf8) }
    }

    private static var workingDirectory: String {
        guard let buffer = getcwd(nil, 0) else { return "" }
        defer { free(buffer) }
        return String(cString: buffer)
    }

    private var directoryWatch: Int32? { watches.count == way.count ? watches[way.count - 1] : nil }

    /// Watches what exists of the way now, from the top, so that whatever changes meanwhile makes
    /// an event in something already watched.
    mutating func follow() throws(SystemError) -> [DirectoryChange] {
        let before = (directory: directoryWatch, all: Set(watches.compactMap { $0 }))
        watches = []
        isBlind = false
        for (index, path) in way.enumerated() {
            let isDirectory = index == way.count - 1
            let mask = isDirectory ? Self.directoryMask : Self.wayMask
            do throws(SystemError) {
                // IN_MASK_ADD, because a symlink can make two of them one directory.
                watches.append(
                    try systemCall("inotify_add_watch", path) {
                        inotify_add_watch(
                            inotify.descriptor.rawValue, path,
                            mask | UInt32(IN_ONLYDIR) | UInt32(IN_MASK_ADD))
                    })
            } catch {
                switch error.errno {
                case .permissionDenied where !isDirectory:
                    // It can be passed through but not listed: what happens to its entries is not
                    // ours to know, the directory itself still is.
                    watches.append(nil)
                case .noSuchFileOrDirectory, .notDirectory, .permissionDenied:
                    // The last one that exists must tell when the next one comes.
                    isBlind = watches.last == .some(nil)
                    return forget(before.all, changes: before.directory == nil ? [] : [.gone])
                default: throw error
                }
            }
        }
        let changes: [DirectoryChange] =
            switch before.directory {
            case directoryWatch: []
            case nil: [.appeared]
            default: [.gone, .appeared]
            }
        return forget(before.all, changes: changes)
    }

    /// Drops the watches that are no longer on the way.
    private mutating func forget(
        _ old: Set<Int32>, changes: [DirectoryChange]
    ) -> [DirectoryChange] {
        if !changes.isEmpty { writes.forget() }
        for watch in old.subtracting(watches.compactMap { $0 }) {
            // EINVAL where the kernel has dropped it already, with its inode.
            _ = inotify_rm_watch(inotify.descriptor.rawValue, watch)
        }
        return changes
    }

    /// Reads what inotify has to tell now, each kind of change once.
    mutating func readChanges() throws(SystemError) -> [DirectoryChange] {
        var changes: [DirectoryChange] = []
        for _ in 0..<Self.readings {
            let events = try readEvents()
            if events.isEmpty { break }
            for change in try takeUp(events) where !changes.contains(change) {
                changes.append(change)
            }
        }
        return changes
    }

    private mutating func takeUp(_ events: [Event]) throws(SystemError) -> [DirectoryChange] {
        var changes: [DirectoryChange] = []
        var wayChanged = false
        func add(_ change: DirectoryChange) {
            if !changes.contains(change) { changes.append(change) }
        }
        for event in events {
            if event.mask & UInt32(IN_Q_OVERFLOW) != 0 {
                add(.overflow)
                writes.forget()
                wayChanged = true
            } else if event.watch == directoryWatch, event.mask & Self.selfMask == 0 {
                if takeUp(event) { add(.contents) }
            } else if event.name.isEmpty, event.mask & UInt32(IN_ATTRIB) != 0 {
                // A writer above may put another directory in place of this one.
                writes.addOther()
                add(.contents)
            }
            for (index, watch) in watches.enumerated() where watch == event.watch {
                if event.mask & Self.selfMask != 0
                    || (index < entries.count && event.name == entries[index])
                {
                    wayChanged = true
                }
            }
        }
        if wayChanged {
            let before = directoryWatch
            for change in try follow() { add(change) }
            // Away and back again before this reading: the files may have changed meanwhile.
            if before != nil && before == directoryWatch {
                writes.forget()
                add(.contents)
            }
        }
        return changes
    }

    /// Takes up an event of the directory itself.
    ///
    /// - Returns: whether it is one to tell of.
    private mutating func takeUp(_ event: Event) -> Bool {
        guard !event.name.isEmpty, event.mask & UInt32(IN_ISDIR) == 0 else {
            writes.addOther()
            return true
        }
        let kind: FileWrites.Event
        switch event.mask {
        case let mask where mask & UInt32(IN_CREATE) != 0: kind = .created
        case let mask where mask & UInt32(IN_MODIFY) != 0: kind = .modified
        case let mask where mask & UInt32(IN_CLOSE_WRITE) != 0: kind = .closed
        case let mask where mask & UInt32(IN_MOVED_FROM) != 0:
            kind = .movedOut(cookie: event.cookie)
        case let mask where mask & UInt32(IN_MOVED_TO) != 0: kind = .movedIn(cookie: event.cookie)
        case let mask where mask & UInt32(IN_DELETE) != 0: kind = .deleted
        default: kind = .attributes
        }
        let matters = matters(event.name)
        writes.add(kind, event.name, matters: matters, at: .now)
        return matters || kind != .modified
    }

    /// The knowledge of the files.
    mutating func look() -> DirectoryState {
        let directory = way.last ?? "/"
        for name in writes.created where matters(name) {
            var status = stat()
            let path = Array(directory.utf8) + [UInt8(ascii: "/")] + name
            guard path[...].withCString({ lstat($0, &status) }) == 0 else { continue }
            let isEmpty = status.st_size == 0 && status.st_nlink == 1
            if status.st_mode & S_IFMT != S_IFREG || !isEmpty { writes.isWhole(name) }
        }
        func sorted(_ names: [[UInt8]]) -> [[UInt8]] {
            names.sorted { $0.lexicographicallyPrecedes($1) }
        }
        return DirectoryState(
            unclosed: sorted(writes.open.filter(matters)),
            awaited: writes.awaited(at: .now).map { (sorted($0.names), $0.time) },
            told: writes.told, events: writes.events, tears: writes.tears)
    }

    private struct Event {
        let watch: Int32
        let mask: UInt32
        let cookie: UInt32
        /// Empty where it is of the watched directory itself.
        let name: [UInt8]
    }

    /// So many times is read at once; what the kernel keeps by default is less.
    private static let readings = 128

    private func readEvents() throws(SystemError) -> [Event] {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count: Int
        do {
            count = try systemCall("read", "inotify") {
                read(inotify.descriptor.rawValue, &bytes, bytes.count)
            }
        } catch {
            if error.errno == .resourceTemporarilyUnavailable { return [] }
            throw error
        }
        // struct inotify_event: wd, mask, cookie, len, then `len` bytes of a NUL-padded name.
        var events: [Event] = []
        bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset + 16 <= count {
                let length = Int(buffer.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self))
                let name = buffer[(offset + 16)..<(offset + 16 + length)].prefix { $0 != 0 }
                events.append(
                    Event(
                        watch: buffer.loadUnaligned(fromByteOffset: offset, as: Int32.self),
                        mask: buffer.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self),
                        cookie: buffer.loadUnaligned(fromByteOffset: offset + 8, as: UInt32.self),
                        name: Array(name)))
                offset += 16 + length
            }
        }
        return events
    }
}
