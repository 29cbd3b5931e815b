package import Drawing

/// A page as a value, for any language of pages.
package struct Document: Hashable, Sendable {
    /// Of the whole page, as its first heading.
    package var title: String
    /// Below the title.
    package var subtitle: Words
    /// In the order of the page; a table of contents links to each.
    package var sections: [Section]

    /// A part of the page with a heading of its own.
    package struct Section: Hashable, Sendable {
        /// The target of links, unique in the document.
        package var anchor: String
        /// Of the section, as its heading.
        package var title: String
        /// From top to bottom.
        package var blocks: [Block]
    }

    /// One piece of a section, in a form that HTML and Markdown both have.
    package enum Block: Hashable, Sendable {
        /// A part of a section, with its anchor.
        case heading(String, anchor: String)
        case paragraph(Words)
        /// Something that must not be overlooked.
        case alert(Tone, Words)
        /// Names of things, each with its value.
        case facts([Fact])
        case list([Words])
        /// Many short things, several beside each other.
        case columns([Words])
        case table(Grid)
        /// Lines as they are typed or printed.
        case code([String])
        case diagram(Diagram, anchor: String)
    }

    /// A name with its value, as a line of a list of definitions.
    package struct Fact: Hashable, Sendable {
        /// A term, or a footnote's mark.
        package var name: String
        package var value: Words

        package init(_ name: String, _ value: Words) {
            self.name = name
            self.value = value
        }
    }

    /// A table whose rows begin with their subject.
    package struct Grid: Hashable, Sendable {
        /// The table's title, which stands above it.
        package var caption: String
        /// The heads of the columns; as many as ``Line/cells``.
        package var columns: [String]
        /// The columns' shares of the width in per cent, where they are not to follow what is in
        /// them.
        package var widths: [Int] = []
        /// From top to bottom.
        package var rows: [Line]

        /// A row of the table.
        package struct Line: Hashable, Sendable {
            /// One for each column; the first one is the row's head.
            package var cells: [Words]
            /// Lines of code that belong to the row, with a word for what they are.
            package var code: [String] = []
        }
    }
}

/// How something is to be taken. Words alone must say the same.
package enum Tone: String, Hashable, Sendable, CaseIterable {
    case good
    case caution
    case bad
    case quiet
}

/// Text of which parts stand out.
package struct Words: Hashable, Sendable, ExpressibleByStringInterpolation {
    /// A stretch of text of one look.
    package enum Span: Hashable, Sendable {
        case plain(String)
        case strong(String)
        case code(String)
        case toned(Tone, String)
        case lineBreak
    }

    /// In the order of reading.
    package var spans: [Span]

    package init(_ spans: [Span] = []) { self.spans = spans }
    /// Plain text.
    package init(_ text: String) { self.init([.plain(text)]) }
    /// Plain text.
    package init(stringLiteral text: String) { self.init(text) }

    /// Text as it is typed or printed.
    package static func code(_ text: String) -> Words { Words([.code(text)]) }
    /// Text that stands out whatever its tone.
    package static func strong(_ text: String) -> Words { Words([.strong(text)]) }
    /// Text with a tone, which its words must say as well.
    package static func toned(_ tone: Tone, _ text: String) -> Words {
        Words([.toned(tone, text)])
    }
    /// The end of a line within a cell or a paragraph.
    package static var lineBreak: Words { Words([.lineBreak]) }

    /// The one text, directly followed by the other.
    package static func + (a: Words, b: Words) -> Words { Words(a.spans + b.spans) }

    /// The text alone.
    package var text: String {
        spans.map {
            switch $0 {
            case .plain(let text), .strong(let text), .code(let text), .toned(_, let text): text
            case .lineBreak: " "
            }
        }.joined()
    }
}

extension Sequence<Words> {
    func joined(separator: Words) -> Words {
        var result = Words()
        for (index, words) in enumerated() {
            if index > 0 { result = result + separator }
            result = result + words
        }
        return result
    }
}
