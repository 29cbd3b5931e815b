internal import CMd
package import Ruleset

/// SHA-256 (FIPS 180-4) by libmd.
package struct SHA256Digest: Hashable, Sendable {
    /// 64 lower-case hexadecimal digits.
    package let hexadecimal: String

    /// Of the parts one after another, without anything between them.
    package init(of parts: some Sequence<[UInt8]>) {
        var context = SHA2_CTX()
        SHA256Init(&context)
        for part in parts { SHA256Update(&context, part, part.count) }
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        SHA256Final(&digest, &context)
        let digits = Array("0123456789abcdef")
        hexadecimal = String(digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    /// Of the text's UTF-8.
    package init(of text: String) { self.init(of: [Array(text.utf8)]) }
}

extension Ruleset {
    /// Of each table's text without a stamp, by the table's name.
    package var digests: [String: String] {
        Dictionary(
            tables.map { ($0.name, SHA256Digest(of: $0.text).hexadecimal) },
            uniquingKeysWith: { $1 })
    }
}
