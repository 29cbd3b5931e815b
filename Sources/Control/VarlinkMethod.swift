/// A method's full name, such as `org.example.Service.Reload`.
package struct VarlinkMethod: Hashable, Sendable, CustomStringConvertible {
    /// In bytes; far longer than any method's name.
    private static let longest = 255

    /// Everything before the last dot; all of it where there is none.
    let interface: String
    /// Empty where there is no dot.
    let name: String

    /// nil for what no method can be named: more than 255 bytes, other characters than Varlink's
    /// grammar has, or nothing behind the last dot.
    package init?(_ text: String) {
        let bytes = text.utf8
        guard (1...Self.longest).contains(bytes.count), bytes.allSatisfy(Self.isOfName),
            bytes.last != UInt8(ascii: ".")
        else { return nil }
        let dot = bytes.lastIndex(of: UInt8(ascii: "."))
        interface = String(text[..<(dot ?? bytes.endIndex)])
        name = dot.map { String(text[bytes.index(after: $0)...]) } ?? ""
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// The full name.
    package var description: String { name.isEmpty ? interface : "\(interface).\(name)" }
}
