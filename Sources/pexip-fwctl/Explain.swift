import ArgumentParser
import Deployment
import Enforcement
import JSONValue
import Policy
import Ruleset

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
                ?? connection.call(
                    "Explain",
                    [
                        "protocol": .string(query.protocol), "source": .string(query.source),
                        "destination": .string(query.destination),
                    ], member: "report", as: ExplainReport.self)
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

extension ExplainReport {
    /// The explanation for people.
    var lines: [String] {
        var lines: [String] = []
        func add(_ label: String, _ text: String) {
            lines.append(label.padded(to: 12) + text)
        }
        add("verdict", "\(explanation.verdict.rawValue): \(explanation.reason)")
        for crossing in crossings { add("but", crossing.words) }
        for row in explanation.permits { addRow("row", row, add) }
        for rule in explanation.rules {
            add("rule", "\(rule.table) \(rule.chain) \(rule.number): \(rule.rule)")
            if let counter = rule.counter, let value = counters[counter] {
                add("", "\(counter): \(value.packets) packets, \(value.bytes) bytes so far")
            }
        }
        for miss in explanation.nearest {
            addRow("nearest", miss.row, add)
            add("", "but \(miss.differences.joined(separator: ", and "))")
        }
        for row in inactive {
            addRow("inactive", row, add)
            add("", "would permit it, but its feature is off")
        }
        if explanation.verdict == .drop, let incomplete { add("unknown", incomplete) }
        return lines
    }

    private func addRow(_ label: String, _ id: String, _ add: (String, String) -> Void) {
        add(label, id)
        guard let row = rows[id] else { return }
        add("", row.line)
        for footnote in row.footnotes { add("", footnote) }
    }
}
