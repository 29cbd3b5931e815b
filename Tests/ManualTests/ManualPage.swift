import Foundation
import Testing

/// The source of a page, in mdoc(7).
struct ManualPage {
    /// An entry of a tagged list: what its `.It` lines name, and the lines up to the next entry.
    struct Item {
        var tags: [String]
        var lines: [String]

        /// The words behind a macro, such as `Cm` or `Fl`, in the tags and the text.
        func words(of macro: String) -> Set<String> {
            Set((tags + lines).flatMap { ManualPage.words(of: macro, in: $0) })
        }
    }

    let lines: [String]

    init(_ name: String) throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../packaging/man/\(name)").standardized
        lines = try String(contentsOf: path, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false
        ).map(String.init)
    }

    /// The lines of a section (`.Sh`) or subsection (`.Ss`), up to the next of either.
    func section(_ name: String) throws -> [String] {
        let start = try #require(
            lines.firstIndex { $0 == ".Sh \(name)" || $0 == ".Ss \(name)" }, "\(name)")
        return lines[(start + 1)...].prefix { !$0.hasPrefix(".Sh") && !$0.hasPrefix(".Ss") }
            .map { $0 }
    }

    static func items(in lines: [String]) -> [Item] {
        var items: [Item] = []
        var isTag = false
        var isInside = false
        for line in lines {
            if line.hasPrefix(".Bl ") || line == ".El" {
                isInside = line != ".El"
            } else if line.hasPrefix(".It ") {
                if isTag {
                    items[items.count - 1].tags.append(line)
                } else {
                    items.append(Item(tags: [line], lines: []))
                }
                isTag = true
            } else if isInside, !items.isEmpty {
                items[items.count - 1].lines.append(line)
                isTag = false
            }
        }
        return items
    }

    /// The text between `.Bd -literal` and `.Ed`.
    func literals(in lines: [String]) -> [String] {
        var texts: [String] = []
        var isInside = false
        for line in lines {
            if line.hasPrefix(".Bd -literal") {
                texts.append("")
                isInside = true
            } else if line == ".Ed" {
                isInside = false
            } else if isInside {
                texts[texts.count - 1] += line + "\n"
            }
        }
        return texts
    }

    static func words(of macro: String, in line: String) -> [String] {
        let parts = line.split(separator: " ").map(String.init)
        guard parts.first?.hasPrefix(".") == true else { return [] }
        return zip(parts, parts.dropFirst()).compactMap { name, word in
            name == macro || name == ".\(macro)" ? word : nil
        }
    }
}
