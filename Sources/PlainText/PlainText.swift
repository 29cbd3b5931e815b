// Text that others chose, as names, arguments and what a service answers, made safe to show: whatever
// steers a terminal, ends a line, turns the direction of writing or can't be seen is told as an
// escape.

extension Unicode.Scalar {
    /// Whether people see it, or the space that it leaves, where it stands, and it does nothing else.
    package var isVisible: Bool {
        // ASCII, which nearly everything is.
        if value < 0x7f { return value >= 0x20 }
        switch properties.generalCategory {
        // C1 among them; direction marks, zero-width joiners, tags.
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: return false
        default: break
        }
        // Fillers, and what selects variants of a sign.
        if properties.isDefaultIgnorableCodePoint { return false }
        // Noncharacters.
        return value & 0xfffe != 0xfffe && !(0xfdd0...0xfdef).contains(value)
    }

    /// Such as `\n` or `\u{9b}`.
    fileprivate var escape: String {
        switch self {
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        default: "\\u{\(String(value, radix: 16))}"
        }
    }
}

extension String {
    /// Whether people see all of it.
    package var isVisible: Bool {
        utf8.allSatisfy { (0x20...0x7e).contains($0) } || unicodeScalars.allSatisfy(\.isVisible)
    }

    /// The text as one line, with escapes such as `\n` and `\u{9b}` for what is not visible.
    package var visible: String { replacing { $0.escape } }

    /// As ``visible``, but ends of lines, and tabs, stay: for texts whose lines are ours.
    package var visibleLines: String {
        replacing { $0 == "\n" || $0 == "\t" ? nil : $0.escape }
    }

    /// The text in double quotes as ``visible`` shows it, with escapes also for what would end them, and
    /// cut.
    ///
    /// - Parameter most: how many of its characters are shown.
    package func quoted(atMost most: Int) -> String { "\"\(escaped(atMost: most))\"" }

    /// The inside of ``quoted(atMost:)``.
    package func escaped(atMost most: Int) -> String {
        var result = ""
        for (index, scalar) in unicodeScalars.enumerated() {
            if index == most { return result + "…" }
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case _ where scalar.isVisible: result.unicodeScalars.append(scalar)
            default: result += scalar.escape
            }
        }
        return result
    }

    /// As one line with spaces in place of what is not visible, as wide as the text.
    package var blanked: String { replacing { _ in " " } }

    /// - Parameter replacement: of what is not visible; nil to leave it.
    private func replacing(_ replacement: (Unicode.Scalar) -> String?) -> String {
        if isVisible { return self }
        var result = UnicodeScalarView()
        for scalar in unicodeScalars {
            if !scalar.isVisible, let replacement = replacement(scalar) {
                result.append(contentsOf: replacement.unicodeScalars)
            } else {
                result.append(scalar)
            }
        }
        return String(result)
    }
}
