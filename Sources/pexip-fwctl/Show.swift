import ArgumentParser
import Deployment
import Enforcement
import Ruleset

/// `pexip-fwctl show …`
struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what is in force or stored; changes nothing.",
        subcommands: [ShowRules.self, ShowGenerations.self])
}

/// `pexip-fwctl show rules`
struct ShowRules: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract: "Prints the tables in force in nft's language.",
        discussion: """
            With --config-dir, prints what the configuration there compiles to, without an agent \
            and without privileges.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var source: ConfigurationOption

    @Option(help: "With --config-dir: compile for this node, wherever this is.")
    var node: String?

    func validate() throws {
        if node != nil, source.configDir == nil {
            throw ValidationError("--node needs --config-dir: the agent shows what it enforces.")
        }
    }

    func run() throws {
        try Terminal.reporting {
            let report = try source.configDir.map(compile) ?? inForce()
            print(report.tables.map(\.text).joined(separator: "\n"), terminator: "")
        }
    }

    private func inForce() throws -> RulesReport {
        let report = try connection.call("Rules", as: RulesReport.self)
        if report.tables.isEmpty { Terminal.complain("pexip-fwctl: nothing is enforced") }
        return report
    }

    private func compile(_ directory: String) throws -> RulesReport {
        let compilation = Compilation(
            ConfigurationDirectory(directory).load(),
            hostAddresses: try HostAddresses.current(), node: node)
        Terminal.complain(compilation.diagnostics)
        guard let target = compilation.target else {
            throw Failure(.failure, "\(directory) compiles to nothing; --node names a node to show")
        }
        return RulesReport(target.ruleset.tables)
    }
}

/// `pexip-fwctl show generations`
struct ShowGenerations: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generations",
        abstract: "Lists the stored generations, oldest first.")

    @OptionGroup var connection: ConnectionOptions

    func run() throws {
        try Terminal.reporting {
            let report = try connection.call("Generations", as: GenerationsReport.self)
            for generation in report.generations {
                let nodes = generation.nodes.joined(separator: ", ")
                print(
                    "\(generation.number)\t\(generation.created)\t\(generation.origin.rawValue)\t\(nodes)"
                )
            }
        }
    }
}
