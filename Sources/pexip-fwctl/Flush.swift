import ArgumentParser
import Control
import Reports

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
