internal import PortModel

/// Diagrams as SVG (1.1, and 2 for the style sheet's media), with text as text.
package enum SVG {
    /// The sheet that both A4 and Letter have, within margins of 10 mm: 190 mm by 255 mm.
    private static let sheet = (width: 190, height: 255)
    private static let gap = 24

    /// A file that holds the diagrams, one below the other: as wide as a printed page, and where
    /// there is only one, as high as one at the most.
    package static func document(_ diagrams: [Diagram]) -> String {
        let layouts = diagrams.map(DiagramLayout.init)
        let height = layouts.map(\.height).reduce(0, +) + max(0, layouts.count - 1) * gap
        let width = DiagramLayout.width
        // A unit in millionths of a millimetre.
        var unit = sheet.width * 1_000_000 / width
        if diagrams.count == 1 { unit = min(unit, sheet.height * 1_000_000 / max(1, height)) }
        var lines = [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(millimetres(width * unit))\" height=\"\(millimetres(height * unit))\" viewBox=\"0 0 \(width) \(height)\">",
            "<style>\(styleSheet)</style>",
            "<rect class=\"pfw-page\" width=\"\(width)\" height=\"\(height)\"/>",
        ]
        var y = 0
        for (index, layout) in layouts.enumerated() {
            lines.append(
                element(
                    diagrams[index], layout, id: "diagram-\(index + 1)",
                    attributes: "y=\"\(y)\" width=\"\(width)\" height=\"\(layout.height)\""))
            y += layout.height + gap
        }
        return (lines + ["</svg>", ""]).joined(separator: "\n")
    }

    /// The diagram as an element of an HTML page that holds ``styleSheet``; fits the width it gets.
    ///
    /// - Parameter id: unlike every other one on the page.
    package static func element(_ diagram: Diagram, id: String) -> String {
        element(diagram, DiagramLayout(diagram), id: id, attributes: "class=\"pfw-diagram\"")
    }

    private static func element(
        _ diagram: Diagram, _ layout: DiagramLayout, id: String, attributes: String
    ) -> String {
        var lines = [
            "<svg \(attributes) viewBox=\"0 0 \(DiagramLayout.width) \(layout.height)\" role=\"img\" aria-labelledby=\"\(id)-title \(id)-desc\">",
            "<title id=\"\(id)-title\">\(Markup.escaped(diagram.title))</title>",
            "<desc id=\"\(id)-desc\">\(Markup.escaped(diagram.inWords))</desc>",
        ]
        lines += layout.frames.map { frame in
            let area = frame.area
            return
                "<rect class=\"pfw-\(frame.kind.rawValue)\" x=\"\(area.x)\" y=\"\(area.y)\" width=\"\(area.width)\" height=\"\(area.height)\" rx=\"4\"/>"
        }
        lines += layout.arrows.map { arrow in
            let base = arrow.toX - 9
            return
                "<path class=\"pfw-line\" d=\"M\(arrow.fromX) \(arrow.y)H\(base)\"/><path class=\"pfw-head\" d=\"M\(arrow.toX) \(arrow.y)L\(base) \(arrow.y - 4)V\(arrow.y + 4)Z\"/>"
        }
        lines += layout.texts.map { text in
            "<text class=\"pfw-\(text.kind.rawValue)\" x=\"\(text.area.x)\" y=\"\(text.baseline)\">\(Markup.escaped(text.text))</text>"
        }
        return (lines + ["</svg>"]).joined(separator: "\n")
    }

    /// `190mm`, from millionths, rounded up.
    private static func millimetres(_ millionths: Int) -> String {
        let hundredths = (millionths + 9_999) / 10_000
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)mm"
    }

    /// Colours by the reader's preference, and light on paper. Every text has a contrast of 7 to 1
    /// or more with what is behind it, every line of 3 to 1.
    package static let styleSheet: String = {
        let sizes = DiagramLayout.PlacedText.Kind.all.map { kind in
            let typeface = kind.typeface
            return
                ".pfw-\(kind.rawValue){font-size:\(typeface.size)px\(typeface.isBold ? ";font-weight:bold" : "")}"
        }.joined(separator: "\n")
        return """

            text{font-family:\(Typeface.families);fill:#1a1a1a}
            \(sizes)
            .pfw-id{fill:#43484e}
            .pfw-page{fill:#ffffff}
            .pfw-node{fill:#e6effa;stroke:#1f4e8c;stroke-width:1.5}
            .pfw-device{fill:#f7f4ea;stroke:#6b5b2e}
            .pfw-line{stroke:#1f4e8c;stroke-width:1.5;fill:none}
            .pfw-head{fill:#1f4e8c}
            @media screen and (prefers-color-scheme:dark){
            text{fill:#f2f2f2}
            .pfw-id{fill:#c9ced4}
            .pfw-page{fill:#15181c}
            .pfw-node{fill:#1b2f47;stroke:#8ab8ee}
            .pfw-device{fill:#2c291f;stroke:#cdb97a}
            .pfw-line{stroke:#8ab8ee}
            .pfw-head{fill:#8ab8ee}
            }

            """
    }()
}

extension DiagramLayout.PlacedText.Kind {
    fileprivate static let all: [Self] = [
        .title, .name, .detail, .traffic, .description, .id, .heading, .note,
    ]
}

extension Diagram {
    /// The picture in words, for readers who can't see it.
    package var inWords: String {
        let rows = devices.flatMap { device in
            device.arrows.map { arrow in
                let preposition = direction == .inbound ? "from" : "to"
                return
                    "\(arrow.purpose): \(arrow.traffic) \(preposition) \(device.box.name) (\(device.box.details.joined(separator: ", ")))"
            }
        }
        return rows.isEmpty ? "No row is open." : rows.joined(separator: "; ") + "."
    }
}
