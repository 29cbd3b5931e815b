package import Reports
internal import Site

extension Compilation {
    /// The changes that putting the configuration in force would make, as far as they can be told
    /// without the kernel.
    ///
    /// - Parameter old: the generation to compare with; nil where everything is new.
    package func plan(from old: Generation?, withTables: Bool = false) -> ApplyReport {
        guard let target else {
            return ApplyReport(
                outcome: .rejected, generation: old?.number, diagnostics: diagnostics)
        }
        var old = old
        old?.resolveRows()
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

extension Compilation.Target {
    /// The new side of a comparison of rules.
    var nodeRules: NodeRules { NodeRules(nodes: nodes, ruleset: ruleset, rows: rows) }
}
