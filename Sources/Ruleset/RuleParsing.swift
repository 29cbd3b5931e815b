internal import PortModel

/// A text that is no rule in the forms that ``Rule/text`` writes.
package struct RuleSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    /// In words, with the rule where it is not too long.
    package let description: String

    init(_ description: String) { self.description = description }
}

extension Rule: Codable {
    /// As text in nft's language: small, and readable where it is stored.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        do throws(RuleSyntaxError) {
            try self.init(nft: text)
        } catch {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: error.description)
        }
    }
}

extension Rule {
    /// Bytes of a rule's text: a few names of the greatest length, and a condition of each kind.
    private static let longestText = 2_048

    /// Reads a rule back from nft's language, in the forms that ``text`` writes.
    ///
    /// - Throws: ``RuleSyntaxError`` for every other text, and for one of more than 2,048 bytes.
    package init(nft text: String) throws(RuleSyntaxError) {
        // No rule of ours has others, and the reader below looks at characters.
        guard text.utf8.count <= Self.longestText,
            text.utf8.allSatisfy({ (0x20...0x7e).contains($0) })
        else {
            throw RuleSyntaxError(
                "a rule is at most \(Self.longestText) printable characters of ASCII")
        }
        var words = RuleWords(text)
        var rule = Rule([], nil)
        while let word = words.next() {
            if rule.comment != nil { throw RuleSyntaxError("\(word) after the comment: \(text)") }
            if let part = Part.byBeginning[word] {
                try part.read(word, &words, into: &rule)
            } else {
                rule.matches.append(try Match(word, &words))
            }
        }
        if rule.note != nil, rule.verdict != nil {
            throw RuleSyntaxError("a rule that notes has no verdict: \(text)")
        }
        rule.forgetImpliedProtocol()
        self = rule
    }
}

/// The words of a rule's text, one after another.
struct RuleWords {
    private let text: String
    private var rest: Substring

    init(_ text: String) {
        self.text = text
        rest = text[...]
    }

    mutating func next() -> String? {
        rest = rest.drop { $0 == " " }
        guard let first = rest.first else { return nil }
        var end = rest.index(after: rest.startIndex)
        if first == "\"" {
            while end < rest.endIndex, rest[end] != "\"" { end = rest.index(after: end) }
            if end < rest.endIndex { end = rest.index(after: end) }
        } else {
            end = rest.firstIndex(of: " ") ?? rest.endIndex
        }
        defer { rest = rest[end...] }
        return String(rest[..<end])
    }

    /// Says what is wrong, and where.
    func error(_ problem: String) -> RuleSyntaxError { RuleSyntaxError("\(problem): \(text)") }

    /// The set that a word names by `@`; nil for every other word.
    func setName(_ word: String) -> String? {
        word.utf8.first == UInt8(ascii: "@") ? String(word.dropFirst()) : nil
    }

    mutating func word() throws(RuleSyntaxError) -> String {
        guard let word = next() else { throw error("cut off") }
        return word
    }

    mutating func expect(_ wanted: String) throws(RuleSyntaxError) {
        let word = try word()
        if word != wanted { throw error("\(word) is not \(wanted)") }
    }

    mutating func quoted() throws(RuleSyntaxError) -> String {
        let word = try word()
        guard word.count >= 2, word.hasPrefix("\""), word.hasSuffix("\"") else {
            throw error("\(word) is not quoted")
        }
        return String(word.dropFirst().dropLast())
    }

    mutating func number<Number: FixedWidthInteger>(
        _ type: Number.Type = Number.self
    ) throws(RuleSyntaxError) -> Number {
        let word = try word()
        guard let number = Number(word) else { throw error("\(word) is no number") }
        return number
    }

    mutating func range<Number: FixedWidthInteger>() throws(RuleSyntaxError) -> ClosedRange<Number>
    {
        let ends = try word().split(separator: "-", omittingEmptySubsequences: false).map {
            Number($0)
        }
        guard let first = ends.first, let low = first, let last = ends.last, let high = last,
            ends.count <= 2, low <= high
        else { throw error("no range") }
        return low...high
    }
}
