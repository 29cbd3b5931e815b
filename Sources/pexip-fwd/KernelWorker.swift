import ArgumentParser
import Nftables

/// What the agent starts of itself to keep `CAP_NET_ADMIN` and to run libnftables.
struct KernelWorker: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: KernelKeeper.subcommand,
        abstract: "Runs libnftables for an agent, which starts it.", shouldDisplay: false)

    func run() throws { try KeeperProgram.run() }
}
