internal import PlainText

extension JSONValue {
    /// A number; one that JSON can't say (NaN, infinities) is written as null.
    init(_ number: Double) { self = Int64(exactly: number).map { .integer($0) } ?? .number(number) }

    /// As JSON text in UTF-8 without whitespace, objects in their keys' order. Numbers that JSON
    /// cannot say (NaN, infinities) become null.
    package var serialized: [UInt8] {
        var writer = JSONWriter(indents: false)
        writer.append(self)
        return writer.text
    }

    /// The same for people: a line for each member and element.
    package var indented: [UInt8] {
        var writer = JSONWriter(indents: true)
        writer.append(self)
        return writer.text
    }

    /// JSON text for output that may be a terminal: characters that are not visible are escaped in
    /// it.
    ///
    /// - Parameter indents: a line for each member and element, or one in all.
    package func shown(indents: Bool) -> [UInt8] {
        var writer = JSONWriter(indents: indents)
        writer.isShown = true
        writer.append(self)
        return writer.text
    }
}

private struct JSONWriter {
    let indents: Bool
    /// Whether people may see it.
    var isShown = false
    private(set) var text: [UInt8] = []
    private var depth = 0

    init(indents: Bool) { self.indents = indents }

    mutating func append(_ value: JSONValue) {
        switch value {
        case .null: text += "null".utf8
        case .bool(let value): text += (value ? "true" : "false").utf8
        case .integer(let value): text += "\(value)".utf8
        case .number(let value): text += (value.isFinite ? "\(value)" : "null").utf8
        case .string(let value): append(value)
        case .array(let items):
            enclose(items, "[", "]") { writer, item in writer.append(item) }
        case .object(let members):
            enclose(members, "{", "}") { writer, member in
                writer.append(member.key)
                writer.text += (writer.indents ? ": " : ":").utf8
                writer.append(member.value)
            }
        }
    }

    private mutating func enclose<Items: Collection>(
        _ items: Items, _ start: Unicode.Scalar, _ end: Unicode.Scalar,
        _ append: (inout JSONWriter, Items.Element) -> Void
    ) {
        text.append(UInt8(ascii: start))
        depth += 1
        for (index, item) in items.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            beginLine()
            append(&self, item)
        }
        depth -= 1
        if !items.isEmpty { beginLine() }
        text.append(UInt8(ascii: end))
    }

    private mutating func beginLine() {
        guard indents else { return }
        text.append(UInt8(ascii: "\n"))
        text += repeatElement(UInt8(ascii: " "), count: 2 * depth)
    }

    private mutating func append(_ string: String) {
        text.append(UInt8(ascii: "\""))
        if isShown, !string.isVisible { appendVisibly(string) } else { appendContent(of: string) }
        text.append(UInt8(ascii: "\""))
    }

    private mutating func appendContent(of string: String) {
        var string = string
        string.withUTF8 { bytes in
            // The bytes that need no escape, which are nearly all, are copied together.
            var start = 0
            for index in 0..<bytes.count {
                let byte = bytes[index]
                if byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") {
                    continue
                }
                text += bytes[start..<index]
                text += Self.escaped(byte).utf8
                start = index + 1
            }
            text += bytes[start...]
        }
    }

    private mutating func appendVisibly(_ string: String) {
        for scalar in string.unicodeScalars {
            if scalar.isVisible || scalar == "\n" {
                appendContent(of: String(Character(scalar)))
            } else {
                for unit in String(Character(scalar)).utf16 {
                    let digits = String(unit, radix: 16)
                    text +=
                        "\\u\(String(repeating: "0", count: 4 - digits.utf8.count))\(digits)".utf8
                }
            }
        }
    }

    private static func escaped(_ byte: UInt8) -> String {
        switch byte {
        case UInt8(ascii: "\""): "\\\""
        case UInt8(ascii: "\\"): "\\\\"
        case UInt8(ascii: "\n"): "\\n"
        default: "\\u00\(byte < 0x10 ? "0" : "")\(String(byte, radix: 16))"
        }
    }
}
