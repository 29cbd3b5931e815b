// Columns of plain text.

extension String {
    /// With spaces behind it; unchanged where it is longer.
    package func padded(to width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - count))
    }

    /// Without spaces behind it.
    package var trimmed: String {
        let end = utf8.lastIndex { $0 != UInt8(ascii: " ") }
        return String(self[..<(end.map { utf8.index(after: $0) } ?? startIndex)])
    }
}
