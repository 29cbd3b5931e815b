import Enforcement
import PortModel
import Reports
import Testing

/// A value of a type that is made by letting the type read: of every member that it asks for there is
/// one, and of every list one item.
enum Sample {
    /// What there is of optional members.
    enum Amount {
        case full
        case sparse
    }

    static func value<Value: Decodable>(_ type: Value.Type, _ amount: Amount) throws -> Value {
        try Value(from: SampleDecoder(of: type, amount, Members()))
    }

    /// The members that a type reads of an object, in its order; empty for what is no object.
    static func members<Value: Decodable>(of type: Value.Type) throws -> [Members.Member] {
        let members = Members()
        _ = try Value(from: SampleDecoder(of: type, .full, members))
        return members.all
    }

    /// A text that the type takes.
    fileprivate static func text(for type: any Decodable.Type) -> String {
        if let words = type as? any Words.Type { return words.all.first ?? "" }
        if type == IPAddress.self { return "10.0.0.21" }
        if type == Timestamp.self { return "2026-01-02T03:04:05Z" }
        return "word"
    }
}

/// What of an object was read.
final class Members {
    struct Member {
        let name: String
        let type: any Decodable.Type
        let isOptional: Bool
    }

    fileprivate(set) var all: [Member] = []
}

// MARK: Shapes of types

protocol ListShape { static var item: any Decodable.Type { get } }
extension Array: ListShape where Element: Decodable {
    static var item: any Decodable.Type { Element.self }
}

protocol MapShape { static var item: any Decodable.Type { get } }
extension Dictionary: MapShape where Key == String, Value: Decodable {
    static var item: any Decodable.Type { Value.self }
}

/// What reads and writes one of some words.
typealias Words = CaseIterable & RawRepresentable<String>
extension RawRepresentable where Self: CaseIterable, RawValue == String {
    static var all: [String] { allCases.map(\.rawValue) }
}

// MARK: The decoder

private struct SampleDecoder: Decoder {
    let type: any Decodable.Type
    let amount: Sample.Amount
    let members: Members
    let codingPath: [any CodingKey] = []
    let userInfo: [CodingUserInfoKey: Any] = [:]

    init(of type: any Decodable.Type, _ amount: Sample.Amount, _ members: Members) {
        self.type = type
        self.amount = amount
        self.members = members
    }

    func container<Key: CodingKey>(keyedBy: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(SampleObject(decoder: self))
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer { SampleList(amount: amount) }

    func singleValueContainer() -> any SingleValueDecodingContainer {
        SampleValue(decoder: self)
    }
}

private struct NoSample: Error { let type: Any.Type }

private struct SampleObject<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let decoder: SampleDecoder
    let codingPath: [any CodingKey] = []
    /// Of a map, whose keys are anything.
    var allKeys: [Key] { Key(stringValue: "key").map { [$0] } ?? [] }

    func contains(_ key: Key) -> Bool { true }

    func decodeNil(forKey key: Key) -> Bool { false }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        add(type, key, isOptional: false)
        return try Sample.value(type, decoder.amount)
    }

    // What each type of the standard library has of its own.
    func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? {
        try optional(type, key)
    }
    func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? {
        try optional(type, key)
    }
    func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? {
        try optional(type, key)
    }
    func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? {
        try optional(type, key)
    }
    func decodeIfPresent(_ type: Int32.Type, forKey key: Key) throws -> Int32? {
        try optional(type, key)
    }
    func decodeIfPresent(_ type: UInt8.Type, forKey key: Key) throws -> UInt8? {
        try optional(type, key)
    }
    func decodeIfPresent(_ type: UInt16.Type, forKey key: Key) throws -> UInt16? {
        try optional(type, key)
    }
    func decodeIfPresent(_ type: UInt32.Type, forKey key: Key) throws -> UInt32? {
        try optional(type, key)
    }
    func decodeIfPresent(_ type: UInt64.Type, forKey key: Key) throws -> UInt64? {
        try optional(type, key)
    }
    func decodeIfPresent<Value: Decodable>(
        _ type: Value.Type, forKey key: Key
    ) throws -> Value? { try optional(type, key) }

    private func optional<Value: Decodable>(_ type: Value.Type, _ key: Key) throws -> Value? {
        add(type, key, isOptional: true)
        return decoder.amount == .full ? try Sample.value(type, .full) : nil
    }

    private func add(_ type: any Decodable.Type, _ key: Key, isOptional: Bool) {
        decoder.members.all.append(
            Members.Member(name: key.stringValue, type: type, isOptional: isOptional))
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> { throw NoSample(type: decoder.type) }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        throw NoSample(type: decoder.type)
    }
    func superDecoder() throws -> any Decoder { throw NoSample(type: decoder.type) }
    func superDecoder(forKey key: Key) throws -> any Decoder { throw NoSample(type: decoder.type) }
}

private struct SampleList: UnkeyedDecodingContainer {
    let amount: Sample.Amount
    let codingPath: [any CodingKey] = []
    let count: Int? = 1
    private(set) var currentIndex = 0
    var isAtEnd: Bool { currentIndex > 0 }

    init(amount: Sample.Amount) { self.amount = amount }

    mutating func decodeNil() -> Bool { false }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        currentIndex += 1
        return try Sample.value(type, amount)
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> { throw NoSample(type: type) }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        throw NoSample(type: Self.self)
    }
    mutating func superDecoder() throws -> any Decoder { throw NoSample(type: Self.self) }
}

private struct SampleValue: SingleValueDecodingContainer {
    let decoder: SampleDecoder
    let codingPath: [any CodingKey] = []

    func decodeNil() -> Bool { false }
    func decode(_ type: Bool.Type) -> Bool { true }
    func decode(_ type: String.Type) -> String { Sample.text(for: decoder.type) }
    func decode(_ type: Double.Type) -> Double { 0.5 }
    func decode(_ type: Float.Type) -> Float { 0.5 }
    func decode<Value: FixedWidthInteger & Decodable>(_ type: Value.Type) -> Value { 1 }
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try Sample.value(type, decoder.amount)
    }
}
