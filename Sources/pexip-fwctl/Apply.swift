import ArgumentParser
import Control
import Display
import Enforcement
import Reports
import Site

/// `pexip-fwctl apply`
struct Apply: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Loads the configuration now and puts it in force.")

    @OptionGroup var connection: ConnectionOptions

    @Flag(help: "Only say what would change, as plan does.")
    var dryRun = false

    @Option(
        help:
            "Take it back after this time, such as 60s or 5m, unless pexip-fwctl confirm is said.",
        completion: .list(["60s", "2m", "5m", "10m"]))
    var confirm: ConfirmationTime?

    @Flag(help: "Even where it cuts your SSH session; and without trying the configured probes.")
    var force = false

    @Flag(help: "Also print how the rules differ, in nft's language.")
    var nft = false

    func run() throws {
        try Terminal.reporting {
            if dryRun {
                return try connection.plan(force: force, withTables: nft).concludePlan()
            }
            let parameters = ApplyParameters(
                confirmSeconds: confirm?.seconds, force: force,
                session: OperatorSession.current?.sshConnection, tables: nft)
            let note = confirm.map { ApplyReport.reminder(toConfirmWithin: $0.seconds) }
            try connection.call(ControlMethods.apply, parameters).conclude(note)
        }
    }
}
