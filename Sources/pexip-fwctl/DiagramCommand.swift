import ArgumentParser
import Configuration
import Display
import Drawing
import Site

/// `pexip-fwctl diagram`
struct DiagramCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diagram",
        abstract: "Draws who may reach the nodes by which ports, and whom they may reach.",
        discussion: """
            The diagrams that the documentation names, inbound and outbound for each role, with \
            the nodes, peers and ports of the configuration: two for each group of nodes that are \
            configured alike. Needs neither the agent nor privileges.
            """)

    /// The readers that it is drawn for.
    enum Format: String, ExpressibleByArgument, CaseIterable {
        /// Browsers, text processors and paper.
        case svg
        /// Markdown on GitHub and GitLab.
        case mermaid

        var fileExtension: String { self == .svg ? "svg" : "mmd" }
    }

    @OptionGroup var source: ConfigurationOption

    @Option(help: "Only this node.", completion: Completion.nodes)
    var node: String?

    @Option(help: "svg, or mermaid for Markdown on GitHub and GitLab.")
    var format = Format.svg

    @Option(
        help: "Write each diagram to a file of its own in this directory, to fit a printed page.",
        completion: .directory)
    var output: String?

    func run() throws {
        try Terminal.reporting {
            let deployment = try source.deployment(node: node)
            let nodes = node.map { [$0] } ?? deployment.nodes.map(\.name)
            let diagrams = deployment.diagrams(of: nodes.compactMap(deployment.node(named:)))
            if let output { return try write(diagrams, to: output) }
            Terminal.say(document: text(of: diagrams))
        }
    }

    private func text(of diagrams: [Diagram]) -> String {
        switch format {
        case .svg: SVG.document(diagrams)
        case .mermaid: Mermaid.document(diagrams)
        }
    }

    /// A file each, and its name on standard output.
    private func write(_ diagrams: [Diagram], to directory: String) throws {
        for (name, diagram) in zip(diagrams.fileNames, diagrams) {
            let path = "\(directory)/\(name).\(format.fileExtension)"
            try OutputFile.write(text(of: [diagram]), to: path)
            Terminal.say(path)
        }
    }
}
