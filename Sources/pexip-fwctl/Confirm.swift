import ArgumentParser
import Control
import Display
import Reports

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
