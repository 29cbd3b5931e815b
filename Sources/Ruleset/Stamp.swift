/// Which generation a table in the kernel belongs to.
///
/// It stands as the comment of the one rule of an unhooked chain: a table's own comment can't be
/// changed in place (nftables 1.0.6).
package struct Stamp: Hashable, Sendable, Codable {
    /// The generation's number, from 1.
    package var generation: Int
    /// Hexadecimal SHA-256 of the table's text without the stamp.
    package var digest: String

    /// - Parameter digest: of the table's text without the stamp.
    package init(generation: Int, digest: String) {
        self.generation = generation
        self.digest = digest
    }

    /// The name of the unhooked chain whose first rule carries the stamp.
    package static var chainName: String { ChainPurpose.stamp.name }

    /// The words in the rule's comment, as `generation 7 sha256 …`.
    package var comment: String { "generation \(generation) sha256 \(digest)" }

    /// nil for everything that ``comment`` does not write.
    package init?(comment: String) {
        let words = comment.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 4, let generation = Int(words[1]), generation > 0,
            words[3].utf8.count == Self.digestLength,
            words[3].utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) })
        else { return nil }
        self.init(generation: generation, digest: String(words[3]))
        if self.comment != comment { return nil }
    }

    private static let digestLength = 64

    fileprivate var chain: Chain {
        Chain(.stamp, rules: [Rule([], .return, comment: comment)])
    }
}

extension Table {
    /// The table with its stamp's chain.
    package func stamped(_ stamp: Stamp) -> Table {
        Table(
            family: family, name: name, counters: counters, sets: sets,
            chains: chains.filter { $0.name != Stamp.chainName } + [stamp.chain])
    }

    /// The stamp that the table carries.
    package var stamp: Stamp? {
        chains.first { $0.name == Stamp.chainName }?.rules.first?.comment
            .flatMap(Stamp.init(comment:))
    }
}
