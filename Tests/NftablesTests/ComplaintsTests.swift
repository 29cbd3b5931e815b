import Testing

@testable import Nftables

/// What libnftables writes is read, whatever stands in it.
@Suite("Complaints")
struct ComplaintsTests {
    @Test("each is found with the line that it is about")
    func reading() {
        let complaints = Complaints(
            """
            /dev/stdin:2:40-46: Error: syntax error, unexpected counter
            table inet a { counter b { } counter c { }
                                         ^^^^^^^
            Error: Could not process rule: No such file or directory
            """)
        #expect(complaints.found.map(\.line) == [2, nil])
        #expect(
            complaints.found.map(\.message) == [
                "syntax error, unexpected counter",
                "Could not process rule: No such file or directory",
            ])
        #expect(Complaints("").found.map(\.message) == ["no reason given"])
        #expect(Complaints("out\nof memory").found.map(\.message) == ["out\nof memory"])
    }

    /// `String` takes hours to compare such a text.
    @Test("a text of marks takes time in proportion", .timeLimit(.minutes(1)))
    func marks() {
        let marks = String(repeating: "\u{0301}\u{0316}", count: 250_000)
        let complaints = Complaints("a\(marks)\n-:3:1-2: Error: b\(marks)")
        #expect(complaints.found.map(\.line) == [3])
    }
}
