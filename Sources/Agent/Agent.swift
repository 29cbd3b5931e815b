internal import Control
internal import Deployment
internal import Enforcement
internal import Glibc
internal import LinuxSystem
package import Logging
internal import Nftables
internal import PortModel
internal import Ruleset
internal import Synchronization
internal import SystemPackage

/// The daemon: wires what happens outside (files, signals, netlink, clients) to the reconciler, one
/// event after another.
package struct Agent: Sendable {
    /// Files are written in bursts; a change is taken up when nothing was written for this long.
    static let settling = Duration.milliseconds(200)
    /// A directory that never rests is taken up this long after the first change.
    static let longestSettling = Duration.seconds(2)
    /// How often the kernel is compared without any notification.
    static let checkInterval = Duration.seconds(300)
    /// How long the end waits until those who watch have heard of it.
    static let farewell = Duration.seconds(1)

    private let options: AgentOptions
    private let access: KernelAccess
    private let log: Logger

    package init(options: AgentOptions, access: KernelAccess, log: Logger) {
        self.options = options
        self.access = access
        self.log = log
    }

    /// Runs until SIGTERM or SIGINT. The rules stay in force afterwards.
    ///
    /// - Throws: what keeps the agent from starting or from noticing changes; a supervisor should
    ///   start it again.
    package func run() async throws {
        // Before anything that can fail slowly: a signal must not be lost.
        let signals = try Signals.caught()
        let kernel = NftablesKernel(access.keeper, listener: access.listener) { [log] in
            log.warning("\($0)")
        }
        let ruleset = try access.listener.events()
        let addresses = try AddressListener()
        let directory = try DirectoryWatch(path: options.configurationDirectory)
        let journal = Journal(log: log)
        let reconciler = Reconciler(
            kernel: kernel, store: GenerationStore(directory: options.stateDirectory),
            clock: KernelClock(bootID: options.bootID), prober: ConnectionProber(),
            identity: StatusReport.AgentIdentity(
                version: Version.current, pid: getpid(), started: .now),
            journal: journal)

        let (events, queue) = AsyncStream.makeStream(of: AgentEvent.self)
        let clock = TimerClock()
        let notifier = ServiceNotifier()
        let refusals = RefusalWatch(access.keeper, reconciler: reconciler, log: log)
        let control = ControlService(
            reconciler: reconciler, refusals: refusals, commands: queue)
        let heard = HeardChanges()
        let shadows = ShadowWatch { queue.yield(.shadows) }
        let loop = AgentLoop(
            options: options, log: log, kernel: kernel, reconciler: reconciler, queue: queue,
            notifier: notifier, heard: heard, shadows: shadows, refusals: refusals)

        await loop.start()
        let server = try await control.serve(at: options.socketPath, log: log)
        await loop.tellReady()
        try await withThrowingDiscardingTaskGroup { group in
            defer { group.cancelAll() }
            group.addTask {
                await directory.changes.forEachBurst(
                    quiet: Self.settling, longest: Self.longestSettling, clock: clock
                ) { queue.yield(.directory($0, noticed: BootTime.now)) }
                queue.yield(.failure("the configuration directory is watched no more"))
            }
            group.addTask {
                for await _ in addresses.changes { queue.yield(.addresses) }
                queue.yield(.failure("the host's addresses are watched no more"))
            }
            group.addTask {
                for await event in ruleset {
                    shadows.heard(event)
                    if heard.add(event) { queue.yield(.ruleset) }
                }
                queue.yield(.failure("the kernel's ruleset is watched no more"))
            }
            group.addTask { [keeper = access.keeper] in
                for await _ in keeper.ending() {
                    let end = try keeper.reap()
                    queue.yield(.failure("the process that holds CAP_NET_ADMIN \(end)"))
                }
            }
            group.addTask { for await signal in signals { queue.yield(.signal(signal)) } }
            group.addTask {
                for await _ in Ticks(every: Self.checkInterval, by: clock) {
                    queue.yield(.check)
                    queue.yield(.shadows)
                }
            }
            if let interval = notifier.watchdogInterval {
                group.addTask {
                    // Through the queue, so that an agent that hangs is noticed.
                    for await _ in Ticks(every: interval / 2, by: clock) { queue.yield(.watchdog) }
                }
            }
            if let path = options.metricsFile {
                let file = MetricsFile(
                    path: path, interval: options.metricsInterval, clock: clock,
                    reconciler: reconciler, log: log)
                group.addTask { await file.keepFresh(journal.events()) }
            }
            // Reads and compiles, for seconds where there is much: those above listen meanwhile.
            try await withTaskExecutorPreference(QueueTaskExecutor(label: "agent-loop")) {
                try await loop.run(events)
            }
            journal.close()
            await server.waitForStreams(atMost: Self.farewell)
            await server.stop()
            try await kernel.stop()
        }
    }
}

/// Elements at an interval, the first after one interval, until the task is cancelled.
struct Ticks: AsyncSequence, AsyncIteratorProtocol {
    private let interval: Duration
    private let clock: TimerClock

    init(every interval: Duration, by clock: TimerClock) {
        self.interval = interval
        self.clock = clock
    }

    func next() async -> Void? {
        do {
            try await clock.sleep(for: interval)
            return ()
        } catch {
            return nil  // cancelled
        }
    }

    func makeAsyncIterator() -> Ticks { self }
}

/// What the agent's loop takes up.
enum AgentEvent: Sendable {
    /// - Parameter noticed: when it had settled, since the host was started.
    case directory([DirectoryChange], noticed: Duration)
    case addresses
    /// ``HeardChanges`` holds something.
    case ruleset
    case signal(Signal)
    /// To be carried out before the instant, or not at all: a client that gave up must not be
    /// surprised later.
    ///
    /// - Parameter noticed: when it was asked for, since the host was started.
    case command(
        Command, noticed: Duration, before: ContinuousClock.Instant,
        reply: CheckedContinuation<ApplyReport, Never>)
    /// Compare the kernel with the generation in force.
    case check
    /// Look at other programs' tables, which changed.
    case shadows
    /// Try a configuration again that could not be put in force.
    case retry
    /// The time to confirm in may have passed.
    case deadline
    case watchdog
    /// A source of events ended, without which the agent would be blind.
    case failure(String)

    /// What a client of the control socket wants done.
    enum Command: Sendable {
        case apply(Reconciler.ApplyRequest)
        /// Say what `apply` would do.
        case plan(Reconciler.ApplyRequest)
        case confirm
        case rollback(generation: Int?)
        case flush
    }
}

/// What was heard of the ruleset and not taken up yet: however fast others commit, it holds a bounded
/// number of changes and one event stands in the queue.
private final class HeardChanges: Sendable {
    struct Heard {
        var changes: [RulesetChange] = []
        /// Some are missing.
        var isIncomplete = false
        /// Why nothing more is heard.
        var failure: String?
        /// When the first of it was heard, since the host was started.
        var since: Duration?
    }

    private static let held = 64
    private let heard = Mutex(Heard())

    /// Keeps what concerns our tables. True where it is the first since ``take()``.
    func add(_ event: RulesetEvent) -> Bool {
        heard.withLock { heard in
            let isFirst =
                heard.changes.isEmpty && !heard.isIncomplete && heard.failure == nil
            switch event {
            case .change(let change):
                guard change.tables.keys.contains(where: OwnTable.isName)
                else { return false }
                if heard.changes.count == Self.held {
                    heard.changes.removeFirst()
                    heard.isIncomplete = true
                }
                heard.changes.append(change)
            case .lost: heard.isIncomplete = true
            case .failed(let reason): heard.failure = reason
            }
            if isFirst { heard.since = BootTime.now }
            return isFirst
        }
    }

    /// What was heard since the last time.
    func take() -> Heard {
        heard.withLock { heard in
            defer { heard = Heard() }
            return heard
        }
    }
}

/// Why the agent ends by itself.
struct AgentFailure: Error, CustomStringConvertible {
    let description: String
}

/// Takes up one event after another, so that operations on the kernel never overlap.
private struct AgentLoop: Sendable {
    let options: AgentOptions
    let log: Logger
    let kernel: NftablesKernel
    let reconciler: Reconciler
    let queue: AsyncStream<AgentEvent>.Continuation
    let notifier: ServiceNotifier
    let heard: HeardChanges
    let shadows: ShadowWatch
    let refusals: RefusalWatch
    /// The configuration as it was read last, whole files only.
    private let loaded = Shared<LoadedConfiguration?>(nil)
    /// How often a state directory that can't be written is tried again.
    private static let storeInterval = Duration.seconds(5)
    private let checks = PendingTimer()
    private let retries = PendingTimer()
    private let deadlines = PendingTimer()
    private let rest = PendingTimer()
    private let retryPace = RetryPace()

    init(
        options: AgentOptions, log: Logger, kernel: NftablesKernel, reconciler: Reconciler,
        queue: AsyncStream<AgentEvent>.Continuation, notifier: ServiceNotifier,
        heard: HeardChanges, shadows: ShadowWatch, refusals: RefusalWatch
    ) {
        self.options = options
        self.log = log
        self.kernel = kernel
        self.reconciler = reconciler
        self.queue = queue
        self.notifier = notifier
        self.heard = heard
        self.shadows = shadows
        self.refusals = refusals
    }

    func start() async {
        // Beside, in a process of its own, so that the first status tells of them.
        async let shadows: Void = reconciler.lookForShadows()
        let noticed = BootTime.now
        await reconciler.start(reload(), noticed: noticed)
        await shadows
        await checkAgainIfNeeded()
    }

    func tellReady() async {
        let line = await reconciler.summary
        tell { () throws(SystemError) in try notifier.ready(status: line) }
        log.notice("ready: \(line)")
    }

    /// What the service manager is told is for people: the agent goes on where it can't be told.
    private func tell(_ body: () throws(SystemError) -> Void) {
        do throws(SystemError) {
            try body()
        } catch {
            log.warning("can't tell the service manager: \(error)")
        }
    }

    private func tellStatus() async {
        let line = await reconciler.summary
        tell { () throws(SystemError) in try notifier.status(line) }
    }

    /// Returns when the agent is asked to end.
    func run(_ events: AsyncStream<AgentEvent>) async throws {
        for await event in events {
            switch event {
            case .retry:
                if await reconciler.hasFailedApply {
                    await takeUpConfiguration(noticed: BootTime.now, reload())
                }
            case .deadline:
                await reconciler.keepDeadlines()
                await checkAgainIfNeeded()
                await tellStatus()
            case .directory(let changes, let noticed):
                for case .failed(let error) in changes {
                    throw AgentFailure(
                        description: "the configuration directory can't be watched: \(error)")
                }
                await takeUpConfiguration(noticed: noticed, reload())
            case .addresses:
                // The files as they were read last: they may be half written now.
                await takeUpConfiguration(
                    noticed: BootTime.now, compile(loaded.value ?? read()))
            case .ruleset:
                _ = try await takeUpChanges()
            case .check:
                let wasUnstored = await reconciler.isUnstored
                await reconciler.secure()
                // Whoever changed something just now is known.
                if try await !takeUpChanges() { await check(after: nil) }
                if await reconciler.isUnstored {
                    checkAgain(in: Self.storeInterval)
                } else if wasUnstored {
                    // Not as late as the retries have become by now.
                    queue.yield(.retry)
                }
            case .shadows:
                shadows.run { await reconciler.lookForShadows() }
            case .signal(.hangUp):
                tell { () throws(SystemError) in try notifier.reloading() }
                await takeUpConfiguration(noticed: BootTime.now, reload())
                await tellReady()
            case .signal(let signal):
                await reconciler.announceEnd("\(signal): ending; the rules stay in force")
                tell { () throws(SystemError) in try notifier.stopping() }
                return
            case .command(let command, let noticed, let deadline, let reply):
                reply.resume(
                    returning: deadline < .now
                        ? ApplyReport(
                            outcome: .failed, generation: nil,
                            problem: "the agent was busy for too long; nothing was done")
                        : await carryOut(command, noticed: noticed, reload()))
                await checkAgainIfNeeded()
                await tellStatus()
            case .watchdog:
                tell { () throws(SystemError) in try notifier.watchdog() }
            case .failure(let reason):
                throw AgentFailure(description: reason)
            }
        }
    }

    /// Reads the directory and compiles it for this host.
    private func reload() -> Compilation { compile(read()) }

    private func read() -> LoadedConfiguration {
        let read = ConfigurationDirectory(options.configurationDirectory).load()
        loaded.value = read
        return read
    }

    private func compile(_ loaded: LoadedConfiguration) -> Compilation {
        do throws(Errno) {
            return Compilation(
                loaded, hostAddresses: try HostAddresses.current(), routes: routes)
        } catch {
            return Compilation(
                refusing: loaded, because: "this host's addresses can't be read: \(error)")
        }
    }

    /// This host's routing as the kernel has it now. What can't be asked is not warned of.
    private var routes: HostRoutes {
        let lookup: RouteLookup?
        do {
            lookup = try RouteLookup()
        } catch {
            log.warning("can't ask for routes: \(error)")
            lookup = nil
        }
        return HostRoutes(forwarded: Forwarding.families) { [log] address in
            do {
                return try lookup?.hasRoute(to: address) ?? true
            } catch {
                log.warning("can't ask for the route to \(address): \(error)")
                return true
            }
        }
    }

    private func takeUpConfiguration(noticed: Duration, _ compilation: Compilation) async {
        await reconciler.configurationChanged(
            compilation, origin: .directory, noticed: noticed)
        await checkAgainIfNeeded()
        await tellStatus()
    }

    private func carryOut(
        _ command: AgentEvent.Command, noticed: Duration, _ compilation: Compilation
    ) async -> ApplyReport {
        switch command {
        case .plan(let request): await reconciler.plan(compilation, request)
        case .apply(let request):
            await reconciler.apply(compilation, request, noticed: noticed)
        case .confirm: await reconciler.confirm()
        case .rollback(let generation): await reconciler.rollback(to: generation)
        case .flush: await reconciler.flush()
        }
    }

    /// - Returns: whether anybody else changed anything, so that the tables were compared.
    private func takeUpChanges() async throws -> Bool {
        let heard = heard.take()
        if let failure = heard.failure {
            throw AgentFailure(description: "the kernel's ruleset can't be watched: \(failure)")
        }
        var writer: RulesetChange.Writer?
        for change in heard.changes where await !kernel.takeUp(change) { writer = change.writer }
        // What came first of a change may be missing.
        if heard.isIncomplete { await kernel.forgetTables() }
        if let writer {
            let process = ProcessIdentity(pid: writer.pid)
            await check(
                after: Reconciler.Writer(
                    process: process.commandLine ?? writer.name, name: writer.name,
                    pid: writer.pid), noticed: heard.since)
            return true
        } else if heard.isIncomplete {
            log.notice("notifications were lost; comparing all tables")
            await check(after: nil, noticed: heard.since)
            return true
        }
        return false
    }

    private func check(
        after writer: Reconciler.Writer?, noticed: Duration? = nil
    ) async {
        if let delay = await reconciler.repair(after: writer, noticed: noticed) {
            checkAgain(in: delay)
        }
        restLater()
    }

    private func checkAgain(in delay: Duration) {
        checks.schedule(after: delay) { queue.yield(.check) }
    }

    /// What an operation took of memory goes back a second later.
    private func restLater() { rest.schedule(after: .seconds(1)) { Memory.trim() } }

    /// After an operation that may have left the kernel behind, a configuration out of force, or
    /// another generation in force.
    private func checkAgainIfNeeded() async {
        restLater()
        let inForce = await reconciler.generationInForce
        await refusals.follow(inForce)
        shadows.follow(inForce?.ruleset.tableNames ?? [])
        if await reconciler.isOutOfSync { checkAgain(in: .seconds(1)) }
        if let left = await reconciler.timeToNextDeadline {
            // Again and again where it can't be kept, but not in a busy loop.
            deadlines.schedule(after: max(left, .seconds(1))) { queue.yield(.deadline) }
        }
        if await reconciler.isUnstored { checkAgain(in: Self.storeInterval) }
        if await reconciler.hasFailedApply {
            retries.schedule(after: retryPace.next()) { queue.yield(.retry) }
        } else {
            retryPace.reset()
        }
    }
}
