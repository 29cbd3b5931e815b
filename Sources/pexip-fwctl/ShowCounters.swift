import ArgumentParser
import Control
import Display
import Enforcement
import Reports

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
