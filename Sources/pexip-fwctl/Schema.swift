import ArgumentParser
import Authoring

/// `pexip-fwctl schema`
struct Schema: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints the JSON Schema of a configuration file, for editors.",
        discussion: """
            The package installs it as \(ConfigurationSchema.installedPath). Editors find it by a \
            line at the top of a file: \(ConfigurationSchema.modeline)
            """)

    func run() throws { try Terminal.printJSON(ConfigurationSchema.document) }
}
