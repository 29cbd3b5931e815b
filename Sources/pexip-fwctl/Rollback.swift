import ArgumentParser
import Control
import Reports

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
