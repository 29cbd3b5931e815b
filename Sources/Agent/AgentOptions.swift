internal import Control

/// Where the agent finds and keeps its things.
package struct AgentOptions: Hashable, Sendable {
    /// Where the packaged agent reads its configuration.
    package static let defaultConfigurationDirectory = "/etc/pexip-fw.d"
    /// Where the packaged agent keeps generations.
    package static let defaultStateDirectory = "/var/lib/pexip-fw"
    /// Where the packaged agent listens.
    package static let defaultSocketPath = PexipFirewallInterface.defaultSocketPath
    /// How old the metrics file becomes where nobody says.
    package static let defaultMetricsInterval = Duration.seconds(30)

    /// The directory of .yaml files that is enforced.
    package var configurationDirectory: String
    /// The directory that generations are kept in.
    package var stateDirectory: String
    /// The socket of the Varlink interface.
    package var socketPath: String
    /// The boot's id where a sandbox hides the kernel's own.
    package var bootID: String?
    /// A file that is kept fresh for monitoring; nil for none.
    package var metricsFile: String?
    /// How old it becomes at most.
    package var metricsInterval: Duration

    package init(
        configurationDirectory: String = defaultConfigurationDirectory,
        stateDirectory: String = defaultStateDirectory,
        socketPath: String = defaultSocketPath, bootID: String? = nil,
        metricsFile: String? = nil, metricsInterval: Duration = defaultMetricsInterval
    ) {
        self.configurationDirectory = configurationDirectory
        self.stateDirectory = stateDirectory
        self.socketPath = socketPath
        self.bootID = bootID
        self.metricsFile = metricsFile
        self.metricsInterval = metricsInterval
    }
}
