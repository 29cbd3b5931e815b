import ArgumentParser
import Configuration
import Display
import Enforcement
import Site

/// Where the configuration is, for what works without an agent.
struct ConfigurationOption: ParsableArguments {
    static let defaultDirectory = "/etc/pexip-fw.d"

    @Option(
        help: "Work from the configuration in this directory, without an agent.",
        completion: .directory)
    var configDir: String?

    /// For commands whose `--node` chooses what to compile.
    func requireDirectory(for node: String?) throws {
        if node != nil, configDir == nil {
            throw ValidationError("--node needs --config-dir: the agent knows what it enforces.")
        }
    }

    /// The rules that the directory compiles to; nil where none is named. Prints the diagnostics.
    func compile(node: String?) throws -> Compilation.Target? {
        guard let configDir else { return nil }
        let compilation = Compilation(
            ConfigurationDirectory(configDir).load(), hostAddresses: try HostAddresses.current(),
            node: node)
        Terminal.complain(compilation.diagnostics)
        guard let target = compilation.target else {
            throw Failure(.failure, MissingInput.target(directory: configDir).words)
        }
        return target
    }
}
