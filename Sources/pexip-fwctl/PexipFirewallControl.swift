import ArgumentParser
import Enforcement

/// `pexip-fwctl`: what people type. Nouns (`show`, `status`, `check`) change nothing.
///
/// A command's type has the command's name, with `Command` behind it where others have that name.
@main
struct PexipFirewallControl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pexip-fwctl",
        abstract: "Shows and steers the pexip-fw agent.",
        discussion: """
            Exit status: 0 done, or healthy; 1 refused, failed, or not healthy; 2 the explained \
            packet is refused; 3 the agent is not running; 4 not permitted; 64 wrong usage.
            """,
        version: Version.current,
        subcommands: [
            Status.self, Plan.self, Apply.self, Confirm.self, Rollback.self, Flush.self, Check.self,
            Show.self,
            Explain.self, MeshCommand.self, Monitor.self, MetricsCommand.self, DoctorCommand.self,
            DiagramCommand.self, Report.self, Init.self, Schema.self,
        ])

    @OptionGroup var connection: ConnectionOptions

    /// As the argument parser has it, but for what it says of words that it does not understand.
    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            let message = fullMessage(for: error)
            let code = exitCode(for: error)
            if code == .success { exit(withError: error) }
            if !message.isEmpty { Terminal.complain(message, quoting: CommandLine.arguments) }
            exit(withError: code)
        }
    }
}
