internal import Deployment
internal import LinuxSystem
internal import Logging
package import PortModel
internal import Ruleset

/// Brings the kernel to the generation that is to be in force, and keeps it there.
///
/// Every operation leaves the kernel at the generation that was in force before or at the new one,
/// and says which. Operations must not overlap: the agent's loop enters one after another. Only
/// what changes nothing may come at any time.
package actor Reconciler {
    let kernel: VerifiedKernel
    let revoker: Revoker
    let journal: Journal
    var log: Logger { journal.log }
    let identity: StatusReport.AgentIdentity
    let executor = QueueExecutor(label: "reconciler")
    /// The store's system calls block.
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    /// The generation that the kernel is to hold; nil before the first and after a flush.
    var current: Generation? {
        didSet { stamped = nil }
    }
    /// Its tables as they are to stand in the kernel, once they were needed.
    var stamped: Ruleset?
    /// Until when its rules adopt connections, since the host was started; nil where they don't.
    var adoption: Duration? {
        didSet { stamped = nil }
    }
    let adoptsConnections: Bool
    var ledger: Ledger
    /// The configuration as it was read last, whether it was applied or not.
    var configuration = Configuration()
    var drift = DriftLog()
    var measurements = Measurements()
    /// When the kernel was last read and held what was wanted, since the host was started.
    var verified = Duration.zero
    var failedApply: String?
    /// Set while the kernel is not known to hold `current`.
    var kernelProblem: String?
    /// When our tables were made, or made anew; nil where that was before the start.
    var tablesMade: Timestamp?
    /// When our tables began to note packets between nodes; nil where that was before the start.
    var pairsNoted: Timestamp?
    /// Of the flows that `current` does not permit, the last time that they were looked for.
    var revocation = Revocation()
    var repairs = RepairPace()
    /// The last repair failed, so that to do the same again may fail again.
    var mustRebuild = false
    /// How many repairs in a row were not what was read back.
    var interferences = 0
    /// What was last seen of other tables, whatever is in force.
    var foreign = ForeignTables()
    var shadowProblem: String?
    /// Why samples of refusals are not heard.
    var samplingProblem: String?
    /// Why the file for monitoring can't be written.
    var metricsProblem: String?
    var told = Told()
    let clock: any HostClock
    let prober: any Prober
    var isBusy = false

    struct Configuration {
        var diagnostics: [Diagnostic] = []
        var digest = ""
        var isEmpty = false
    }

    /// What watchers know.
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
        self.identity = identity
        self.journal = journal
        self.adoptsConnections = adoptsConnections
    }

    /// An actor lets others in wherever it waits; an operation that came in between would see, and
    /// leave, half a change.
    func begin() {
        precondition(!isBusy, "operations of the reconciler overlap")
        isBusy = true
    }

    func end() {
        isBusy = false
        tellStateAndShadows()
    }

    // MARK: Start

    /// Adopts what the kernel holds, or restores what it should hold, then applies the
    /// configuration.
    /// - Parameter noticed: when it began, since the host was started; nil for now.
    package func start(_ compilation: Compilation, noticed: Duration? = nil) async {
        let noticed = noticed ?? clock.sinceBoot
        begin()
        defer { end() }
        ledger.prepare()
        current = ledger.load()
        if current == nil, ledger.standing == nil { await adopt() }
        if isOverdue {
            await takeBack()
        } else if let current {
            // First the last good generation, whatever the configuration says.
            await restore(current, because: "start")
        }
        if isHeld(against: compilation) {
            record(compilation)
            log.notice("held as rollback or flush left it", metadata: generationMetadata)
        } else {
            _ = await takeUp(compilation, origin: .start, noticed: noticed)
        }
        if current == nil, failedApply == nil { await lookForUnknownTables() }
        ledger.secure(current)
    }

    /// Makes sure that the next start will find what is in force. To be called now and then, and
    /// sooner while ``isUnstored``.
    package func secure() {
        begin()
        defer { end() }
        ledger.secure(current)
    }

    /// Whether the state directory can't be written.
    package var isUnstored: Bool { ledger.obstacle != nil }

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
            current = generation
            log.notice("adopted what the kernel holds", metadata: generationMetadata)
        } catch {
            log.error("can't adopt what the kernel holds: \(error)")
        }
    }

    /// A state directory that was lost does not open the firewall: what the kernel holds stays.
    func lookForUnknownTables() async {
        do throws(ApplyFailure) {
            let names = try await kernel.tables(knownFrom: []).map(\.name)
            if names.isEmpty { return }
            kernelProblem =
                "the kernel holds tables of ours that the state directory does not know (\(names.joined(separator: ", "))): they stay in force until a configuration is applied or flush is said"
        } catch {
            kernelProblem = error.description
        }
        log.error("\(kernelProblem ?? "")")
    }
}
