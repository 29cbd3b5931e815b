import ArgumentParser
import Control
import Display
import Enforcement
import Reports

/// `pexip-fwctl mesh`
struct MeshCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mesh",
        abstract: "Says whether the nodes reach each other by IPsec, and where that ends.",
        discussion: """
            For each pair of nodes of which one is enforced: when IKE and ESP were seen last, in \
            either direction, this host's routes, and signs of a NAT in between; the worst first, \
            with what to look at. Exit status: 0 where no pair is broken, 1 where one is.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(help: "Only pairs with this node.", completion: Completion.nodes)
    var node: String?

    @Flag(help: "Also each pair that is up, however many there are.")
    var all = false

    @Flag(help: "Print the agent's report as JSON.")
    var json = false

    func run() throws {
        try Terminal.reporting {
            let report = try connection.call(
                ControlMethods.mesh, MeshParameters(node: node, all: all))
            if json {
                try Terminal.printJSON(report)
            } else {
                Terminal.show(report.page(now: .now))
            }
            if report.hasBroken { throw ExitCode.failure }
        }
    }
}
