import Glibc

/// Texts and bytes that take a parser more than time in proportion to their length, if anything does.
enum HostileInputs {
    /// A beginning, what is repeated, and an end.
    struct Pattern: Sendable {
        var name: String
        var head: [UInt8] = []
        var unit: [UInt8]
        var tail: [UInt8] = []

        init(_ name: String, _ unit: String) { self.init(name, "", unit) }

        init(_ name: String, _ head: String, _ unit: String, _ tail: String = "") {
            self.name = name
            self.head = Array(head.utf8)
            self.unit = Array(unit.utf8)
            self.tail = Array(tail.utf8)
        }

        init(_ name: String, bytes unit: [UInt8]) {
            self.name = name
            self.unit = unit
        }

        /// At most so many bytes, and no part of a unit.
        func input(upTo length: Int) -> [UInt8] {
            var input = head
            let count = max(0, length - head.count - tail.count) / unit.count
            input.reserveCapacity(length)
            for _ in 0..<count { input += unit }
            return Array((input + tail).prefix(length))
        }
    }

    /// Two marks whose order has to be changed: what `String` compares and hashes in quadratic time.
    static let marks = "\u{0301}\u{0316}"
    /// Half of a flag, of which nobody can tell from behind which one it is.
    static let indicator = "\u{1f1e6}"

    static let patterns: [Pattern] = [
        Pattern("zeros", bytes: [0]),
        Pattern("ones", bytes: [0xff]),
        Pattern("bytes from 1", bytes: [1, 0, 0, 0]),
        Pattern("attributes without payload", bytes: [4, 0, 1, 0]),
        Pattern("attributes", bytes: [8, 0, 1, 0x80, 4, 0, 1, 0]),
        Pattern("spaces", " "),
        Pattern("line breaks", "\n"),
        Pattern("carriage returns", "\r\n"),
        Pattern("letters", "a"),
        Pattern("digits", "1"),
        Pattern("combining marks", "a", marks),
        Pattern("regional indicators", indicator),
        Pattern("joined emoji", "\u{1f469}\u{200d}"),
        Pattern("cut-off UTF-8", bytes: [0xf0, 0x9f]),
        Pattern("quotes", "\""),
        Pattern("backslashes", "\\"),
        Pattern("colons", ":"),
        Pattern("separators", ", "),
        Pattern("equal signs", "a=b\0"),
        Pattern("arrays in one another", "["),
        Pattern("objects in one another", "{\"a\":"),
        Pattern("arrays beside one another", "[", "[],", "[]]"),
        Pattern("numbers", "[", "1e308,", "1]"),
        Pattern("one key", "{", "\"a\":1,", "\"a\":1}"),
        Pattern("a text of marks", "\"a", marks, "\""),
        Pattern("a text of indicators", "\"", indicator, "\""),
        Pattern("a text of escapes", "\"", "\\ud83d\\ude00", "\""),
        Pattern("a long number", "1", "0"),
        Pattern("a long fraction", "0.", "1"),
        Pattern("a key of marks", "{\"a", marks, "\":1}"),
        Pattern("a method of marks", "{\"method\":\"a", marks, "\"}"),
        Pattern("a method of dots", "{\"method\":\"", "a.", "\"}"),
        Pattern("flow sequences", "a: ", "["),
        Pattern("block sequences", "a: ", "- "),
        Pattern("aliases", "a: &a [x]\nb: [", "*a, ", "*a]\n"),
        Pattern("comments", "#\n"),
        Pattern("documents", "---\n"),
        Pattern("a scalar of marks", "a: b", marks, "\n"),
        Pattern("a scalar of indicators", "a: ", indicator, "\n"),
    ]
}

extension Parser {
    /// A parser that takes time in proportion needs seconds at most, and one that takes the square of
    /// it hours.
    private static let mostSeconds: UInt32 = 60

    /// Reads the largest input of each hostile pattern, and ends the process where one takes too long.
    func measureLargest() {
        var slowest: (name: String, time: Duration) = ("none", .zero)
        for pattern in HostileInputs.patterns {
            let input = pattern.input(upTo: largest)
            print("\(name), \(pattern.name), \(input.count) bytes")
            fflush(nil)
            alarm(Self.mostSeconds)
            let time = ContinuousClock().measure { mustRead(input) }
            alarm(0)
            if time > slowest.time { slowest = (pattern.name, time) }
        }
        print("slowest of the largest inputs: \(slowest.time) for \(slowest.name)")
    }
}
