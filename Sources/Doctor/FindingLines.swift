internal import Reports
internal import PlainText
internal import Reports

extension DoctorReport {
    /// So many rows are named; what concerns more, concerns nearly everything.
    private static let namedRows = 6

    /// The findings for people, the worst first, and a line that sums them up.
    package var lines: [String] {
        let order: [Finding.Severity] = [.problem, .hint, .unknown, .ok]
        let sorted = order.flatMap { severity in findings.filter { $0.severity == severity } }
        let sum =
            problems + hints == 0
            ? "nothing found" : "\(problems.counted("problem")), \(hints.counted("hint"))"
        let unseen = unknown == 0 ? "" : "; \(unknown.counted("thing")) could not be looked at"
        return sorted.flatMap(Self.lines(of:)) + [sum + unseen]
    }

    private static func lines(of finding: Finding) -> [String] {
        var lines: [String] = []
        func add(_ label: String, _ text: String) {
            lines.append(label.padded(to: 12) + text)
        }
        add(finding.severity.rawValue, finding.what)
        if let why = finding.why { add("  why", why) }
        if let mend = finding.mend {
            add("  mend", mend.command)
            if let permanently = mend.permanently { add("  for good", permanently) }
        }
        if !finding.rows.isEmpty {
            let more = finding.rows.count - namedRows
            add(
                "  rows",
                finding.rows.prefix(namedRows).joined(separator: ", ")
                    + (more > 0 ? " and \(more) more" : ""))
        }
        return lines
    }
}
