internal import Drawing
internal import PortModel

/// A document in GitHub's Markdown, with diagrams that GitHub and GitLab draw.
package enum MarkdownPage {
    /// The whole page. Text of the document is escaped, whatever it holds.
    package static func text(_ document: Document) -> String {
        var blocks = ["# \(escaped(document.title))", words(document.subtitle)]
        blocks.append(
            document.sections.map { "- [\(escaped($0.title))](#\($0.anchor))" }
                .joined(separator: "\n"))
        for section in document.sections {
            blocks.append("<a id=\"\(section.anchor)\"></a>\n\n## \(escaped(section.title))")
            for block in section.blocks { blocks += lines(of: block) }
        }
        return blocks.joined(separator: "\n\n") + "\n"
    }

    private static func lines(of block: Document.Block) -> [String] {
        switch block {
        case .heading(let title, let anchor):
            ["<a id=\"\(anchor)\"></a>\n\n### \(escaped(title))"]
        case .paragraph(let text):
            [words(text)]
        case .alert(let tone, let text):
            ["> [!\(tone == .bad ? "CAUTION" : "WARNING")]\n> \(words(text))"]
        case .facts(let facts):
            [
                table(
                    ["", ""],
                    facts.map {
                        [words(.strong($0.name), inTable: true), words($0.value, inTable: true)]
                    }
                )
            ]
        case .list(let items), .columns(let items):
            [items.map { "- \(words($0))" }.joined(separator: "\n")]
        case .code(let lines):
            [fenced(lines.joined(separator: "\n"), "text")]
        case .table(let grid):
            self.lines(of: grid)
        case .diagram(let diagram, let anchor):
            [
                "<a id=\"\(anchor)\"></a>\n\n### \(escaped(diagram.title))",
                fenced(Mermaid.text(diagram), "mermaid"),
                diagram.footnotes.map { "- \(escaped($0.mark.rawValue)) \(escaped($0.text))" }
                    .joined(separator: "\n"),
            ].filter { !$0.isEmpty }
        }
    }

    private static func lines(of grid: Document.Grid) -> [String] {
        let rows = grid.rows.map { row in row.cells.map { words($0, inTable: true) } }
        let code = grid.rows.filter { !$0.code.isEmpty }.flatMap { row in
            ["# \(row.cells.first?.text ?? "")"] + row.code
        }
        return ["**\(escaped(grid.caption))**", table(grid.columns.map(escaped), rows)]
            + (code.isEmpty ? [] : [fenced(code.joined(separator: "\n"), "nft")])
    }

    private static func table(_ columns: [String], _ rows: [[String]]) -> String {
        ([columns, columns.map { _ in "---" }] + rows)
            .map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
    }

    private static func words(_ words: Words, inTable: Bool = false) -> String {
        words.spans.map { span in
            switch span {
            case .plain(let text): escaped(text)
            case .strong(let text), .toned(.good, let text), .toned(.caution, let text),
                .toned(.bad, let text):
                emphasised(text)
            case .toned(.quiet, let text): escaped(text)
            // Code spans know no escapes, so that a bar within would end a table's cell.
            case .code(let text):
                text.utf8.contains { "`|\\\n".utf8.contains($0) }
                    ? escaped(text) : "`\(text.visible)`"
            case .lineBreak: inTable ? "<br>" : "  \n"
            }
        }.joined()
    }

    /// Spaces at its ends would make the stars stars.
    private static func emphasised(_ text: String) -> String {
        let core = text.drop { $0 == " " }
        var trimmed = core
        while trimmed.last == " " { trimmed.removeLast() }
        if trimmed.isEmpty { return text }
        let before = String(repeating: " ", count: text.count - core.count)
        let after = String(repeating: " ", count: core.count - trimmed.count)
        return "\(before)**\(escaped(String(trimmed)))**\(after)"
    }

    /// A fence longer than any run of backticks within.
    private static func fenced(_ text: String, _ language: String) -> String {
        var longest = 2
        var run = 0
        for character in text {
            run = character == "`" ? run + 1 : 0
            longest = max(longest, run)
        }
        let fence = String(repeating: "`", count: longest + 1)
        let body = text.hasSuffix("\n") ? text : text + "\n"
        return "\(fence)\(language)\n\(body.visible)\(fence)"
    }

    /// Text that stays text: signs that Markdown or HTML would take for more are escaped.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\", "`", "*", "_", "{", "}", "[", "]", "#", "|", "~", "!", "$", "@":
                result += "\\" + String(Character(scalar))
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            case "\n", "\t": result += " "
            default: result.unicodeScalars.append(scalar.isPrintable ? scalar : "\u{fffd}")
            }
        }
        return result
    }
}

extension String {
    /// With U+FFFD in place of what is no text.
    fileprivate var visible: String {
        var result = ""
        for scalar in unicodeScalars {
            let isText = scalar == "\n" || scalar == "\t" || scalar.isPrintable
            result.unicodeScalars.append(isText ? scalar : "\u{fffd}")
        }
        return result
    }
}
