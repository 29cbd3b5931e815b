import Testing

@testable import Display

@Suite struct PageTests {
    private static func page(_ text: Text, indent: Int = 0) -> Page {
        var page = Page()
        page.add(text, label: "label", labelWidth: 8, indent: indent)
        return page
    }

    @Test func linesAreAsLongAsTheyAreInAPipe() {
        let text = Array(repeating: "word", count: 100).joined(separator: " ")
        #expect(Self.page(Text(text)).lines(width: nil, isColoured: false) == ["label   \(text)"])
    }

    @Test func wordsWrapBelowTheirBeginning() {
        let page = Self.page("one two three four", indent: 2)
        #expect(
            page.lines(width: 20, isColoured: false) == [
                "  label   one two", "          three four",
            ])
    }

    @Test func aWordLongerThanALineIsCut() {
        let page = Self.page(Text("x " + String(repeating: "y", count: 30)))
        let lines = page.lines(width: 20, isColoured: false)
        #expect(
            lines == [
                "label   x", "        yyyyyyyyyyyy", "        yyyyyyyyyyyy", "        yyyyyy",
            ])
    }

    @Test func aLabelLongerThanItsColumnKeepsADistance() {
        var page = Page()
        page.add("text", label: "a long label", labelWidth: 4)
        #expect(page.lines(width: nil, isColoured: false) == ["a long label text"])
        page.add("")
        #expect(page.lines(width: 40, isColoured: false) == ["a long label text", ""])
    }

    @Test func emphasisIsWrittenOnlyWhereItIsSeen() {
        let page = Self.page(Text("so fine", .good) + " and " + Text("well", .plain))
        #expect(page.lines(width: 80, isColoured: false) == ["label   so fine and well"])
        #expect(
            page.lines(width: 80, isColoured: true) == [
                "label   \u{1b}[1;32mso fine\u{1b}[0m and well"
            ])
    }

    @Test func whatOthersWroteCommandsNoTerminal() {
        let page = Self.page(Text("a\u{1b}[2Jb\u{7}c\nd\u{9b}e\u{202e}f"))
        #expect(page.lines(width: nil, isColoured: false) == ["label   a [2Jb c d e f"])
    }
}
