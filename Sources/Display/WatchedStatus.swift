package import Reports

/// The status as it is watched: what the agent said last, or why it says nothing.
package enum WatchedStatus: Sendable {
    case report(StatusReport)
    case silence(String)

    /// - Parameters:
    ///   - now: what ages are counted to.
    ///   - elapsed: seconds since the agent was asked.
    package func page(now: Timestamp, elapsed: Int) -> Page {
        switch self {
        case .report(var report):
            report.pending?.secondsLeft -= elapsed
            return report.page(now: now)
        case .silence(let reason):
            var page = Page()
            page.add(Text("pexip-fw: ") + Text("NO ANSWER", .bad) + Text(": \(reason)"))
            return page
        }
    }

    /// A screen of its own: the page, and how to leave it.
    ///
    /// - Parameter interval: seconds after which it is told anew where nothing happens.
    package func screen(now: Timestamp, elapsed: Int, interval: Int) -> Page {
        var page = page(now: now, elapsed: elapsed)
        page.add("")
        page.add("\(now), again at each event and every \(interval) s; Ctrl-C ends")
        return page
    }

    /// As many lines as the screen has rows, the last of which says how many more there are; nil
    /// rows for a screen of any height.
    package static func cut(_ lines: [String], rows: Int?) -> [String] {
        guard let rows, lines.count > rows, rows > 1 else { return lines }
        let more = lines.count - (rows - 1)
        return lines.prefix(rows - 1) + ["\(more.counted("more line")): pexip-fwctl status"]
    }
}
