extension Int {
    /// `1 error`, `2 errors`.
    package func counted(_ noun: String) -> String { "\(self) \(noun)\(self == 1 ? "" : "s")" }
}

extension String {
    /// The text, or its beginning and a mark where it is longer than so many bytes.
    package func shortened(to bytes: Int) -> String {
        if utf8.count <= bytes { return self }
        return String(decoding: utf8.prefix(bytes), as: UTF8.self) + "…"
    }
}
