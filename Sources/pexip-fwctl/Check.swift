import ArgumentParser
import Configuration
import Enforcement
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
            let errors = loaded.diagnostics.count { $0.severity == .error }
            let warnings = loaded.diagnostics.count - errors
            guard !loaded.hasErrors else {
                throw Failure(
                    .failure, "\(path): \(errors.counted("error")), \(warnings.counted("warning"))")
            }
            guard let deployment = loaded.deployment else {
                throw Failure(.failure, "\(path): no .yaml file configures any node")
            }
            Terminal.say(
                "\(path): correct: \(deployment.nodes.count.counted("node")), \(warnings.counted("warning"))"
            )
        }
    }
}
