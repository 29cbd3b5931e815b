internal import PlainText

/// The way in which a piece of text stands out on a terminal. Words alone must say the same.
package enum Emphasis: Hashable, Sendable {
    case plain
    case strong
    /// As it should be.
    case good
    /// To be looked at.
    case caution
    case bad

    /// The terminal's sequence that switches it on (ECMA-48, Select Graphic Rendition).
    fileprivate var sequence: String? {
        switch self {
        case .plain: nil
        case .strong: "\u{1b}[1m"
        case .good: "\u{1b}[1;32m"
        case .caution: "\u{1b}[1;33m"
        case .bad: "\u{1b}[1;31m"
        }
    }

    fileprivate static let end = "\u{1b}[0m"
}

/// Text of which parts may stand out.
package struct Text: Hashable, Sendable, ExpressibleByStringInterpolation {
    fileprivate struct Span: Hashable, Sendable {
        var text: String
        var emphasis: Emphasis
    }

    fileprivate var spans: [Span]

    /// A text that stands out as a whole.
    package init(_ text: String, _ emphasis: Emphasis = .plain) {
        spans = [Span(text: text, emphasis: emphasis)]
    }

    /// A text of which nothing stands out.
    package init(stringLiteral text: String) { self.init(text) }

    /// Both texts, one behind the other.
    package static func + (a: Self, b: Self) -> Self {
        var sum = a
        sum.spans += b.spans
        return sum
    }
}

/// Lines for people, as values: rendered for a terminal's width or for a pipe.
package struct Page: Hashable, Sendable {
    /// A paragraph with what stands in its margin; lines after the first are indented as far.
    private struct Paragraph: Hashable {
        var indent: Int
        var label: Text
        var labelWidth: Int
        var text: Text
    }

    private var paragraphs: [Paragraph] = []

    /// A page without a line.
    package init() {}

    /// Adds a paragraph.
    ///
    /// - Parameters:
    ///   - indent: columns left of everything.
    ///   - label: what stands before the text, in a column of `labelWidth`.
    package mutating func add(
        _ text: Text, label: Text = "", labelWidth: Int = 0, indent: Int = 0
    ) {
        paragraphs.append(
            Paragraph(indent: indent, label: label, labelWidth: labelWidth, text: text))
    }

    /// Both pages, one below the other.
    package static func + (a: Self, b: Self) -> Self {
        var sum = a
        sum.paragraphs += b.paragraphs
        return sum
    }

    /// The lines without line ends and without spaces behind them.
    ///
    /// Characters that are not visible, which others may have put into names, become spaces.
    ///
    /// - Parameters:
    ///   - width: no line is longer; nil where lines may be as long as they are, as in a pipe, so
    ///     that what is searched for stands on one line.
    ///   - isColoured: whether emphasis is written as a terminal's sequences.
    package func lines(width: Int?, isColoured: Bool) -> [String] {
        paragraphs.flatMap { paragraph in
            var writer = LineWriter(width: width, isColoured: isColoured)
            writer.write(paragraph.label, from: paragraph.indent)
            writer.write(paragraph.text, from: paragraph.indent + paragraph.labelWidth)
            return writer.finished()
        }
    }
}

/// Fills lines with words.
private struct LineWriter {
    /// Narrower than this nothing can be told.
    private static let narrowest = 20

    private let width: Int?
    private let isColoured: Bool
    private var lines: [String] = []
    private var line = ""
    private var column = 0
    /// The emphasis that the terminal was told last on this line.
    private var current = Emphasis.plain
    /// Where following lines begin.
    private var margin = 0

    init(width: Int?, isColoured: Bool) {
        self.width = width.map { max($0, Self.narrowest) }
        self.isColoured = isColoured
    }

    /// Writes from a column on, or at once where the line is already beyond it.
    mutating func write(_ text: Text, from column: Int) {
        margin = width.map { min(column, $0 / 2) } ?? column
        var gap = max(margin - self.column, self.column > 0 && margin > 0 ? 1 : 0)
        for span in text.spans {
            let words = span.text.blanked.split(separator: " ", omittingEmptySubsequences: false)
            for (index, word) in words.enumerated() {
                if index > 0 { gap += 1 }
                if word.isEmpty { continue }
                put(word, after: gap, span.emphasis)
                gap = 0
            }
        }
    }

    private mutating func put(_ word: Substring, after gap: Int, _ emphasis: Emphasis) {
        var (word, gap) = (word, gap)
        if let width {
            if column + gap + word.count > width, column > margin {
                breakLine()
                gap = margin
            }
            // A word longer than any line is cut.
            while column + gap + word.count > width {
                let room = width - column - gap
                append(word.prefix(room), after: gap, emphasis)
                word = word.dropFirst(room)
                breakLine()
                gap = margin
            }
        }
        append(word, after: gap, emphasis)
    }

    private mutating func append(_ word: Substring, after gap: Int, _ emphasis: Emphasis) {
        if isColoured, emphasis != current { end() }
        line += String(repeating: " ", count: gap)
        if isColoured, emphasis != current, let sequence = emphasis.sequence {
            line += sequence
            current = emphasis
        }
        line += word
        column += gap + word.count
    }

    /// Nothing stands out from here on.
    private mutating func end() {
        if current.sequence != nil { line += Emphasis.end }
        current = .plain
    }

    private mutating func breakLine() {
        end()
        lines.append(line)
        line = ""
        column = 0
    }

    mutating func finished() -> [String] {
        breakLine()
        return lines
    }
}
