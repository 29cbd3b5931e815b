package import Logging
package import Reports
internal import Synchronization

/// Tells everything that happens, once: to the log and to its watchers.
///
/// Watching costs the teller nothing but a place in a bounded buffer; nobody waits for a watcher.
package final class Journal: Sendable {
    /// The newest events that wait for one watcher.
    package static let held = 256

    /// For lines that are no events, which watchers do not get.
    package let log: Logger

    fileprivate struct Numbered: Sendable {
        var number: Int
        var event: Event
    }

    private struct Watchers {
        var streams: [Int: AsyncStream<Numbered>.Continuation] = [:]
        var lastStream = 0
        /// The number of the last event.
        var lastEvent = 0
        var isClosed = false
    }

    private let watchers = Mutex(Watchers())

    /// - Parameter log: gets a line for each event that is told.
    package init(log: Logger) { self.log = log }

    /// To the log and to watchers.
    ///
    /// - Parameter metadata: for the log alone.
    package func tell(_ event: Event, level: Logger.Level, metadata: Logger.Metadata = [:]) {
        log.log(level: level, "\(event.message)", metadata: metadata)
        publish(event)
    }

    /// To watchers only.
    package func publish(_ event: Event) {
        watchers.withLock { watchers in
            watchers.lastEvent += 1
            let numbered = Numbered(number: watchers.lastEvent, event: event)
            // The oldest makes room; the numbers tell that it is missing.
            for stream in watchers.streams.values { stream.yield(numbered) }
        }
    }

    /// The events from now on, until the iteration ends or the journal is closed.
    package func events() -> Events {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Numbered.self, bufferingPolicy: .bufferingNewest(Self.held))
        let last = watchers.withLock { watchers -> Int in
            if watchers.isClosed {
                continuation.finish()
            } else {
                watchers.lastStream += 1
                let id = watchers.lastStream
                watchers.streams[id] = continuation
                continuation.onTermination = { [weak self] _ in self?.forget(id) }
            }
            return watchers.lastEvent
        }
        return Events(stream: stream, last: last)
    }

    private func forget(_ id: Int) {
        // Its content is let go of outside, for its end may call back.
        let gone = watchers.withLock { $0.streams.removeValue(forKey: id) }
        _ = gone
    }

    /// Ends every watcher's events after those that it has not read yet.
    package func close() {
        let streams = watchers.withLock { watchers in
            watchers.isClosed = true
            defer { watchers.streams = [:] }
            return Array(watchers.streams.values)
        }
        for stream in streams { stream.finish() }
    }

    /// How many watch.
    package var watcherCount: Int { watchers.withLock { $0.streams.count } }

    /// Events in order, for one watcher; each says how many before it were lost.
    package struct Events: AsyncSequence, Sendable {
        fileprivate let stream: AsyncStream<Numbered>
        /// The number of the last event before these.
        fileprivate let last: Int

        /// To be called once: iterators would take each other's events.
        package func makeAsyncIterator() -> Iterator {
            Iterator(base: stream.makeAsyncIterator(), last: last)
        }

        /// Counts the events that the buffer lost.
        package struct Iterator: AsyncIteratorProtocol {
            fileprivate var base: AsyncStream<Numbered>.Iterator
            fileprivate var last: Int

            /// The next event, with the number of those lost before it; nil once the journal is
            /// closed and all are read, or the task is cancelled.
            package mutating func next() async -> Event? {
                guard let next = await base.next() else { return nil }
                var event = next.event
                let lost = next.number - last - 1
                if lost > 0 { event.lost = lost }
                last = next.number
                return event
            }
        }
    }
}
