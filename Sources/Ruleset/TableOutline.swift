/// A table's text by its objects, as ``Table/text`` laid it out, to tell how two differ.
package struct TableOutline: Hashable, Sendable {
    /// The line that begins the table, without its brace: `table inet pexip_fw_gateway`.
    package let title: String
    /// The lines within each object, by the line that begins it, without its brace: `chain input`. A
    /// line for each element of a set, since of many few change; counters, which hold nothing, are
    /// lines of ``counters``.
    package let objects: [String: [String]]

    /// The title of all counters.
    package static let counters = "counters"

    /// - Parameter text: as ``Table/text`` is.
    package init(text: String) {
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"))
        var objects: [String: [String]] = [:]
        var object: String?
        for line in lines.dropFirst() {
            if let content = line.without(prefix: TableLayout.lineIndent) {
                if let object { objects[object]?.append(contentsOf: Self.parts(of: content)) }
            } else if let content = line.without(prefix: TableLayout.objectIndent) {
                object = nil
                if let empty = content.without(suffix: TableLayout.empty) {
                    objects[Self.counters, default: []].append(String(Substring(empty)))
                } else if let title = content.without(suffix: TableLayout.begin) {
                    object = String(Substring(title))
                    objects[String(Substring(title))] = []
                }
            }
        }
        let first = lines.first ?? text.utf8[...]
        title = String(Substring(first.without(suffix: TableLayout.begin) ?? first))
        self.objects = objects
    }

    private static func parts(of line: Substring.UTF8View) -> [String] {
        guard
            let elements = line.without(prefix: TableLayout.elements)?
                .without(suffix: TableLayout.elementsEnd)
        else { return [String(Substring(line))] }
        return elements.split(separator: UInt8(ascii: ",")).map {
            "element " + String(Substring($0.drop { $0 == UInt8(ascii: " ") }))
        }
    }
}

/// How a table's text is laid out: by this it is written, and read.
enum TableLayout {
    static let objectIndent = "    "
    static let lineIndent = "        "
    /// Behind the words that begin a table or an object.
    static let begin = " {"
    /// Behind those of an object that holds nothing.
    static let empty = " { }"
    static let elements = "elements = { "
    static let elementsEnd = " }"
}

extension Substring.UTF8View {
    fileprivate func without(prefix: String) -> Self? {
        starts(with: prefix.utf8) ? dropFirst(prefix.utf8.count) : nil
    }

    fileprivate func without(suffix: String) -> Self? {
        guard suffix.utf8.count <= count, self.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
        else { return nil }
        return dropLast(suffix.utf8.count)
    }
}
