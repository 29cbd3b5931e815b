import ArgumentParser
import Configuration
import Display
import Reports
import Site

/// `pexip-fwctl check`
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Validates a configuration directory, without an agent.")

    @OptionGroup var configuration: ConfigurationOption

    @Argument(
        help: "The directory; by default \(ConfigurationOption.defaultDirectory).",
        completion: .directory)
    var directory: String?

    func run() throws {
        try Terminal.reporting {
            let path =
                directory ?? configuration.configDir ?? ConfigurationOption.defaultDirectory
            let loaded = ConfigurationDirectory(path).load()
            Terminal.complain(loaded.diagnostics)
            let verdict = ConfigurationVerdict(
                of: path, diagnostics: loaded.diagnostics, nodes: loaded.deployment?.nodes.count)
            guard verdict.isCorrect else { throw Failure(.failure, verdict.words) }
            Terminal.say(verdict.words)
        }
    }
}
