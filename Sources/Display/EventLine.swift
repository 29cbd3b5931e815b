internal import PlainText
package import Reports

extension Event {
    /// One line: time, kind, state and message.
    package var line: String {
        var text = message
        if let process {
            text += " (by \(process)\(pid.map { ", pid \($0)" } ?? ""))"
        }
        if let lost { text += " [\(lost.counted("event")) before this one lost]" }
        return
            "\(time) \(kind.rawValue.padded(to: 12)) \(state.rawValue.padded(to: 12)) \(text)"
    }
}

extension GenerationSummary {
    /// One line, with tabs: number, time, origin and nodes.
    package var line: String {
        "\(number)\t\(created)\t\(origin.rawValue)\t\(nodes.joined(separator: ", ").visible)"
    }
}
