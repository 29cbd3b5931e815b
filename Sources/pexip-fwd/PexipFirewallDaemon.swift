import Agent
import ArgumentParser
import Enforcement
import Glibc
import LinuxSystem
import Logging
import Nftables

/// `pexip-fwd`: the agent, and the keeper, which it starts of itself.
@main
enum Program {
    static func main() {
        guard CommandLine.arguments.dropFirst().first == KernelKeeper.subcommand else {
            return PexipFirewallDaemon.main()
        }
        do {
            try KeeperProgram.run()
        } catch {
            Logger(label: "pexip-fw-keeper") { _ in JournalLogHandler() }
                .critical("the keeper ends: \(error)")
            exit(EXIT_FAILURE)
        }
    }
}

/// `pexip-fwd` as people and systemd start it.
struct PexipFirewallDaemon: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pexip-fwd",
        abstract: "Enforces the documented port usage of Pexip Infinity nodes with nftables.",
        discussion: """
            Watches the configuration directory and the kernel until SIGTERM; SIGHUP loads the \
            configuration again. The rules stay in force when the agent ends.
            """,
        version: Version.current,
        subcommands: [Restore.self, RemoveTables.self])

    @Option(help: "The directory of .yaml files to enforce.", completion: .directory)
    var configDir = AgentOptions.defaultConfigurationDirectory

    @Option(help: "Where generations are kept.", completion: .directory)
    var stateDir = AgentOptions.defaultStateDirectory

    @Option(help: "The control socket.", completion: .file())
    var socket = AgentOptions.defaultSocketPath

    @Option(
        help:
            "A file to keep fresh for node_exporter's textfile collector; its name ends in .prom.",
        completion: .file(extensions: ["prom"]))
    var metricsFile: String?

    @Option(help: "How old that file becomes, in seconds (1 to 3600).")
    var metricsInterval = Int(AgentOptions.defaultMetricsInterval.components.seconds)

    @Flag(help: "Log what is usually of no interest.")
    var debug = false

    func validate() throws {
        guard (1...3600).contains(metricsInterval) else {
            throw ValidationError("--metrics-interval is a number of seconds from 1 to 3600.")
        }
        if let metricsFile, !metricsFile.hasSuffix(".prom") {
            throw ValidationError(
                "--metrics-file must end in .prom: node_exporter reads no other file.")
        }
    }

    // Not async, which would start threads before the privileges are gone.
    func run() throws {
        try withAccess { access, options, log in
            try await Agent(options: options, access: access, log: log).run()
        }
    }

    /// Gives up this process's privileges, and runs the body with what is left of them.
    func withAccess(
        _ body: @escaping @Sendable (KernelAccess, AgentOptions, Logger) async throws -> Void
    ) throws {
        Memory.useOneArena()
        Memory.returnLargeBlocks()
        let level: Logger.Level = debug ? .debug : .info
        LoggingSystem.bootstrap { _ in
            var handler = JournalLogHandler()
            handler.logLevel = level
            return handler
        }
        let log = Logger(label: "pexip-fwd")
        do {
            let access = try KernelAccess()
            let options = AgentOptions(
                configurationDirectory: configDir, stateDirectory: stateDir, socketPath: socket,
                bootID: ProcessEnvironment.value(of: "PEXIP_FW_BOOT_ID"),
                metricsFile: metricsFile, metricsInterval: .seconds(metricsInterval))
            try waiting { try await body(access, options, log) }
        } catch {
            log.critical("pexip-fwd ends: \(error)")
            throw ExitCode.failure
        }
    }
}
