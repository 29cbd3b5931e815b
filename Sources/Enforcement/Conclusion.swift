package import Reports

/// The result of an operation, while flows that are not permitted any more may still be ending.
package struct Conclusion: Sendable {
    /// To tell rules apart takes long where there are many, so it waits until nothing waits for it.
    struct Change: Sendable {
        var before: NodeRules?
        var after: NodeRules?
        /// Whether the report does not have the rows yet that differ.
        var lacksRows = false
        var withTables = false
    }

    private let report: ApplyReport
    /// Where the report is to say more of what changed: between which rules, and how the tables do.
    private let change: Change?
    /// nil where no flow was looked for.
    private let revocation: Task<Revocation, Never>?

    init(
        _ report: ApplyReport,
        change: Change? = nil,
        _ revocation: Task<Revocation, Never>? = nil
    ) {
        self.report = report
        self.change = change
        self.revocation = revocation
    }

    /// How the operation ended.
    package var outcome: ApplyReport.Outcome { report.outcome }

    /// All of it, once the flows have ended.
    package func finalReport() async -> ApplyReport {
        var report = report
        if let change {
            if change.lacksRows {
                report.changes = change.after?.changes(from: change.before) ?? []
            }
            report.describe(
                from: change.before, to: change.after, withTables: change.withTables)
        }
        guard let revocation = await revocation?.value else { return report }
        report.endedFlows = revocation.ended
        report.problem = report.problem ?? revocation.problem
        return report
    }
}
