import ArgumentParser
import Deployment
import Enforcement
import PortModel

/// `pexip-fwctl status`
struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows whether the host is protected, by what, and what went wrong.",
        discussion: """
            Exit status: 0 when in sync, pending confirmation or pinned, 1 in any other \
            state.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Flag(help: "Print the agent's report as JSON.")
    var json = false

    func run() throws {
        try Terminal.reporting {
            let report = try connection.call(
                "Status", member: "status", as: StatusReport.self)
            if json { try Terminal.printJSON(report) } else { print(report.text) }
            if !report.state.isHealthy { throw ExitCode.failure }
        }
    }
}

extension StatusReport {
    /// One screen for people.
    var text: String {
        var lines = ["pexip-fw \(agent.version): \(state.words)"]
        func add(_ label: String, _ text: String) {
            lines.append("  " + label.padded(to: 14) + text)
        }
        if let problem { add("problem", problem) }
        if let pending {
            let back =
                pending.fallback.map { "generation \($0) comes back" } ?? "nothing is enforced"
            add(
                "confirm",
                "within \(pending.secondsLeft) s (until \(pending.deadline)), or \(back): pexip-fwctl confirm"
            )
        }
        if let explanation = hold?.explanation { add("reverted", explanation) }
        for diagnostic in diagnostics where diagnostic.severity == .error {
            add("configuration", diagnostic.description)
        }
        if mode == .observe {
            add("mode", "observe: nothing is dropped; refusals are only counted")
        }
        if let generation {
            let made = generationCreated.map { ", made \($0)" } ?? ""
            let origin = generationOrigin.map { " by \($0.words)" } ?? ""
            add("generation", "\(generation)\(made)\(origin)")
        } else {
            add("generation", "none")
        }
        for status in nodes.prefix(Self.shownNodes) {
            let addresses = status.node.addresses.map(\.description).joined(separator: ", ")
            add("node", "\(status.node.name) (\(status.node.role.rawValue)), \(addresses)")
            let place = status.node.policyClass.map { ", class \($0)" } ?? ""
            add(
                "",
                "\(status.node.rows.counted("row"))\(place); \(Int(clamping: status.dropped.packets).counted("packet")) refused"
            )
        }
        if nodes.count > Self.shownNodes {
            add("", "and \((nodes.count - Self.shownNodes).counted("more node")): see --json")
        }
        if !counters.isEmpty { add("traffic", traffic) }
        for warning in warnings { add("warning", warning) }
        if let last = drift.last {
            add("drift", "\(drift.count.counted("foreign change")), last \(last.time)")
            let pid = last.pid.map { ", pid \($0)" } ?? ""
            add("", "by \(last.process)\(pid)")
            for difference in last.differences { add("", difference) }
        } else {
            add("drift", "none since the agent started \(agent.started)")
        }
        for diagnostic in diagnostics where diagnostic.severity == .warning {
            add("configuration", diagnostic.description)
        }
        return lines.joined(separator: "\n")
    }
}

extension StatusReport {
    /// As many nodes as leave the rest on one screen.
    private static let shownNodes = 8

    fileprivate var traffic: String {
        let dropped = counters.filter { $0.key.hasPrefix("drop.") }
        let rows = counters.filter { !$0.key.hasPrefix("drop.") && !$0.key.hasPrefix("nat.") }
        let reasons = dropped.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.packets)" }
        let matched = rows.reduce(0) { $0 + $1.value.packets }
        return
            "\(Int(clamping: matched).counted("packet")) matched rows; \(reasons.joined(separator: ", "))"
    }
}

extension StatusReport.State {
    /// The state in words, with what it means for the administrator.
    fileprivate var words: String {
        switch self {
        case .inSync: "in sync: the kernel holds what the configuration says"
        case .pinned:
            "pinned: an older generation is in force until the configuration changes or apply is said"
        case .pendingConfirmation:
            "PENDING CONFIRMATION: the kernel holds what the configuration says, until it is confirmed or taken back"
        case .reverted:
            "REVERTED: what the configuration says was taken back, until it changes or apply is said"
        case .rejected: "REJECTED: the configuration is wrong; what was in force before still is"
        case .degraded: "DEGRADED: what should be in force could not be put, or kept, in force"
        case .unconfigured: "UNCONFIGURED: nothing is enforced"
        case .flushed:
            "FLUSHED: nothing is enforced until the configuration changes or apply is said"
        }
    }
}

extension Generation.Origin {
    var words: String {
        switch self {
        case .directory: "a change of the directory"
        case .command: "apply"
        case .start: "the agent's start"
        }
    }
}
