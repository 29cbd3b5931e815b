internal import PlainText

/// Text from outside in XML and HTML.
package enum Markup {
    /// The text as character data or an attribute's value in quotes.
    ///
    /// A character that XML 1.0 does not take, or that turns the direction of writing, becomes
    /// U+FFFD.
    package static func escaped(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result.append(contentsOf: "&amp;".unicodeScalars)
            case "<": result.append(contentsOf: "&lt;".unicodeScalars)
            case ">": result.append(contentsOf: "&gt;".unicodeScalars)
            case "\"": result.append(contentsOf: "&quot;".unicodeScalars)
            case "'": result.append(contentsOf: "&#39;".unicodeScalars)
            case "\n", "\t": result.append(scalar)
            default: result.append(scalar.isPrintable ? scalar : "\u{fffd}")
            }
        }
        return String(result)
    }
}

extension Unicode.Scalar {
    /// Whether it stands for itself in a document.
    package var isPrintable: Bool { isVisible }
}
