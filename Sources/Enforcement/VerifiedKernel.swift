internal import Ruleset

/// The kernel's tables that are ours, changed only by transactions whose result is read back.
struct VerifiedKernel: Sendable {
    let kernel: any RulesetKernel
    /// Changes nothing, and keeps nobody waiting who does.
    var plans = false

    /// Our tables: those that carry a stamp, and those that one of the rulesets has.
    func tables(knownFrom rulesets: [Ruleset?]) async throws(ApplyFailure) -> [ObservedTable] {
        try await tables(rulesets.reduce(into: Set()) { $0.formUnion($1?.tableIDs ?? []) })
    }

    /// Our tables: those that carry a stamp, and these.
    private func tables(_ compiled: Set<TableID>) async throws(ApplyFailure) -> [ObservedTable] {
        do {
            return plans
                ? try await kernel.observeStructureForPlans(compiled: compiled)
                : try await kernel.observeStructure(compiled: compiled)
        } catch {
            throw ApplyFailure("\(error)")
        }
    }

    /// The way in which the kernel is brought to the wanted tables.
    enum Manner {
        /// In as many transactions as it takes for no packet to notice.
        case hitless
        /// Without preparation, since what the kernel holds now is wrong.
        case atOnce
        /// As ``atOnce``, and replaces tables that differ instead of changing them in place, since
        /// that failed.
        case rebuild
    }

    /// Makes the kernel hold exactly `wanted`, and proves it by reading back after each transaction.
    ///
    /// Between any two of them packets are judged as before or as wanted: an interrupted caller
    /// leaves tables of ours that the next one brings to what it wants.
    ///
    /// - Parameter observed: our tables as they are now.
    /// - Returns: whether tables were made, or made anew, so that their counters begin at zero.
    @discardableResult
    func put(
        _ wanted: Ruleset, from observed: [ObservedTable], _ manner: Manner = .hitless
    ) async throws(ApplyFailure) -> Bool {
        var observed = observed
        var makesTables = false
        let interim = manner == .hitless ? wanted.interim(from: observed) : nil
        for target in [interim, wanted].compactMap(\.self) {
            if manner == .hitless {
                observed = try await prepare(target, in: observed, &makesTables)
            }
            let transition = manner == .rebuild ? nil : target.transition(from: observed)
            for stop in [transition, target].compactMap(\.self) {
                observed = try await change(
                    observed, to: stop, by: manner == .rebuild ? .table : .rule, &makesTables)
            }
        }
        return makesTables
    }

    /// Makes the sets that the rules of `target` will look into.
    private func prepare(
        _ target: Ruleset, in observed: [ObservedTable], _ makesTables: inout Bool
    ) async throws(ApplyFailure) -> [ObservedTable] {
        let transaction = Transaction(preparing: target, from: observed)
        if transaction.isEmpty { return observed }
        let (found, refusal) = try await commit(transaction, from: observed, to: target.tableIDs)
        let rest = Transaction(preparing: target, from: found)
        try require(rest.statements.map { Difference("missing: \($0.text)") }, refusal)
        makesTables = makesTables || transaction.makesTables
        return found
    }

    /// Makes one transaction; a second where somebody else changed the tables while the first was made,
    /// or where nft's language can't name what they made.
    private func change(
        _ observed: [ObservedTable], to wanted: Ruleset, by grain: Transaction.Grain,
        _ makesTables: inout Bool
    ) async throws(ApplyFailure) -> [ObservedTable] {
        let transaction = Transaction(from: observed, to: wanted, by: grain)
        if transaction.isEmpty { return observed }
        let (found, refusal) = try await commit(transaction, from: observed, to: wanted.tableIDs)
        let differences = found.differences(from: wanted)
        if !differences.isEmpty, transaction.editsRules,
            found.structure != observed.structure || found.handles != observed.handles
        {
            // The rule that was to be changed by its handle may have been another one, or gone.
            return try await change(found, to: wanted, by: .chain, &makesTables)
        }
        if !differences.isEmpty, refusal != nil, transaction.namesForeignWords, grain != .table {
            return try await change(found, to: wanted, by: .table, &makesTables)
        }
        try require(differences, refusal)
        makesTables = makesTables || transaction.makesTables
        return found
    }

    /// Takes back what a failed ``put(_:from:_:)`` only prepared.
    ///
    /// - Parameters:
    ///   - observed: our tables as they are now.
    ///   - before: our tables as they are to be again.
    /// - Returns: false where the kernel differs from `before` in more than that: nothing was done.
    func takeBackPreparation(
        in observed: [ObservedTable], to before: [ObservedTable]
    ) async throws(ApplyFailure) -> Bool {
        guard let transaction = Transaction(takingBackPreparationIn: observed, to: before) else {
            return false
        }
        if transaction.isEmpty { return true }
        let (found, refusal) = try await commit(
            transaction, from: observed, to: Set(before.map(\.id)))
        let rest = Transaction(takingBackPreparationIn: found, to: before)
        try require(
            rest?.statements.map { Difference("still to do: \($0.text)") }
                ?? [Difference("somebody changed the tables meanwhile")], refusal)
        return true
    }

    /// Commits the transaction and reads the tables back that are among `observed` and `target` or
    /// carry a stamp.
    private func commit(
        _ transaction: Transaction, from observed: [ObservedTable], to target: Set<TableID>
    ) async throws(ApplyFailure) -> (found: [ObservedTable], refusal: (any Error)?) {
        var refusal: (any Error)?
        do {
            try await kernel.commit(transaction)
        } catch {
            // Whether it was applied all the same shows in what is read.
            refusal = error
        }
        return (try await tables(target.union(observed.map(\.id))), refusal)
    }

    /// Throws unless what was read back is what was committed.
    private func require(
        _ differences: [Difference], _ refusal: (any Error)?
    ) throws(ApplyFailure) {
        guard let first = differences.first else { return }
        if let refusal { throw ApplyFailure("\(refusal)", isRefusal: true) }
        throw ApplyFailure(
            "verification failed: the kernel does not hold what was committed: \(first)"
                + (differences.count > 1 ? " (and \(differences.count - 1) more)" : ""),
            mayBeForeign: true)
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
    /// The tables as far as others than packets change them.
    fileprivate var structure: [ObservedTable] { map(\.withoutCounts) }

    fileprivate var handles: [[[UInt64]]] { map { $0.chains.map(\.handles) } }

    func differences(from wanted: Ruleset) -> [Difference] {
        wanted.tables.flatMap { table in
            first { $0.id == table.id }?.differences(from: table)
                ?? [Difference("table \(table.id.words) is missing")]
        }
            + filter { old in !wanted.tables.contains { $0.id == old.id } }.map {
                Difference("table \($0.id.words) is not ours any more")
            }
    }
}
