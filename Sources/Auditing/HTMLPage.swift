internal import Drawing

/// A document as one HTML page: style and pictures within it, no script, nothing loaded.
package enum HTMLPage {
    /// The whole page. Text of the document is escaped, whatever it holds.
    package static func text(_ document: Document) -> String {
        var page = Page()
        page.add(
            """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            <title>\(Markup.escaped(document.title))</title>
            <style>\(StyleSheet.text)\(SVG.styleSheet)</style>
            </head>
            <body>
            <a class="skip" href="#content">Skip to the content</a>
            <header>
            <h1>\(Markup.escaped(document.title))</h1>
            <p>\(html(document.subtitle))</p>
            </header>
            """)
        page.addContents(document)
        page.add("<main id=\"content\">")
        for section in document.sections { page.add(section) }
        page.add("</main>\n</body>\n</html>\n")
        return page.lines.joined(separator: "\n")
    }

    fileprivate static func html(_ words: Words) -> String {
        words.spans.map { span in
            switch span {
            case .plain(let text): breakable(text)
            case .strong(let text): "<strong>\(breakable(text))</strong>"
            case .code(let text): "<code>\(breakable(text))</code>"
            case .toned(let tone, let text):
                "<span class=\"\(tone.rawValue)\">\(breakable(text))</span>"
            case .lineBreak: "<br>"
            }
        }.joined()
    }

    /// As wide as the narrowest column.
    private static let longestPart = 20

    /// Escaped, with places to break in words that are too long for a column: behind the signs that
    /// part them, or anywhere. Shorter ones, addresses among them, stay whole.
    private static func breakable(_ text: String) -> String {
        text.split(separator: " ", omittingEmptySubsequences: false).map { word in
            guard word.count > longestPart else { return Markup.escaped(String(word)) }
            var result = ""
            var part = ""
            for character in word {
                part.append(character)
                if part.count >= longestPart || (part.count > 4 && "./:_,-".contains(character)) {
                    result += Markup.escaped(part) + "<wbr>"
                    part = ""
                }
            }
            return result + Markup.escaped(part)
        }.joined(separator: " ")
    }
}

private struct Page {
    var lines: [String] = []

    mutating func add(_ line: String) { lines.append(line) }

    mutating func addContents(_ document: Document) {
        add("<nav aria-labelledby=\"contents\">\n<h2 id=\"contents\">Contents</h2>\n<ol>")
        for section in document.sections {
            add("<li><a href=\"#\(section.anchor)\">\(Markup.escaped(section.title))</a>")
            let parts = section.blocks.compactMap(\.entry)
            if !parts.isEmpty {
                add("<ol>")
                for (title, anchor) in parts {
                    add("<li><a href=\"#\(anchor)\">\(Markup.escaped(title))</a></li>")
                }
                add("</ol>")
            }
            add("</li>")
        }
        add("</ol>\n</nav>")
    }

    mutating func add(_ section: Document.Section) {
        add(
            "<section aria-labelledby=\"\(section.anchor)\">\n<h2 id=\"\(section.anchor)\">\(Markup.escaped(section.title))</h2>"
        )
        for block in section.blocks { add(block) }
        add("</section>")
    }

    private mutating func add(_ block: Document.Block) {
        switch block {
        case .heading(let title, let anchor):
            add("<h3 id=\"\(anchor)\">\(Markup.escaped(title))</h3>")
        case .paragraph(let words):
            add("<p>\(HTMLPage.html(words))</p>")
        case .alert(let tone, let words):
            add(
                "<p class=\"alert\" role=\"note\"><strong class=\"\(tone.rawValue)\">Attention:</strong> \(HTMLPage.html(words))</p>"
            )
        case .facts(let facts):
            add("<dl>")
            for fact in facts {
                add(
                    "<div><dt>\(Markup.escaped(fact.name))</dt><dd>\(HTMLPage.html(fact.value))</dd></div>"
                )
            }
            add("</dl>")
        case .list(let items):
            addList(items, class: nil)
        case .columns(let items):
            addList(items, class: "columns")
        case .code(let lines):
            add(
                "<pre tabindex=\"0\"><code>\(Markup.escaped(lines.joined(separator: "\n")))</code></pre>"
            )
        case .table(let grid):
            add(grid)
        case .diagram(let diagram, let anchor):
            add(
                "<figure id=\"\(anchor)\">\n\(SVG.element(diagram, id: "picture-\(anchor)"))\n</figure>"
            )
        }
    }

    private mutating func addList(_ items: [Words], class name: String?) {
        add(name.map { "<ul class=\"\($0)\">" } ?? "<ul>")
        for item in items { add("<li>\(HTMLPage.html(item))</li>") }
        add("</ul>")
    }

    /// Roles are said where a narrow screen shows the cells one below the other, since browsers
    /// forget then that it is a table.
    private mutating func add(_ grid: Document.Grid) {
        add(
            "<table role=\"table\">\n<caption>\(Markup.escaped(grid.caption))</caption>"
        )
        if !grid.widths.isEmpty {
            let columns = grid.widths.map { "<col style=\"width:\($0)%\">" }
            add("<colgroup>\(columns.joined())</colgroup>")
        }
        add("<thead role=\"rowgroup\"><tr role=\"row\">")
        for column in grid.columns {
            add("<th scope=\"col\" role=\"columnheader\">\(Markup.escaped(column))</th>")
        }
        add("</tr></thead>")
        for row in grid.rows {
            add("<tbody role=\"rowgroup\"><tr role=\"row\">")
            for (column, cell) in zip(grid.columns, row.cells) {
                let label = "data-label=\"\(Markup.escaped(column))\""
                add(
                    column == grid.columns.first
                        ? "<th scope=\"row\" role=\"rowheader\" \(label)>\(HTMLPage.html(cell))</th>"
                        : "<td role=\"cell\" \(label)>\(HTMLPage.html(cell))</td>")
            }
            add("</tr>")
            if !row.code.isEmpty {
                let code = row.code.map { "<code>\(HTMLPage.html(Words($0)))</code>" }
                add(
                    "<tr role=\"row\" class=\"rules\"><td role=\"cell\" colspan=\"\(grid.columns.count)\">\(code.joined(separator: "\n"))</td></tr>"
                )
            }
            add("</tbody>")
        }
        add("</table>")
    }
}

extension Document.Block {
    /// The entry in the table of contents; nil where the block has none.
    fileprivate var entry: (title: String, anchor: String)? {
        switch self {
        case .heading(let title, let anchor): (title, anchor)
        case .diagram(let diagram, let anchor): (diagram.title, anchor)
        default: nil
        }
    }
}
