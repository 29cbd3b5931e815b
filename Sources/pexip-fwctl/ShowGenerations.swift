import ArgumentParser
import Control
import Display
import Reports

/// `pexip-fwctl show generations`
struct ShowGenerations: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generations",
        abstract: "Lists the stored generations, oldest first.")

    @OptionGroup var connection: ConnectionOptions

    func run() throws {
        try Terminal.reporting {
            for generation in try connection.collect(ControlMethods.generations, NoParameters()) {
                Terminal.say(document: generation.line + "\n")
            }
        }
    }
}
