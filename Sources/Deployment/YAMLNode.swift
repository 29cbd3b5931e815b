/// A value in a configuration file, with the place where it begins.
struct YAMLNode: Hashable, Sendable {
    enum Content: Hashable, Sendable {
        /// Nothing or `~`: the key's default. `resets` tells that an earlier file had a value.
        case null(resets: Bool)
        /// `isPlain` is false for a text in quotes or of a block.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        case mapping(YAMLMapping)
        /// Reported already; says nothing.
        case unusable
    }

    var content: Content
    var location: SourceLocation

    var isNull: Bool {
        if case .null = content { true } else { false }
    }
}

/// One key of a mapping and its value.
struct YAMLEntry: Hashable, Sendable {
    var key: String
    var keyLocation: SourceLocation
    var value: YAMLNode
}

/// A mapping in the order of its keys' first appearance.
struct YAMLMapping: Hashable, Sendable {
    private(set) var entries: [YAMLEntry] = []
    private var indexByKey: [String: Int] = [:]

    init() {}

    subscript(key: String) -> YAMLEntry? { indexByKey[key].map { entries[$0] } }

    /// Appends an entry, or returns the one that has its key already.
    mutating func insert(_ entry: YAMLEntry) -> YAMLEntry? {
        if let index = indexByKey[entry.key] { return entries[index] }
        indexByKey[entry.key] = entries.count
        entries.append(entry)
        return nil
    }

    /// Lays a later mapping over this one: mappings merge, scalars and sequences replace, and null
    /// resets. What wins keeps its own location; a merged mapping that of its first appearance.
    mutating func merge(_ later: YAMLMapping) {
        for entry in later.entries {
            guard let index = indexByKey[entry.key] else {
                indexByKey[entry.key] = entries.count
                entries.append(entry)
                continue
            }
            switch (entries[index].value.content, entry.value.content) {
            case (.mapping(var merged), .mapping(let overlay)):
                // Taken out, so that it is changed in place rather than copied for every file.
                entries[index].value.content = .unusable
                merged.merge(overlay)
                entries[index].value.content = .mapping(merged)
            case (.null, .null): break
            case (_, .null):
                entries[index] = entry
                entries[index].value.content = .null(resets: true)
            default: entries[index] = entry
            }
        }
    }
}

extension YAMLNode {
    /// What stands there, in words that follow "not".
    var kind: String {
        switch content {
        case .null: "nothing"
        case .scalar(let text, _): quoted(text)
        case .sequence: "a list"
        case .mapping: "a mapping"
        case .unusable: "an unusable value"
        }
    }
}
