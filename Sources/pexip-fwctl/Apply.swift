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

/// A time to confirm in, as it is typed.
struct ConfirmationTime: ExpressibleByArgument {
    let seconds: Int

    init?(argument: String) {
        guard let seconds = Guard.seconds(argument), Guard.confirmSeconds.contains(seconds) else {
            return nil
        }
        self.seconds = seconds
    }
}

/// `pexip-fwctl confirm`
struct Confirm: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keeps the generation that waits for confirmation.")

    @OptionGroup var connection: ConnectionOptions

    func run() throws {
        try Terminal.reporting {
            let report = try connection.call(ControlMethods.confirm)
            switch report.confirmation {
            case .kept(let words): Terminal.say(words)
            case .nothingWaits(let words): throw Failure(.failure, words)
            case .other: try report.conclude()
            }
        }
    }
}

/// `pexip-fwctl rollback`
struct Rollback: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Puts an older generation in force.",
        discussion: """
            It stays until the configuration changes or apply is said. What waits for confirmation \
            is taken back at once.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(
        help: "The generation's number; by default the newest before that in force.",
        completion: Completion.generations)
    var generation: Int?

    func run() throws {
        try Terminal.reporting {
            try connection.call(
                ControlMethods.rollback, RollbackParameters(generation: generation)
            ).conclude()
        }
    }
}

/// `pexip-fwctl flush`
struct Flush: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Takes pexip-fw's tables away: nothing is enforced.",
        discussion: "Until the configuration changes, or apply or rollback is said.")

    @OptionGroup var connection: ConnectionOptions

    func run() throws {
        try Terminal.reporting {
            try connection.call(ControlMethods.flush).conclude()
        }
    }
}

extension ApplyReport {
    /// Prints the report, and fails where nothing was put in force, or not all that goes with it
    /// was done.
    ///
    /// - Parameter note: what else is to be said where it was put in force.
    fileprivate func conclude(_ note: String? = nil) throws {
        Terminal.complain(diagnostics)
        showChanges()
        switch outcome {
        case .unchanged, .applied, .wouldApply:
            Terminal.say(conclusion)
            if let note { Terminal.say(note) }
            if let problem { throw Failure(.failure, problem) }
        case .rejected, .refused, .failed: throw Failure(.failure, refusal)
        }
    }

    /// Prints what changes, or would.
    func showChanges() {
        let page = changesPage + tablesPage
        if page != Page() { Terminal.show(page) }
    }
}
