import ArgumentParser
import Control
import Display
import Enforcement
import Policy
import Reports
import Ruleset
import Site

/// `pexip-fwctl explain`
struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says which row decides about a packet, and why.",
        discussion: """
            The packet is taken as the first of a new flow. Addresses are 10.0.0.21, \
            10.0.0.21:443 or [2001:db8::21]:443; without a source port, \
            \(PacketQuery.commonSourcePort) is taken. Asks the agent about what is in force; with \
            --config-dir, explains by the configuration there, without an agent. Exit status: 0 \
            where the packet passes, 2 where it is refused, 1 where the question can't be answered.
            """)

    /// Tells a packet that is refused from a question that failed.
    private static let refused = ExitCode(2)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var source: ConfigurationOption

    @Option(
        help: "With --config-dir: explain for this node, wherever this is.",
        completion: Completion.nodes)
    var node: String?

    @Flag(help: "Print the explanation as JSON.")
    var json = false

    @Argument(
        help: "tcp, udp, esp, icmp or a protocol's number.",
        completion: .list(["tcp", "udp", "esp", "icmp"]))
    var `protocol`: String

    @Argument(help: "Where the packet comes from.")
    var from: String

    @Argument(help: "Where it goes.")
    var to: String

    func validate() throws { try source.requireDirectory(for: node) }

    func run() throws {
        try Terminal.reporting {
            let query = PacketQuery(protocol: `protocol`, source: from, destination: to)
            let report =
                try source.compile(node: node).map { target in
                    try explain(query, by: target)
                }
                ?? connection.call(ControlMethods.explain, query)
            if json { try Terminal.printJSON(report) } else { Terminal.say(report.lines) }
            if report.explanation.verdict == .drop { throw Self.refused }
        }
    }

    private func explain(
        _ query: PacketQuery, by target: Compilation.Target
    ) throws -> ExplainReport {
        do throws(PacketQuery.Problem) {
            let packet = try query.packet(for: target.nodes, in: target.ruleset.placement)
            return ExplainReport(
                packet, by: target.ruleset, nodes: target.nodes,
                deployment: .success(target.deployment))
        } catch {
            throw Failure(.failure, error.description)
        }
    }
}
