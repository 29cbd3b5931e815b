internal import Logging
package import Reports
internal import Ruleset
internal import Site

/// Puts a configuration in force.
extension Reconciler {

    /// How `apply` was said.
    package struct ApplyRequest: Hashable, Sendable {
        /// The time to confirm in; nil to put the configuration in force for good.
        package var confirm: Duration?
        /// Neither the operator's session nor probes are looked after.
        package var isForced: Bool
        /// The SSH session that it was typed in.
        package var session: OperatorSession?
        /// The report is to say how the tables differ.
        package var wantsTables: Bool

        package init(
            confirm: Duration? = nil, isForced: Bool = false, session: OperatorSession? = nil,
            wantsTables: Bool = false
        ) {
            self.confirm = confirm
            self.isForced = isForced
            self.session = session
            self.wantsTables = wantsTables
        }
    }

    /// Puts a configuration in force as a new generation, or says why not.
    ///
    /// - Parameter noticed: when it was asked for, since the host was started; nil for now.
    package func apply(
        _ compilation: Compilation, _ request: ApplyRequest = ApplyRequest(),
        noticed: Duration? = nil
    ) async -> Conclusion {
        let noticed = noticed ?? clock.sinceBoot
        await begin()
        defer { end() }
        let before = current?.nodeRules
        let report = await takeUp(compilation, origin: .command, noticed: noticed, request)
        guard let target = compilation.target, report.outcome != .refused else {
            return Conclusion(report)
        }
        let isInForce = report.outcome == .applied || report.outcome == .unchanged
        return Conclusion(
            report,
            change: Conclusion.Change(
                before: before, after: target.nodeRules, withTables: request.wantsTables),
            isInForce ? revocation : nil)
    }

    /// Takes up a configuration that may have changed: what `rollback` or `flush` holds stays as it
    /// is while the configuration is still the same.
    ///
    /// - Parameter noticed: when that was noticed, since the host was started; nil for now.
    package func configurationChanged(
        _ compilation: Compilation, origin: Generation.Origin, noticed: Duration? = nil
    ) async {
        let noticed = noticed ?? clock.sinceBoot
        await begin()
        defer { end() }
        if isHeld(against: compilation) {
            record(compilation)
            overview.failedApply = nil
        } else {
            _ = await takeUp(compilation, origin: origin, noticed: noticed)
        }
    }

    func takeUp(
        _ compilation: Compilation, origin: Generation.Origin, noticed: Duration,
        _ request: ApplyRequest = ApplyRequest()
    ) async -> ApplyReport {
        let report = await takeUp(compilation, origin: origin, request)
        overview.measurements.tookUp(report.outcome, in: verified - noticed, at: clock.now)
        return report
    }

    private func takeUp(
        _ compilation: Compilation, origin: Generation.Origin, _ request: ApplyRequest
    ) async -> ApplyReport {
        record(compilation)
        // An earlier failure is told until it is known how this ends.
        guard let target = compilation.target else {
            overview.failedApply = nil
            return rejected(compilation)
        }
        if origin == .command, let refusal = target.refusal(of: request) {
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

    /// The generation that has to be confirmed after an apply, and until when; nil for none.
    func pending(
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

    func isInForce(_ target: Compilation.Target) -> Bool {
        current?.ruleset == target.ruleset && current?.nodes == target.nodes
            && current?.revokesEstablished == target.revokesEstablished
            && current?.mediaTracking ?? .auto == target.mediaTracking
    }

    func record(_ compilation: Compilation) {
        overview.configuration = Overview.Configuration(
            diagnostics: compilation.diagnostics, digest: compilation.configurationDigest,
            isEmpty: compilation.isEmpty)
    }

    func rejected(_ compilation: Compilation) -> ApplyReport {
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
    func confirmUnchanged(
        _ generation: Generation, _ compilation: Compilation, _ origin: Generation.Origin,
        _ request: ApplyRequest
    ) async -> ApplyReport {
        do throws(StoreError) {
            try takeOverFiles(of: compilation, for: generation)
            let standing = ledger.standing
            if var pending = standing?.pending, origin == .command {
                if let time = request.confirm {
                    pending.deadline = Deadline(after: time, by: clock)
                    try ledger.record(generation.number, pending: pending)
                } else {
                    try confirm(generation)
                }
            } else if standing?.hold != nil || ledger.record.problem?.isHealed == false {
                try ledger.record(generation.number, pending: standing?.pending)
            }
        } catch {
            overview.failedApply = error.description
            return report(.failed, [], compilation, problem: error.description)
        }
        overview.failedApply = nil
        ledger.secure(generation)
        await restore(generation, because: "apply")
        guard let problem = overview.kernelProblem else {
            return report(.unchanged, [], compilation)
        }
        return report(.failed, [], compilation, problem: problem)
    }

    /// Where this version refuses the files of a generation, others that mean the same rules take
    /// their place, so that reports are told by them again.
    private func takeOverFiles(
        of compilation: Compilation, for generation: Generation
    ) throws(StoreError) {
        guard generation.configurationDigest != compilation.configurationDigest,
            case .failure = overview.deployment.value
        else { return }
        var renewed = generation
        renewed.configuration = compilation.files
        renewed.configurationDigest = compilation.configurationDigest
        try ledger.rewrite(renewed)
        hold(renewed, from: compilation.target?.deployment)
    }

    func confirm(_ generation: Generation) throws(StoreError) {
        try ledger.confirm(generation)
        overview.confirm()
        tell(.confirmed, .notice, "confirmed: generation \(generation.number)")
    }

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
                overview.measurements.wentBack(because: .probe)
                // To try again and again would cut and open traffic each time.
                ledger.recordTakenBack(
                    to: current?.number,
                    hold: Hold(
                        .probe, against: compilation.configurationDigest,
                        explanation: error.description), pending: ledger.standing?.pending)
            } else {
                overview.failedApply = error.description
            }
            tell(error.isHeld ? .probeFailed : .failed, .error, "apply failed: \(error)")
            return report(
                .failed, target.nodeRules.changes(from: before), compilation,
                problem: error.description)
        }
    }
}
