internal import PortModel

/// Diagrams in Mermaid's language, which GitHub and GitLab draw.
package enum Mermaid {
    /// A Markdown document of the diagrams below their titles; of one, the flowchart alone.
    package static func document(_ diagrams: [Diagram]) -> String {
        if diagrams.count == 1 { return text(diagrams[0]) }
        return diagrams.map { diagram in
            "## \(plain(diagram.title))\n\n```mermaid\n\(text(diagram))```\n"
        }.joined(separator: "\n")
    }

    /// The diagram as one flowchart.
    package static func text(_ diagram: Diagram) -> String {
        var lines = [
            "flowchart LR",
            "accTitle: \(plain(diagram.title))",
            "subject[\"\(label([diagram.subject.name] + diagram.subject.details))\"]",
        ]
        for (index, device) in diagram.devices.enumerated() {
            let name = "device\(index + 1)"
            lines.append("\(name)[\"\(label([device.box.name] + device.box.details))\"]")
            for arrow in device.arrows {
                let text = label([arrow.traffic, arrow.purpose, arrow.id])
                let (from, to) =
                    diagram.direction == .inbound ? (name, "subject") : ("subject", name)
                lines.append("\(from) -- \"\(text)\" --> \(to)")
            }
        }
        if !diagram.absent.isEmpty {
            let rows = diagram.absent.map { "\($0.description): \($0.reason) (\($0.id))" }
            lines.append("absent[\"\(label(["Not open here"] + rows))\"]")
            lines.append("style absent stroke-dasharray: 4 4")
        }
        if diagram.devices.isEmpty { lines.append("none[\"No row is open\"]") }
        return lines.joined(separator: "\n    ") + "\n"
    }

    private static func label(_ lines: [String]) -> String {
        lines.map(escaped).joined(separator: "<br>")
    }

    /// Everything that could mean something to Mermaid, to Markdown within it or to HTML becomes a
    /// character reference, which Mermaid writes with `#` in place of `&#`.
    static func escaped(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            if scalar.isPlain { return String(Character(scalar)) }
            return scalar.isPrintable ? "#\(scalar.value);" : "#65533;"
        }.joined()
    }

    /// A title, which has no references.
    private static func plain(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.isPlain ? $0 : " " }))
    }
}

extension Unicode.Scalar {
    fileprivate var isPlain: Bool {
        switch self {
        case "a"..."z", "A"..."Z", "0"..."9", " ", ".", ",", ":", "/", "(", ")", "-", "_", "–",
            "→", "†", "‡":
            true
        default: false
        }
    }
}
