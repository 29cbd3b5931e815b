@preconcurrency package import Dispatch
internal import Synchronization
internal import SystemPackage

/// A dispatch source that tells when a descriptor can be read or written.
///
/// Keeps the descriptor open until dispatch has let go of it, and may be paused and dropped in any
/// state (libdispatch ends the process when a suspended source is released).
package final class DescriptorSource: Sendable {
    package enum Direction: Sendable {
        case readable
        case writable
    }

    private enum State {
        case paused
        case running
        case cancelled
    }

    private let source: any DispatchSourceProtocol
    private let state = Mutex(State.paused)

    /// Starts paused. The handler runs on `queue` whenever the descriptor is ready, again and again
    /// until what made it ready is gone; but only once more after the other end of a socket was
    /// closed (dispatch deletes a source that was hung up), so that must read to the end.
    package init(
        _ descriptor: SharedDescriptor, _ direction: Direction, queue: DispatchQueue,
        handler: @escaping @Sendable () -> Void
    ) {
        let raw = descriptor.descriptor.rawValue
        source =
            switch direction {
            case .readable: DispatchSource.makeReadSource(fileDescriptor: raw, queue: queue)
            case .writable: DispatchSource.makeWriteSource(fileDescriptor: raw, queue: queue)
            }
        source.setEventHandler(handler: handler)
        source.setCancelHandler { withExtendedLifetime(descriptor) {} }
    }

    package func resume() {
        state.withLock { state in
            guard state == .paused else { return }
            state = .running
            source.resume()
        }
    }

    package func pause() {
        state.withLock { state in
            guard state == .running else { return }
            state = .paused
            source.suspend()
        }
    }

    package func cancel() {
        state.withLock { state in
            guard state != .cancelled else { return }
            source.cancel()
            if state == .paused { source.resume() }
            state = .cancelled
        }
    }

    deinit { cancel() }
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
