import Agent
import ArgumentParser

/// `pexip-fwd remove-tables`: what removing the package runs.
struct RemoveTables: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Takes every table of pexip-fw away, and ends.",
        discussion: """
            Nothing is enforced any more. For a host without an agent: one that runs would put the \
            tables back; pexip-fwctl flush tells it not to.
            """)

    @ParentCommand var agent: PexipFirewallDaemon

    func run() throws {
        try agent.withAccess { access, _, log in
            try await TableRemoval(access: access, log: log).run()
        }
    }
}
