import PlainText
import Testing

@Suite struct ColumnsTests {
    @Test(arguments: [
        ("", 3, "   "), ("ab", 4, "ab  "), ("ab", 2, "ab"), ("abc", 2, "abc"), ("†é", 3, "†é "),
    ])
    func padded(_ text: String, _ width: Int, _ padded: String) {
        #expect(text.padded(to: width) == padded)
    }

    @Test(arguments: [
        ("", ""), ("  ", ""), ("a", "a"), (" a b  ", " a b"), ("a\t ", "a\t"),
        ("a \u{301}", "a \u{301}"),
        ("† ", "†"),
    ])
    func trimmed(_ text: String, _ trimmed: String) { #expect(text.trimmed == trimmed) }
}
