@preconcurrency package import Dispatch
internal import CLinux
internal import Synchronization
internal import SystemPackage

/// Tells on a dispatch queue when a descriptor can be read or written, or is hung up.
///
/// By epoll of our own, behind one source of libdispatch's: for a descriptor that hangs up, as a
/// client's socket does, libdispatch takes its own notes down on two threads at once and may read what
/// it freed (`_dispatch_event_merge_fd` beside `_dispatch_source_invoke`, Swift 6.3).
package final class DescriptorSource: Sendable {
    /// The use that the descriptor is to be ready for.
    package enum Direction: Sendable {
        case readable
        case writable
    }

    private let watched: WatchedDescriptor

    /// Starts paused. The handler runs on `queue` whenever the descriptor is ready, again and again
    /// until what made it ready is gone, or this is paused: the end of what can be read is for ever.
    package init(
        _ descriptor: SharedDescriptor, _ direction: Direction, queue: DispatchQueue,
        handler: @escaping @Sendable () -> Void
    ) {
        watched = WatchedDescriptor(
            descriptor, direction == .readable ? .readers : .writers, queue, handler)
    }

    /// Lets the handler run, again where it was paused.
    package func resume() { watched.resume() }
    /// Keeps the handler from running until ``resume()``.
    package func pause() { watched.pause() }

    /// Runs the handler no more, but for a call that has begun.
    package func cancel() { watched.cancel() }

    deinit { cancel() }
}

/// A source as the poller knows it.
private final class WatchedDescriptor: Sendable {
    private struct State {
        /// Given up when the source is cancelled.
        var subject: Subject?
        var isRunning = false
        var isRegistered = false
        /// The handler is to run, or runs.
        var isTold = false
    }

    private struct Subject {
        let descriptor: SharedDescriptor
        let handler: @Sendable () -> Void
    }

    private let poller: DescriptorPoller
    private let queue: DispatchQueue
    private let token: UInt64
    private let state: Mutex<State>

    init(
        _ descriptor: SharedDescriptor, _ poller: DescriptorPoller, _ queue: DispatchQueue,
        _ handler: @escaping @Sendable () -> Void
    ) {
        self.poller = poller
        self.queue = queue
        token = poller.newToken()
        state = Mutex(State(subject: Subject(descriptor: descriptor, handler: handler)))
    }

    func resume() {
        state.withLock { state in
            guard state.subject != nil, !state.isRunning else { return }
            state.isRunning = true
            // Else it is armed when the handler has run.
            if !state.isTold { arm(&state) }
        }
    }

    func pause() {
        state.withLock { state in
            state.isRunning = false
            disarm(&state)
        }
    }

    func cancel() {
        // The handler may hold what calls back when it goes: so not in here.
        let subject = state.withLock { state in
            state.isRunning = false
            disarm(&state)
            return state.subject.take()
        }
        _ = subject
    }

    /// To be called when the descriptor is ready.
    func tell() {
        state.withLock { state in
            if state.isRunning, state.isRegistered, !state.isTold { tell(&state) }
        }
    }

    private func tell(_ state: inout State) {
        state.isTold = true
        queue.async { [self] in run() }
    }

    private func run() {
        let handler = state.withLock { state in
            if !state.isRunning { state.isTold = false }
            return state.isRunning ? state.subject?.handler : nil
        }
        guard let handler else { return }
        handler()
        state.withLock { state in
            state.isTold = false
            if state.isRunning { arm(&state) }
        }
    }

    private func arm(_ state: inout State) {
        guard let descriptor = state.subject?.descriptor.descriptor else { return }
        let isArmed = poller.arm(descriptor, for: self, token, isKnown: state.isRegistered)
        state.isRegistered = isArmed
        // A regular file is always ready (EPERM); and where the kernel has no memory left, to try is
        // better than to wait for ever.
        if !isArmed { tell(&state) }
    }

    private func disarm(_ state: inout State) {
        guard state.isRegistered, let descriptor = state.subject?.descriptor.descriptor else {
            return
        }
        state.isRegistered = false
        poller.disarm(descriptor, token)
    }
}

/// One epoll instance for reading and one for writing, since a descriptor can be registered once.
///
/// libdispatch watches it as a descriptor, which never hangs up.
private final class DescriptorPoller: Sendable {
    static let readers = DescriptorPoller(isWriting: false)
    static let writers = DescriptorPoller(isWriting: true)

    private struct State {
        var watched: [UInt64: WatchedDescriptor] = [:]
        var lastToken: UInt64 = 0
    }

    private let isWriting: Int32
    private let epoll: Int32
    private let source: any DispatchSourceRead
    private let state = Mutex(State())

    private init(isWriting: Bool) {
        self.isWriting = isWriting ? 1 : 0
        epoll = clinux_epoll_create()
        precondition(epoll >= 0, "epoll_create1(2) fails: there is no way to wait for anything")
        source = DispatchSource.makeReadSource(
            fileDescriptor: epoll, queue: DispatchQueue(label: "descriptors"))
        source.setEventHandler { [unowned self] in tellReady() }
        source.resume()
    }

    func newToken() -> UInt64 {
        state.withLock { state in
            state.lastToken += 1
            return state.lastToken
        }
    }

    /// - Parameter isKnown: whether it was armed before and not disarmed since.
    /// - Returns: false where the kernel does not watch the descriptor.
    func arm(
        _ descriptor: FileDescriptor, for watched: WatchedDescriptor, _ token: UInt64, isKnown: Bool
    ) -> Bool {
        let raw = descriptor.rawValue
        state.withLock { $0.watched[token] = watched }
        let result =
            isKnown
            ? clinux_epoll_rearm(epoll, raw, isWriting, token)
            : clinux_epoll_add(epoll, raw, isWriting, token)
        if result != 0 { state.withLock { $0.watched[token] = nil } }
        return result == 0
    }

    func disarm(_ descriptor: FileDescriptor, _ token: UInt64) {
        _ = clinux_epoll_remove(epoll, descriptor.rawValue)
        state.withLock { $0.watched[token] = nil }
    }

    private func tellReady() {
        var tokens = [UInt64](repeating: 0, count: 64)
        // Another event tells the rest.
        let count = clinux_epoll_ready(epoll, &tokens, Int32(tokens.count))
        for token in tokens.prefix(Int(max(0, count))) {
            state.withLock { $0.watched[token] }?.tell()
        }
    }
}

/// A dispatch timer for one deadline at a time.
package final class DeadlineTimer: Sendable {
    /// Of those timers whose handlers only tell somebody: each queue more is a thread more where
    /// many have something to do at once.
    static let sharedQueue = DispatchQueue(label: "timers")

    private let source: any DispatchSourceTimer

    /// Not set at first.
    package init(queue: DispatchQueue, handler: @escaping @Sendable () -> Void) {
        source = DispatchSource.makeTimerSource(queue: queue)
        source.setEventHandler(handler: handler)
        source.schedule(deadline: .distantFuture)
        source.resume()
    }

    /// Not set at first. The handler must not block: others wait for it.
    package convenience init(handler: @escaping @Sendable () -> Void) {
        self.init(queue: Self.sharedQueue, handler: handler)
    }

    /// Calls the handler at `deadline` (at once if it has passed); never where it is nil.
    package func set(_ deadline: ContinuousClock.Instant?) {
        guard let deadline else {
            source.schedule(deadline: .distantFuture)
            return
        }
        source.schedule(deadline: .now() + DispatchTimeInterval(deadline - .now))
    }

    deinit { source.cancel() }
}
