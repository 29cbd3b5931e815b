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
}

private struct JSONWriter {
    let indents: Bool
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
            enclose(members.sorted { $0.key < $1.key }, "{", "}") { writer, member in
                writer.append(member.key)
                writer.text += (writer.indents ? ": " : ":").utf8
                writer.append(member.value)
            }
        }
    }

    private mutating func enclose<Item>(
        _ items: [Item], _ start: Unicode.Scalar, _ end: Unicode.Scalar,
        _ append: (inout JSONWriter, Item) -> Void
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
        let needsEscapes = string.utf8.contains {
            $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\")
        }
        guard needsEscapes else {
            text += string.utf8
            text.append(UInt8(ascii: "\""))
            return
        }
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""): text += "\\\"".utf8
            case UInt8(ascii: "\\"): text += "\\\\".utf8
            case UInt8(ascii: "\n"): text += "\\n".utf8
            case 0..<0x20:
                text += "\\u00\(byte < 0x10 ? "0" : "")\(String(byte, radix: 16))".utf8
            default: text.append(byte)
            }
        }
        text.append(UInt8(ascii: "\""))
    }
}
