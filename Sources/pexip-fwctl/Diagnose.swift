import ArgumentParser
import Control
import Doctor
import Enforcement
import Reports
import Ruleset

/// `pexip-fwctl doctor`
struct Diagnose: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Looks for what on this host keeps the product or its rules from working.",
        discussion: """
            Compares the kernel's settings, routes, connection tracking and other firewalls with \
            what the configuration needs, and says what to do. Works without the agent, and tells \
            what it could not look at; run as root it sees most. Changes nothing. Exit status: 0 \
            where there are no problems, 1 where there are.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var source: ConfigurationOption

    @Flag(help: "Print the findings as JSON.")
    var json = false

    @Flag(help: "Also tell what was looked at and is fine.")
    var verbose = false

    func run() throws {
        try Terminal.reporting {
            var directory = source
            directory.configDir = directory.configDir ?? ConfigurationOption.defaultDirectory
            guard let target = try directory.compile(node: nil) else { return }
            let site = EnforcedSite(target)
            var facts = HostFacts(for: site)
            if source.configDir == nil {
                facts.refusal = try refusal
                if case .unknown = facts.shadows { facts.shadows = try shadows }
            } else {
                facts.refusal = .unknown(
                    "whether the kernel takes the rules: the agent, which could try, is not asked about another directory than its own"
                )
            }
            let report = DoctorReport(Examination.findings(facts, site), isVerbose: verbose)
            if json { try Terminal.printJSON(report) } else { Terminal.say(report.lines) }
            if report.problems > 0 { throw ExitCode.failure }
        }
    }

    /// What the agent's plan says of the kernel.
    private var refusal: Fact<String?> {
        get throws {
            do {
                let report = try connection.call(
                    ControlMethods.plan, PlanParameters(force: true))
                switch report.outcome {
                case .unchanged, .wouldApply, .applied, .refused: return .known(nil)
                case .failed: return .known(report.problem ?? "the agent does not say why")
                case .rejected:
                    return .unknown(
                        "whether the kernel takes the rules: the agent finds the configuration wrong"
                    )
                }
            } catch let failure as Failure {
                return .unknown("whether the kernel takes the rules: \(failure.description)")
            }
        }
    }

    /// What the agent saw of other tables, where this process may not look itself.
    private var shadows: Fact<[Shadow]> {
        get throws {
            do {
                return .known(try connection.call(ControlMethods.status).shadows)
            } catch let failure as Failure {
                return .unknown("other firewalls: \(failure.description)")
            }
        }
    }
}

extension DoctorReport {
    /// So many rows are named; what concerns more, concerns nearly everything.
    private static let namedRows = 6

    /// The findings for people, the worst first, and a line that sums them up.
    var lines: [String] {
        let order: [Finding.Severity] = [.problem, .hint, .unknown, .ok]
        let sorted = order.flatMap { severity in findings.filter { $0.severity == severity } }
        let sum =
            problems + hints == 0
            ? "nothing found" : "\(problems.counted("problem")), \(hints.counted("hint"))"
        let unseen = unknown == 0 ? "" : "; \(unknown.counted("thing")) could not be looked at"
        return sorted.flatMap(Self.lines(of:)) + [sum + unseen]
    }

    private static func lines(of finding: Finding) -> [String] {
        var lines: [String] = []
        func add(_ label: String, _ text: String) {
            lines.append(label.padded(to: 12) + text)
        }
        add(finding.severity.rawValue, "\(finding.what)")
        if let why = finding.why { add("  why", why) }
        if let mend = finding.mend {
            add("  mend", mend.command)
            if let permanently = mend.permanently { add("  for good", permanently) }
        }
        if !finding.rows.isEmpty {
            let more = finding.rows.count - namedRows
            add(
                "  rows",
                finding.rows.prefix(namedRows).joined(separator: ", ")
                    + (more > 0 ? " and \(more) more" : ""))
        }
        return lines
    }
}
