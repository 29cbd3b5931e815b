import Foundation
import JSONValue
import Testing

/// What our coders make of values, beside what Foundation's make of them.
@Suite struct JSONCodingTests {
    private enum Colour: String, Codable, CodingKeyRepresentable { case red, green }

    private enum Shape: Hashable, Codable {
        case point
        case circle(radius: Int)
        case line(Int, Int)
    }

    private struct Nothing: Hashable, Codable {}

    private struct Everything: Hashable, Codable {
        var flag = true
        var small: Int8 = -128
        var byte: UInt8 = 255
        var large = Int64.min
        var count: UInt64 = 1 << 53
        var ratio = -0.1
        var whole = 3.0
        var float: Float = 0.5
        var text = "a \"quoted\"\nlíne"
        var empty = ""
        var absent: String?
        var present: String? = "here"
        var list = [1, 2, 3]
        var none: [Int] = []
        var gaps: [Int?] = [1, nil, 3]
        var nested = [["a"], [], ["b", "c"]]
        var named = ["one": 1, "two": 2]
        var coloured = [Colour.red: 1, .green: 2]
        var numbered = [7: "seven"]
        var shapes = [Shape.point, .circle(radius: 2), .line(1, 2)]
        var nothing = Nothing()
        var duration = Duration.milliseconds(1500)
        var range = 1...3
    }

    private class Base: Codable {
        var base = 1
    }

    private final class Derived: Base {
        var own = 2

        override init() { super.init() }

        private enum CodingKeys: String, CodingKey { case own }

        required init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            own = try container.decode(Int.self, forKey: .own)
            try super.init(from: container.superDecoder())
        }

        override func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(own, forKey: .own)
            try super.encode(to: container.superEncoder())
        }
    }

    /// Containers in containers, one filled after another was begun.
    private struct Layered: Hashable, Codable {
        var numbers = [1, 2]
        var word = "w"

        private enum Key: String, CodingKey { case outer, inner, numbers }

        init() {}

        init(from decoder: any Decoder) throws {
            var outer = try decoder.container(keyedBy: Key.self)
                .nestedUnkeyedContainer(forKey: .outer)
            let inner = try outer.nestedContainer(keyedBy: Key.self)
            word = try inner.decode(String.self, forKey: .inner)
            var list = try outer.nestedUnkeyedContainer()
            numbers = []
            while !list.isAtEnd { numbers.append(try list.decode(Int.self)) }
            #expect(try outer.decodeNil())
            #expect(outer.isAtEnd)
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            var outer = container.nestedUnkeyedContainer(forKey: .outer)
            var inner = outer.nestedContainer(keyedBy: Key.self)
            var list = outer.nestedUnkeyedContainer()
            try outer.encodeNil()
            for number in numbers { try list.encode(number) }
            try inner.encode(word, forKey: .inner)
        }
    }

    private func expectTheSame<Value: Codable & Hashable>(_ value: Value) throws {
        let own = try JSONValue(encoding: value)
        let foundations = try JSONValue(parsing: Array(JSONEncoder().encode(value)))
        #expect(own == foundations)
        #expect(try own.decoded(as: Value.self) == value)
        #expect(try JSONDecoder().decode(Value.self, from: Data(own.serialized)) == value)
        #expect(try JSONValue(parsing: own.indented).decoded(as: Value.self) == value)
    }

    @Test func everyKindOfValue() throws {
        try expectTheSame(Everything())
        try expectTheSame([Everything(), Everything(flag: false, absent: "x", present: nil)])
        try expectTheSame(Layered())
        try expectTheSame(Nothing())
        try expectTheSame("alone")
        try expectTheSame([Int]())
        try expectTheSame(Int?.some(1))
    }

    /// Beyond 64 bits with a sign a number is as near as a Double comes.
    @Test func largeNumbers() throws {
        #expect(try JSONValue(encoding: Int64.max) == .integer(.max))
        #expect(try JSONValue(encoding: UInt64.max) == .number(18_446_744_073_709_551_616))
        #expect(try JSONValue.number(0x1p63).decoded(as: UInt64.self) == 1 << 63)
        #expect(throws: DecodingError.self) {
            try JSONValue.number(0x1p64).decoded(as: UInt64.self)
        }
    }

    @Test func superclasses() throws {
        let own = try JSONValue(encoding: Derived())
        #expect(own == ["own": 2, "super": ["base": 1]])
        let decoded = try JSONValue.object(["own": 5, "super": ["base": 6]])
            .decoded(as: Derived.self)
        #expect(decoded.own == 5 && decoded.base == 6)
    }

    /// Values that are JSON already come through as they are.
    @Test(
        arguments: [
            .null, true, 1, .number(0.5), "x", .array([1, .null]), ["a": ["b": .null]], [:],
        ] as [JSONValue])
    func valuesOfJSON(value: JSONValue) throws {
        #expect(try JSONValue(encoding: value) == value)
    }

    private struct Wanted: Codable {
        var name: String
        var numbers: [UInt8]
        var inner: [String: [Int]]?
    }

    /// Complaints are of the same kind and about the same place as Foundation's.
    @Test(arguments: [
        #"{"numbers": []}"#, #"{"name": null, "numbers": []}"#, #"{"name": 1, "numbers": []}"#,
        #"{"name": "n", "numbers": {}}"#, #"{"name": "n", "numbers": [1, 256]}"#,
        #"{"name": "n", "numbers": [1, -1]}"#, #"{"name": "n", "numbers": [1, 1.5]}"#,
        #"{"name": "n", "numbers": [true]}"#, #"{"name": "n", "numbers": ["1"]}"#,
        #"{"name": "n", "numbers": [], "inner": {"a": [0, "x"]}}"#,
        #"{"name": "n", "numbers": [], "inner": {"a": null}}"#, "[]", "\"text\"", "null", "3",
    ])
    func whatDoesNotFitIsRefused(text: String) throws {
        func complaint(_ body: () throws -> Wanted) throws -> (kind: String, path: String) {
            let error = try #require(throws: DecodingError.self) { _ = try body() }
            let context: DecodingError.Context
            let kind: String
            switch error {
            case .typeMismatch(_, let found): (kind, context) = ("mismatch", found)
            case .valueNotFound(_, let found): (kind, context) = ("missing", found)
            case .keyNotFound(_, let found): (kind, context) = ("no key", found)
            case .dataCorrupted(let found): (kind, context) = ("corrupted", found)
            @unknown default: throw error
            }
            let path = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
            return (kind, path.joined(separator: "."))
        }
        let own = try complaint {
            try JSONValue(parsing: Array(text.utf8)).decoded(as: Wanted.self)
        }
        let foundations = try complaint {
            try JSONDecoder().decode(Wanted.self, from: Data(text.utf8))
        }
        #expect(own.kind == foundations.kind)
        // Where a number is too large, Foundation does not say which.
        #expect(own.path == (own.kind == "corrupted" ? "numbers.1" : foundations.path))
    }

    @Test func indentsForPeople() throws {
        let value: JSONValue = ["b": .array([1, "x"]), "a": [:], "c": .array([]), "d": ["e": 2]]
        #expect(
            String(decoding: value.indented, as: UTF8.self) == """
                {
                  "a": {},
                  "b": [
                    1,
                    "x"
                  ],
                  "c": [],
                  "d": {
                    "e": 2
                  }
                }
                """)
    }
}
