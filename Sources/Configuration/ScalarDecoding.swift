internal import PortModel
internal import Site

// Values of one kind each, from whatever stands in their place. Each reports what is wrong with it
// and returns nil then.

extension DeploymentDecoder {
    /// The entries of a mapping by key; unknown keys are reported. One without a value is among them:
    /// to whoever reads a mapping from it that is an empty one, to all others a mistake.
    /// - Parameter what: the mapping in the message's words, such as `nodes.a.ports`.
    mutating func fields<Key: RawRepresentable & CaseIterable & Hashable>(
        of node: YAMLNode, _ what: String, as keys: Key.Type
    ) -> [Key: YAMLEntry]? where Key.RawValue == String {
        guard let mapping = mapping(node, what) else { return nil }
        return fields(of: mapping, in: " in \(what)", as: keys)
    }

    mutating func fields<Key: RawRepresentable & CaseIterable & Hashable>(
        of mapping: YAMLMapping, in place: String, as keys: Key.Type
    ) -> [Key: YAMLEntry] where Key.RawValue == String {
        var result: [Key: YAMLEntry] = [:]
        result.reserveCapacity(min(mapping.entries.count, Key.allCases.count))
        for entry in mapping.entries {
            guard let key = Key(rawValue: entry.key) else {
                reportUnknown(
                    "key", entry.key, in: place, at: entry.keyLocation,
                    known: Key.allCases.map(\.rawValue))
                continue
            }
            reportTakenBack(entry)
            result[key] = entry
        }
        return result
    }

    /// A mapping with nothing below it says nothing.
    mutating func mapping(_ node: YAMLNode, _ what: String) -> YAMLMapping? {
        switch node.content {
        case .mapping(let mapping): return mapping
        case .null(let absence) where absence.isOfKey: return YAMLMapping()
        default:
            refuse(node, "\(what) must be a mapping of keys")
            return nil
        }
    }

    mutating func list(_ node: YAMLNode, _ what: String, of elements: String) -> [YAMLNode]? {
        if case .sequence(let nodes) = node.content { return nodes }
        refuse(node, "\(what) must be a list of \(elements)")
        return nil
    }

    /// A list, or a single value as a list of one.
    func listOrSingle(_ node: YAMLNode) -> [YAMLNode] {
        if case .sequence(let nodes) = node.content { nodes } else { [node] }
    }

    /// A text, with or without quotes.
    mutating func text(_ node: YAMLNode, _ expectation: @autoclosure () -> String) -> String? {
        if case .scalar(let text, _) = node.content { return text }
        refuse(node, expectation())
        return nil
    }

    /// - Parameter words: the words that may stand in its place.
    mutating func boolean(
        _ node: YAMLNode, _ what: String, or words: [String] = []
    ) -> Bool? {
        let expectation = "\(what) must be \(alternatives(words + ["true", "false"]))"
        guard case .scalar(let text, let isPlain) = node.content else {
            refuse(node, expectation)
            return nil
        }
        switch (text, isPlain) {
        case ("true", true): return true
        case ("false", true): return false
        case ("true", false), ("false", false):
            reportQuotes(node, what, text)
        default:
            switch text.lowercased() {
            case "yes", "on", "y", "true", "1":
                findings.error(
                    node.location, "\(expectation): write true, not \(text)")
            case "no", "off", "n", "false", "0":
                findings.error(
                    node.location, "\(expectation): write false, not \(text)")
            default: refuse(node, expectation)
            }
        }
        return nil
    }

    /// One of a few words.
    /// - Parameter what: the kind of word, as in "unknown role".
    mutating func choice<Value>(
        _ node: YAMLNode, _ what: String, among choices: [(name: String, value: Value)]
    ) -> Value? {
        let expectation = { "the \(what) must be \(alternatives(choices.map(\.name)))" }
        guard let name = text(node, expectation()) else { return nil }
        if let match = choices.first(where: { $0.name == name }) { return match.value }
        reportUnknown(what, name, at: node.location, known: choices.map(\.name))
        return nil
    }

    mutating func choice<Value: RawRepresentable & CaseIterable>(
        _ node: YAMLNode, _ what: String, as values: Value.Type
    ) -> Value? where Value.RawValue == String {
        choice(node, what, among: Value.allCases.map { ($0.rawValue, $0) })
    }

    mutating func ipProtocol(
        _ node: YAMLNode, _ what: String, among protocols: [IPProtocol]
    ) -> IPProtocol? {
        choice(node, what, among: protocols.map { ($0.name, $0) })
    }

    // MARK: Messages

    /// Reports a value of the wrong kind.
    /// - Parameter expectation: says which value would be right, to be followed by ", not …".
    mutating func refuse(_ node: YAMLNode, _ expectation: String) {
        switch node.content {
        case .unusable: break
        case .null(let absence) where absence.isOfKey:
            let other = absence.replaced.map { ": without it, what stands at \($0) counts" }
            findings.error(
                node.location,
                "\(expectation), and has no value: write one, or remove the key\(other ?? "")")
        default: findings.error(node.location, "\(expectation), not \(node.kind)")
        }
    }

    /// Reports `~` where an earlier file has a mapping: nobody writes it to say nothing.
    mutating func reportTakenBack(_ entry: YAMLEntry) {
        guard let emptied = entry.emptied, emptied.absence.isWritten else { return }
        findings.error(
            emptied.location,
            "\(quoted(entry.key)) is not taken back by ~, which has no such meaning: write the values that are to count in place of those at \(entry.value.location), or remove the key"
        )
    }

    mutating func reportQuotes(_ node: YAMLNode, _ what: String, _ value: String) {
        findings.error(
            node.location,
            "\(what) must not be in quotes, which make it a text: write \(value), not \(quoted(value))"
        )
    }

    /// Reports a name that nothing has, with the name that was probably meant or all that are known.
    mutating func reportUnknown(
        _ what: String, _ name: String, in place: String = "", at location: SourceLocation,
        known: some Collection<String>
    ) {
        var message = "unknown \(what) \(quoted(name))\(place)"
        // An attacker's bound: a search compares with every known name.
        var suggestion: String?
        if name.utf8.count <= 64, suggestionBudget >= known.count {
            suggestionBudget -= known.count
            suggestion = nearest(to: name, among: known)
        }
        if let suggestion {
            message += " (did you mean \(quoted(suggestion))?)"
        } else if known.isEmpty {
            message += ": there is none"
        } else if known.count <= 24 {
            message +=
                what == "key"
                ? ": known are \(enumeration(Array(known)))"
                : ": write \(alternatives(Array(known)))"
        } else {
            message += ": none of the \(known.count) that there are is similar"
        }
        findings.error(location, message)
    }
}

/// `a`, `a and b`, `a, b and c`.
func enumeration(_ names: [String]) -> String {
    guard let last = names.last, names.count > 1 else { return names.first ?? "" }
    return names.dropLast().joined(separator: ", ") + " and " + last
}
