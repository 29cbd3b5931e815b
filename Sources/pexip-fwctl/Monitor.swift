import ArgumentParser
import Control
import Display
import Enforcement
import Glibc
import JSONValue
import Reports

/// `pexip-fwctl monitor`
struct Monitor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Follows what happens, one line for each event.",
        discussion: """
            Begins with the present state and goes on until it is interrupted. Exit status: 0 when \
            interrupted, or when nobody reads any more; 3 when the agent ends.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Flag(help: "Print each event as JSON, one line each.")
    var json = false

    func run() throws {
        // Being interrupted is how this ends.
        for number in [SIGINT, SIGTERM, SIGHUP] { signal(number) { _ in _exit(0) } }
        signal(SIGPIPE, SIG_IGN)
        try Terminal.reporting {
            var hasReader = true
            try connection.follow(ControlMethods.monitor, NoParameters()) { event in
                hasReader = try Terminal.printed(json ? event.jsonLine : event.line)
                return hasReader
            }
            if hasReader {
                throw Failure(.notRunning, .ended)
            }
        }
    }
}

extension Event {
    fileprivate var jsonLine: String {
        get throws {
            String(decoding: try JSONValue(encoding: self).shown(indents: false), as: UTF8.self)
        }
    }
}
