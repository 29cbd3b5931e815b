import ArgumentParser
import Control
import Doctor
import Enforcement
import Reports
import Ruleset

/// `pexip-fwctl doctor`
struct DoctorCommand: ParsableCommand {
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
                facts.refusal = .ofAnotherDirectory
            }
            let report = DoctorReport(Examination.findings(facts, site), isVerbose: verbose)
            if json { try Terminal.printJSON(report) } else { Terminal.say(report.lines) }
            if report.problems > 0 { throw ExitCode.failure }
        }
    }

    /// Whether the kernel takes the rules, by the agent's plan.
    private var refusal: Fact<String?> {
        get throws {
            do {
                return Fact(
                    plan: try connection.call(ControlMethods.plan, PlanParameters(force: true)))
            } catch let failure as Failure {
                return Fact(unplanned: failure.description)
            }
        }
    }

    /// The other tables that the agent saw, where this process may not look itself.
    private var shadows: Fact<[Shadow]> {
        get throws {
            do {
                return .known(try connection.call(ControlMethods.status).shadows)
            } catch let failure as Failure {
                return Fact(untold: failure.description)
            }
        }
    }
}
