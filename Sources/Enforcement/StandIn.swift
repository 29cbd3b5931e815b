internal import Logging
internal import Reports
internal import Ruleset

/// Generations that stand in for one that the kernel refuses.
extension Reconciler {
    /// Makes the kernel hold a generation, or where it refuses that, the newest of those that may stand
    /// in for it.
    ///
    /// - Returns: the generation that it holds now, and why not the one that was meant; nil where
    ///   it is that.
    /// - Throws: why it does not hold the one that was meant, where it holds nothing in its place.
    func putNewest(
        _ meant: Generation
    ) async throws(ApplyFailure) -> (held: Generation, refusal: ApplyFailure?) {
        var candidate = meant
        var refusal: ApplyFailure?
        while true {
            do throws(ApplyFailure) {
                let observed = try await kernel.tables(
                    knownFrom: [current?.ruleset, meant.ruleset, candidate.ruleset])
                considerAdoption(for: candidate, in: observed)
                try await put(desired.tables(of: candidate), from: observed)
                return (candidate, refusal)
            } catch {
                log.error("generation \(candidate.number) can't be put in force: \(error)")
                // Any other failure may have been applied all the same, or come again with any
                // generation.
                guard error.isRefusal, let next = ledger.standIn(for: candidate) else {
                    throw refusal ?? error
                }
                refusal = refusal ?? error
                candidate = next
            }
        }
    }

    /// After a start that could not put in force what is to be: an older generation is better than
    /// none.
    ///
    /// - Parameter isWanted: whether the configuration is to be put in force, so that it is tried
    ///   again.
    func findStandIn(isWanted: Bool) async {
        guard sync.isRefused, let meant = current, !isOverdue else { return }
        do throws(ApplyFailure) {
            let (held, refusal) = try await putNewest(meant)
            sync.cameInSync()
            if let refusal {
                desired.hold(held)
                let problem =
                    "the kernel refuses generation \(meant.number): \(refusal); generation \(held.number) is in force"
                ledger.substitute(held, because: problem)
                if isWanted, configuration.failure == nil {
                    configuration.failed(because: problem)
                }
                tell(.failed, .error, problem)
            }
            await endRefusedFlows()
        } catch {
            sync.fellOut(because: error.description)
        }
    }
}
