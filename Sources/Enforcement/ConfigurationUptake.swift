internal import Logging
package import Reports
internal import Ruleset
internal import Site

/// A configuration that is taken up: because it may have changed, or because somebody says so.
extension Reconciler {
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
            configuration.read(compilation)
            configuration.settled()
        } else {
            _ = await takeUp(compilation, origin: origin, noticed: noticed)
        }
    }

    func takeUp(
        _ compilation: Compilation, origin: Generation.Origin, noticed: Duration,
        _ request: ApplyRequest = ApplyRequest()
    ) async -> ApplyReport {
        let report = await takeUp(compilation, origin: origin, request)
        measurements.tookUp(report.outcome, in: sync.verified - noticed, at: clock.now)
        return report
    }

    private func takeUp(
        _ compilation: Compilation, origin: Generation.Origin, _ request: ApplyRequest
    ) async -> ApplyReport {
        configuration.read(compilation)
        guard let target = compilation.target else {
            configuration.settled()
            return rejected(compilation)
        }
        if origin == .command, let refusal = target.refusal(of: request) {
            tell(.refused, .error, "apply refused: \(refusal)")
            return report(.refused, [], compilation, problem: refusal)
        }
        let report =
            if let current, target.isInForce(by: current) {
                await confirmUnchanged(current, compilation, origin, request)
            } else {
                await install(target, compilation, origin, request)
            }
        if origin != .start, report.outcome != .failed { ledger.forgetHealedProblem() }
        return report
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
            configuration.failed(because: error.description)
            return report(.failed, [], compilation, problem: error.description)
        }
        configuration.settled()
        ledger.secure(generation)
        await restore(generation, because: "apply")
        guard let problem = sync.problem else {
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
            case .failure = desired.deployment.value
        else { return }
        var renewed = generation
        renewed.configuration = compilation.files
        renewed.configurationDigest = compilation.configurationDigest
        try ledger.rewrite(renewed)
        desired.hold(renewed, from: compilation.target?.deployment)
    }

    func report(
        _ outcome: ApplyReport.Outcome, _ changes: [RowChange], _ compilation: Compilation,
        problem: String? = nil
    ) -> ApplyReport {
        ApplyReport(
            outcome: outcome, generation: current?.number, changes: changes,
            diagnostics: compilation.diagnostics, problem: problem)
    }
}
