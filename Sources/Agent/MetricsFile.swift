internal import Enforcement
internal import LinuxSystem
internal import Logging
internal import Metrics
internal import Reports
internal import SystemPackage

/// Keeps a file fresh for node_exporter's textfile collector: written anew after each event, and at
/// an interval. Where that fails, nothing else does.
actor MetricsFile {
    /// However fast events come, the kernel is not asked more often.
    private static let shortestPause = Duration.seconds(1)

    private let path: String
    private let interval: Duration
    private let clock: TimerClock
    private let reconciler: Reconciler
    private let log: Logger
    private let executor = QueueExecutor(label: "metrics-file")
    /// The disk may block.
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private var problem: String?

    init(
        path: String, interval: Duration, clock: TimerClock, reconciler: Reconciler, log: Logger
    ) {
        self.path = path
        self.interval = interval
        self.clock = clock
        self.reconciler = reconciler
        self.log = log
    }

    /// Returns when the events end, or the task is cancelled.
    nonisolated func keepFresh(_ events: Journal.Events) async {
        // However much happens meanwhile, one more time is enough.
        let (due, queue) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await _ in events { queue.yield() }
                queue.finish()
            }
            group.addTask { [interval, clock] in
                for await _ in Ticks(every: interval, by: clock) { queue.yield() }
            }
            queue.yield()
            var earliest = ContinuousClock.now
            for await _ in due {
                let pause = earliest - .now
                if pause > .zero, await Ticks(every: pause, by: clock).next() == nil { break }
                await write()
                earliest = .now + Self.shortestPause
            }
            group.cancelAll()
        }
    }

    private func write() async {
        let text = await reconciler.inspector.inBackground.metrics().text(as: .prometheus)
        do throws(SystemError) {
            try OutputPath.write(
                Array(text.utf8), to: path, mode: [.ownerReadWrite, .groupRead, .otherRead],
                lasting: false, waiting: false)
            if problem != nil { log.notice("metrics are written to \(path) again") }
            problem = nil
        } catch {
            let words =
                "metrics can't be written to \(path) (\(error)): the agent's user must be able to write in that directory, and its unit must allow it"
            if problem != words { log.warning("\(words)") }
            problem = words
        }
        await reconciler.noteMetricsFile(problem: problem)
    }
}
