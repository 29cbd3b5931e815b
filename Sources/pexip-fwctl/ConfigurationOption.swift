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

    /// The deployment in the directory, by default the agent's. Prints the diagnostics.
    ///
    /// - Parameter node: must be one of the deployment's.
    func deployment(node: String?) throws -> Deployment {
        let directory = configDir ?? Self.defaultDirectory
        return try ConfigurationDirectory(directory).load()
            .deploymentOrFailure(in: directory, node: node)
    }
}

extension LoadedConfiguration {
    /// The deployment, or what to do about there being none. Prints the diagnostics.
    ///
    /// - Parameters:
    ///   - place: the directory, or what else holds the configuration.
    ///   - node: must be one of the deployment's.
    ///   - hint: what else helps where something is wrong.
    func deploymentOrFailure(
        in place: String, node: String?, hint: String = ""
    ) throws -> Deployment {
        Terminal.complain(diagnostics)
        guard let deployment else {
            throw Failure(
                .failure,
                MissingInput.deployment(place: place, hasErrors: hasErrors, hint: hint).words)
        }
        if let node { try deployment.require(node) }
        return deployment
    }
}

extension Deployment {
    /// - Throws: ``Failure`` where no node has the name.
    func require(_ name: String) throws {
        if node(named: name) != nil { return }
        throw Failure(.failure, MissingInput.node(name, known: nodes.map(\.name)).words)
    }
}
