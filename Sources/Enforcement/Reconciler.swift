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
    private let kernel: VerifiedKernel
    private let revoker: Revoker
    private let journal: Journal
    private var log: Logger { journal.log }
    private let identity: StatusReport.AgentIdentity
    private let executor = QueueExecutor(label: "reconciler")
    /// The store's system calls block.
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    /// The generation that the kernel is to hold; nil before the first and after a flush.
    private var current: Generation?
    private var ledger: Ledger
    /// The configuration as it was read last, whether it was applied or not.
    private var configuration = Configuration()
    private var drift = DriftLog()
    private var failedApply: String?
    /// Set while the kernel is not known to hold `current`.
    private var kernelProblem: String?
    /// Of the flows that `current` does not permit, the last time that they were looked for.
    private var revocation = Revocation()
    private var repairs = RepairPace()
    /// The last repair failed, so that to do the same again may fail again.
    private var mustRebuild = false
    /// At all hooks of other tables, whatever is in force.
    private var foreignShadows: [Shadow] = []
    private var shadowProblem: String?
    private var told = Told()
    private let clock: any HostClock
    private let prober: any Prober
    private var isBusy = false

    private struct Configuration {
        var diagnostics: [Diagnostic] = []
        var digest = ""
        var isEmpty = false
    }

    /// What watchers know.
    private struct Told {
        var state: StatusReport.State?
        var shadows: [Shadow] = []
    }

    /// - Parameter hostAddresses: the addresses of this host's interfaces.
    package init(
        kernel: any RulesetKernel, store: GenerationStore, clock: any HostClock,
        prober: any Prober, identity: StatusReport.AgentIdentity, journal: Journal,
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
    }

    /// An actor lets others in wherever it waits; an operation that came in between would see, and
    /// leave, half a change.
    private func begin() {
        precondition(!isBusy, "operations of the reconciler overlap")
        isBusy = true
    }

    private func end() {
        isBusy = false
        tellStateAndShadows()
    }

    // MARK: Start

    /// Adopts what the kernel holds, or restores what it should hold, then applies the
    /// configuration.
    package func start(_ compilation: Compilation) async {
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
            _ = await takeUp(compilation, origin: .start)
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
    private func adopt() async {
        do {
            let observed = try await kernel.tables(knownFrom: [])
            guard let number = observed.first?.stamp?.generation,
                let generation = try ledger.stored(number),
                observed.differences(from: generation.stamped).isEmpty
            else { return }
            try ledger.record(number)
            current = generation
            log.notice("adopted what the kernel holds", metadata: generationMetadata)
        } catch {
            log.error("can't adopt what the kernel holds: \(error)")
        }
    }

    /// A state directory that was lost does not open the firewall: what the kernel holds stays.
    private func lookForUnknownTables() async {
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

    // MARK: Apply

    /// How `apply` was said.
    package struct ApplyRequest: Hashable, Sendable {
        /// The time to confirm in; nil to put the configuration in force for good.
        package var confirm: Duration?
        /// Neither the operator's session nor probes are looked after.
        package var isForced: Bool
        /// The SSH session that it was typed in.
        package var session: OperatorSession?

        package init(
            confirm: Duration? = nil, isForced: Bool = false, session: OperatorSession? = nil
        ) {
            self.confirm = confirm
            self.isForced = isForced
            self.session = session
        }
    }

    /// Puts a configuration in force as a new generation, or says why not.
    package func apply(
        _ compilation: Compilation, _ request: ApplyRequest = ApplyRequest()
    ) async -> ApplyReport {
        begin()
        defer { end() }
        return await takeUp(compilation, origin: .command, request)
    }

    /// Takes up a configuration that may have changed: what `rollback` or `flush` holds stays as it
    /// is while the configuration is still the same.
    package func configurationChanged(
        _ compilation: Compilation, origin: Generation.Origin
    ) async {
        begin()
        defer { end() }
        if isHeld(against: compilation) {
            record(compilation)
            failedApply = nil
        } else {
            _ = await takeUp(compilation, origin: origin)
        }
    }

    /// Says what ``apply(_:_:)`` would do, and lets the kernel check it.
    package func dryRun(
        _ compilation: Compilation, _ request: ApplyRequest = ApplyRequest()
    ) async -> ApplyReport {
        begin()
        defer { end() }
        guard let target = compilation.target else {
            return report(.rejected, [], compilation)
        }
        let changes = target.nodeRules.changes(from: current?.nodeRules)
        if let refusal = refusal(of: target, request) {
            return report(.refused, changes, compilation, problem: refusal)
        }
        do {
            let next = try nextGeneration(target, compilation, .command)
            let observed = try await kernel.tables(knownFrom: [current?.ruleset, target.ruleset])
            try await kernel.check(next.stamped, from: observed)
            return report(isInForce(target) ? .unchanged : .wouldApply, changes, compilation)
        } catch {
            return report(.failed, changes, compilation, problem: "\(error)")
        }
    }

    private func takeUp(
        _ compilation: Compilation, origin: Generation.Origin,
        _ request: ApplyRequest = ApplyRequest()
    ) async -> ApplyReport {
        record(compilation)
        // What failed before is told until it is known how this ends.
        guard let target = compilation.target else {
            failedApply = nil
            return rejected(compilation)
        }
        if origin == .command, let refusal = refusal(of: target, request) {
            tell(.refused, .error, "apply refused: \(refusal)")
            return report(.refused, [], compilation, problem: refusal)
        }
        let report =
            if let current, isInForce(target) {
                await confirmUnchanged(current, compilation, origin, request)
            } else {
                await install(target, compilation, origin, request)
            }
        if origin != .start, report.outcome != .failed { ledger.forgetHealedProblem() }
        return report
    }

    private func refusal(
        of target: Compilation.Target, _ request: ApplyRequest
    ) -> String? {
        if request.isForced { return nil }
        let cuts = target.cuts(request.session)
        if cuts.isEmpty { return nil }
        return "\(cuts.joined(separator: "; ")): say --force where this is meant"
    }

    /// What has to be confirmed after an apply, and until when.
    private func pending(
        after origin: Generation.Origin, _ request: ApplyRequest, _ target: Compilation.Target,
        _ compilation: Compilation
    ) -> Pending? {
        let time = origin == .command ? request.confirm : target.deployment.guards.confirm
        // What somebody tries out is not confirmed by a file that changes meanwhile.
        let present = origin == .command ? nil : ledger.standing?.pending
        guard let deadline = time.map({ Deadline(after: $0, by: clock) }) ?? present?.deadline
        else { return nil }
        return Pending(
            deadline: deadline, fallback: ledger.standing?.confirmed,
            configurationDigest: compilation.configurationDigest)
    }

    private func isInForce(_ target: Compilation.Target) -> Bool {
        current?.ruleset == target.ruleset && current?.nodes == target.nodes
            && current?.revokesEstablished == target.revokesEstablished
    }

    private func record(_ compilation: Compilation) {
        configuration = Configuration(
            diagnostics: compilation.diagnostics, digest: compilation.configurationDigest,
            isEmpty: compilation.isEmpty)
    }

    private func rejected(_ compilation: Compilation) -> ApplyReport {
        for diagnostic in compilation.diagnostics {
            log.log(level: diagnostic.severity == .error ? .error : .warning, "\(diagnostic)")
        }
        let errors = compilation.diagnostics.count { $0.severity == .error }
        tell(
            .rejected, .error,
            "configuration rejected: \(errors.counted("error")); nothing changed")
        return report(.rejected, [], compilation)
    }

    /// The configuration says what is in force: a hold ends, `apply` confirms or begins the wait
    /// anew, a damaged record is written anew, and a kernel that differs is repaired.
    private func confirmUnchanged(
        _ generation: Generation, _ compilation: Compilation, _ origin: Generation.Origin,
        _ request: ApplyRequest
    ) async -> ApplyReport {
        do throws(StoreError) {
            let standing = ledger.standing
            if var pending = standing?.pending, origin == .command {
                if let time = request.confirm {
                    pending.deadline = Deadline(after: time, by: clock)
                    try ledger.record(generation.number, pending: pending)
                } else {
                    try confirm(generation)
                }
            } else if standing?.hold != nil || ledger.problem?.isHealed == false {
                try ledger.record(generation.number, pending: standing?.pending)
            }
        } catch {
            failedApply = error.description
            return report(.failed, [], compilation, problem: error.description)
        }
        failedApply = nil
        ledger.secure(generation)
        await restore(generation, because: "apply")
        guard let kernelProblem else { return report(.unchanged, [], compilation, revocation) }
        return report(.failed, [], compilation, problem: kernelProblem)
    }

    private func confirm(_ generation: Generation) throws(StoreError) {
        try ledger.confirm(generation)
        current?.isProvisional = false
        tell(.confirmed, .notice, "confirmed: generation \(generation.number)")
    }

    /// Stores, commits, verifies, probes and records a new generation, in this order, so that a kill
    /// at any point leaves a kernel that the next start understands.
    private func install(
        _ target: Compilation.Target, _ compilation: Compilation, _ origin: Generation.Origin,
        _ request: ApplyRequest
    ) async -> ApplyReport {
        let changes = target.nodeRules.changes(from: current?.nodeRules)
        let pending = pending(after: origin, request, target, compilation)
        let probes = request.isForced ? [] : target.deployment.guards.probes
        do throws(ApplyFailure) {
            var generation: Generation
            do throws(StoreError) {
                generation = try nextGeneration(target, compilation, origin)
                generation.isProvisional = pending != nil
                try ledger.store(generation)
            } catch {
                throw ApplyFailure("\(error); the kernel was not touched")
            }
            do throws(ApplyFailure) {
                let number = generation.number
                try await putInForce(generation, probes: probes) { ledger throws(StoreError) in
                    try ledger.record(number, pending: pending)
                }
            } catch {
                ledger.discard(generation)
                throw error
            }
            ledger.prune()
            tell(
                .applied, .notice, "applied: \(changes.count.counted("change"))",
                metadata: ["origin": "\(origin.rawValue)"])
            if let pending {
                tell(.pending, .notice, "to be confirmed until \(pending.deadline.time)")
            }
            return report(.applied, changes, compilation, revocation)
        } catch {
            if error.isHeld {
                // To try again and again would cut and open traffic each time.
                ledger.recordTakenBack(
                    to: current?.number,
                    hold: Hold(
                        .probe, against: compilation.configurationDigest,
                        explanation: error.description), pending: ledger.standing?.pending)
            } else {
                failedApply = error.description
            }
            tell(error.isHeld ? .probeFailed : .failed, .error, "apply failed: \(error)")
            return report(.failed, changes, compilation, problem: error.description)
        }
    }

    private func nextGeneration(
        _ target: Compilation.Target, _ compilation: Compilation, _ origin: Generation.Origin
    ) throws(StoreError) -> Generation {
        Generation(
            number: try ledger.nextNumber(), created: .now, origin: origin,
            configurationDigest: compilation.configurationDigest,
            configuration: compilation.sources.map {
                ConfigurationText(path: $0.path, text: String(decoding: $0.bytes, as: UTF8.self))
            }, mode: target.mode, revokesEstablished: target.revokesEstablished,
            nodes: target.nodes, ruleset: target.ruleset)
    }

    // MARK: Kernel

    /// Commits a generation, or none, verifies it, and records it. Where any of that fails, what was
    /// in force before is in force again, and the error says so.
    private func putInForce(
        _ generation: Generation?, probes: [Probe] = [],
        recording: @Sendable (inout Ledger) throws(StoreError) -> Void
    ) async throws(ApplyFailure) {
        let wanted = generation?.stamped ?? Ruleset(tables: [])
        let before: [ObservedTable]
        do throws(ApplyFailure) {
            before = try await kernel.tables(knownFrom: [current?.ruleset, wanted])
        } catch {
            throw ApplyFailure("\(error); the kernel was not touched")
        }
        do throws(ApplyFailure) {
            try await kernel.put(wanted, from: before)
            let silent = await prober.failures(of: probes)
            if !silent.isEmpty {
                throw ApplyFailure(
                    silent.map(\.description).joined(separator: "; "), isHeld: true)
            }
            do throws(StoreError) {
                try recording(&ledger)
            } catch {
                throw ApplyFailure(error.description)
            }
        } catch {
            let now = await goBack(to: before, from: wanted)
            throw ApplyFailure("\(error); \(now)", isHeld: error.isHeld)
        }
        current = generation
        isInSync()
        failedApply = nil
        await endRefusedFlows()
    }

    /// Puts what was in force before a failed operation back; says what is in force now.
    private func goBack(to before: [ObservedTable], from failed: Ruleset) async -> String {
        do throws(ApplyFailure) {
            let observed = try await kernel.tables(knownFrom: [current?.ruleset, failed])
            guard let current else {
                if observed.map(\.withoutCounts) == before.map(\.withoutCounts) {
                    return before.isEmpty
                        ? "nothing is enforced, as before" : "the kernel was not changed"
                }
                // Nothing that the state directory knows; but the kernel may hold something.
                try await kernel.put(try Ruleset(restoring: before), from: observed)
                return before.isEmpty
                    ? "nothing is enforced, as before"
                    : "what the kernel held before is in force"
            }
            try await kernel.put(current.stamped, from: observed)
            isInSync()
            // Those that came up while the failed one was in force.
            await endRefusedFlows()
            return "generation \(current.number) is in force"
        } catch {
            let problem = "the previous state can't be restored: \(error)"
            fellOutOfSync(problem)
            return problem
        }
    }

    /// Makes the kernel hold a generation that it should hold already.
    private func restore(_ generation: Generation, because reason: String) async {
        let wanted = generation.stamped
        do throws(ApplyFailure) {
            let observed = try await kernel.tables(knownFrom: [wanted])
            let differences = observed.differences(from: wanted)
            try await kernel.put(wanted, from: observed)
            isInSync()
            await endRefusedFlows()
            if let first = differences.first {
                tell(
                    .repaired, .notice,
                    "restored at \(reason): \(differences.count.counted("difference")), first: \(first)"
                )
            } else {
                log.info("the kernel holds the generation", metadata: generationMetadata)
            }
        } catch {
            fellOutOfSync(error.description)
            tell(.outOfSync, .error, "can't restore at \(reason): \(error)")
        }
    }

    /// Ends the flows that the generation in force does not permit, or leaves word of it for the
    /// next check.
    private func endRefusedFlows() async { revocation = await revoker.carryOut(current) }

    private func isInSync() {
        kernelProblem = nil
        mustRebuild = false
        drift.isInSync()
    }

    private func fellOutOfSync(_ problem: String) {
        kernelProblem = problem
        drift.ownTransactionFailed()
    }

    // MARK: Drift

    /// Checks the kernel after somebody else changed it, or may have, and repairs it.
    ///
    /// - Parameter writer: who changed it; nil when that is not known.
    /// - Returns: when to look again, where the repair failed or must wait because somebody makes
    ///   the same change again and again.
    package func repair(after writer: Writer?) async -> Duration? {
        begin()
        defer { end() }
        // What is to be taken back is not repaired first.
        guard let current, !isOverdue else { return nil }
        let wanted = current.stamped
        do throws(ApplyFailure) {
            let observed = try await kernel.tables(knownFrom: [wanted])
            let differences = observed.differences(from: wanted)
            guard let first = differences.first else {
                let wasLost = kernelProblem != nil
                isInSync()
                if wasLost { tell(.inSync, .notice, "in sync again") }
                if wasLost || revocation.problem != nil { await endRefusedFlows() }
                return nextCheck()
            }
            drift.found(differences, by: writer)
            let who = writer?.process ?? drift.report.last?.process ?? "somebody"
            if let delay = repairs.delayBeforeRepair(
                of: differences, now: clock.sinceBoot)
            {
                kernelProblem =
                    "\(who) keeps changing our tables; the next repair is in \(delay.components.seconds) s"
                tell(
                    .fight, .error, "fight: \(who) keeps changing our tables", process: who,
                    pid: writer?.pid)
                return delay
            }
            try await kernel.put(wanted, from: observed, isRebuild: mustRebuild)
            isInSync()
            await endRefusedFlows()
            tell(
                .repaired, .warning,
                "repaired: \(differences.count.counted("difference")), first: \(first)",
                process: who, pid: writer?.pid)
            return nextCheck()
        } catch {
            kernelProblem = error.description
            mustRebuild = true
            tell(
                .outOfSync, .error, "can't repair: \(error)", process: writer?.process,
                pid: writer?.pid)
            return repairs.delayAfterFailure()
        }
    }

    /// When to look again after a check that left the kernel as it should be.
    private func nextCheck() -> Duration? {
        if revocation.problem != nil { return repairs.delayAfterFailure() }
        repairs.succeeded()
        return nil
    }

    /// Who made a change.
    package struct Writer: Hashable, Sendable {
        package var process: String
        package var pid: Int32

        package init(process: String, pid: Int32) {
            self.process = process
            self.pid = pid
        }
    }

    // MARK: Rollback, flush

    /// Puts an older generation in force and holds it until the configuration changes or `apply` is
    /// said.
    ///
    /// - Parameter number: the generation; nil for the one that comes back where nobody confirms, or
    ///   else the newest one below that in force.
    package func rollback(to number: Int?) async -> ApplyReport {
        begin()
        defer { end() }
        do throws(ApplyFailure) {
            let generation = try rollbackTarget(number)
            let changes =
                generation?.nodeRules.changes(from: current?.nodeRules) ?? []
            let digest = configuration.digest
            try await putInForce(generation) { ledger throws(StoreError) in
                try ledger.record(
                    generation?.number, hold: Hold(.rollback, against: digest))
            }
            ledger.forgetHealedProblem()
            tell(
                .rolledBack, .notice,
                "rolled back: \(generation.map { "generation \($0.number) is in force" } ?? "nothing is enforced")"
            )
            return ApplyReport(
                outcome: .applied, generation: generation?.number, changes: changes,
                endedFlows: revocation.ended, problem: revocation.problem)
        } catch {
            tell(.failed, .error, "rollback failed: \(error)")
            return ApplyReport(
                outcome: .failed, generation: current?.number, problem: error.description)
        }
    }

    /// nil where nothing was in force before what is pending.
    private func rollbackTarget(_ number: Int?) throws(ApplyFailure) -> Generation? {
        do throws(StoreError) {
            if let number { return try ledger.generation(number) }
            if let pending = ledger.standing?.pending {
                return try pending.fallback.map { number throws(StoreError) in
                    try ledger.generation(number)
                }
            }
            if let found = try ledger.newestGeneration(below: current?.number ?? .max) {
                return found
            }
        } catch {
            throw ApplyFailure(
                "\(error.description); pexip-fwctl show generations lists what is stored")
        }
        let limit = current.map { " below \($0.number)" } ?? ""
        throw ApplyFailure("no generation\(limit) is stored: there is nothing to roll back to")
    }

    /// Deletes our tables, so that nothing is enforced until the configuration changes or `apply`
    /// or `rollback` is said.
    package func flush() async -> ApplyReport {
        begin()
        defer { end() }
        let digest = configuration.digest
        do throws(ApplyFailure) {
            try await putInForce(nil) { ledger throws(StoreError) in
                try ledger.record(nil, hold: Hold(.flush, against: digest))
            }
            ledger.forgetHealedProblem()
            tell(.flushed, .warning, "flushed: nothing is enforced")
            return ApplyReport(outcome: .applied, generation: nil)
        } catch {
            tell(.failed, .error, "flush failed: \(error)")
            return ApplyReport(
                outcome: .failed, generation: current?.number, problem: error.description)
        }
    }

    // MARK: Confirmation

    /// Keeps the generation that waits for confirmation.
    package func confirm() async -> ApplyReport {
        begin()
        defer { end() }
        guard let current, ledger.standing?.pending != nil else {
            return ApplyReport(outcome: .unchanged, generation: current?.number)
        }
        do throws(StoreError) {
            try confirm(current)
            ledger.prune()
            return ApplyReport(outcome: .applied, generation: current.number)
        } catch {
            tell(.failed, .error, "can't confirm: \(error)")
            return ApplyReport(
                outcome: .failed, generation: current.number, problem: error.description)
        }
    }

    /// How long nothing is to be done by ``keepDeadlines()``; nil where nothing is to be done at all.
    package var timeToNextDeadline: Duration? {
        ledger.isUnrecorded ? .zero : timeToConfirm
    }

    /// What is left of the time to confirm in; nil where nothing waits for confirmation.
    private var timeToConfirm: Duration? {
        ledger.standing?.pending?.deadline.left(by: clock)
    }

    private var isOverdue: Bool { timeToConfirm.map { $0 <= .zero } ?? false }

    /// Takes back what was not confirmed in time, and writes what could not be recorded before. To
    /// be called when ``timeToNextDeadline`` has passed.
    package func keepDeadlines() async {
        begin()
        defer { end() }
        if isOverdue { await takeBack() }
        ledger.recordAgain()
    }

    /// Puts the last confirmed generation in force, or none. Where that fails it is to be tried
    /// again: what is not confirmed is not to stay, and never put back.
    private func takeBack() async {
        guard let pending = ledger.standing?.pending else { return }
        let unconfirmed = ledger.standing?.generation.map { "generation \($0)" } ?? "nothing"
        do throws(ApplyFailure) {
            let fallback = try ledger.fallback(of: pending)
            let wanted = fallback?.stamped ?? Ruleset(tables: [])
            let observed = try await kernel.tables(knownFrom: [current?.ruleset, wanted])
            try await kernel.put(wanted, from: observed)
            current = fallback
            let now = fallback.map { "generation \($0.number) is in force again" }
            let explanation =
                "\(unconfirmed) was not confirmed in time: \(now ?? "nothing is enforced, as before")"
            ledger.recordTakenBack(
                to: fallback?.number,
                hold: Hold(
                    .unconfirmed, against: pending.configurationDigest, explanation: explanation))
            isInSync()
            await endRefusedFlows()
            tell(.reverted, .error, explanation)
        } catch {
            fellOutOfSync(
                "\(unconfirmed) was not confirmed in time and can't be taken back: \(error)")
            tell(.outOfSync, .error, kernelProblem ?? "")
        }
    }

    // MARK: What is known

    /// All generations that were in force and are stored, ascending; those that can't be read are
    /// left out.
    package func generations() throws(StoreError) -> [Generation] { try ledger.generations() }

    /// The generation in force.
    package var generationInForce: Generation? { current }

    /// Whether the kernel is not known to hold what is to be in force, or flows may go on that it
    /// does not permit, so that it should be checked again soon.
    package var isOutOfSync: Bool { kernelProblem != nil || revocation.problem != nil }

    /// Whether a configuration that is correct could not be put in force, so that it should be tried
    /// again.
    package var hasFailedApply: Bool { failedApply != nil }

    /// The counters of our tables; empty where they can't be read.
    package func counters() async -> [String: StatusReport.CounterReport] {
        do {
            return Traffic(try await kernel.kernel.observe()).counters
        } catch {
            log.warning("can't read the counters: \(error)")
            return [:]
        }
    }

    package func status() async -> StatusReport {
        var traffic = Traffic([])
        var unreadable: String?
        do {
            traffic = Traffic(try await kernel.kernel.observe())
        } catch {
            unreadable = "\(error)"
        }
        // Nothing waits from here on, so that what is told belongs together.
        let obstacle = failedApply == nil ? ledger.obstacle : nil
        // What keeps the kernel from being read has often made the others fail: once is enough.
        let problems = [failedApply, kernelProblem, revocation.problem, unreadable, obstacle]
            .compactMap { $0 }
            .reduce(into: [String]()) { told, problem in
                if !told.contains(where: { $0.contains(problem) }) { told.append(problem) }
            }
        let failure = problems.isEmpty ? nil : problems.joined(separator: "; ")
        let standing = ledger.standing
        let shadows = foreignShadows.concerning(current)
        return StatusReport(
            state: state(isReadable: unreadable == nil), generation: current?.number,
            confirmedGeneration: current == nil
                ? nil : standing.map(\.confirmed) ?? current?.number,
            pending: standing?.pending.map {
                StatusReport.PendingReport(
                    deadline: $0.deadline.time,
                    secondsLeft: max(0, Int($0.deadline.left(by: clock).components.seconds)),
                    fallback: $0.fallback)
            }, hold: standing?.hold.map(StatusReport.HoldReport.init),
            generationCreated: current?.created,
            generationOrigin: current?.origin, mode: current?.mode,
            nodes: (current?.nodes ?? []).map {
                StatusReport.NodeStatus(node: $0, dropped: traffic.dropped($0))
            },
            counters: traffic.counters,
            warnings: traffic.warnings + shadows.warnings
                + (shadowProblem.map { ["other tables can't be read: \($0)"] } ?? []),
            shadows: shadows, diagnostics: configuration.diagnostics,
            problem: failure ?? ledger.problem?.text, drift: drift.report, agent: identity)
    }

    private func state(isReadable: Bool = true) -> StatusReport.State {
        StatusReport.State(
            StatusReport.State.Facts(
                hasGeneration: current != nil,
                hasProblem: failedApply != nil || kernelProblem != nil
                    || revocation.problem != nil || !isReadable
                    || ledger.problem?.isHealed == false || ledger.isUnrecorded
                    || ledger.obstacle != nil,
                isPending: ledger.standing?.pending != nil, hold: ledger.standing?.hold?.reason,
                isWrong: configuration.diagnostics.contains { $0.severity == .error },
                isEmpty: configuration.isEmpty))
    }

    // MARK: Shadows

    /// Looks at other programs' tables. May be called at any time: it changes nothing.
    package func lookForShadows() async {
        do {
            foreignShadows = try await kernel.kernel.shadows()
            shadowProblem = nil
        } catch {
            // Once, however often it is tried again; what was seen last is told until then.
            if shadowProblem != "\(error)" { log.warning("can't read other tables: \(error)") }
            shadowProblem = "\(error)"
        }
        if !isBusy { tellStateAndShadows() }
    }

    // MARK: Telling

    /// Logs what happened and tells it to watchers; call when the state is as it is to be told.
    private func tell(
        _ kind: Event.Kind, _ level: Logger.Level, _ message: String, process: String? = nil,
        pid: Int32? = nil, shadow: Shadow? = nil, metadata: Logger.Metadata = [:]
    ) {
        var metadata = metadata
        metadata["generation"] = generationMetadata["generation"]
        if let process { metadata["process"] = "\(process)" }
        journal.tell(
            event(kind, message, process: process, pid: pid, shadow: shadow), level: level,
            metadata: metadata)
    }

    private func event(
        _ kind: Event.Kind, _ message: String, process: String? = nil, pid: Int32? = nil,
        shadow: Shadow? = nil
    ) -> Event {
        Event(
            kind, message: message, state: state(), generation: current?.number,
            process: process, pid: pid, shadow: shadow)
    }

    /// Says what differs from what was said last. The state is no line of the log: what changed it
    /// is one.
    private func tellStateAndShadows() {
        let state = state()
        if let last = told.state, last != state {
            journal.publish(event(.state, "\(last.rawValue) became \(state.rawValue)"))
        }
        told.state = state
        let shadows = foreignShadows.concerning(current)
        for found in shadows where !told.shadows.contains(where: found.isSame) {
            tell(.shadowFound, .warning, found.warning, shadow: found)
        }
        for gone in told.shadows where !shadows.contains(where: gone.isSame) {
            tell(.shadowGone, .notice, "\(gone.place) shadows us no more", shadow: gone)
        }
        told.shadows = shadows
    }

    /// The agent ends; the rules stay.
    package func announceEnd(_ message: String) { tell(.stopping, .notice, message) }

    /// What happens from now on, after an event that says how it stands.
    package func events() -> (present: Event, following: Journal.Events) {
        let following = journal.events()
        return (event(.present, presentWords), following)
    }

    private var presentWords: String {
        [failedApply, kernelProblem].compactMap { $0 }.first
            ?? current.map { "generation \($0.number) is in force" } ?? "nothing is enforced"
    }

    private var generationMetadata: Logger.Metadata {
        ["generation": current.map { "\($0.number)" } ?? "none"]
    }

    private func report(
        _ outcome: ApplyReport.Outcome, _ changes: [RowChange], _ compilation: Compilation,
        _ revocation: Revocation? = nil, problem: String? = nil
    ) -> ApplyReport {
        ApplyReport(
            outcome: outcome, generation: current?.number, changes: changes,
            diagnostics: compilation.diagnostics, endedFlows: revocation?.ended,
            problem: problem ?? revocation?.problem)
    }
}

extension Ruleset {
    /// Tables that nobody compiled, as they were read.
    ///
    /// - Throws: where one holds something that this model has no words for.
    fileprivate init(restoring observed: [ObservedTable]) throws(ApplyFailure) {
        var tables: [Table] = []
        for old in observed {
            guard let table = Table(old) else {
                throw ApplyFailure(
                    "table \(old.name) held what pexip-fw can't write: flush and apply")
            }
            tables.append(table)
        }
        self.init(tables: tables)
    }
}
