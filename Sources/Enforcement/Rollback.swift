internal import Logging
internal import Reports
internal import Ruleset

/// `rollback`: an older generation in place of what the configuration says.
extension Reconciler {
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
            let digest = configuration.digest
            try await putInForce(generation) { ledger throws(StoreError) in
                try ledger.record(
                    generation?.number, hold: Hold(.rollback, against: digest))
            }
            ledger.forgetHealedProblem()
            measurements.wentBack(because: .rollback)
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
}
