internal import Site

/// A value in a configuration file, with the place where it begins.
struct YAMLNode: Hashable, Sendable {
    enum Content: Hashable, Sendable {
        /// Nothing, or `~` or another word for it.
        case null(Absence)
        /// `isPlain` is false for a text in quotes or of a block.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        case mapping(YAMLMapping)
        /// Reported already; says nothing.
        case unusable
    }

    /// A value that is missing.
    struct Absence: Hashable, Sendable {
        /// Whether `~` stands there, rather than nothing.
        var isWritten: Bool
        /// Whether a key has it; otherwise it is an element of a list, or the whole file.
        var isOfKey = false
        /// Where the value stands that an earlier file gave the key.
        var replaced: SourceLocation?
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
    /// Of a key that has a mapping: the place where a later file has the key without anything below
    /// it.
    var emptied: Emptied?

    struct Emptied: Hashable, Sendable {
        var absence: YAMLNode.Absence
        var location: SourceLocation
    }
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

    /// Lays a later mapping over this one: mappings merge, scalars and sequences replace, and where
    /// nothing stands below a key a mapping stays as it is. The value that wins keeps its own
    /// location; a merged mapping that of its first appearance.
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
            case (.mapping, .null(let absence)):
                entries[index].emptied = YAMLEntry.Emptied(
                    absence: absence, location: entry.value.location)
            case (.null, .null): break
            case (_, .null(var absence)):
                absence.replaced = entries[index].value.location
                entries[index] = entry
                entries[index].value.content = .null(absence)
            default: entries[index] = entry
            }
        }
    }
}

extension YAMLNode {
    /// The content, in words that follow "not".
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
