/// Letters of one size and weight, as wide as the widest font that readers have for them.
///
/// Where a text must not leave its frame, what is assumed of a font must hold for all: the widths
/// are those of DejaVu Sans, which is wider than Arial, Helvetica and Liberation Sans.
package struct Typeface: Hashable, Sendable {
    /// In user units.
    package var size: Int
    /// Bold letters are wider.
    package var isBold: Bool

    /// The fonts that are asked for.
    package static let families =
        "Arial, \"Liberation Sans\", Helvetica, \"DejaVu Sans\", sans-serif"

    /// A line's height.
    package var leading: Int { size + size / 4 }

    /// How wide the text is at most, in user units.
    package func width(of text: some StringProtocol) -> Int {
        let sum = text.unicodeScalars.reduce(0) { $0 + width(of: $1) }
        return (sum * size + 999) / 1_000
    }

    /// In thousandths of the size.
    private func width(of scalar: Unicode.Scalar) -> Int {
        let table = isBold ? Self.bold : Self.regular
        if (0x20..<0x7f).contains(scalar.value) { return table[Int(scalar.value) - 0x20] }
        switch scalar {
        case "–", "†", "‡": return 520
        case "→", "…": return 1_000
        default: break
        }
        // Of other scripts little is known: a square, and wider where it may be a picture.
        return scalar.value < 0x250 ? 1_000 : scalar.value < 0x1_0000 ? 1_100 : 1_400
    }

    /// Lines no wider than `width`: broken between words, and words that are longer than a line
    /// behind a sign that parts them, or anywhere.
    package func lines(of text: String, width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, self.width(of: line + " " + word) <= width {
                line += " " + word
                continue
            }
            if !line.isEmpty { lines.append(line) }
            var rest = word
            while self.width(of: rest) > width {
                let part = fitting(rest, width)
                lines.append(String(part))
                rest = rest[part.endIndex...]
            }
            line = String(rest)
        }
        if !line.isEmpty { lines.append(line) }
        return lines
    }

    /// The beginning of a word that fits, of one character at least.
    private func fitting(_ word: Substring, _ width: Int) -> Substring {
        var end = word.index(after: word.startIndex)
        var lastPart: Substring.Index?
        while end < word.endIndex {
            let next = word.index(after: end)
            if self.width(of: word[..<next]) > width { break }
            if "/-.:,_".contains(word[end]), next < word.endIndex { lastPart = next }
            end = next
        }
        // A short stub would only cost a line.
        if let lastPart, self.width(of: word[..<lastPart]) * 2 > width { end = lastPart }
        return word[..<end]
    }

    // Advance widths of U+0020 to U+007E.
    // swift-format-ignore
    private static let regular = [
        318, 401, 460, 838, 637, 951, 780, 275, 391, 391, 500, 838, 318, 361, 318, 337,
        637, 637, 637, 637, 637, 637, 637, 637, 637, 637, 337, 337, 838, 838, 838, 531,
        1000, 685, 687, 699, 771, 632, 576, 775, 752, 295, 295, 656, 558, 863, 749, 788,
        604, 788, 695, 635, 611, 732, 685, 989, 686, 611, 686, 391, 337, 391, 838, 500,
        500, 613, 635, 550, 635, 616, 353, 635, 634, 278, 278, 580, 278, 975, 634, 612,
        635, 635, 412, 521, 393, 634, 592, 818, 592, 592, 525, 637, 337, 637, 838,
    ]

    // swift-format-ignore
    private static let bold = [
        349, 457, 521, 838, 696, 1002, 873, 307, 458, 458, 523, 838, 380, 416, 380, 366,
        696, 696, 696, 696, 696, 696, 696, 696, 696, 696, 400, 400, 838, 838, 838, 581,
        1000, 774, 763, 734, 831, 684, 684, 821, 837, 373, 373, 775, 638, 996, 837, 851,
        733, 851, 771, 721, 683, 813, 774, 1104, 771, 725, 726, 458, 366, 458, 838, 500,
        500, 675, 716, 593, 716, 679, 436, 716, 712, 343, 343, 666, 343, 1042, 712, 688,
        716, 716, 494, 596, 479, 712, 652, 924, 646, 652, 583, 712, 366, 712, 838,
    ]
}
