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

    /// The facts that are told once the operation has ended that changes them.
    var overview: Overview
    /// The generation that the kernel is to hold; nil before the first and after a flush.
    var current: Generation? { overview.generation }
    /// Until when its rules adopt connections, since the host was started; nil where they don't.
    var adoption: Duration? {
        didSet { overview.stamped = nil }
    }
    let adoptsConnections: Bool
    var ledger: Ledger
    /// When the kernel was last read and held what was wanted, since the host was started.
    var verified = Duration.zero
    /// The kernel did not take ``current`` when it was asked last.
    var isRefused = false
    var repairs = RepairPace()
    /// The last repair failed, so that to do the same again may fail again.
    var mustRebuild = false
    /// How many repairs in a row were not what was read back.
    var interferences = 0
    var told = Told()
    let clock: any HostClock
    let prober: any Prober
    /// Of the flows that ``current`` does not permit; nil where none was looked for since the start.
    package private(set) var revocation: Task<Revocation, Never>?
    private let turns = Turns()
    private var isBusy = false
    /// Whether ``resume()`` has done its work.
    private var isResumed = false

    /// The facts that watchers know.
    struct Told {
        var state: StatusReport.State?
        var shadows: [Shadow] = []
        var translations: String?
    }

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
        self.adoptsConnections = adoptsConnections
        overview = Overview(identity: identity)
        published = Published(overview)
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
        overview.record = ledger.record
        tellStateAndShadows()
        published.publish(overview)
        isBusy = false
        turns.give()
    }

    /// Changes what is told, at any time; it is told when no operation is under way.
    func note(_ change: (inout Overview) -> Void) {
        change(&overview)
        guard !isBusy else { return }
        tellStateAndShadows()
        published.publish(overview)
    }

    /// Lets the kernel's tables be those of a generation, or of none.
    func hold(_ generation: Generation?, from deployment: Deployment? = nil) {
        overview.hold(generation, from: deployment)
    }

    /// Ends the flows that the generation in force does not permit, beside everything else. Where that
    /// fails, ``Overview/isOutOfSync`` tells when it has ended.
    func endRefusedFlows() async {
        let number = current?.number
        revocation = await revoker.begin(current) { [weak self] result in
            await self?.note { overview in
                overview.measurements.ended(result.ended ?? 0)
                // Another generation may have come since it ended.
                if !result.isSuperseded, overview.generation?.number == number {
                    overview.revocation = result
                }
            }
        }
    }

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
        hold(ledger.load())
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
            record(compilation)
            log.notice("held as rollback or flush left it", metadata: generationMetadata)
        } else {
            _ = await takeUp(compilation, origin: .start, noticed: noticed)
        }
        await findStandIn(isWanted: !isHeld && compilation.target != nil)
        if current == nil, overview.failedApply == nil { await lookForUnknownTables() }
        ledger.secure(current)
    }

    /// Makes sure that the next start will find what is in force. To be called now and then, and
    /// sooner while ``isUnstored``.
    package func secure() async {
        await begin()
        defer { end() }
        ledger.secure(current)
    }

    /// Whether the state directory can't be written.
    package var isUnstored: Bool { ledger.record.obstacle != nil }

    /// Whether something else is in force than what is configured, and the configuration is still
    /// the same.
    package func isHeld(against compilation: Compilation) -> Bool {
        ledger.standing?.hold?.against == compilation.configurationDigest
    }

    /// Takes up a stored generation that the kernel holds exactly, where none is recorded: the first
    /// apply was killed before it could record it.
    func adopt() async {
        do {
            let observed = try await kernel.tables(knownFrom: [])
            guard let number = observed.first?.stamp?.generation,
                let generation = try ledger.stored(number),
                [generation.stamped, generation.stamped.adopting].contains(where: {
                    observed.differences(from: $0).isEmpty
                })
            else { return }
            try ledger.record(number)
            hold(generation)
            log.notice("adopted what the kernel holds", metadata: generationMetadata)
        } catch {
            log.error("can't adopt what the kernel holds: \(error)")
        }
    }

    /// A state directory that was lost does not open the firewall: the kernel's tables stay.
    func lookForUnknownTables() async {
        do throws(ApplyFailure) {
            let names = try await kernel.tables(knownFrom: []).map(\.id.words)
            if names.isEmpty { return }
            overview.kernelProblem =
                "the kernel holds tables of ours that the state directory does not know (\(names.joined(separator: ", "))): they stay in force until a configuration is applied or flush is said"
        } catch {
            overview.kernelProblem = error.description
        }
        log.error("\(overview.kernelProblem ?? "")")
    }
}
