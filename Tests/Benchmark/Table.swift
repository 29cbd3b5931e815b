import Foundation

/// All that one run measured.
struct Report: Codable {
    /// The kernel's version and the machine's processors.
    var machine: String
    /// The versions of what was compared.
    var versions: [String]
    var rows: [Row] = []

    /// For reading beside other runs.
    var json: Data {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return try encoder.encode(self)
        }
    }

    /// The table as people read it.
    var markdown: String {
        var lines = [
            "# Benchmark of pexip-fw", "",
            "\(machine); \(versions.joined(separator: ", ")). Written by `packaging/bench`. "
                + "Each figure is the median of its rounds, in brackets the lowest and the highest.",
            "", "| what | target | figure | verdict | of |", "|---|---|---|---|---|",
        ]
        for row in rows {
            let verdict = row.isMet.map { $0 ? "met" : "**missed**" } ?? ""
            let spread =
                row.samples.count > 1
                ? " (\(row.lowest.asFigure) to \(row.highest.asFigure))" : ""
            lines.append(
                "| \(row.what) | \(row.target.map { "≤ \($0.asFigure)" } ?? "") | "
                    + "\(row.median.asFigure)\(spread) | \(verdict) | \(row.detail) |")
        }
        let judged = rows.compactMap(\.isMet)
        lines += ["", "\(judged.count { $0 }) of \(judged.count) targets met.", ""]
        return lines.joined(separator: "\n")
    }
}

/// Reports lines as they are measured, for whoever watches.
func progress(_ row: Row) {
    let verdict = row.isMet.map { $0 ? "met   " : "MISSED" } ?? "      "
    let line =
        "\(verdict) \(row.what): \(row.median.asFigure)"
        + (row.samples.count > 1 ? " (\(row.lowest.asFigure)…\(row.highest.asFigure))" : "")
        + (row.target.map { ", target ≤ \($0.asFigure)" } ?? "")
        + (row.detail.isEmpty ? "" : " [\(row.detail)]")
    FileHandle.standardError.write(Data((line + "\n").utf8))
}
