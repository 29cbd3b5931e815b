import ArgumentParser
import Control
import Display
import Enforcement
import Reports

/// `pexip-fwctl status`
struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows whether the host is protected, by what, and what went wrong.",
        discussion: """
            Exit status: 0 when in sync, pending confirmation or pinned, 1 in any other state; with \
            --watch, 0 when interrupted.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Flag(help: "Print the agent's report as JSON.")
    var json = false

    @Flag(help: "Go on, and show what changes as it changes.")
    var watch = false

    func validate() throws {
        if json && watch {
            throw ValidationError("--watch is for people: monitor --json follows events as JSON.")
        }
    }

    func run() throws {
        try Terminal.reporting {
            if watch { return try StatusWatch(connection).run() }
            let report = try connection.status()
            if json {
                try Terminal.printJSON(report)
            } else {
                Terminal.show(report.page(now: .now))
            }
            if !report.state.isHealthy { throw ExitCode.failure }
        }
    }
}

extension ConnectionOptions {
    func status() throws -> StatusReport {
        try call(ControlMethods.status, isQuiet: true)
    }
}
