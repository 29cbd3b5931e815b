import ArgumentParser
import Configuration
import Control
import Display
import Enforcement
import PlainText
import Policy
import PortModel
import Reports
import Ruleset
import Site

/// `pexip-fwctl show …`
struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what is in force or stored; changes nothing.",
        subcommands: [
            ShowPorts.self, ShowNodes.self, ShowRules.self, ShowGenerations.self,
            ShowCounters.self, ShowDrops.self,
        ])
}

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

/// `pexip-fwctl show ports`
struct ShowPorts: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ports",
        abstract: "Prints nodes' port tables as the documentation does, with the site's values.",
        discussion: """
            Of the nodes that the agent enforces, or of all nodes of the configuration in \
            --config-dir, without an agent.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var source: ConfigurationOption

    @Option(help: "Only this node.", completion: Completion.nodes)
    var node: String?

    @Flag(help: "Print the tables as JSON.")
    var json = false

    func run() throws {
        try Terminal.reporting {
            let report = try source.configDir.map(documented) ?? inForce()
            if json {
                try Terminal.printJSON(report)
            } else {
                Terminal.say(document: report.text)
            }
        }
    }

    private func inForce() throws -> PortsReport {
        PortsReport(try connection.collect(ControlMethods.ports, NodeParameters(node: node)))
    }

    private func documented(_ directory: String) throws -> PortsReport {
        let loaded = ConfigurationDirectory(directory).load()
        Terminal.complain(loaded.diagnostics)
        guard let deployment = loaded.deployment else {
            throw Failure(.failure, MissingInput.portTables(directory: directory).words)
        }
        if let node { try deployment.require(node) }
        let nodes = deployment.nodes.map(\.name)
        return PortsReport(
            of: deployment.groups(named: node.map { [$0] } ?? nodes), in: deployment)
    }
}

/// `pexip-fwctl show generations`
struct ShowGenerations: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generations",
        abstract: "Lists the stored generations, oldest first.")

    @OptionGroup var connection: ConnectionOptions

    func run() throws {
        try Terminal.reporting {
            for generation in try connection.collect(ControlMethods.generations, NoParameters()) {
                Terminal.say(document: generation.line + "\n")
            }
        }
    }
}
