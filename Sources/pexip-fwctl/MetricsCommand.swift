import ArgumentParser
import Control
import Metrics

/// `pexip-fwctl metrics`
struct MetricsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics",
        abstract: "Prints what is measured, for Prometheus and others.",
        discussion: """
            OpenMetrics, or with --format prometheus the text that node_exporter's textfile \
            collector reads and pexip-fwd --metrics-file writes.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(help: "openmetrics or prometheus.")
    var format = ExpositionFormat.openMetrics

    func run() throws {
        try Terminal.reporting {
            let families = try connection.call(ControlMethods.metrics, isQuiet: true)
            Terminal.say(document: families.text(as: format))
        }
    }
}

extension ExpositionFormat: ExpressibleByArgument {}
