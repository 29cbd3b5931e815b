/// Why a file is not plain text, and where.
struct TextProblem: Error {
    let line: Int
    let column: Int
    let message: String

    /// As many marks may stand on one character as in the Stream-Safe Text Format (UAX #15): to compare
    /// and to hash a text takes the square of how many there are.
    private static let marksInARow = 30

    /// Reads a file that may begin with a byte order mark.
    ///
    /// - Returns: the position after the last character.
    /// - Throws: the first problem.
    static func check(_ bytes: [UInt8]) throws(TextProblem) -> TextPosition {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        var position = TextPosition()
        var offset = 0
        var marks = 0
        while true {
            switch decoder.decode(&iterator) {
            case .emptyInput: return position
            case .error:
                let byte = String(bytes[offset], radix: 16)
                throw TextProblem(
                    line: position.line, column: position.column,
                    message:
                        "byte 0x\(byte) at offset \(offset) is not UTF-8: save the file as UTF-8")
            case .scalarValue(let scalar):
                if scalar.isUnsuitableInText, !(scalar == "\u{feff}" && offset == 0) {
                    let code = String(scalar.value, radix: 16, uppercase: true)
                    let padding = String(repeating: "0", count: max(0, 4 - code.count))
                    let what =
                        scalar.value == 0
                        ? "a NUL character" : "the control character U+\(padding)\(code)"
                    throw TextProblem(
                        line: position.line, column: position.column,
                        message:
                            "\(what) at offset \(offset) has no place in a text file: remove it")
                }
                marks = scalar.isMark ? marks + 1 : 0
                if marks > Self.marksInARow {
                    throw TextProblem(
                        line: position.line, column: position.column,
                        message:
                            "more than \(Self.marksInARow) combining marks stand on one character: remove them"
                    )
                }
                if scalar != "\u{feff}" { position.advance(over: scalar) }
                offset += UTF8.width(scalar)
            }
        }
    }
}

/// A line and column that count from 1, with the line breaks that libyaml knows of those that
/// ``TextProblem`` lets pass.
struct TextPosition {
    private(set) var line = 1
    private(set) var column = 1
    private var followsCarriageReturn = false

    mutating func advance(over scalar: Unicode.Scalar) {
        switch scalar {
        case "\n" where followsCarriageReturn:
            break
        case "\n", "\r":
            line += 1
            column = 1
        default:
            column += 1
        }
        followsCarriageReturn = scalar == "\r"
    }
}

extension Unicode.Scalar {
    /// Whether it combines with what stands before it, and may have to be put in another order.
    fileprivate var isMark: Bool {
        !isASCII && properties.canonicalCombiningClass != .notReordered
    }

    /// Control characters but for tab and line breaks, and characters that make a text read
    /// differently from what it is: line breaks that editors do not show, direction marks.
    var isUnsuitableInText: Bool {
        switch value {
        case 0x09, 0x0a, 0x0d: false
        case 0x00...0x1f, 0x7f...0x9f, 0x2028...0x202e, 0x2066...0x2069, 0xfeff: true
        default: false
        }
    }
}
