import ArgumentParser
import Control
import Display
import Enforcement
import Reports

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
