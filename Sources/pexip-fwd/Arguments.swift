import Agent
import Enforcement
@preconcurrency import Glibc
import LinuxSystem
import PlainText

/// The arguments that `pexip-fwd` was started with.
///
/// Read by getopt_long(3). swift-argument-parser, which `pexip-fwctl` has, links
/// FoundationEssentials: both were a third of the program and a tenth of the memory of the agent
/// and its processes.
struct Arguments {
    enum Command: String, CaseIterable {
        case restore
        case removeTables = "remove-tables"
    }

    /// nil to be the agent.
    var command: Command?
    var options = AgentOptions(bootID: ProcessEnvironment.value(of: "PEXIP_FW_BOOT_ID"))
    var isDebug = false

    private enum Option: String, CaseIterable {
        case configDir = "config-dir"
        case stateDir = "state-dir"
        case socket
        case metricsFile = "metrics-file"
        case metricsInterval = "metrics-interval"
        case debug
        case version
        case help

        var takesValue: Bool {
            switch self {
            case .configDir, .stateDir, .socket, .metricsFile, .metricsInterval: true
            case .debug, .version, .help: false
            }
        }
    }

    /// Reads the process's arguments. Ends the process where they ask for no more than words, or can't
    /// be understood.
    init() {
        let given: LongOptions<Option>
        do throws(LongOptionsProblem) {
            given = try LongOptions(Option.allCases, takesValue: \.takesValue)
        } catch {
            Self.refuse(error.description)
        }
        for (option, value) in given.options { take(option, value ?? "") }
        for word in given.operands {
            guard let command = Command(rawValue: word), self.command == nil else {
                Self.refuse("unexpected argument \"\(word)\"")
            }
            self.command = command
        }
    }

    private mutating func take(_ option: Option, _ value: String) {
        switch option {
        case .configDir: options.configurationDirectory = value
        case .stateDir: options.stateDirectory = value
        case .socket: options.socketPath = value
        case .metricsFile:
            guard value.hasSuffix(".prom") else {
                Self.refuse("--metrics-file must end in .prom: node_exporter reads no other file")
            }
            options.metricsFile = value
        case .metricsInterval:
            guard let seconds = Int(value), (1...3600).contains(seconds) else {
                Self.refuse("--metrics-interval is a number of seconds from 1 to 3600")
            }
            options.metricsInterval = .seconds(seconds)
        case .debug: isDebug = true
        case .version: Self.end(telling: Version.current)
        case .help: Self.end(telling: Self.help)
        }
    }

    private static func end(telling text: String) -> Never {
        print(text)
        exit(EXIT_SUCCESS)
    }

    private static func refuse(_ problem: String) -> Never {
        fputs("pexip-fwd: \(problem.visible)\nTry pexip-fwd --help.\n", stderr)
        exit(EX_USAGE)
    }

    private static let help = """
        Enforces the documented port usage of Pexip Infinity nodes with nftables.

        Usage: pexip-fwd [OPTION]... [restore | remove-tables]

        Watches the configuration directory and the kernel until SIGTERM; SIGHUP loads the
        configuration again. The rules stay in force when the agent ends.

        Commands:
          restore            put the last confirmed generation in force, and end: for the boot,
                             before there is a network. What waited for confirmation when the
                             host went down is not restored.
          remove-tables      take every table of pexip-fw away, and end: nothing is enforced any
                             more. For a host without an agent, which would put them back.

        Options:
              --config-dir=DIR             the directory of .yaml files to enforce
                                           (\(AgentOptions.defaultConfigurationDirectory))
              --state-dir=DIR              where generations are kept
                                           (\(AgentOptions.defaultStateDirectory))
              --socket=PATH                the control socket (\(AgentOptions.defaultSocketPath))
              --metrics-file=PATH          a file to keep fresh for node_exporter's textfile
                                           collector; its name ends in .prom
              --metrics-interval=SECONDS   how old that file becomes, 1 to 3600
                                           (\(AgentOptions.defaultMetricsInterval.components.seconds))
              --debug                      log what is usually of no interest
              --version                    print the version
          -h, --help                       print this help
        """
}
