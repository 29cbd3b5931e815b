internal import Logging
internal import Reports
internal import Ruleset

/// Puts back what was in force before: because somebody says so, or because nobody confirms.
extension Reconciler {
    // MARK: Rollback, flush

    /// Puts an older generation in force and holds it until the configuration changes or `apply` is
    /// said.
    ///
    /// - Parameter number: the generation; nil for the one that comes back where nobody confirms, or
    ///   else the newest one below that in force.
    package func rollback(to number: Int?) async -> Conclusion {
        await begin()
        defer { end() }
        do throws(ApplyFailure) {
            let before = current?.nodeRules
            let generation = try rollbackTarget(number)
            let digest = overview.configuration.digest
            try await putInForce(generation) { ledger throws(StoreError) in
                try ledger.record(
                    generation?.number, hold: Hold(.rollback, against: digest))
            }
            ledger.forgetHealedProblem()
            overview.measurements.wentBack(because: .rollback)
            tell(
                .rolledBack, .notice,
                "rolled back: \(generation.map { "generation \($0.number) is in force" } ?? "nothing is enforced")"
            )
            return Conclusion(
                ApplyReport(outcome: .applied, generation: generation?.number),
                change: Conclusion.Change(
                    before: before, after: generation?.nodeRules, lacksRows: true), revocation)
        } catch {
            tell(.failed, .error, "rollback failed: \(error)")
            return Conclusion(
                ApplyReport(
                    outcome: .failed, generation: current?.number, problem: error.description))
        }
    }

    /// nil where nothing was in force before what is pending.
    func rollbackTarget(_ number: Int?) throws(ApplyFailure) -> Generation? {
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
    package func flush() async -> Conclusion {
        await begin()
        defer { end() }
        let digest = overview.configuration.digest
        do throws(ApplyFailure) {
            try await putInForce(nil) { ledger throws(StoreError) in
                try ledger.record(nil, hold: Hold(.flush, against: digest))
            }
            ledger.forgetHealedProblem()
            overview.measurements.wentBack(because: .flush)
            tell(.flushed, .warning, "flushed: nothing is enforced")
            return Conclusion(ApplyReport(outcome: .applied, generation: nil))
        } catch {
            tell(.failed, .error, "flush failed: \(error)")
            return Conclusion(
                ApplyReport(
                    outcome: .failed, generation: current?.number, problem: error.description))
        }
    }

    // MARK: Confirmation

    /// Keeps the generation that waits for confirmation.
    package func confirm() async -> Conclusion {
        await begin()
        defer { end() }
        guard let current, ledger.standing?.pending != nil else {
            return Conclusion(
                ApplyReport(outcome: .unchanged, generation: current?.number))
        }
        do throws(StoreError) {
            try confirm(current)
            ledger.prune()
            return Conclusion(ApplyReport(outcome: .applied, generation: current.number))
        } catch {
            tell(.failed, .error, "can't confirm: \(error)")
            return Conclusion(
                ApplyReport(
                    outcome: .failed, generation: current.number, problem: error.description))
        }
    }

    /// How long nothing is to be done by ``keepDeadlines()``; nil where nothing is to be done at all.
    package var timeToNextDeadline: Duration? {
        ledger.record.isUnrecorded ? .zero : [timeToConfirm, timeToAdopt].compactMap(\.self).min()
    }

    /// The time that is left to confirm in; nil where nothing waits for confirmation.
    var timeToConfirm: Duration? {
        ledger.standing?.pending?.deadline.left(by: clock)
    }

    var isOverdue: Bool { timeToConfirm.map { $0 <= .zero } ?? false }

    /// Takes back what was not confirmed in time, ends what was to end, and writes what could not be
    /// recorded before. To be called when ``timeToNextDeadline`` has passed.
    package func keepDeadlines() async {
        await begin()
        defer { end() }
        if isOverdue { await takeBack() }
        await endAdoption()
        ledger.recordAgain()
    }

    /// Puts the last confirmed generation in force, or none. Where that fails it is to be tried
    /// again: an unconfirmed generation is not to stay, and never put back.
    func takeBack() async {
        guard let pending = ledger.standing?.pending else { return }
        let unconfirmed = ledger.standing?.generation.map { "generation \($0)" } ?? "nothing"
        do throws(ApplyFailure) {
            await revoker.supersede()
            var fallback = try ledger.fallback(of: pending)
            if let meant = fallback {
                fallback = try await putNewest(meant).held
            } else {
                let observed = try await kernel.tables(knownFrom: [current?.ruleset])
                considerAdoption(for: nil, in: observed)
                try await put(Ruleset(tables: []), from: observed)
            }
            hold(fallback)
            let now = fallback.map { "generation \($0.number) is in force again" }
            let explanation =
                "\(unconfirmed) was not confirmed in time: \(now ?? "nothing is enforced, as before")"
            ledger.recordTakenBack(
                to: fallback?.number,
                hold: Hold(
                    .unconfirmed, against: pending.configurationDigest, explanation: explanation))
            isInSync()
            overview.measurements.wentBack(because: .unconfirmed)
            await endRefusedFlows()
            tell(.reverted, .error, explanation)
        } catch {
            fellOutOfSync(
                "\(unconfirmed) was not confirmed in time and can't be taken back: \(error)")
            tell(.outOfSync, .error, overview.kernelProblem ?? "")
        }
    }
}
