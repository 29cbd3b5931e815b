/// JSON text that is not to be read: where and why.
package struct JSONSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    /// From the text's beginning, in bytes.
    package let offset: Int
    /// In a few words; may quote a key of the text.
    package let reason: String

    package var description: String { "byte \(offset): \(reason)" }
}

extension JSONValue {
    /// Reads one JSON text, with whitespace around it.
    ///
    /// For text from anybody: takes time in proportion to its length, and nests no deeper than
    /// `maximumDepth`. (Decoding the same through `Codable` takes 25 s for a megabyte of nested
    /// arrays.) Refuses numbers that no `Double` holds and objects with a key twice.
    ///
    /// - Parameters:
    ///   - maximumDepth: of arrays and objects within one another.
    ///   - maximumValues: of all arrays and objects together: in memory a value takes some ten
    ///     times the two bytes that it takes at least in the text.
    /// - Throws: where the text is no JSON or exceeds these bounds; the first fault counts.
    package init(
        parsing text: [UInt8], maximumDepth: Int = 64, maximumValues: Int = .max
    ) throws(JSONSyntaxError) {
        var parser = JSONParser(text: text, budget: maximumValues)
        self = try parser.value(depth: maximumDepth)
        parser.skipSpace()
        if parser.offset != text.count { throw parser.error("text after the value") }
    }
}

private struct JSONParser {
    let text: [UInt8]
    private(set) var offset = 0
    /// How many values may still come.
    private var budget: Int

    init(text: [UInt8], budget: Int) {
        self.text = text
        self.budget = budget
    }

    func error(_ reason: String) -> JSONSyntaxError {
        JSONSyntaxError(offset: offset, reason: reason)
    }

    private var next: UInt8? { offset < text.count ? text[offset] : nil }

    mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 {
            offset += 1
        }
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: scalar) else { return false }
        offset += 1
        return true
    }

    mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        skipSpace()
        if budget == 0 { throw error("too many values") }
        budget -= 1
        switch next {
        case UInt8(ascii: "{"):
            if depth == 0 { throw error("nested too deep") }
            return try object(depth: depth - 1)
        case UInt8(ascii: "["):
            if depth == 0 { throw error("nested too deep") }
            return try array(depth: depth - 1)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")):
            return try number()
        default: throw error("no JSON value")
        }
    }

    private mutating func word(
        _ word: StaticString, _ value: JSONValue
    ) throws(JSONSyntaxError) -> JSONValue {
        let end = offset + word.utf8CodeUnitCount
        let matches =
            end <= text.count
            && word.withUTF8Buffer { text[offset..<end].elementsEqual($0) }
        guard matches else { throw error("no JSON value") }
        offset = end
        return value
    }

    private mutating func array(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        offset += 1
        var items: [JSONValue] = []
        skipSpace()
        if take("]") { return .array(items) }
        repeat {
            items.append(try value(depth: depth))
            skipSpace()
        } while take(",")
        guard take("]") else { throw error("neither , nor ]") }
        return .array(items)
    }

    private mutating func object(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        offset += 1
        var members: [JSONObject.Member] = []
        skipSpace()
        if take("}") { return .object([:]) }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw error("no key") }
            let key = try string()
            skipSpace()
            guard take(":") else { throw error("no :") }
            let value = try value(depth: depth)
            members.append(JSONObject.Member(key: key, value: value))
            skipSpace()
        } while take(",")
        guard take("}") else { throw error("neither , nor }") }
        var repeated: String?
        let object = JSONObject(ordering: members) { repeated = $0 }
        if let repeated { throw error("key \(repeated) twice") }
        return .object(object)
    }

    private mutating func number() throws(JSONSyntaxError) -> JSONValue {
        let start = offset
        _ = take("-")
        if !take("0") { try digits() }
        var isInteger = true
        if take(".") {
            isInteger = false
            try digits()
        }
        if take("e") || take("E") {
            isInteger = false
            if !take("-") { _ = take("+") }
            try digits()
        }
        let literal = String(decoding: text[start..<offset], as: UTF8.self)
        if isInteger, let value = Int64(literal) { return .integer(value) }
        guard let value = Double(literal), value.isFinite else {
            throw error("number out of range")
        }
        return Int64(exactly: value).map { .integer($0) } ?? .number(value)
    }

    private mutating func digits() throws(JSONSyntaxError) {
        let start = offset
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            offset += 1
        }
        if offset == start { throw error("no digit") }
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        offset += 1
        let start = offset
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20
        {
            offset += 1
        }
        if take("\"") { return try utf8(text[start..<offset - 1]) }
        var bytes = Array(text[start..<offset])
        while let byte = next {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""): return try utf8(bytes[...])
            case UInt8(ascii: "\\"): bytes += String(try escape()).utf8
            case 0..<0x20: throw error("control character in a string")
            default: bytes.append(byte)
            }
        }
        throw error("string does not end")
    }

    private func utf8(_ bytes: ArraySlice<UInt8>) throws(JSONSyntaxError) -> String {
        guard let string = String(validating: bytes, as: UTF8.self) else {
            throw error("string is not UTF-8")
        }
        return string
    }

    private mutating func escape() throws(JSONSyntaxError) -> Unicode.Scalar {
        guard let byte = next else { throw error("string does not end") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let first = try codeUnit()
            if let scalar = Unicode.Scalar(first) { return scalar }
            guard UTF16.isLeadSurrogate(first), take("\\"), take("u") else {
                throw error("half a surrogate pair")
            }
            let second = try codeUnit()
            guard UTF16.isTrailSurrogate(second) else { throw error("half a surrogate pair") }
            return UTF16.decode(UTF16.EncodedScalar([first, second]))
        default: throw error("no such escape")
        }
    }

    private mutating func codeUnit() throws(JSONSyntaxError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw error("no hexadecimal digit")
            }
            unit = unit << 4 | UInt16(digit)
            offset += 1
        }
        return unit
    }
}
