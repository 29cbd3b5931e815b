import Agent
import ArgumentParser

/// `pexip-fwd restore`: what a boot runs.
struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Puts the last confirmed generation in force, and ends.",
        discussion: """
            For the boot, before there is a network: needs the state directory, but neither a \
            configuration nor the agent. What waited for confirmation when the host went down is \
            not restored.
            """)

    @ParentCommand var agent: PexipFirewallDaemon

    func run() throws {
        try agent.withAccess { access, options, log in
            try await BootRestore(options: options, access: access, log: log).run()
        }
    }
}
