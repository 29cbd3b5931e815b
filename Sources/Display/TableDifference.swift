package import Reports

extension ApplyReport {
    /// How the tables differ, as `diff` shows it: what goes begins with `-`, what comes with `+`,
    /// below the object of the table that it belongs to.
    package var tablesPage: Page {
        var page = Page()
        for table in tables ?? [] {
            page.add(Text("table inet \(table.name)", .strong))
            let before = Block.blocks(of: table.before ?? "")
            let after = Block.blocks(of: table.after ?? "")
            let names = Set(before.keys).union(after.keys).sorted()
            for name in names where before[name] != after[name] {
                page.add(Text(name), indent: 2)
                for (sign, line) in Block.difference(before[name] ?? [], after[name] ?? []) {
                    page.add(
                        Text(line, sign == "-" ? .bad : .good),
                        label: Text(sign, sign == "-" ? .bad : .good), labelWidth: 2, indent: 4)
                }
            }
        }
        return page
    }
}

/// Objects of a table's text: their first lines, with the lines within them.
private enum Block {
    static func blocks(of text: String) -> [String: [String]] {
        var blocks: [String: [String]] = [:]
        var name: String?
        for line in text.split(separator: "\n").dropFirst().dropLast() {
            let content = line.drop { $0 == " " }
            switch line.count - content.count {
            case 4 where content == "}":
                name = nil
            case 4 where content.hasSuffix("{ }"):
                // A counter, which holds nothing of its own.
                blocks["counters", default: []].append(String(content.dropLast(4)))
            case 4:
                let title = String(content.dropLast(2))
                name = title
                blocks[title] = []
            default:
                if let name { blocks[name]?.append(contentsOf: parts(of: content)) }
            }
        }
        return blocks
    }

    /// A line for each element of a set: of many, few change.
    private static func parts(of line: Substring) -> [String] {
        let start = "elements = { "
        guard line.hasPrefix(start), line.hasSuffix(" }") else { return [String(line)] }
        return line.dropFirst(start.count).dropLast(2).split(separator: ",").map {
            "element " + $0.drop { $0 == " " }
        }
    }

    static func difference(_ before: [String], _ after: [String]) -> [(String, String)] {
        // Lines that stand in both are not compared further: a set of 100,000 elements is told
        // quickly.
        let (old, new) = (Set(before), Set(after))
        let removed = before.filter { !new.contains($0) }.map { ("-", $0) }
        let added = after.filter { !old.contains($0) }.map { ("+", $0) }
        if removed.isEmpty, added.isEmpty {
            // The same lines in another order.
            return before.map { ("-", $0) } + after.map { ("+", $0) }
        }
        return removed + added
    }
}
