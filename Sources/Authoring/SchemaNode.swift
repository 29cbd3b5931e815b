internal import JSONValue

/// A schema, or a part of one.
struct SchemaNode {
    var members: [String: JSONValue]

    init(_ members: [String: JSONValue]) { self.members = members }

    var value: JSONValue { .object(JSONObject(members)) }

    /// The same with what editors show.
    func described(_ description: String, default: JSONValue? = nil) -> Self {
        var result = self
        result.members["description"] = .string(description)
        if let `default` { result.members["default"] = `default` }
        return result
    }

    /// The same, or nothing where it is a mapping: one with nothing below it says nothing.
    /// Everything else that has a key has a value.
    var orNothingBelow: Self {
        guard members["type"]?.string == "object" else { return self }
        var result = self
        result.members["type"] = ["object", "null"]
        return result
    }

    // MARK: Kinds

    static let boolean = SchemaNode(["type": "boolean"])

    /// A text of a pattern.
    ///
    /// - Parameter expectation: the words of editors about any other value.
    static func text(_ pattern: String, _ expectation: String) -> Self {
        SchemaNode([
            "type": "string", "pattern": .string("^\(pattern)$"),
            "patternErrorMessage": .string(expectation),
        ])
    }

    /// A word that the parser takes as it is written, where YAML may see a number or a truth value.
    static func word(_ pattern: String, _ expectation: String) -> Self {
        var result = text(pattern, expectation)
        result.members["type"] = ["string", "number", "boolean"]
        result.members["minimum"] = 0
        return result
    }

    static func integer(_ range: ClosedRange<Int>) -> Self {
        SchemaNode([
            "type": "integer", "minimum": .integer(Int64(range.lowerBound)),
            "maximum": .integer(Int64(range.upperBound)),
        ])
    }

    /// One of a few words.
    static func words(_ words: [String]) -> Self {
        SchemaNode(["type": "string", "enum": .array(words.map(JSONValue.string))])
    }

    static func words<Word: RawRepresentable & CaseIterable>(_ type: Word.Type) -> Self
    where Word.RawValue == String { words(Word.allCases.map(\.rawValue)) }

    /// A list of at least one element.
    static func list(of element: Self, atMost: Int? = nil, isUnique: Bool = false) -> Self {
        var members: [String: JSONValue] = [
            "type": "array", "items": element.value, "minItems": 1,
        ]
        if let atMost { members["maxItems"] = .integer(Int64(atMost)) }
        if isUnique { members["uniqueItems"] = true }
        return SchemaNode(members)
    }

    static func any(of choices: Self...) -> Self {
        SchemaNode(["anyOf": .array(choices.map(\.value))])
    }

    /// A reference to one of the schema's definitions.
    static func reference(_ name: String) -> Self {
        SchemaNode(["$ref": .string("#/definitions/\(name)")])
    }

    /// A mapping of known keys.
    static func mapping<Key: RawRepresentable & CaseIterable & Equatable>(
        _ keys: Key.Type, requiring required: [Key] = [], _ value: (Key) -> Self
    ) -> Self where Key.RawValue == String {
        let properties = Key.allCases.map {
            (key: $0.rawValue, value: value($0).orNothingBelow.value)
        }
        var members: [String: JSONValue] = [
            "type": "object", "properties": .object(JSONObject(properties)),
            "additionalProperties": false,
        ]
        if !required.isEmpty {
            members["required"] = .array(required.map { .string($0.rawValue) })
        }
        return SchemaNode(members)
    }

    /// The same mapping, in which some keys do not stand where another key has one of some words.
    func refusing<Key: RawRepresentable>(
        _ keys: Key..., where other: Key, isOneOf words: [String]
    ) -> Self where Key.RawValue == String {
        let refused = keys.map { (key: $0.rawValue, value: JSONValue.bool(false)) }
        var result = self
        result.members["if"] = [
            "properties": .object([other.rawValue: Self.words(words).value]),
            "required": [.string(other.rawValue)],
        ]
        result.members["then"] = [
            "properties": .object(JSONObject(refused))
        ]
        return result
    }

    /// A mapping of names to values.
    static func names(_ pattern: String, to value: Self) -> Self {
        SchemaNode([
            "type": "object", "propertyNames": ["pattern": .string("^\(pattern)$")],
            "additionalProperties": value.value,
        ])
    }
}
