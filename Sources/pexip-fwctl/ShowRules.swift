import ArgumentParser
import Control
import Enforcement
import Reports
import Ruleset

/// `pexip-fwctl show rules`
struct ShowRules: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract: "Prints the tables in force in nft's language.",
        discussion: """
            With --config-dir, prints what the configuration there compiles to, without an agent \
            and without privileges.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var source: ConfigurationOption

    @Option(
        help: "With --config-dir: compile for this node, wherever this is.",
        completion: Completion.nodes)
    var node: String?

    func validate() throws { try source.requireDirectory(for: node) }

    func run() throws {
        try Terminal.reporting {
            let compiled = try source.compile(node: node).map { RulesReport($0.ruleset.tables) }
            let report = try compiled ?? inForce()
            Terminal.say(document: report.tables.map(\.text).joined(separator: "\n"))
        }
    }

    private func inForce() throws -> RulesReport {
        let report = try connection.rules()
        if report.tables.isEmpty { Terminal.complain("pexip-fwctl: nothing is enforced") }
        return report
    }
}

extension ConnectionOptions {
    /// The tables in force.
    func rules() throws -> RulesReport {
        RulesReport(joining: try collect(ControlMethods.rules, NoParameters()))
    }
}
