package import Drawing

/// A page as a value, for any language of pages.
package struct Document: Hashable, Sendable {
    package var title: String
    /// Below the title.
    package var subtitle: Words
    package var sections: [Section]

    package struct Section: Hashable, Sendable {
        /// What links lead to.
        package var anchor: String
        package var title: String
        package var blocks: [Block]
    }

    package enum Block: Hashable, Sendable {
        /// A part of a section, with its anchor.
        case heading(String, anchor: String)
        case paragraph(Words)
        /// What must not be overlooked.
        case alert(Tone, Words)
        /// What things are called, and what they are.
        case facts([Fact])
        case list([Words])
        /// Many short things, several beside each other.
        case columns([Words])
        case table(Grid)
        /// What is typed or printed, line by line.
        case code([String])
        case diagram(Diagram, anchor: String)
    }

    package struct Fact: Hashable, Sendable {
        package var name: String
        package var value: Words

        package init(_ name: String, _ value: Words) {
            self.name = name
            self.value = value
        }
    }

    /// A table whose rows begin with what they are about.
    package struct Grid: Hashable, Sendable {
        package var caption: String
        package var columns: [String]
        /// The columns' shares of the width in per cent, where they are not to follow what is in
        /// them.
        package var widths: [Int] = []
        package var rows: [Line]

        package struct Line: Hashable, Sendable {
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
    package enum Span: Hashable, Sendable {
        case plain(String)
        case strong(String)
        case code(String)
        case toned(Tone, String)
        case lineBreak
    }

    package var spans: [Span]

    package init(_ spans: [Span] = []) { self.spans = spans }
    package init(_ text: String) { self.init([.plain(text)]) }
    package init(stringLiteral text: String) { self.init(text) }

    package static func code(_ text: String) -> Words { Words([.code(text)]) }
    package static func strong(_ text: String) -> Words { Words([.strong(text)]) }
    package static func toned(_ tone: Tone, _ text: String) -> Words {
        Words([.toned(tone, text)])
    }
    package static var lineBreak: Words { Words([.lineBreak]) }

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
