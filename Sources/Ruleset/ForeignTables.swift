/// What matters to our tables of those that are not ours.
package struct ForeignTables: Hashable, Sendable {
    package var shadows: [Shadow]
    package var lookalikes: [Lookalike]
    package var translations: [SourceTranslation]

    package init(
        shadows: [Shadow] = [], lookalikes: [Lookalike] = [],
        translations: [SourceTranslation] = []
    ) {
        self.shadows = shadows
        self.lookalikes = lookalikes
        self.translations = translations
    }
}

/// A table of family `inet` that is called as if it were ours and is not: the agent leaves it alone,
/// and who made it may not know that.
package struct Lookalike: Hashable, Sendable {
    /// Anything that begins as our tables' names do.
    package var name: String
    /// By which nft's language names the table whatever it is called.
    package var handle: UInt64

    package init(name: String, handle: UInt64) {
        self.name = name
        self.handle = handle
    }
}
