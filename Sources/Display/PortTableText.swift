internal import PlainText
internal import PortModel
package import Reports

extension PortsReport {
    /// All tables for people, with an empty line between them.
    package var text: String { tables.map(\.text).joined(separator: "\n\n") + "\n" }
}

extension PortsReport.Table {
    /// How many nodes a table's heading names.
    private static let namedNodes = 4

    /// The table for people: a line for each row, then what the documentation does not say of it.
    fileprivate var text: String {
        let header = ["Protocol", "Source-Port", "Dest-Port", "Description", "Peers"]
        let cells = lines.map { line in
            [
                line.protocol, line.sourcePort, line.destinationPort,
                ([line.description] + line.footnotes).joined(separator: " "),
                line.inactive.map { "not enforced: \($0)" } ?? line.peers?.text ?? "any",
            ].map(\.visible)
        }
        let widths = header.indices.map { column in
            ([header] + cells).map { $0[column].count }.max() ?? 0
        }
        let rows = ([header] + cells).map { row in
            var line = ""
            for (cell, width) in zip(row, widths) { line += cell.padded(to: width + 2) }
            return "  " + line.trimmed
        }
        let heading = Quantities.list(nodes, atMost: Self.namedNodes).visible
        return (["\(heading) (\(role.rawValue)), \(direction.rawValue)"] + rows)
            .joined(separator: "\n")
    }
}

extension PeerList {
    /// How many a line names.
    private static let named = 3

    fileprivate var text: String {
        first.prefix(Self.named).joined(separator: ", ")
            + (count > Self.named ? " … \(count) in all" : "")
    }
}
