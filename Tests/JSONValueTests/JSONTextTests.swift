import Foundation
import JSONValue
import Testing

@Suite struct JSONTextTests {
    private func parse(_ text: String) throws -> JSONValue {
        try JSONValue(parsing: Array(text.utf8))
    }

    @Test(
        arguments: [
            ("null", .null), (" true\n", .bool(true)), ("false", .bool(false)), ("-0", 0),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            ("9223372036854775808", .number(9_223_372_036_854_775_808)), ("1.0", 1), ("1e2", 100),
            ("-1.5E-1", .number(-0.15)), (#""""#, ""),
            (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{c}\n\r\t"),
            (#""\u00e9\uD83D\uDE00\u0000""#, "é😀\0"), ("\"é😀\"", "é😀"), ("[]", .array([])),
            ("[1, [2], {}]", .array([1, .array([2]), [:]])), ("{}", [:]),
            (#"{ "a" : 1 , "b" : { "c" : null } }"#, ["a": 1, "b": ["c": .null]]),
        ] as [(String, JSONValue)])
    func reads(text: String, value: JSONValue) throws {
        #expect(try parse(text) == value)
        #expect(try JSONValue(parsing: value.serialized) == value)
        // Foundation reads what we write, and we what it writes.
        let foreign = try JSONSerialization.jsonObject(
            with: Data(value.serialized), options: .fragmentsAllowed)
        let rewritten = try JSONSerialization.data(
            withJSONObject: foreign, options: .fragmentsAllowed)
        #expect(try JSONValue(parsing: Array(rewritten)) == value)
    }

    @Test(arguments: [
        "", " ", "nul", "True", "01", "1.", ".5", "+1", "1e", "-", "1e400", "NaN", "[1,]", "[1 2]",
        "[", "]", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "{", "\"", "\"\\", "\"\\x\"",
        "\"\\u12\"", "\"\\uD83D\"", "\"\\uD83Dx\"", "\"\\uD83D\\u0041\"", "\"\\uDE00\"", "\"\n\"",
        "1 2", "{\"a\":1,\"a\":2}", "\u{feff}1", "\"\\u00g0\"",
    ])
    func refuses(text: String) { #expect(throws: JSONSyntaxError.self) { try parse(text) } }

    @Test func refusesBytesThatAreNotUTF8() {
        #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: [0x22, 0xff, 0x22]) }
        #expect(throws: JSONSyntaxError.self) {
            try JSONValue(parsing: [0x22, 0xed, 0xa0, 0x80, 0x22])
        }
    }

    @Test func boundsTheDepth() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try parse(nested(64))
        let error = #expect(throws: JSONSyntaxError.self) { try parse(nested(65)) }
        #expect(error?.description == "byte 64: nested too deep")
        #expect(throws: JSONSyntaxError.self) { try parse(nested(100_000)) }
    }

    /// `String` takes hours to hash such keys, and days to compare them.
    @Test(.timeLimit(.minutes(1))) func keysOfMarksTakeTimeInProportion() throws {
        let marks = "a" + String(repeating: "\u{0301}\u{0316}", count: 250_000)
        let object = try parse("{\"\(marks)\":1,\"\(marks)x\":2}")
        #expect(object[marks] == 1)
        #expect(object[marks + "x"] == 2)
        #expect(throws: JSONSyntaxError.self) { try parse("{\"\(marks)\":1,\"\(marks)\":2}") }
    }

    @Test func keysAreTheSameWhereTheirBytesAre() throws {
        let object = try parse(#"{"\u00e9":1,"e\u0301":2}"#)
        #expect(object["\u{e9}"] == 1)
        #expect(object["e\u{301}"] == 2)
    }

    @Test func takesTimeInProportion() throws {
        let nested = String(repeating: "[", count: 60) + String(repeating: "]", count: 60)
        func time(_ count: Int) throws -> Duration {
            let text = "[" + Array(repeating: nested, count: count).joined(separator: ",") + "]"
            return try (0..<3).map { _ in
                try ContinuousClock().measure { _ = try parse(text) }
            }.min() ?? .zero
        }
        // Eight times the text takes eight times as long, or sixty-four times if it were quadratic.
        #expect(try time(4000) / time(500) < 24)
    }

    @Test func writesInTheKeysOrder() {
        let value: JSONValue = ["b": .array([.null, .bool(true)]), "a": "\u{1}\"\\/\n", "c": 1]
        #expect(
            String(decoding: value.serialized, as: UTF8.self)
                == #"{"a":"\u0001\"\\/\n","b":[null,true],"c":1}"#)
        #expect(String(decoding: JSONValue.number(.nan).serialized, as: UTF8.self) == "null")
    }
}
