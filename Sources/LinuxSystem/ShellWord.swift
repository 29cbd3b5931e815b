/// A text as one word for a shell, in quotes where it needs them, and without control characters.
package func shellWord(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy {
        switch $0 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "/"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
    if isPlain, !text.isEmpty { return text }
    guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
        let escaped = text.split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "'\\''")
        return "'\(escaped)'"
    }
    var word = "$'"
    for scalar in text.unicodeScalars {
        switch scalar {
        case "'", "\\": word += "\\\(scalar)"
        case "\u{0}"..."\u{1f}", "\u{7f}":
            let digits = String(scalar.value, radix: 16)
            word += "\\x" + (digits.count == 1 ? "0" : "") + digits
        default: word.unicodeScalars.append(scalar)
        }
    }
    return word + "'"
}
