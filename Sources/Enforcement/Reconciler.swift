internal import Configuration
internal import LinuxSystem
internal import Logging
package import PortModel
package import Reports
internal import Ruleset
internal import Site

/// Brings the kernel to the generation that is to be in force, and keeps it there.
///
/// Every operation leaves the kernel at the generation that was in force before or at the new one,
/// and says which. Operations wait for each other. A caller that only asks reads the overview that
/// the last one published (``inspector``), and waits for nobody.
package actor Reconciler {
    let kernel: VerifiedKernel
    nonisolated let revoker: Revoker
    let journal: Journal
    var log: Logger { journal.log }
    let executor = QueueExecutor(label: "reconciler")
    /// The store's system calls block.
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    /// Answers questions about all this.
    package nonisolated let inspector: Inspector
    private let published: Published

    /// The agent's own, as it is told.
    private let identity: StatusReport.AgentIdentity
    let clock: any HostClock
    let prober: any Prober

    var desired: DesiredRules
    var sync = KernelSync()
    var configuration = LatestConfiguration()
    var surroundings = Surroundings()
    var measurements = Measurements()
    var ledger: Ledger
    var announcements = Announcements()
    /// Of the flows that ``current`` does not permit; nil where none was looked for since the start.
    package internal(set) var revocation: Task<Revocation, Never>?
    private let turns = Turns()
    private var isBusy = false
    /// Whether ``resume()`` has done its work.
    private var isResumed = false

    /// - Parameters:
    ///   - adoptsConnections: whether rules that come where there were none adopt, for a time, the
    ///     connections that stand.
    ///   - hostAddresses: the addresses of this host's interfaces.
    package init(
        kernel: any RulesetKernel, store: GenerationStore, clock: any HostClock,
        prober: any Prober, identity: StatusReport.AgentIdentity, journal: Journal,
        adoptsConnections: Bool = true,
        hostAddresses: @escaping @Sendable () throws -> Set<IPAddress> = {
            try HostAddresses.current()
        }
    ) {
        self.kernel = VerifiedKernel(kernel: kernel)
        revoker = Revoker(kernel: kernel, hostAddresses: hostAddresses, log: journal.log)
        ledger = Ledger(store, log: journal.log)
        self.clock = clock
        self.prober = prober
        self.journal = journal
        self.identity = identity
        desired = DesiredRules(adoption: AdoptionPeriod(isAllowed: adoptsConnections))
        published = Published(
            Overview(
                identity: identity, desired: desired, sync: sync, configuration: configuration,
                surroundings: surroundings, measurements: measurements, record: ledger.record))
        inspector = Inspector(
            published, kernel: kernel, store: store, clock: clock, hostAddresses: hostAddresses,
            log: journal.log)
    }

    // MARK: Operations

    /// Waits until no other operation is under way: an actor lets others in wherever it waits, and one
    /// that came in between would see, and leave, half a change.
    func begin() async {
        await turns.take()
        isBusy = true
    }

    func end() {
        publish()
        isBusy = false
        turns.give()
    }

    /// Tells what was noticed beside an operation: at once, or when the operation that is under way
    /// ends.
    func publishUnlessBusy() {
        if !isBusy { publish() }
    }

    private func publish() {
        let overview = overview
        tellNews(overview)
        published.publish(overview)
    }

    // MARK: Facts

    /// The generation that the kernel is to hold; nil before the first and after a flush.
    var current: Generation? { desired.generation }

    /// The generation in force.
    package var generationInForce: Generation? { current }

    /// All that is known, at this moment of an operation.
    var overview: Overview {
        Overview(
            identity: identity, desired: desired, sync: sync, configuration: configuration,
            surroundings: surroundings, measurements: measurements, record: ledger.record)
    }

    /// Whether the kernel is not known to hold what is to be in force, so that it should be checked
    /// again soon.
    package var isOutOfSync: Bool { sync.problem != nil }

    /// Whether a configuration that is correct could not be put in force, so that it should be tried
    /// again.
    package var hasFailedApply: Bool { configuration.failure != nil }

    /// Whether the state directory can't be written.
    package var isUnstored: Bool { ledger.record.obstacle != nil }

    // MARK: Start

    /// Adopts what the kernel holds, or restores what it should hold, whatever the configuration says:
    /// for a start that has to wait for that.
    package func resume() async {
        if isResumed { return }
        await begin()
        defer { end() }
        await resumeOnce()
    }

    private func resumeOnce() async {
        if isResumed { return }
        isResumed = true
        ledger.prepare()
        let stored = ledger.load()
        desired.hold(stored)
        if let current, current != stored { ledger.keep(current) }
        if current == nil, ledger.standing == nil { await adopt() }
        if isOverdue {
            await takeBack()
        } else if let current {
            await restore(current, because: "start")
        }
    }

    /// Adopts what the kernel holds, or restores what it should hold, then applies the
    /// configuration.
    /// - Parameter noticed: when it began, since the host was started; nil for now.
    package func start(_ compilation: Compilation, noticed: Duration? = nil) async {
        let noticed = noticed ?? clock.sinceBoot
        await begin()
        defer { end() }
        await resumeOnce()
        let isHeld = isHeld(against: compilation)
        if isHeld {
            configuration.read(compilation)
            log.notice("held as rollback or flush left it", metadata: generationMetadata)
        } else {
            _ = await takeUp(compilation, origin: .start, noticed: noticed)
        }
        await findStandIn(isWanted: !isHeld && compilation.target != nil)
        if current == nil, configuration.failure == nil { await lookForUnknownTables() }
        ledger.secure(current)
    }

    /// Makes sure that the next start will find what is in force. To be called now and then, and
    /// sooner while ``isUnstored``.
    package func secure() async {
        await begin()
        defer { end() }
        ledger.secure(current)
    }

    /// Whether something else is in force than what is configured, and the configuration is still
    /// the same.
    package func isHeld(against compilation: Compilation) -> Bool {
        ledger.standing?.hold?.against == compilation.configurationDigest
    }
}
