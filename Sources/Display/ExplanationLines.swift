internal import PlainText
internal import Policy
package import Reports
internal import Ruleset

extension ExplainReport {
    /// The explanation for people: the verdict, then the rows and rules that lead to it.
    package var lines: [String] {
        var lines: [String] = []
        func add(_ label: String, _ text: String) {
            lines.append(label.padded(to: 12) + text)
        }
        add("verdict", "\(explanation.verdict.rawValue): \(explanation.reason)")
        for crossing in crossings { add("but", crossing.words) }
        for row in explanation.permits { addRow("row", row, add) }
        for rule in explanation.rules {
            add("rule", "\(rule.table) \(rule.chain) \(rule.number): \(rule.rule)")
            if let counter = rule.counter, let value = counters[counter] {
                add("", "\(counter): \(value.packets) packets, \(value.bytes) bytes so far")
            }
        }
        for miss in explanation.nearest {
            addRow("nearest", miss.row, add)
            add("", "but \(miss.differences.joined(separator: ", and "))")
        }
        for row in inactive {
            addRow("inactive", row, add)
            add("", "would permit it, but its feature is off")
        }
        if explanation.verdict == .drop, let incomplete { add("unknown", incomplete) }
        return lines
    }

    private func addRow(_ label: String, _ id: String, _ add: (String, String) -> Void) {
        add(label, id)
        guard let row = rows[id] else { return }
        add("", row.line)
        for footnote in row.footnotes { add("", footnote) }
    }
}
