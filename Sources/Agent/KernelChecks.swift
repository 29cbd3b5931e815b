internal import Enforcement
internal import LinuxSystem
internal import Logging
internal import Netlink
internal import Nftables
internal import Reports

/// The agent's work beside taking up changes: looks at the kernel, and repairs it; and comes back to
/// flows that are to end.
struct KernelChecks: Sendable {
    /// How often a state directory that can't be written is tried again.
    private static let storeInterval = Duration.seconds(5)

    let kernel: NftablesKernel
    let reconciler: Reconciler
    let heard: HeardChanges
    let service: ServiceStatus
    let log: Logger
    let events: AsyncStream<AgentEvent>.Continuation
    let queue: AsyncStream<AgentCheck>.Continuation
    private let checks = PendingTimer()
    private let rest = PendingTimer()
    private let flowPace = RetryPace()
    /// The last search for flows whose end is waited for.
    private let followed = Shared<Task<Revocation, Never>?>(nil)
    private let following = QueueTaskExecutor(label: "agent-flows")

    init(
        kernel: NftablesKernel, reconciler: Reconciler, heard: HeardChanges,
        service: ServiceStatus, log: Logger, events: AsyncStream<AgentEvent>.Continuation,
        queue: AsyncStream<AgentCheck>.Continuation
    ) {
        self.kernel = kernel
        self.reconciler = reconciler
        self.heard = heard
        self.service = service
        self.log = log
        self.events = events
        self.queue = queue
    }

    /// Looks at the kernel and repairs it, until the task is cancelled.
    func run(_ checks: AsyncStream<AgentCheck>) async throws {
        for await check in checks {
            switch check {
            case .ruleset:
                _ = try await takeUpChanges()
            case .check:
                let wasUnstored = await reconciler.isUnstored
                await reconciler.secure()
                // The author of a change just now is known.
                if try await !takeUpChanges() { await self.check(after: nil) }
                if await !comeBackToStore(), wasUnstored {
                    // Not as late as the retries have become by now.
                    events.yield(.retry)
                }
            case .watchdog:
                service.isAlive()
            }
        }
    }

    /// Comes back after an operation that may have left the kernel or the state directory behind.
    func followUp() async {
        if await reconciler.isOutOfSync { again(in: .seconds(1)) }
        _ = await comeBackToStore()
    }

    /// - Returns: whether the state directory can't be written, so that it is tried again.
    private func comeBackToStore() async -> Bool {
        let isUnstored = await reconciler.isUnstored
        if isUnstored { again(in: Self.storeInterval) }
        return isUnstored
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
            again(in: delay)
        }
        restLater()
        await followFlows()
    }

    private func again(in delay: Duration) {
        checks.schedule(after: delay) { queue.yield(.check) }
    }

    /// Gives back an operation's memory a second later.
    func restLater() { rest.schedule(after: .seconds(1)) { Memory.trim() } }

    // MARK: Flows

    /// Comes back to flows that the generation in force does not permit once they were looked for.
    func followFlows() async {
        guard let revocation = await reconciler.revocation else { return }
        guard
            followed.withLock({ followed in
                defer { followed = revocation }
                return followed != revocation
            })
        else { return }
        Task(executorPreference: following) {
            _ = await revocation.value
            events.yield(.flowsEnded)
        }
    }

    /// They were looked for: where some go on, the kernel is to be checked again.
    func flowsEnded() {
        if reconciler.inspector.overview.hasRefusedFlows {
            again(in: flowPace.next())
        } else {
            flowPace.reset()
        }
    }
}
