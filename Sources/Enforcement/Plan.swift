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
        let isInForce = old.map(target.isInForce) ?? false
        var report = ApplyReport(
            outcome: isInForce ? .unchanged : .wouldApply, generation: old?.number,
            changes: changes, diagnostics: diagnostics)
        report.describe(from: old?.nodeRules, to: target.nodeRules, withTables: withTables)
        return report
    }
}

extension Compilation.Target {
    /// Whether a generation is the same, but for the files that it was made of.
    func isInForce(by generation: Generation) -> Bool {
        ruleset == generation.ruleset && nodes == generation.nodes
            && revokesEstablished == generation.revokesEstablished
            && mediaTracking == generation.mediaTracking ?? .auto
    }

    /// The new side of a comparison of rules.
    var nodeRules: NodeRules { NodeRules(nodes: nodes, ruleset: ruleset, rows: rows) }
}
