import ArgumentParser
import Control
import Display
import Enforcement
import Reports

// The commands that tell of the agent's counters and samples.

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

/// `pexip-fwctl show counters`
struct ShowCounters: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "counters",
        abstract: "Prints what every row permitted and every refusal refused.")

    @OptionGroup var connection: ConnectionOptions

    @Option(help: "Only what concerns this node.", completion: Completion.nodes)
    var node: String?

    @Flag(help: "Print the counters as JSON.")
    var json = false

    func run() throws {
        try Terminal.reporting {
            let report = try connection.call(ControlMethods.counters, NodeParameters(node: node))
            if json {
                try Terminal.printJSON(report)
            } else {
                Terminal.show(report.page(now: .now))
            }
        }
    }
}

/// `pexip-fwctl show drops`
struct ShowDrops: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drops",
        abstract: "Tells who is refused most, each with the row that comes closest.",
        discussion: """
            By samples of refused packets, where refusals.sample is on in the configuration.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(help: "Only what is refused to and from this node.", completion: Completion.nodes)
    var node: String?

    @Option(help: "How many talkers, from 1 to \(DropsReport.mostTalkers).")
    var limit = DropsReport.usualTalkers

    @Flag(help: "Print the talkers as JSON.")
    var json = false

    func validate() throws {
        guard (1...DropsReport.mostTalkers).contains(limit) else {
            throw ValidationError("--limit is from 1 to \(DropsReport.mostTalkers).")
        }
    }

    func run() throws {
        try Terminal.reporting {
            let report = try connection.call(
                ControlMethods.drops, DropsParameters(node: node, limit: limit))
            if json {
                try Terminal.printJSON(report)
            } else {
                Terminal.show(report.page(now: .now))
            }
        }
    }
}
