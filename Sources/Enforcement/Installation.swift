internal import Logging
internal import Reports
internal import Ruleset
internal import Site

/// A configuration that becomes a new generation.
extension Reconciler {
    /// Stores, commits, verifies, probes and records a new generation, in this order, so that a kill
    /// at any point leaves a kernel that the next start understands.
    func install(
        _ target: Compilation.Target, _ compilation: Compilation, _ origin: Generation.Origin,
        _ request: ApplyRequest
    ) async -> ApplyReport {
        let before = current?.nodeRules
        let pending = pending(after: origin, request, target, compilation)
        let probes = request.isForced ? [] : target.deployment.guards.probes
        do throws(ApplyFailure) {
            var generation: Generation
            do throws(StoreError) {
                generation = Generation(
                    number: try ledger.nextNumber(), target, compilation, origin, after: current)
                generation.isProvisional = pending != nil
                try ledger.store(generation)
            } catch {
                throw ApplyFailure("\(error); the kernel was not touched")
            }
            do throws(ApplyFailure) {
                let number = generation.number
                try await putInForce(
                    generation, from: target.deployment, probes: probes
                ) { ledger throws(StoreError) in
                    try ledger.record(number, pending: pending)
                }
            } catch {
                ledger.discard(generation)
                throw error
            }
            ledger.prune()
            // Where everything is new, only a command's report tells it row by row.
            let isNew = origin == .start || before == nil
            let changes =
                isNew && origin != .command ? [] : target.nodeRules.changes(from: before)
            let what =
                isNew
                ? target.nodes.count.counted("node")
                : changes.reduce(0) { $0 + $1.nodes.count }.counted("change")
            tell(
                .applied, .notice, "applied: \(what)",
                metadata: ["origin": "\(origin.rawValue)"])
            if let pending {
                tell(.pending, .notice, "to be confirmed until \(pending.deadline.time)")
            }
            return report(.applied, changes, compilation)
        } catch {
            if error.isHeld {
                measurements.wentBack(because: .probe)
                // To try again and again would cut and open traffic each time.
                ledger.recordTakenBack(
                    to: current?.number,
                    hold: Hold(
                        .probe, against: compilation.configurationDigest,
                        explanation: error.description), pending: ledger.standing?.pending)
            } else {
                configuration.failed(because: error.description)
            }
            tell(error.isHeld ? .probeFailed : .failed, .error, "apply failed: \(error)")
            return report(
                .failed, target.nodeRules.changes(from: before), compilation,
                problem: error.description)
        }
    }

    /// The generation that has to be confirmed after an apply, and until when; nil for none.
    private func pending(
        after origin: Generation.Origin, _ request: ApplyRequest, _ target: Compilation.Target,
        _ compilation: Compilation
    ) -> Pending? {
        let time = origin == .command ? request.confirm : target.deployment.guards.confirm
        // A generation that somebody tries out is not confirmed by a file that changes meanwhile.
        let present = origin == .command ? nil : ledger.standing?.pending
        guard let deadline = time.map({ Deadline(after: $0, by: clock) }) ?? present?.deadline
        else { return nil }
        return Pending(
            deadline: deadline, fallback: ledger.standing?.confirmed,
            configurationDigest: compilation.configurationDigest)
    }
}
