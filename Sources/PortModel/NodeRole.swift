/// The name of a kind of node: the key that configurations, stored generations and metrics have for
/// it. A ``Profile`` says which there are, and what each is.
///
/// It is part of rows' ids and of the names of kernel objects.
package struct NodeRole: RawRepresentable, Hashable, Sendable, Codable {
    /// Small letters, digits and `-`, a letter first, 32 bytes at most.
    package let rawValue: String

    /// In bytes, so that the longest names of kernel objects that it is part of fit.
    private static let longest = 32

    /// Fails unless the name begins with a small letter, goes on with small letters, digits and `-`,
    /// and has at most 32 of them.
    package init?(rawValue: String) {
        let name = rawValue.utf8
        guard let first = name.first, name.count <= Self.longest, first.isSmallLetter,
            name.allSatisfy({ $0.isSmallLetter || $0.isDigit || $0 == UInt8(ascii: "-") })
        else { return nil }
        self.rawValue = rawValue
    }

    /// A name that stands in the source, with the signs that the other initializer wants.
    init(_ name: StaticString) { rawValue = "\(name)" }
}

extension UInt8 {
    fileprivate var isSmallLetter: Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self)
    }

    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
