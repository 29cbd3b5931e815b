import ArgumentParser
import Configuration
import Control
import Display
import Enforcement
import Reports
import Site

/// `pexip-fwctl plan`
struct Plan: ParsableCommand {
    static let defaultStateDirectory = "/var/lib/pexip-fw"

    static let configuration = CommandConfiguration(
        abstract: "Says what apply would change, and how many live flows it would end.",
        discussion: """
            Asks the agent, which compares with what is in force and lets the kernel check it. With \
            --config-dir, or where the agent does not run or may not be asked, compares with the \
            stored generation, as far as that can be read, and says so. Changes nothing. Exit \
            status: 1 where apply would be refused or would fail.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var source: ConfigurationOption

    @Option(
        help: "With --config-dir: plan for this node, wherever this is.",
        completion: Completion.nodes)
    var node: String?

    @Option(help: "Where generations are stored, for what is compared without the agent.")
    var stateDir = Plan.defaultStateDirectory

    @Flag(help: "Also print how the rules would differ, in nft's language.")
    var nft = false

    @Flag(help: "Print the plan as JSON.")
    var json = false

    func validate() throws { try source.requireDirectory(for: node) }

    func run() throws {
        try Terminal.reporting {
            guard source.configDir == nil else { return try withoutAgent().concludePlan(json) }
            do {
                try connection.plan(withTables: nft).concludePlan(json)
            } catch let failure as Failure where failure.isUnreachable {
                Terminal.complain("pexip-fwctl: \(failure.description)")
                try withoutAgent().concludePlan(json)
            }
        }
    }

    private func withoutAgent() throws -> ApplyReport {
        let directory = source.configDir ?? ConfigurationOption.defaultDirectory
        let compilation = Compilation(
            ConfigurationDirectory(directory).load(), hostAddresses: try HostAddresses.current(),
            node: node)
        return compilation.plan(from: stored, withTables: nft)
    }

    /// The stored generation that is to be in force; says where there is none to compare with.
    private var stored: Generation? {
        do throws(StoreError) {
            let store = try GenerationStore(ofAgentAt: stateDir)
            if let number = try store.standing()?.generation {
                let generation = try store.generation(number)
                complain(.stored(generation: number))
                return generation
            }
            complain(.nothing)
        } catch {
            complain(.unknown("\(error)"))
        }
        return nil
    }

    private func complain(_ basis: PlanBasis) { Terminal.complain("pexip-fwctl: \(basis.words)") }
}

extension ConnectionOptions {
    /// The agent's plan: what `plan` and `apply --dry-run` show.
    func plan(force: Bool = false, withTables: Bool) throws -> ApplyReport {
        try call(
            ControlMethods.plan,
            PlanParameters(
                force: force, session: OperatorSession.current?.sshConnection, tables: withTables))
    }
}
