import PlainText
import Testing

@Suite struct VisibleTests {
    @Test(arguments: [
        "", "a b", "~!", "é", "ß→…“”", "中文", "日本", "שלום", "😀", "a\u{301}", "\u{a0}", "\u{fffd}",
    ])
    func textStays(_ text: String) {
        #expect(text.isVisible)
        #expect(text.visible == text)
        #expect(text.visibleLines == text)
        #expect(text.blanked == text)
    }

    /// Of every range, its ends.
    static let unseen: [ClosedRange<UInt32>] = [
        0x00...0x1f, 0x7f...0x9f, 0xad...0xad, 0x34f...0x34f, 0x61c...0x61c, 0x115f...0x1160,
        0x180e...0x180e, 0x200b...0x200f, 0x2028...0x2029, 0x202a...0x202e, 0x2060...0x2064,
        0x2066...0x2069, 0x3164...0x3164, 0xfe0f...0xfe0f, 0xfeff...0xfeff, 0xffa0...0xffa0,
        0xfdd0...0xfdef, 0xfffe...0xffff, 0xe0001...0xe0001, 0xe0020...0xe007f,
        0x10fffe...0x10ffff,
    ]

    @Test(arguments: unseen) func whatIsNotSeenIsTold(_ range: ClosedRange<UInt32>) throws {
        for value in [range.lowerBound, range.upperBound] {
            let scalar = try #require(Unicode.Scalar(value))
            #expect(!scalar.isVisible)
            let text = "a\(String(Character(scalar)))b"
            #expect(!text.isVisible)
            let visible = text.visible
            #expect(visible.utf8.allSatisfy { (0x20...0x7e).contains($0) })
            #expect(visible.hasPrefix("a\\") && visible.hasSuffix("b"))
            #expect(text.blanked == "a b")
            #expect(visible.visible == visible)
            if value != 0x0a && value != 0x09 { #expect(text.visibleLines == visible) }
        }
    }

    @Test func escapes() {
        let text = "a\n\t\r\u{1b}[2J\u{9b}1m\u{202e}"
        #expect(text.visible == #"a\n\t\r\u{1b}[2J\u{9b}1m\u{202e}"#)
        #expect(text.visibleLines == "a\n\t" + #"\r\u{1b}[2J\u{9b}1m\u{202e}"#)
        // One character to Swift, two to a terminal.
        #expect("a\r\nb".visible == #"a\r\nb"#)
        #expect("a\r\nb".visibleLines == "a\\r\nb")
    }

    /// What is not UTF-8 is told as such before it is a String.
    @Test func bytesThatAreNoText() {
        #expect(
            String(decoding: [0x61, 0x9b, 0xff] as [UInt8], as: UTF8.self).visible
                == "a\u{fffd}\u{fffd}")
    }
}
