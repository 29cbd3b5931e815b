internal import Deployment
internal import LinuxSystem
package import Logging
package import Ruleset

/// Brings the kernel to the generation that is to be in force, and keeps it there.
///
/// Every operation leaves the kernel at the generation that was in force before or at the new one,
/// and says which. Operations do not overlap: the agent's loop enters one after another. Only
/// ``status()`` may come at any time.
package actor Reconciler {
    private let kernel: any RulesetKernel
    private let store: GenerationStore
    private let log: Logger
    private let identity: StatusReport.AgentIdentity
    private let executor = QueueExecutor(label: "reconciler")
    /// The store's system calls block.
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    /// The generation that the kernel is to hold; nil before the first and after a flush.
    private var current: Generation?
    private var standing: Standing?
    private var diagnostics: [Diagnostic] = []
    private var configurationDigest: String?
    private var drift = StatusReport.Drift(count: 0, last: nil)
    private var failedApply: String?
    /// Set while the kernel is not known to hold `current`.
    private var kernelProblem: String?
    private var storeProblem: String?
    private var repairs = RepairPace()

    package init(
        kernel: any RulesetKernel, store: GenerationStore, identity: StatusReport.AgentIdentity,
        log: Logger
    ) {
        self.kernel = kernel
        self.store = store
        self.identity = identity
        self.log = log
    }

    // MARK: Start

    /// Adopts what the kernel holds, or restores what it should hold, then applies the
    /// configuration.
    package func start(_ compilation: Compilation) async {
        loadState()
        if let current {
            // First the last good generation, whatever the configuration says.
            await restore(current, because: "start")
        }
        if isHeld(against: compilation) {
            record(compilation)
            log.notice("held as rollback or flush left it", metadata: generationMetadata)
        } else {
            _ = await apply(compilation, origin: .start)
        }
    }

    /// Whether `rollback` or `flush` was said and the configuration is still the same.
    package func isHeld(against compilation: Compilation) -> Bool {
        guard let standing, standing.pinnedAgainst == compilation.configurationDigest else {
            return false
        }
        return current != nil || standing.isFlushed
    }

    /// Reads the store; where the generation that should be in force is damaged, the newest older
    /// one that is whole.
    private func loadState() {
        do throws(StoreError) {
            standing = try store.standing()
            guard let standing, !standing.isFlushed else { return }
            let number = standing.generation
            do throws(StoreError) {
                current = try store.generation(number)
            } catch {
                storeProblem = error.description
                log.error("stored generation can't be used: \(error)")
                try loadNewestReadable(below: number)
            }
        } catch {
            storeProblem = error.description
            log.error("the state directory can't be used: \(error)")
        }
    }

    private func loadNewestReadable(below number: Int) throws(StoreError) {
        for older in try store.numbers().reversed() where older < number {
            do throws(StoreError) {
                current = try store.generation(older)
                standing = Standing(generation: older)
                return
            } catch {
                log.error("stored generation can't be used: \(error)")
            }
        }
        standing = nil
    }

    // MARK: Apply

    /// Puts a configuration in force as a new generation, or says why not.
    package func apply(
        _ compilation: Compilation, origin: Generation.Origin
    ) async -> ApplyReport {
        record(compilation)
        guard let target = compilation.target else { return rejected(compilation) }
        if let current, current.ruleset == target.ruleset, current.nodes == target.nodes {
            return await confirmUnchanged(current, compilation)
        }
        let changes = target.ruleset.changes(from: current?.ruleset)
        do {
            let generation = try await install(target, compilation, origin)
            log.notice(
                "applied: \(changes.count) changes",
                metadata: generationMetadata.merging(["origin": "\(origin.rawValue)"]) { $1 })
            return report(.applied, changes, compilation, generation: generation.number)
        } catch {
            failedApply = error.description
            log.error("apply failed: \(error)", metadata: generationMetadata)
            return report(.failed, changes, compilation, problem: error.description)
        }
    }

    /// Takes up a configuration that may have changed: what `rollback` or `flush` holds stays as it
    /// is while the configuration is still the same.
    package func configurationChanged(
        _ compilation: Compilation, origin: Generation.Origin
    ) async {
        if isHeld(against: compilation) {
            record(compilation)
        } else {
            _ = await apply(compilation, origin: origin)
        }
    }

    /// Says what ``apply(_:origin:)`` would do, and lets the kernel check it.
    package func dryRun(_ compilation: Compilation) async -> ApplyReport {
        guard let target = compilation.target else {
            return report(.rejected, [], compilation)
        }
        let changes = target.ruleset.changes(from: current?.ruleset)
        do {
            let next = try nextGeneration(target, compilation, .command)
            try await kernel.check(Transaction(from: try await observeOurs(), to: next.stamped))
            let isSame = current?.ruleset == target.ruleset && current?.nodes == target.nodes
            return report(isSame ? .unchanged : .wouldApply, changes, compilation)
        } catch {
            return report(.failed, changes, compilation, problem: "\(error)")
        }
    }

    private func record(_ compilation: Compilation) {
        diagnostics = compilation.diagnostics
        configurationDigest = compilation.configurationDigest
        failedApply = nil
    }

    private func rejected(_ compilation: Compilation) -> ApplyReport {
        for diagnostic in compilation.diagnostics {
            log.log(level: diagnostic.severity == .error ? .error : .warning, "\(diagnostic)")
        }
        let errors = compilation.diagnostics.count { $0.severity == .error }
        log.error(
            "configuration rejected: \(errors) errors; nothing changed",
            metadata: generationMetadata)
        return report(.rejected, [], compilation)
    }

    /// The configuration says what is in force: a pin ends, and a kernel that differs is repaired.
    private func confirmUnchanged(
        _ generation: Generation, _ compilation: Compilation
    ) async -> ApplyReport {
        do throws(StoreError) {
            if standing?.pinnedAgainst != nil {
                try set(Standing(generation: generation.number))
            }
        } catch {
            failedApply = error.description
            return report(.failed, [], compilation, problem: error.description)
        }
        await restore(generation, because: "apply")
        guard let kernelProblem else { return report(.unchanged, [], compilation) }
        return report(.failed, [], compilation, problem: kernelProblem)
    }

    /// Stores, commits, verifies and records a new generation, in this order, so that a kill at any
    /// point leaves a kernel that the next start understands.
    private func install(
        _ target: Compilation.Target, _ compilation: Compilation, _ origin: Generation.Origin
    ) async throws(ApplyFailure) -> Generation {
        let previous = current
        let generation: Generation
        do {
            generation = try nextGeneration(target, compilation, origin)
            try store.write(generation)
        } catch {
            throw ApplyFailure("\(error); the kernel was not touched")
        }
        do throws(ApplyFailure) {
            try await put(generation)
            try recordInForce(Standing(generation: generation.number))
        } catch {
            let remainder = await goBack(to: previous, from: generation)
            throw ApplyFailure("\(error.description); \(remainder)")
        }
        current = generation
        prune()
        return generation
    }

    private func nextGeneration(
        _ target: Compilation.Target, _ compilation: Compilation, _ origin: Generation.Origin
    ) throws(StoreError) -> Generation {
        let last = max(try store.numbers().last ?? 0, standing?.generation ?? 0)
        return Generation(
            number: last + 1, created: .now, origin: origin,
            configurationDigest: compilation.configurationDigest, nodes: target.nodes,
            ruleset: target.ruleset)
    }

    private func recordInForce(_ standing: Standing) throws(ApplyFailure) {
        do throws(StoreError) {
            try set(standing)
        } catch {
            throw ApplyFailure(error.description)
        }
    }

    private func set(_ new: Standing) throws(StoreError) {
        try store.write(new)
        standing = new
        storeProblem = nil
    }

    private func prune() {
        guard let current else { return }
        do throws(StoreError) {
            try store.prune(keeping: current.number)
        } catch {
            log.warning("old generations stay: \(error)")
        }
    }

    // MARK: Kernel

    private func observeOurs() async throws -> [ObservedTable] {
        let known = Set(current?.ruleset.tables.map(\.name) ?? [])
        return try await kernel.observe().filter { $0.stamp != nil || known.contains($0.name) }
    }

    /// Commits a generation and verifies it by reading back.
    private func put(_ generation: Generation) async throws(ApplyFailure) {
        let wanted = generation.stamped
        var commitError: (any Error)?
        do {
            let observed = try await observeOurs()
            do {
                try await kernel.commit(Transaction(from: observed, to: wanted))
            } catch {
                // Whether it was applied all the same shows below.
                commitError = error
            }
            let differences = Self.differences(of: try await observeOurs(), from: wanted)
            guard let first = differences.first else { return }
            if let commitError { throw commitError }
            throw ApplyFailure(
                "verification failed: the kernel does not hold what was committed: \(first)"
                    + (differences.count > 1 ? " (and \(differences.count - 1) more)" : ""))
        } catch let failure as ApplyFailure {
            throw failure
        } catch {
            throw ApplyFailure("\(error)")
        }
    }

    private static func differences(
        of observed: [ObservedTable], from wanted: Ruleset
    ) -> [Difference] {
        wanted.tables.flatMap { table in
            observed.first { $0.name == table.name }?.differences(from: table)
                ?? [Difference("table \(table.name) is missing")]
        }
            + observed.filter { old in !wanted.tables.contains { $0.name == old.name } }.map {
                Difference("table \($0.name) is not ours any more")
            }
    }

    /// Puts the previous generation back in force after a failed one; says what is in force now.
    private func goBack(to previous: Generation?, from failed: Generation) async -> String {
        do throws(StoreError) {
            try store.remove(failed.number)
        } catch {
            log.warning("the failed generation's file stays: \(error)")
        }
        do throws(ApplyFailure) {
            guard let previous else {
                try await putNothing()
                return "nothing is enforced, as before"
            }
            try await put(previous)
            kernelProblem = nil
            return "generation \(previous.number) is in force"
        } catch {
            kernelProblem = "the previous state can't be restored: \(error.description)"
            return kernelProblem ?? ""
        }
    }

    /// Deletes our tables.
    private func putNothing() async throws(ApplyFailure) {
        do {
            try await kernel.commit(
                Transaction(from: try await observeOurs(), to: Ruleset(tables: [])))
            if let left = try await observeOurs().first {
                throw ApplyFailure("table \(left.name) can't be deleted")
            }
        } catch let failure as ApplyFailure {
            throw failure
        } catch {
            throw ApplyFailure("\(error)")
        }
    }

    /// Makes the kernel hold a generation that it should hold already.
    private func restore(_ generation: Generation, because reason: String) async {
        do {
            let differences = Self.differences(
                of: try await observeOurs(), from: generation.stamped)
            if differences.isEmpty {
                kernelProblem = nil
                log.info("the kernel holds the generation", metadata: generationMetadata)
                return
            }
            try await put(generation)
            kernelProblem = nil
            log.notice(
                "restored at \(reason): \(differences.count) differences, first: \(differences[0])",
                metadata: generationMetadata)
        } catch {
            kernelProblem = "\(error)"
            log.error("can't restore at \(reason): \(error)", metadata: generationMetadata)
        }
    }

    // MARK: Drift

    /// Checks the kernel after somebody else changed it, or may have, and repairs it.
    ///
    /// - Parameter writer: who changed it; nil when that is not known.
    /// - Returns: when to look again, where the repair failed or must wait because somebody makes
    ///   the same change again and again.
    package func repair(after writer: Writer?) async -> Duration? {
        guard let current else { return nil }
        let differences: [Difference]
        do {
            differences = Self.differences(of: try await observeOurs(), from: current.stamped)
        } catch {
            kernelProblem = "\(error)"
            log.error("can't read the kernel's tables: \(error)")
            return repairs.delayAfterFailure()
        }
        if differences.isEmpty {
            if kernelProblem != nil { log.notice("in sync again", metadata: generationMetadata) }
            kernelProblem = nil
            repairs.succeeded()
            return nil
        }
        count(differences, writer)
        if let delay = repairs.delayBeforeRepair() {
            let who = writer?.process ?? "somebody"
            kernelProblem =
                "\(who) keeps changing our tables; the next repair is in \(delay.components.seconds) s"
            log.error("fight: \(who) keeps changing our tables", metadata: generationMetadata)
            return delay
        }
        do throws(ApplyFailure) {
            try await put(current)
            kernelProblem = nil
            repairs.succeeded()
            log.warning(
                "repaired: \(differences.count) differences, first: \(differences[0])",
                metadata: generationMetadata.merging([
                    "process": "\(writer?.process ?? "unknown")"
                ]) { $1 })
            return nil
        } catch {
            kernelProblem = error.description
            log.error("can't repair: \(error)", metadata: generationMetadata)
            return repairs.delayAfterFailure()
        }
    }

    private func count(_ differences: [Difference], _ writer: Writer?) {
        drift.count += 1
        drift.last = StatusReport.Drift.Occurrence(
            time: .now, process: writer?.process ?? "unknown", pid: writer?.pid,
            differences: differences.prefix(StatusReport.Drift.Occurrence.shownDifferences).map(
                \.description))
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
    /// - Parameter number: the generation; nil for the newest one below that in force.
    package func rollback(to number: Int?) async -> ApplyReport {
        let previous = current
        do {
            let generation = try rollbackTarget(number)
            let changes = generation.ruleset.changes(from: previous?.ruleset)
            try await put(generation)
            do throws(ApplyFailure) {
                try recordInForce(
                    Standing(
                        generation: generation.number, pinnedAgainst: configurationDigest ?? ""))
            } catch {
                if let previous { try await put(previous) }
                throw error
            }
            current = generation
            failedApply = nil
            kernelProblem = nil
            log.notice("rolled back", metadata: generationMetadata)
            return ApplyReport(
                outcome: .applied, generation: generation.number, changes: changes)
        } catch {
            log.error("rollback failed: \(error)", metadata: generationMetadata)
            // The kernel takes a transaction whole or not at all, but an error does not prove which.
            if let previous { await restore(previous, because: "failed rollback") }
            return ApplyReport(
                outcome: .failed, generation: current?.number, problem: "\(error)")
        }
    }

    private func rollbackTarget(_ number: Int?) throws -> Generation {
        let hint = "pexip-fwctl show generations lists what is stored"
        if let number {
            do throws(StoreError) {
                return try store.generation(number)
            } catch {
                throw ApplyFailure("\(error.description); \(hint)")
            }
        }
        for older in try store.numbers().reversed() where older < current?.number ?? .max {
            do throws(StoreError) {
                return try store.generation(older)
            } catch {
                log.error("skipped: \(error)")
            }
        }
        let limit = current.map { " below \($0.number)" } ?? ""
        throw ApplyFailure("no generation\(limit) is stored: there is nothing to roll back to")
    }

    /// Deletes our tables, so that nothing is enforced until the configuration changes or `apply`
    /// or `rollback` is said.
    package func flush() async -> ApplyReport {
        let previous = current
        do {
            try await putNothing()
            try recordInForce(
                Standing(
                    generation: standing?.generation ?? 0,
                    pinnedAgainst: configurationDigest ?? "", isFlushed: true))
            current = nil
            failedApply = nil
            kernelProblem = nil
            log.warning("flushed: nothing is enforced")
            return ApplyReport(
                outcome: .applied, generation: nil,
                changes: Ruleset(tables: []).changes(from: previous?.ruleset))
        } catch {
            log.error("flush failed: \(error)", metadata: generationMetadata)
            if let previous { await restore(previous, because: "failed flush") }
            return ApplyReport(
                outcome: .failed, generation: current?.number, problem: "\(error)")
        }
    }

    // MARK: What is known

    /// All stored generations, ascending; those that can't be read are left out.
    package func generations() throws(StoreError) -> [Generation] {
        var found: [Generation] = []
        for number in try store.numbers() {
            do throws(StoreError) {
                found.append(try store.generation(number))
            } catch {
                log.warning("left out: \(error)")
            }
        }
        return found
    }

    /// The ruleset in force, stamped.
    package var rulesInForce: Ruleset? { current?.stamped }

    package func status() async -> StatusReport {
        var problem = kernelProblem ?? failedApply ?? storeProblem
        var traffic = Traffic([])
        do {
            traffic = Traffic(try await kernel.observe())
        } catch {
            problem = problem ?? "\(error)"
        }
        return StatusReport(
            state: state, generation: current?.number,
            confirmedGeneration: current?.number, generationCreated: current?.created,
            generationOrigin: current?.origin,
            nodes: (current?.nodes ?? []).map {
                StatusReport.NodeStatus(node: $0, dropped: traffic.dropped($0))
            },
            counters: traffic.counters, warnings: traffic.warnings, diagnostics: diagnostics,
            problem: problem, drift: drift, agent: identity)
    }

    private var state: StatusReport.State {
        if standing?.isFlushed == true { return .flushed }
        if kernelProblem != nil || failedApply != nil { return .degraded }
        if diagnostics.contains(where: { $0.severity == .error }) {
            return current == nil && configurationIsEmpty ? .unconfigured : .rejected
        }
        if standing?.pinnedAgainst != nil { return .pinned }
        return current == nil ? .unconfigured : .inSync
    }

    private var configurationIsEmpty: Bool { diagnostics.allSatisfy { $0.location == nil } }

    private var generationMetadata: Logger.Metadata {
        ["generation": current.map { "\($0.number)" } ?? "none"]
    }

    private func report(
        _ outcome: ApplyReport.Outcome, _ changes: [RowChange], _ compilation: Compilation,
        generation: Int? = nil, problem: String? = nil
    ) -> ApplyReport {
        ApplyReport(
            outcome: outcome, generation: generation ?? current?.number, changes: changes,
            diagnostics: compilation.diagnostics, problem: problem)
    }
}

/// Why something could not be put in force, and what is in force instead.
private struct ApplyFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Slows repairs down where somebody makes the same change again and again, so that a fight never
/// becomes a busy loop.
struct RepairPace {
    /// So many repairs within ``window`` are made at once.
    static let burst = 20
    static let window = Duration.seconds(10)
    static let longestDelay = Duration.seconds(30)

    private var repairs: [ContinuousClock.Instant] = []
    private var failures = 0

    /// nil where the repair may be made now, which counts it.
    mutating func delayBeforeRepair(now: ContinuousClock.Instant = .now) -> Duration? {
        repairs.removeAll { $0.advanced(by: Self.window) < now }
        guard repairs.count >= Self.burst else {
            repairs.append(now)
            return nil
        }
        return repairs[0].advanced(by: Self.window) - now + .seconds(1)
    }

    /// 1, 2, 4 … 30 seconds.
    mutating func delayAfterFailure() -> Duration {
        failures = min(failures + 1, 6)
        return min(.seconds(1 << (failures - 1)), Self.longestDelay)
    }

    mutating func succeeded() { failures = 0 }
}
