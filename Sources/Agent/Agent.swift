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
        let service = ServiceStatus(
            notifier: notifier, inspector: reconciler.inspector, log: log)
        let kernelChecks = KernelChecks(
            kernel: kernel, reconciler: reconciler, heard: heard, service: service, log: log,
            events: queue, queue: checkQueue)
        let loop = AgentLoop(
            configuration: configuration, reconciler: reconciler, queue: queue,
            checkQueue: checkQueue, checks: kernelChecks, service: service, shadows: shadows,
            refusals: refusals)

        await loop.start()
        let server = try await control.serve(at: options.socketPath, log: log)
        service.ready()
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
                    try await kernelChecks.run(checks)
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
