package import Site

/// A table as the kernel tells it from all others: one of the same name in another family is another
/// table.
package struct TableID: Hashable, Sendable {
    /// Which packets the table sees.
    package var family: TableFamily
    /// Unique among the tables of its family.
    package var name: String

    package init(_ family: TableFamily, _ name: String) {
        self.family = family
        self.name = name
    }

    /// The table as nft's language names it, where its name is plain: `inet pexip_fw_gateway`.
    package var qualifiedName: String { "\(family.rawValue) \(name)" }

    /// The table for people, to whom `inet` goes without saying: `pexip_fw_gateway`.
    package var words: String { family == .inet ? name : qualifiedName }
}

extension TableID: Comparable {
    package static func < (one: Self, other: Self) -> Bool {
        (one.name, one.family.rawValue) < (other.name, other.family.rawValue)
    }
}
