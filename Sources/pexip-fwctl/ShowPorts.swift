import ArgumentParser
import Configuration
import Control
import Display
import Reports
import Site

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
