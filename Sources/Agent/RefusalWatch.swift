internal import Enforcement
internal import LinuxSystem
internal import Logging
internal import Netlink
internal import Nftables
internal import Reports
internal import Ruleset
internal import Synchronization

/// Hears of refused packets for as long as the rules in force sample them, and keeps who is refused
/// most. Nothing of a single packet is ever logged.
actor RefusalWatch {
    private let executor = QueueExecutor(label: "refusals")
    /// Opening waits for another process.
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let tasks = QueueTaskExecutor(label: "refusals.tasks")
    private let keeper: KernelKeeper
    private let reconciler: Reconciler
    private let log: Logger
    private let retries = PendingTimer()
    private let pace = RetryPace()
    /// Of the generation that was followed last.
    private var generation: Int?
    /// The samples that are to be listened to; nil for none.
    private var group: UInt16?
    private var listener: RefusalListener?
    /// Why nothing is heard of the group.
    private var problem: String?
    private let record = Mutex<RefusalRecord?>(nil)

    init(_ keeper: KernelKeeper, reconciler: Reconciler, log: Logger) {
        self.keeper = keeper
        self.reconciler = reconciler
        self.log = log
    }

    /// Listens as the rules of the generation in force sample, or not at all.
    func follow(_ generation: Generation?) async {
        if generation?.number == self.generation { return }
        self.generation = generation?.number
        let wanted = generation?.ruleset.sampling?.group
        if wanted == group { return }
        listener = nil
        group = wanted
        problem = nil
        pace.reset()
        await open()
    }

    /// The samples so far, and the reason for which there are no more; nil for either that there is
    /// not.
    var heard: (record: RefusalRecord?, problem: String?) { (record.withLock { $0 }, problem) }

    private func open() async {
        if let group, listener == nil {
            do throws(KernelError) {
                listener = try RefusalListener(keeper.openLogGroup(group)) { [weak self] event in
                    self?.hear(event)
                }
                record.withLock { if $0 == nil { $0 = RefusalRecord(since: .now) } }
                if problem != nil { log.notice("refusals are sampled again") }
                problem = nil
                pace.reset()
            } catch {
                fail(error.description)
            }
        }
        await reconciler.noteSampling(problem: problem)
    }

    /// The rules are in force all the same; it is tried again.
    private func fail(_ reason: String) {
        if problem != reason { log.warning("refusals are not sampled: \(reason)") }
        problem = reason
        retries.schedule(after: pace.next()) { [self, tasks] in
            Task(executorPreference: tasks) { await self.open() }
        }
    }

    private nonisolated func hear(_ event: RefusalEvent) {
        switch event {
        case .refused(let packet): record.withLock { $0?.add(packet, at: .now) }
        case .unreadable: record.withLock { $0?.addUnreadable() }
        case .lost(let count): record.withLock { $0?.addLost(count) }
        case .failed(let reason):
            Task(executorPreference: tasks) { await self.end(because: reason) }
        }
    }

    private func end(because reason: String) async {
        guard listener != nil else { return }
        listener = nil
        fail(reason)
        await reconciler.noteSampling(problem: problem)
    }
}
