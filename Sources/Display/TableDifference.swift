package import Reports
internal import Ruleset

extension ApplyReport {
    /// How the tables differ, as `diff` shows it: what goes begins with `-`, what comes with `+`,
    /// below the object of the table that it belongs to.
    package var tablesPage: Page {
        var page = Page()
        for table in tables ?? [] {
            let before = table.before.map(TableOutline.init(text:))
            let after = table.after.map(TableOutline.init(text:))
            if let before, let after, before.title != after.title {
                // Tables of one name in two families.
                page.addDifference(from: before, to: nil)
                page.addDifference(from: nil, to: after)
            } else {
                page.addDifference(from: before, to: after)
            }
        }
        return page
    }
}

extension Page {
    /// - Parameters:
    ///   - before: nil for a table that comes.
    ///   - after: nil for a table that goes.
    fileprivate mutating func addDifference(from before: TableOutline?, to after: TableOutline?) {
        guard let title = (after ?? before)?.title else { return }
        add(Text(title, .strong))
        let (old, new) = (before?.objects ?? [:], after?.objects ?? [:])
        for name in Set(old.keys).union(new.keys).sorted() where old[name] != new[name] {
            add(Text(name), indent: 2)
            for (sign, line) in Self.difference(old[name] ?? [], new[name] ?? []) {
                add(
                    Text(line, sign == "-" ? .bad : .good),
                    label: Text(sign, sign == "-" ? .bad : .good), labelWidth: 2, indent: 4)
            }
        }
    }

    private static func difference(_ before: [String], _ after: [String]) -> [(String, String)] {
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
