extension Deployment {
    /// Characters of the name of a node or group.
    package static let nameLength = 63

    /// Whether a node or group may be called so: `[a-zA-Z0-9][a-zA-Z0-9_.-]*`.
    package static func isName(_ text: String) -> Bool {
        isName(text, longest: nameLength) { $0.isLetterOrDigit }
    }

    fileprivate static func isName(
        _ text: String, longest: Int, _ isWordCharacter: (UInt8) -> Bool
    ) -> Bool {
        let others = Array("_.-".utf8)
        guard let first = text.utf8.first, isWordCharacter(first) else { return false }
        return text.utf8.count <= longest
            && text.utf8.allSatisfy { isWordCharacter($0) || others.contains($0) }
    }
}

extension SiteRule {
    /// Characters of the name of a rule.
    package static let nameLength = 64

    /// Whether a rule may be called so: `[a-z0-9][a-z0-9_.-]*`.
    package static func isName(_ text: String) -> Bool {
        Deployment.isName(text, longest: nameLength) { $0.isLetterOrDigit && !$0.isCapital }
    }
}

extension UInt8 {
    fileprivate var isCapital: Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) }

    fileprivate var isLetterOrDigit: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
