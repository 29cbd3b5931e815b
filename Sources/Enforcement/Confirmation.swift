internal import Logging
internal import Reports
internal import Ruleset

/// The wait for confirmation of a generation, and both its ends.
extension Reconciler {
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

    func confirm(_ generation: Generation) throws(StoreError) {
        try ledger.confirm(generation)
        desired.confirm()
        tell(.confirmed, .notice, "confirmed: generation \(generation.number)")
    }

    /// The time that is left to confirm in; nil where nothing waits for confirmation.
    var timeToConfirm: Duration? {
        ledger.standing?.pending?.deadline.left(by: clock)
    }

    var isOverdue: Bool { timeToConfirm.map { $0 <= .zero } ?? false }

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
            desired.hold(fallback)
            let now = fallback.map { "generation \($0.number) is in force again" }
            let explanation =
                "\(unconfirmed) was not confirmed in time: \(now ?? "nothing is enforced, as before")"
            ledger.recordTakenBack(
                to: fallback?.number,
                hold: Hold(
                    .unconfirmed, against: pending.configurationDigest, explanation: explanation))
            sync.cameInSync()
            measurements.wentBack(because: .unconfirmed)
            await endRefusedFlows()
            tell(.reverted, .error, explanation)
        } catch {
            let problem =
                "\(unconfirmed) was not confirmed in time and can't be taken back: \(error)"
            sync.fellOut(because: problem)
            tell(.outOfSync, .error, problem)
        }
    }
}
