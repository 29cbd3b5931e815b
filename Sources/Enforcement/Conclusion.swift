/// What an operation did, while flows that are not permitted any more may still be ending.
package struct Conclusion: Sendable {
    private let report: ApplyReport
    /// Where the report is to say more of what changed: between which rules, and how the tables do.
    private let change: (before: NodeRules?, after: NodeRules?, withTables: Bool)?
    /// nil where no flow was looked for.
    private let revocation: Task<Revocation, Never>?

    init(
        _ report: ApplyReport,
        change: (before: NodeRules?, after: NodeRules?, withTables: Bool)? = nil,
        _ revocation: Task<Revocation, Never>? = nil
    ) {
        self.report = report
        self.change = change
        self.revocation = revocation
    }

    /// What came of the operation.
    package var outcome: ApplyReport.Outcome { report.outcome }

    /// All of it, once the flows have ended.
    package func finalReport() async -> ApplyReport {
        var report = report
        if let change {
            report.describe(
                from: change.before, to: change.after, withTables: change.withTables)
        }
        guard let revocation = await revocation?.value else { return report }
        report.endedFlows = revocation.ended
        report.problem = report.problem ?? revocation.problem
        return report
    }
}
