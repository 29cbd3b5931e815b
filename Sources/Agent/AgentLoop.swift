internal import Configuration
internal import Enforcement
internal import LinuxSystem
internal import Reports
internal import Ruleset

/// Takes up changes, one after another.
struct AgentLoop: Sendable {
    /// How long the start waits for files that are being written.
    private static let longestStart = Duration.seconds(6)

    let configuration: HostConfiguration
    let reconciler: Reconciler
    let queue: AsyncStream<AgentEvent>.Continuation
    let checkQueue: AsyncStream<AgentCheck>.Continuation
    let checks: KernelChecks
    let service: ServiceStatus
    let shadows: ShadowWatch
    let refusals: RefusalWatch
    private let host = HostChanges()
    private let retries = PendingTimer()
    private let deadlines = PendingTimer()
    private let retryPace = RetryPace()

    init(
        configuration: HostConfiguration, reconciler: Reconciler,
        queue: AsyncStream<AgentEvent>.Continuation,
        checkQueue: AsyncStream<AgentCheck>.Continuation, checks: KernelChecks,
        service: ServiceStatus, shadows: ShadowWatch, refusals: RefusalWatch
    ) {
        self.configuration = configuration
        self.reconciler = reconciler
        self.queue = queue
        self.checkQueue = checkQueue
        self.checks = checks
        self.service = service
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
                service.reloading()
                await takeUpDirectory(because: .request, noticed: BootTime.now)
                service.ready()
            case .signal(let signal):
                await reconciler.announceEnd("\(signal): ending; the rules stay in force")
                service.stopping()
                return
            case .command(let command):
                await carryOut(command)
                await followUp()
            case .done:
                await followUp()
            case .flowsEnded:
                checks.flowsEnded()
                service.update()
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

    /// After an operation that may have left the kernel behind, a configuration out of force, or
    /// another generation in force.
    private func followUp() async {
        checks.restLater()
        await checks.followFlows()
        let inForce = await reconciler.generationInForce
        await refusals.follow(inForce)
        shadows.follow(inForce?.ruleset.tableIDs ?? [])
        await checks.followUp()
        if let left = await reconciler.timeToNextDeadline {
            // Again and again where it can't be kept, but not in a busy loop.
            deadlines.schedule(after: max(left, .seconds(1))) { queue.yield(.deadline) }
        }
        if await reconciler.hasFailedApply {
            retries.schedule(after: retryPace.next()) { queue.yield(.retry) }
        } else {
            retryPace.reset()
        }
        service.update()
    }
}
