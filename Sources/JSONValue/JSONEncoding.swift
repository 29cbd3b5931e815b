extension JSONValue {
    /// A value of ours as JSON, through `Codable`.
    ///
    /// Not by FoundationEssentials' `JSONEncoder`, which cost the agent's processes 1.7 of 18 MB and
    /// took nearly half of what the agent computes before it commits a changed port.
    ///
    /// Integers that are no `Int64` become the nearest `Double`.
    ///
    /// - Throws: errors of `value`.
    package init(encoding value: some Encodable) throws {
        self = try EncodedPart(encoding: value).value
    }
}

extension JSONValue: Encodable {
    package func encode(to encoder: any Encoder) throws {
        func encode(_ value: some Encodable) throws {
            var container = encoder.singleValueContainer()
            try container.encode(value)
        }
        switch self {
        case .null:
            var container = encoder.singleValueContainer()
            try container.encodeNil()
        case .bool(let value): try encode(value)
        case .integer(let value): try encode(value)
        case .number(let value): try encode(value)
        case .string(let value): try encode(value)
        case .array(let items): try encode(items)
        case .object(let object):
            var members = encoder.container(keyedBy: MemberKey.self)
            for (key, value) in object { try members.encode(value, forKey: MemberKey(key)) }
        }
    }
}

/// A member of an object, whatever its name.
private struct MemberKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
}

/// A value while it is encoded. Containers refer to it, and may add to it later.
private final class EncodedPart {
    /// A part that needs no container is a value at once.
    enum Child {
        case value(JSONValue)
        case part(EncodedPart)

        var value: JSONValue {
            switch self {
            case .value(let value): value
            case .part(let part): part.value
            }
        }
    }

    private enum Content {
        case none
        case value(JSONValue)
        case array([Child])
        /// In the order in which they were set: of a key that is set again the last value counts.
        case object([(key: String, child: Child)])
    }

    private var content = Content.none

    init() {}

    init(encoding value: some Encodable) throws {
        try value.encode(to: PartEncoder(part: self))
    }

    /// A value that encodes nothing becomes an empty object, as `JSONEncoder` has it.
    var value: JSONValue {
        switch content {
        case .none: .object([:])
        case .value(let value): value
        case .array(let children): .array(children.map(\.value))
        case .object(let members):
            .object(JSONObject(members.lazy.map { (key: $0.key, value: $0.child.value) }))
        }
    }

    var count: Int { if case .array(let children) = content { children.count } else { 0 } }

    func set(_ value: JSONValue) { content = .value(value) }

    func beginArray() { if case .none = content { content = .array([]) } }

    func beginObject() { if case .none = content { content = .object([]) } }

    func append(_ child: Child) {
        guard case .array(var children) = content else {
            preconditionFailure("an encoder's part becomes two things at once")
        }
        content = .none
        children.append(child)
        content = .array(children)
    }

    func set(_ child: Child, for key: String) {
        guard case .object(var members) = content else {
            preconditionFailure("an encoder's part becomes two things at once")
        }
        content = .none
        if members.isEmpty { members.reserveCapacity(8) }
        members.append((key, child))
        content = .object(members)
    }
}

extension JSONValue {
    fileprivate init(integer: some FixedWidthInteger) {
        self = Int64(exactly: integer).map { .integer($0) } ?? .number(Double(integer))
    }
}

/// Encoders and containers tell no ``codingPath``, which only complaints would be made of: no value
/// can't be encoded.
private struct PartEncoder: Encoder {
    let part: EncodedPart
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        part.beginObject()
        return KeyedEncodingContainer(KeyedParts(part: part))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        part.beginArray()
        return UnkeyedParts(part: part)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { SinglePart(part: part) }
}

private struct SinglePart: SingleValueEncodingContainer {
    let part: EncodedPart
    var codingPath: [any CodingKey] { [] }

    func encodeNil() { part.set(.null) }
    func encode(_ value: Bool) { part.set(.bool(value)) }
    func encode(_ value: String) { part.set(.string(value)) }
    func encode(_ value: Double) { part.set(JSONValue(value)) }
    func encode(_ value: Float) { part.set(JSONValue(Double(value))) }

    func encode(_ value: some FixedWidthInteger & Encodable) {
        part.set(JSONValue(integer: value))
    }

    func encode(_ value: some Encodable) throws {
        try value.encode(to: PartEncoder(part: part))
    }
}

private struct UnkeyedParts: UnkeyedEncodingContainer {
    let part: EncodedPart
    var codingPath: [any CodingKey] { [] }
    var count: Int { part.count }

    private func next() -> PartEncoder {
        let next = EncodedPart()
        part.append(.part(next))
        return PartEncoder(part: next)
    }

    func encodeNil() { part.append(.value(.null)) }
    func encode(_ value: String) { part.append(.value(.string(value))) }

    func encode(_ value: some FixedWidthInteger & Encodable) {
        part.append(.value(JSONValue(integer: value)))
    }

    func encode(_ value: some Encodable) throws {
        part.append(.part(try EncodedPart(encoding: value)))
    }

    func nestedContainer<Key: CodingKey>(
        keyedBy type: Key.Type
    ) -> KeyedEncodingContainer<Key> { next().container(keyedBy: type) }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { next().unkeyedContainer() }
    func superEncoder() -> any Encoder { next() }
}

private struct KeyedParts<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let part: EncodedPart
    var codingPath: [any CodingKey] { [] }

    private func member(_ key: some CodingKey) -> PartEncoder {
        let member = EncodedPart()
        part.set(.part(member), for: key.stringValue)
        return PartEncoder(part: member)
    }

    func encodeNil(forKey key: Key) { part.set(.value(.null), for: key.stringValue) }

    func encode(_ value: String, forKey key: Key) {
        part.set(.value(.string(value)), for: key.stringValue)
    }

    func encode(_ value: some FixedWidthInteger & Encodable, forKey key: Key) {
        part.set(.value(JSONValue(integer: value)), for: key.stringValue)
    }

    func encode(_ value: some Encodable, forKey key: Key) throws {
        part.set(.part(try EncodedPart(encoding: value)), for: key.stringValue)
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> { member(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        member(key).unkeyedContainer()
    }

    func superEncoder() -> any Encoder { member(SuperKey()) }
    func superEncoder(forKey key: Key) -> any Encoder { member(key) }
}

/// Where a superclass's part stands.
struct SuperKey: CodingKey {
    let stringValue = "super"
    var intValue: Int? { nil }

    init() {}
    init?(stringValue: String) { if stringValue != "super" { return nil } }
    init?(intValue: Int) { nil }
}
