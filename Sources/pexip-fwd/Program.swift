import Agent
import Enforcement
import Glibc
import LinuxSystem
import Logging
import Nftables

/// `pexip-fwd`: the agent, and the keeper, which it starts of itself.
@main
enum Program {
    static func main() {
        let isKeeper = CommandLine.arguments.dropFirst().first == KernelKeeper.subcommand
        do {
            try isKeeper ? KeeperProgram.run() : run(Arguments())
        } catch {
            Logger(label: "pexip-fwd") { _ in JournalLogHandler() }
                .critical("\(isKeeper ? "the keeper" : "pexip-fwd") ends: \(error)")
            exit(EXIT_FAILURE)
        }
    }

    /// One for each queue of the agent that may have something to do while others do, and for the
    /// processes that keeper and workers are (measured: up to 29 threads under load, 9 at rest; with
    /// fewer than 12 it hung).
    private static let agentThreads = 32
    /// The same of a command that ends by itself.
    private static let commandThreads = 8

    /// Gives up this process's privileges, and does with what is left of them what was asked for.
    private static func run(_ arguments: Arguments) throws {
        Memory.useOneArena()
        Memory.returnLargeBlocks()
        let level: Logger.Level = arguments.isDebug ? .debug : .info
        LoggingSystem.bootstrap { _ in
            var handler = JournalLogHandler()
            handler.logLevel = level
            return handler
        }
        let log = Logger(label: "pexip-fwd")
        let options = arguments.options
        do throws(SystemError) {
            try Urgency.allowReturn()
        } catch {
            log.debug("some threads may stay at a lower priority: \(error)")
        }
        // Before any thread is started.
        let access = try KernelAccess(for: options, isAgent: arguments.command == nil, log: log)
        // To the end, what it claims is this process's.
        defer { withExtendedLifetime(access) {} }
        try ThreadNeed.require(arguments.command == nil ? agentThreads : commandThreads)
        try waiting {
            switch arguments.command {
            case nil: try await Agent(options: options, access: access, log: log).run()
            case .restore:
                try await BootRestore(options: options, access: access, log: log).run()
            case .removeTables: try await TableRemoval(access: access, log: log).run()
            }
        }
    }
}
