/// The findings about tables that are not ours, as far as they matter to those that are.
package struct ForeignTables: Hashable, Sendable {
    /// Chains that may cut what our rules permit, or lead past them; sorted.
    package var shadows: [Shadow]
    /// Tables called as ours are; sorted by name and family.
    package var lookalikes: [Lookalike]
    /// Chains that give packets another source; sorted.
    package var translations: [SourceTranslation]

    /// Without arguments: nothing that matters.
    package init(
        shadows: [Shadow] = [], lookalikes: [Lookalike] = [],
        translations: [SourceTranslation] = []
    ) {
        self.shadows = shadows
        self.lookalikes = lookalikes
        self.translations = translations
    }
}

/// A table of a family of ours that is called as if it were ours and is not: the agent leaves it
/// alone, which its maker may not know.
package struct Lookalike: Hashable, Sendable {
    /// Its name is anything that begins as our tables' names do.
    package var id: TableID
    /// By which nft's language names the table whatever it is called.
    package var handle: UInt64

    /// - Parameter handle: the kernel's number of the table.
    package init(_ id: TableID, handle: UInt64) {
        self.id = id
        self.handle = handle
    }
}
