internal import Ruleset

/// Why something could not be put in force, and what is in force instead.
struct ApplyFailure: Error, CustomStringConvertible {
    let description: String
    /// The same configuration is not to be tried again by itself.
    let isHeld: Bool

    init(_ description: String, isHeld: Bool = false) {
        self.description = description
        self.isHeld = isHeld
    }
}

/// The kernel's tables that are ours, changed only by transactions whose result is read back.
struct VerifiedKernel: Sendable {
    let kernel: any RulesetKernel

    /// Our tables: those that carry a stamp, and those that one of the rulesets names.
    func tables(knownFrom rulesets: [Ruleset?]) async throws(ApplyFailure) -> [ObservedTable] {
        let known = Set(rulesets.flatMap { $0?.tables ?? [] }.map(\.name))
        do {
            return try await kernel.observeStructure().filter {
                $0.stamp != nil || known.contains($0.name)
            }
        } catch {
            throw ApplyFailure("\(error)")
        }
    }

    /// Makes the kernel hold exactly `wanted`, and proves it by reading back.
    ///
    /// - Parameters:
    ///   - observed: our tables as they are now.
    ///   - isRebuild: replaces tables that differ instead of changing them in place, since that
    ///     failed.
    /// - Returns: whether tables were made, or made anew, so that their counters begin at zero.
    @discardableResult
    func put(
        _ wanted: Ruleset, from observed: [ObservedTable], isRebuild: Bool = false
    ) async throws(ApplyFailure) -> Bool {
        var observed = observed
        if !isRebuild {
            for step in [Ruleset.preparation, Ruleset.transition] {
                guard let transition = step(wanted)(observed) else { continue }
                observed = try await change(observed, to: transition, by: .rule).tables
            }
        }
        return try await change(observed, to: wanted, by: isRebuild ? .table : .rule).makesTables
    }

    /// Makes one transaction, or two where somebody else changed the tables while the first was made.
    private func change(
        _ observed: [ObservedTable], to wanted: Ruleset, by grain: Transaction.Grain
    ) async throws(ApplyFailure) -> (tables: [ObservedTable], makesTables: Bool) {
        let transaction = Transaction(from: observed, to: wanted, by: grain)
        if transaction.isEmpty { return (observed, false) }
        var refusal: (any Error)?
        do {
            try await kernel.commit(transaction)
        } catch {
            // Whether it was applied all the same shows below.
            refusal = error
        }
        let names = Ruleset(tables: observed.map { Table(name: $0.name) })
        let found = try await tables(knownFrom: [names, wanted])
        let differences = found.differences(from: wanted)
        guard let first = differences.first else { return (found, transaction.makesTables) }
        if transaction.editsRules, found != observed || found.handles != observed.handles {
            // What was to be changed by its handle may have been another rule, or none.
            return try await change(found, to: wanted, by: .chain)
        }
        if let refusal { throw ApplyFailure("\(refusal)") }
        throw ApplyFailure(
            "verification failed: the kernel does not hold what was committed: \(first)"
                + (differences.count > 1 ? " (and \(differences.count - 1) more)" : ""))
    }

    /// Asks whether the kernel would take the change; changes nothing.
    func check(_ wanted: Ruleset, from observed: [ObservedTable]) async throws(ApplyFailure) {
        do {
            try await kernel.check(Transaction(from: observed, to: wanted))
        } catch {
            throw ApplyFailure("\(error)")
        }
    }
}

extension [ObservedTable] {
    fileprivate var handles: [[[UInt64]]] { map { $0.chains.map(\.handles) } }

    func differences(from wanted: Ruleset) -> [Difference] {
        wanted.tables.flatMap { table in
            first { $0.name == table.name }?.differences(from: table)
                ?? [Difference("table \(table.name) is missing")]
        }
            + filter { old in !wanted.tables.contains { $0.name == old.name } }.map {
                Difference("table \($0.name) is not ours any more")
            }
    }
}

extension Table {
    /// A table of which only the name matters.
    fileprivate init(name: String) { self.init(name: name, counters: [], sets: [], chains: []) }
}
