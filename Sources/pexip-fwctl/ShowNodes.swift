import ArgumentParser
import Control
import Display
import Enforcement
import Reports

/// `pexip-fwctl show nodes`
struct ShowNodes: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes",
        abstract: "Lists the enforced nodes, with their tables and what was refused.",
        discussion: """
            With --config-dir, the nodes that the configuration there would enforce on this host, \
            without an agent.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var source: ConfigurationOption

    @Flag(help: "Print the nodes as JSON.")
    var json = false

    func run() throws {
        try Terminal.reporting {
            let report =
                try source.compile(node: nil).map(NodesReport.init)
                ?? NodesReport(connection.call(ControlMethods.status).nodes)
            if json { try Terminal.printJSON(report) } else { Terminal.show(report.page) }
        }
    }
}
