import ArgumentParser
import Deployment
import Enforcement
import JSONValue

/// `pexip-fwctl apply`
struct Apply: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Loads the configuration now and puts it in force.")

    @OptionGroup var connection: ConnectionOptions

    @Flag(help: "Only say what would change, and let the kernel check it.")
    var dryRun = false

    func run() throws {
        try Terminal.reporting {
            try connection.call(
                "Apply", ["dryRun": .bool(dryRun)], member: "report", as: ApplyReport.self
            ).conclude()
        }
    }
}

/// `pexip-fwctl rollback`
struct Rollback: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Puts an older generation in force.",
        discussion: "It stays until the configuration changes or apply is said.")

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The generation's number; by default the newest before that in force.")
    var generation: Int?

    func run() throws {
        try Terminal.reporting {
            let parameters = generation.map { ["generation": JSONValue.integer(Int64($0))] } ?? [:]
            try connection.call(
                "Rollback", parameters, member: "report", as: ApplyReport.self
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
            try connection.call("Flush", member: "report", as: ApplyReport.self).conclude()
        }
    }
}

extension ApplyReport {
    /// Prints the report, and fails where nothing was put in force.
    fileprivate func conclude() throws {
        Terminal.complain(diagnostics)
        for change in changes {
            print("\(change.kind.rawValue)\t\(change.node)\t\(change.row)")
        }
        let now = generation.map { "generation \($0) is in force" } ?? "nothing is enforced"
        switch outcome {
        case .unchanged: print("unchanged: \(now)")
        case .applied: print("applied: \(now)")
        case .wouldApply: print("would apply \(changes.count.counted("change")); now \(now)")
        case .rejected:
            let errors = diagnostics.count { $0.severity == .error }
            throw Failure(
                .failure,
                "the configuration has \(errors.counted("error")); nothing was changed: \(now)")
        case .failed:
            throw Failure(.failure, problem ?? "failed; \(now)")
        }
    }
}
