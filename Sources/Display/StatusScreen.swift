internal import PortModel
package import Reports
internal import Ruleset
internal import Site

extension StatusReport {
    /// One screen for people: how it stands, why, and what to do.
    ///
    /// - Parameter now: what ages are counted to.
    package func page(now: Timestamp) -> Page {
        var screen = StatusScreen(report: self, now: now)
        screen.fill()
        return screen.page
    }
}

private struct StatusScreen {
    /// As many nodes as leave the rest on one screen.
    private static let shownNodes = 8
    /// Beyond these a configuration is corrected step by step.
    private static let shownDiagnostics = 10
    private static let labelWidth = 14

    let report: StatusReport
    let now: Timestamp
    var page = Page()

    private mutating func add(_ label: String, _ text: Text, _ emphasis: Emphasis = .plain) {
        page.add(text, label: Text(label, emphasis), labelWidth: Self.labelWidth, indent: 2)
    }

    /// The command that helps, below what it helps with.
    private mutating func addHelp(_ text: String) { add("", Text("-> \(text)", .strong)) }

    mutating func fill() {
        page.add(
            Text("pexip-fw \(report.agent.version): ")
                + Text(report.state.name, report.state.emphasis)
                + Text(": \(report.state.meaning)"))
        addReasons()
        addGeneration()
        addNodes()
        addTraffic()
        addWarnings()
        addDrift()
    }

    /// Why it is not simply in sync.
    private mutating func addReasons() {
        if let problem = report.problem { add("problem", Text(problem), .bad) }
        if let pending = report.pending {
            let left = Quantities.countdown(seconds: pending.secondsLeft)
            let back =
                pending.fallback.map { "generation \($0) comes back" } ?? "nothing is enforced"
            add(
                "confirm", Text(left, .caution) + " left, then \(back) (\(pending.deadline))",
                .caution)
        }
        if let explanation = report.hold?.explanation { add("reverted", Text(explanation), .bad) }
        let errors = report.diagnostics.filter { $0.severity == .error }
        for error in errors.prefix(Self.shownDiagnostics) {
            add("configuration", Text(error.description), .bad)
        }
        if errors.count > Self.shownDiagnostics {
            add("", "and \((errors.count - Self.shownDiagnostics).counted("more error"))")
        }
        if let help = report.state.help { addHelp(help) }
    }

    private mutating func addGeneration() {
        if report.mode == .observe {
            add("mode", "observe: nothing is dropped; refusals are only counted", .caution)
        }
        guard let generation = report.generation else { return add("generation", "none") }
        var text = "\(generation)"
        if let created = report.generationCreated {
            text += ", \(Quantities.age(of: created, at: now)) old (\(created))"
        }
        if let origin = report.generationOrigin {
            text += ", by \(origin.words(report.changedFiles))"
        }
        if report.hold?.reason == .rollback { text += "; put back by rollback" }
        if let confirmed = report.confirmedGeneration, confirmed != generation {
            text += "; confirmed is \(confirmed)"
        }
        add("generation", Text(text))
    }

    private mutating func addNodes() {
        for status in report.nodes.prefix(Self.shownNodes) {
            let node = status.node
            add(
                "node",
                Text(node.name, .strong)
                    + " (\(node.role.rawValue)): \(node.rows.counted("row")) enforced; \(Quantities.counted(status.dropped.packets, "packet")) refused"
            )
            let place = node.policyClass.map { "; class \($0)" } ?? ""
            add("", Text(node.addresses.map(\.description).joined(separator: ", ") + place))
        }
        let more = report.nodes.count - Self.shownNodes
        if more > 0 { add("", "and \(more.counted("more node")): see --json") }
    }

    private mutating func addTraffic() {
        if report.counters.isEmpty { return }
        var permitted = StatusReport.CounterReport()
        var refused = StatusReport.CounterReport()
        var reasons: [String: UInt64] = [:]
        for (id, value) in report.counters {
            switch CounterPurpose(id: id) {
            case .permit: permitted.add(value)
            case .refusal(let refusal):
                refused.add(value)
                // A gateway's classes count for themselves and are told together.
                reasons[refusal.ofAnyClass.id, default: 0] &+= value.packets
            case .translated: break
            }
        }
        add("traffic", "\(permitted.words) matched rows")
        let parts = reasons.sorted { $0.key < $1.key }.map {
            "\($0.key) \(Quantities.count($0.value))"
        }
        add("", "\(refused.words) refused: \(parts.joined(separator: ", "))")
        if let since = report.countersSince {
            add("", "since \(since) (\(Quantities.age(of: since, at: now)))")
        } else {
            let start = report.agent.started
            add(
                "",
                "since before the agent started, \(start) (\(Quantities.age(of: start, at: now)))")
        }
    }

    private mutating func addWarnings() {
        for warning in report.warnings { add("warning", Text(warning), .caution) }
        if !report.shadows.isEmpty { addHelp("pexip-fwctl doctor") }
        let warnings = report.diagnostics.filter { $0.severity == .warning }
        for warning in warnings.prefix(Self.shownDiagnostics) {
            add("configuration", Text(warning.description), .caution)
        }
        let more = warnings.count - Self.shownDiagnostics
        if more > 0 { add("", "and \(more.counted("more warning")): pexip-fwctl check") }
    }

    private mutating func addDrift() {
        guard let last = report.drift.last else {
            let start = report.agent.started
            return add(
                "drift",
                "none since the agent started \(start) (\(Quantities.age(of: start, at: now)))")
        }
        add(
            "drift",
            "\(report.drift.count.counted("foreign change")), the last \(Quantities.age(of: last.time, at: now)) ago (\(last.time))",
            .caution)
        let pid = last.pid.map { ", pid \($0)" } ?? ""
        add("", Text("by ") + Text(last.process, .strong) + Text(pid))
        for difference in last.differences { add("", Text(difference)) }
    }
}

extension StatusReport.CounterReport {
    fileprivate var words: String {
        "\(Quantities.counted(packets, "packet")), \(Quantities.bytes(bytes)),"
    }

    fileprivate mutating func add(_ other: Self) {
        packets &+= other.packets
        bytes &+= other.bytes
    }
}

extension StatusReport.State {
    /// As people say it.
    package var name: String {
        switch self {
        case .inSync: "in sync"
        case .pinned: "pinned"
        case .pendingConfirmation: "PENDING CONFIRMATION"
        case .reverted: "REVERTED"
        case .rejected: "REJECTED"
        case .degraded: "DEGRADED"
        case .unconfigured: "UNCONFIGURED"
        case .flushed: "FLUSHED"
        }
    }

    /// Its meaning for the administrator.
    package var meaning: String {
        switch self {
        case .inSync: "the kernel holds what the configuration says"
        case .pinned:
            "an older generation is in force until the configuration changes or apply is said"
        case .pendingConfirmation:
            "the kernel holds what the configuration says, until it is confirmed or taken back"
        case .reverted:
            "what the configuration says was taken back, until it changes or apply is said"
        case .rejected: "the configuration is wrong; what was in force before still is"
        case .degraded: "what should be in force could not be put, or kept, in force"
        case .unconfigured: "nothing is enforced"
        case .flushed:
            "nothing is enforced until the configuration changes or apply is said"
        }
    }

    fileprivate var emphasis: Emphasis {
        switch self {
        case .inSync: .good
        case .pinned, .pendingConfirmation: .caution
        case .reverted, .rejected, .degraded, .unconfigured, .flushed: .bad
        }
    }

    /// The command that helps; nil where nothing needs to be done.
    fileprivate var help: String? {
        switch self {
        case .inSync: nil
        case .pendingConfirmation:
            "pexip-fwctl confirm keeps it; pexip-fwctl rollback takes it back"
        case .pinned, .reverted:
            "pexip-fwctl plan says what apply would change; pexip-fwctl apply"
        case .rejected: "pexip-fwctl check, once the files are corrected"
        case .degraded: "pexip-fwctl doctor; journalctl --unit pexip-fw"
        case .unconfigured: "name the nodes in /etc/pexip-fw.d, then pexip-fwctl check"
        case .flushed: "pexip-fwctl apply, or pexip-fwctl rollback"
        }
    }
}

extension Generation.Origin {
    /// The cause of the generation.
    ///
    /// - Parameter files: those that differed from the generation before.
    package func words(_ files: [String]?) -> String {
        let names = (files ?? []).map { $0.split(separator: "/").last.map(String.init) ?? $0 }
        let of = names.isEmpty ? "" : " of \(Quantities.list(names, atMost: 3))"
        return switch self {
        case .directory: names.isEmpty ? "a change of the directory" : "a change\(of)"
        case .command: names.isEmpty ? "apply" : "apply, after a change\(of)"
        case .start: "the agent's start" + (names.isEmpty ? "" : ", after a change\(of)")
        }
    }
}
