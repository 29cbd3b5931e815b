internal import PlainText

/// Names of nf_tables' objects, which may hold any byte but NUL: `nft -j` and others' programs make
/// tables whose names nft's language has no words for.
package enum ObjectName {
    /// The longest comment that nft 1.0.6 takes (`NFTNL_UDATA_COMMENT_MAXLEN`); no name that we give
    /// is longer either, and the kernel takes 255 bytes of one (`NFT_NAME_MAXLEN`).
    private static let longest = 128

    /// Whether nft's language takes the name as one word, and not as the end of a statement or the
    /// beginning of another; all names that we give are such.
    package static func isPlain(_ name: some Collection<UInt8>) -> Bool {
        guard let first = name.first, first.isLetter, name.count <= longest else { return false }
        return name.allSatisfy { $0.isLetter || $0.isDigit || "_.-".utf8.contains($0) }
    }

    /// The same of a name that is text.
    package static func isPlain(_ name: String) -> Bool { isPlain(name.utf8) }

    /// Whether a plain name may be a word of nft's language, which it then takes for no name: none of
    /// those of nftables 1.0.6 has one of these signs, and nearly all names that we give do.
    static func mayBeKeyword(_ name: String) -> Bool {
        !name.utf8.contains { "_.".utf8.contains($0) }
    }

    /// Whether it can stand between the quotes of a comment: our own are names, and words of them.
    package static func isPlainComment(_ comment: String) -> Bool {
        comment.utf8.count <= longest
            && comment.utf8.allSatisfy { $0.isLetter || $0.isDigit || "_.- ".utf8.contains($0) }
    }

    /// As many characters as are shown of a name.
    private static let shown = 64

    /// The name for people: as it is where it is plain, and otherwise in quotes, without anything
    /// that a terminal or a reader could take for something else.
    package static func words(_ name: String) -> String {
        isPlain(name) ? name : name.quoted(atMost: shown)
    }
}

extension UInt8 {
    var isLetter: Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20)
    }

    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
