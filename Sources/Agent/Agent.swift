internal import Configuration
internal import Control
internal import Enforcement
internal import Glibc
internal import LinuxSystem
package import Logging
internal import Netlink
internal import Nftables
internal import PortModel
internal import Reports
internal import Ruleset
internal import Site
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

    /// - Parameter access: the kernel, opened before capabilities were given up.
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
        // Nobody who stops reading ends the agent.
        try ChildProcess.ignore([SIGPIPE])
        access.claim.forgetAskers()
        let kernel = NftablesKernel(access.keeper, listener: access.listener) { [log] in
            log.warning("\($0)")
        }
        let ruleset = try access.listener.events()
        let addresses = try AddressListener()
        let directory = try PatientDirectoryWatch(path: options.configurationDirectory) {
            [path = options.configurationDirectory] () throws(SystemError) in
            try DirectoryWatch(path: path, matters: ConfigurationDirectory.isConfiguration)
        }
        let journal = Journal(log: log)
        let reconciler = Reconciler(
            kernel: kernel,
            store: GenerationStore(directory: options.stateDirectory, lock: access.claim.state),
            clock: KernelClock(bootID: options.bootID), prober: ConnectionProber(),
            identity: StatusReport.AgentIdentity(
                version: Version.current, pid: getpid(), started: .now),
            journal: journal)

        let (events, queue) = AsyncStream.makeStream(of: AgentEvent.self)
        let (checks, checkQueue) = AsyncStream.makeStream(of: AgentCheck.self)
        let clock = TimerClock()
        let notifier = ServiceNotifier()
        let refusals = RefusalWatch(access.keeper, reconciler: reconciler, log: log)
        let configuration = HostConfiguration(
            intake: ConfigurationIntake(
                ConfigurationDirectory(options.configurationDirectory), watch: directory
            ) { queue.yield(.directory([], noticed: BootTime.now)) }, log: log)
        let control = ControlService(
            reconciler: reconciler, refusals: refusals,
            planner: Planner(configuration, reconciler.inspector), events: queue)
        let heard = HeardChanges()
        let shadows = ShadowWatch { queue.yield(.shadows) }
        let loop = AgentLoop(
            configuration: configuration, log: log, kernel: kernel, reconciler: reconciler,
            queue: queue, checkQueue: checkQueue, notifier: notifier, heard: heard,
            shadows: shadows, refusals: refusals)

        await loop.start()
        let server = try await control.serve(at: options.socketPath, log: log)
        loop.tellReady()
        try await withThrowingDiscardingTaskGroup { group in
            defer { group.cancelAll() }
            group.addTask {
                await directory.changes.forEachBurst(
                    quiet: Self.settling, longest: Self.longestSettling, clock: clock
                ) { queue.yield(.directory($0, noticed: BootTime.now)) }
                queue.yield(.failure("the configuration directory is watched no more"))
            }
            group.addTask {
                await directory.run(by: clock) { await reconciler.noteWatching(limit: $0) }
            }
            group.addTask {
                for await _ in addresses.changes {
                    queue.yield(.addresses)
                    // An event meanwhile is one more.
                    if await Ticks(every: HostChanges.addressPace, by: clock).next() == nil {
                        return
                    }
                }
                queue.yield(.failure("the host's addresses are watched no more"))
            }
            group.addTask {
                for await event in ruleset {
                    shadows.heard(event)
                    if heard.add(event) { checkQueue.yield(.ruleset) }
                }
                queue.yield(.failure("the kernel's ruleset is watched no more"))
            }
            group.addTask { [keeper = access.keeper] in
                for await _ in keeper.ending() {
                    let end = try keeper.reap()
                    queue.yield(.failure("the process that holds CAP_NET_ADMIN \(end)"))
                }
            }
            group.addTask { [claim = access.claim, log] in
                for await signal in signals {
                    if signal != .hangUp { claim.announceEnd(log) }
                    queue.yield(.signal(signal))
                }
            }
            group.addTask {
                for await _ in Ticks(every: Self.checkInterval, by: clock) {
                    checkQueue.yield(.check)
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
            group.addTask {
                try await withTaskExecutorPreference(QueueTaskExecutor(label: "agent-checks")) {
                    try await loop.runChecks(checks)
                }
            }
            // Reads and compiles, for seconds where there is much: those above listen meanwhile, and
            // repair.
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

/// The agent's work beside taking up changes, which may take long: looks at the kernel, and repairs
/// it.
enum AgentCheck: Sendable {
    /// ``HeardChanges`` holds something.
    case ruleset
    /// Compare the kernel with the generation in force.
    case check
    /// The service manager's, through both queues, so that an agent that hangs is noticed.
    case watchdog
}

/// An event that the agent's loop takes up.
enum AgentEvent: Sendable {
    /// A change of the configuration directory, or none where it is only time to look again.
    ///
    /// - Parameter noticed: when it had settled, since the host was started.
    case directory([DirectoryChange], noticed: Duration)
    case addresses
    /// Addresses changed a while ago, and with them routes may have.
    case routes
    case signal(Signal)
    case command(PendingCommand)
    /// Something was done beside this queue, after which there may be more to do.
    case done
    /// Flows that the generation in force does not permit were looked for.
    case flowsEnded
    /// Look at other programs' tables, which changed.
    case shadows
    /// Try a configuration again that could not be put in force.
    case retry
    /// The time to confirm in may have passed.
    case deadline
    case watchdog
    /// A source of events ended, without which the agent would be blind.
    case failure(String)

    /// A wish of a client of the control socket.
    enum Command: Sendable {
        case apply(Reconciler.ApplyRequest)
        case rollback(generation: Int?)
        case flush
    }
}

/// A command that waits for its turn.
final class PendingCommand: Sendable {
    private enum State {
        case waiting(CheckedContinuation<Conclusion?, Never>)
        /// Somebody carries it out, whoever waits for it.
        case begun(CheckedContinuation<Conclusion?, Never>)
        case abandoned
        case done
    }

    let command: AgentEvent.Command
    /// When it was asked for, since the host was started.
    let noticed = BootTime.now
    /// It is to be carried out before this, or not at all: a client that gave up must not be surprised
    /// later.
    private let deadline: ContinuousClock.Instant
    private let state = Mutex<State>(.abandoned)

    /// - Parameter time: how long it may wait.
    init(_ command: AgentEvent.Command, within time: Duration) {
        self.command = command
        deadline = .now + time
    }

    /// Hands the command over and waits for what comes of it.
    ///
    /// - Returns: nil where the client has gone, or its time has passed, before anybody began.
    func conclusion(
        _ handOver: @Sendable (PendingCommand) -> Void
    ) async -> Conclusion? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { reply in
                state.withLock { $0 = .waiting(reply) }
                if Task.isCancelled { abandon() } else { handOver(self) }
            }
        } onCancel: {
            abandon()
        }
    }

    /// Whether anybody waits for it.
    var isWaiting: Bool {
        if deadline < .now { abandon() }
        return state.withLock { state in
            if case .waiting = state { true } else { false }
        }
    }

    /// Whether it is still to be carried out; from then on nobody may give it up.
    func begin() -> Bool {
        guard isWaiting else { return false }
        return state.withLock { state in
            guard case .waiting(let reply) = state else { return false }
            state = .begun(reply)
            return true
        }
    }

    func conclude(_ conclusion: Conclusion) {
        let reply = state.withLock { state -> CheckedContinuation<Conclusion?, Never>? in
            guard case .begun(let reply) = state else { return nil }
            state = .done
            return reply
        }
        reply?.resume(returning: conclusion)
    }

    private func abandon() {
        let reply = state.withLock { state -> CheckedContinuation<Conclusion?, Never>? in
            guard case .waiting(let reply) = state else { return nil }
            state = .abandoned
            return reply
        }
        reply?.resume(returning: nil)
    }
}

/// Changes of the ruleset that were heard and not taken up yet: however fast others commit, it
/// holds a bounded number of changes and one event stands in the queue.
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
                guard change.tables.keys.contains(where: OwnTable.isID)
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

    /// The changes that were heard since the last time.
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

/// Takes up changes, one after another, and beside them what is to be repaired.
private struct AgentLoop: Sendable {
    /// How long the start waits for files that are being written.
    private static let longestStart = Duration.seconds(6)

    let configuration: HostConfiguration
    let log: Logger
    let kernel: NftablesKernel
    let reconciler: Reconciler
    let queue: AsyncStream<AgentEvent>.Continuation
    let checkQueue: AsyncStream<AgentCheck>.Continuation
    let notifier: ServiceNotifier
    let heard: HeardChanges
    let shadows: ShadowWatch
    let refusals: RefusalWatch
    private let host = HostChanges()
    /// How often a state directory that can't be written is tried again.
    private static let storeInterval = Duration.seconds(5)
    private let checks = PendingTimer()
    private let retries = PendingTimer()
    private let deadlines = PendingTimer()
    private let rest = PendingTimer()
    private let retryPace = RetryPace()
    private let flowPace = RetryPace()
    /// The last search for flows whose end is waited for.
    private let followed = Shared<Task<Revocation, Never>?>(nil)
    private let following = QueueTaskExecutor(label: "agent-flows")

    init(
        configuration: HostConfiguration, log: Logger, kernel: NftablesKernel,
        reconciler: Reconciler, queue: AsyncStream<AgentEvent>.Continuation,
        checkQueue: AsyncStream<AgentCheck>.Continuation, notifier: ServiceNotifier,
        heard: HeardChanges, shadows: ShadowWatch, refusals: RefusalWatch
    ) {
        self.configuration = configuration
        self.log = log
        self.kernel = kernel
        self.reconciler = reconciler
        self.queue = queue
        self.checkQueue = checkQueue
        self.notifier = notifier
        self.heard = heard
        self.shadows = shadows
        self.refusals = refusals
    }

    func start() async {
        // Beside, in a process of its own, so that the first status tells of them.
        async let shadows: Void = reconciler.lookForShadows()
        let (compilation, noticed) = await wholeAtStart()
        await reconciler.start(compilation, noticed: noticed)
        host.took(compilation)
        await shadows
        await followUp()
    }

    /// The configuration when its files are whole, which is mostly at once; the reason why it is not
    /// taken up where they are not in time.
    private func wholeAtStart() async -> (Compilation, noticed: Duration) {
        let end = ContinuousClock.now + Self.longestStart
        let pause = Ticks(every: .milliseconds(100), by: TimerClock())
        while true {
            let noticed = BootTime.now
            var words: [String] = []
            switch configuration.intake.look(because: .request) {
            case .whole(let reading):
                let compilation = configuration.compile(reading.loaded)
                if configuration.intake.take(reading) { return (compilation, noticed) }
            case .waiting(let reasons): words = reasons
            case .same: break
            }
            // First the last good generation.
            await reconciler.resume()
            if ContinuousClock.now >= end {
                await reconciler.note(waitingFor: words)
                let reason = words.first ?? "the files change again and again"
                return (
                    Compilation(refusing: LoadedConfiguration(parsing: []), because: reason),
                    noticed
                )
            }
            _ = await pause.next()
        }
    }

    func tellReady() {
        let line = reconciler.inspector.overview.summary
        tell { () throws(SystemError) in try notifier.ready(status: line) }
        log.notice("ready: \(line)")
    }

    /// Tells the service manager, for people: the agent goes on where that fails.
    private func tell(_ body: () throws(SystemError) -> Void) {
        do throws(SystemError) {
            try body()
        } catch {
            log.warning("can't tell the service manager: \(error)")
        }
    }

    private func tellStatus() {
        let line = reconciler.inspector.overview.summary
        tell { () throws(SystemError) in try notifier.status(line) }
    }

    /// Takes up changes; returns when the agent is asked to end.
    func run(_ events: AsyncStream<AgentEvent>) async throws {
        for await event in events {
            switch event {
            case .retry:
                if await reconciler.hasFailedApply { await takeUpAgain() }
            case .deadline:
                await reconciler.keepDeadlines()
                await followUp()
            case .directory(let changes, let noticed):
                for case .failed(let error) in changes {
                    throw AgentFailure(
                        description: "the configuration directory can't be watched: \(error)")
                }
                let isEvent = changes.contains { $0 != .mounts }
                await takeUpDirectory(because: isEvent ? .event : .comparison, noticed: noticed)
            case .addresses:
                if host.areAddressesOther(later: { [queue] in queue.yield(.routes) }) {
                    await takeUpAgain()
                }
            case .routes:
                if host.areRoutesOther(configuration.routes) { await takeUpAgain() }
            case .shadows:
                shadows.run { await reconciler.lookForShadows() }
            case .signal(.hangUp):
                tell { () throws(SystemError) in try notifier.reloading() }
                await takeUpDirectory(because: .request, noticed: BootTime.now)
                tellReady()
            case .signal(let signal):
                await reconciler.announceEnd("\(signal): ending; the rules stay in force")
                tell { () throws(SystemError) in try notifier.stopping() }
                return
            case .command(let command):
                await carryOut(command)
                await followUp()
            case .done:
                await followUp()
            case .flowsEnded:
                if reconciler.inspector.overview.hasRefusedFlows {
                    checkAgain(in: flowPace.next())
                } else {
                    flowPace.reset()
                }
                tellStatus()
            case .watchdog:
                checkQueue.yield(.watchdog)
            case .failure(let reason):
                throw AgentFailure(description: reason)
            }
        }
    }

    /// Takes up what is in the directory, where that is whole.
    private func takeUpDirectory(
        because cause: ConfigurationIntake.Cause, noticed: Duration
    ) async {
        switch configuration.intake.look(because: cause) {
        case .same: await reconciler.note(waitingFor: [])
        case .waiting(let words): await reconciler.note(waitingFor: words)
        case .whole(let reading):
            let compilation = configuration.compile(reading.loaded)
            guard configuration.intake.take(reading) else { return }
            await reconciler.note(waitingFor: [])
            await takeUpConfiguration(noticed: noticed, compilation)
        }
    }

    /// The files as they were taken up last: they may be half written now.
    private func takeUpAgain() async {
        guard let loaded = configuration.intake.loaded else { return }
        await takeUpConfiguration(noticed: BootTime.now, configuration.compile(loaded))
    }

    /// Looks at the kernel and repairs it, until the task is cancelled.
    func runChecks(_ checks: AsyncStream<AgentCheck>) async throws {
        for await check in checks {
            switch check {
            case .ruleset:
                _ = try await takeUpChanges()
            case .check:
                let wasUnstored = await reconciler.isUnstored
                await reconciler.secure()
                // The author of a change just now is known.
                if try await !takeUpChanges() { await self.check(after: nil) }
                if await reconciler.isUnstored {
                    checkAgain(in: Self.storeInterval)
                } else if wasUnstored {
                    // Not as late as the retries have become by now.
                    queue.yield(.retry)
                }
            case .watchdog:
                tell { () throws(SystemError) in try notifier.watchdog() }
            }
        }
    }

    private func takeUpConfiguration(noticed: Duration, _ compilation: Compilation) async {
        await reconciler.configurationChanged(
            compilation, origin: .directory, noticed: noticed)
        host.took(compilation)
        await followUp()
    }

    private func carryOut(_ pending: PendingCommand) async {
        switch pending.command {
        case .apply(let request):
            // For nobody where the client has gone.
            guard pending.isWaiting else { return }
            let reading = configuration.intake.asItIs()
            let compilation = configuration.compile(reading.loaded)
            guard pending.begin() else { return }
            let report = await reconciler.apply(compilation, request, noticed: pending.noticed)
            // A refusal is left to the directory, as without the command.
            if report.outcome != .refused {
                configuration.intake.takeAsItIs(reading)
                host.took(compilation)
            }
            // A file that is still waited for is told anew.
            queue.yield(.directory([], noticed: BootTime.now))
            pending.conclude(report)
        case .rollback(let generation):
            guard pending.begin() else { return }
            pending.conclude(await reconciler.rollback(to: generation))
        case .flush:
            guard pending.begin() else { return }
            pending.conclude(await reconciler.flush())
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
        // The first part of a change may be missing.
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
        await followFlows()
    }

    private func checkAgain(in delay: Duration) {
        checks.schedule(after: delay) { checkQueue.yield(.check) }
    }

    /// Comes back to flows that the generation in force does not permit once they were looked for.
    private func followFlows() async {
        guard let revocation = await reconciler.revocation else { return }
        guard
            followed.withLock({ followed in
                defer { followed = revocation }
                return followed != revocation
            })
        else { return }
        Task(executorPreference: following) {
            _ = await revocation.value
            queue.yield(.flowsEnded)
        }
    }

    /// Gives back an operation's memory a second later.
    private func restLater() { rest.schedule(after: .seconds(1)) { Memory.trim() } }

    /// After an operation that may have left the kernel behind, a configuration out of force, or
    /// another generation in force.
    private func followUp() async {
        restLater()
        await followFlows()
        let inForce = await reconciler.generationInForce
        await refusals.follow(inForce)
        shadows.follow(inForce?.ruleset.tableIDs ?? [])
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
        tellStatus()
    }
}
