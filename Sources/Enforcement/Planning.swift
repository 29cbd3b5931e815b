internal import Deployment
internal import Logging
internal import Ruleset
internal import Synchronization

extension Compilation {
    /// What putting the configuration in force would change, as far as that can be told without the
    /// kernel.
    ///
    /// - Parameter old: what is compared with; nil where everything is new.
    package func plan(from old: Generation?, withTables: Bool = false) -> ApplyReport {
        guard let target else {
            return ApplyReport(
                outcome: .rejected, generation: old?.number, diagnostics: diagnostics)
        }
        let changes = target.nodeRules.changes(from: old?.nodeRules)
        let isInForce =
            target.ruleset == old?.ruleset && target.nodes == old?.nodes
            && target.revokesEstablished == old?.revokesEstablished
            && target.mediaTracking == old?.mediaTracking ?? .auto
        var report = ApplyReport(
            outcome: isInForce ? .unchanged : .wouldApply, generation: old?.number,
            changes: changes, diagnostics: diagnostics)
        report.describe(from: old?.nodeRules, to: target.nodeRules, withTables: withTables)
        return report
    }
}

extension Reconciler {
    /// Says what ``apply(_:_:)`` would do, lets the kernel check it, and counts the flows that would
    /// end. Changes nothing.
    package func plan(
        _ compilation: Compilation, _ request: ApplyRequest = ApplyRequest()
    ) async -> ApplyReport {
        begin()
        defer { end() }
        var report = compilation.plan(from: current, withTables: request.wantsTables)
        guard let target = compilation.target else { return report }
        if let refusal = refusal(of: target, request) {
            report.outcome = .refused
            report.problem = refusal
            return report
        }
        do {
            let next = try nextGeneration(target, compilation, .command)
            let observed = try await kernel.tables(knownFrom: [current?.ruleset, target.ruleset])
            try await kernel.check(next.stamped, from: observed)
            if report.outcome == .wouldApply {
                report.endedFlows = try await revoker.countRefused(by: next)
            }
        } catch {
            report.outcome = .failed
            report.problem = "\(error)"
        }
        return report
    }
}

extension Revoker {
    /// How many flows ``carryOut(_:)`` would end; nil where it would look for none.
    func countRefused(by generation: Generation) async throws -> Int? {
        guard generation.revokesEstablished, generation.mode == .enforce else { return nil }
        let judge = FlowJudge(generation, hostAddresses: try hostAddresses())
        let count = Mutex(0)
        // None is kept, however many there are.
        _ = try await kernel.flows(touching: judge.addresses, atMost: 1) { flow in
            if judge.refuses(flow) { count.withLock { $0 += 1 } }
            return false
        }
        return count.withLock { $0 }
    }
}
