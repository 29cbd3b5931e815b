internal import Reports
package import Site

/// Whether a configuration directory is right, after its diagnostics were told.
package struct ConfigurationVerdict: Hashable, Sendable {
    private let path: String
    private let errors: Int
    private let warnings: Int
    /// nil where there is no deployment.
    private let nodes: Int?

    /// - Parameters:
    ///   - path: the directory.
    ///   - diagnostics: all that were told.
    ///   - nodes: how many nodes the deployment has; nil where there is none.
    package init(of path: String, diagnostics: [Diagnostic], nodes: Int?) {
        self.path = path
        errors = diagnostics.count { $0.severity == .error }
        warnings = diagnostics.count - errors
        self.nodes = nodes
    }

    /// Whether it configures a deployment without an error.
    package var isCorrect: Bool { errors == 0 && nodes != nil }

    /// The verdict and the counts, on one line.
    package var words: String {
        guard errors == 0 else {
            return "\(path): \(errors.counted("error")), \(warnings.counted("warning"))"
        }
        guard let nodes else { return "\(path): no .yaml file configures any node" }
        return "\(path): correct: \(nodes.counted("node")), \(warnings.counted("warning"))"
    }
}

/// Something that a command works from and that is not there.
package enum MissingInput: Hashable, Sendable {
    /// The directory compiles to no ruleset for this host.
    case target(directory: String)
    /// The directory, or what else holds the configuration, has no deployment.
    ///
    /// - `hasErrors`: something is wrong there, as was told.
    /// - `hint`: what else helps then; empty, or begins with `; `.
    case deployment(place: String, hasErrors: Bool, hint: String = "")
    /// The directory has no deployment, as was told.
    case portTables(directory: String)
    /// None of the deployment's nodes has the name.
    case node(String, known: [String])
    /// No generation is stored as the one in force.
    case standingGeneration(stateDirectory: String)
    /// The stored generation can't be read, for this reason.
    case storedGeneration(String)

    /// Where a stored generation is, in the place of a directory.
    package static func place(ofGeneration number: Int, in stateDirectory: String) -> String {
        "generation \(number) in \(stateDirectory)"
    }

    private static let withoutStore =
        "without --in-force the report tells what the configuration's files say"

    /// The thing that is missing and what to do, in a sentence without its end.
    package var words: String {
        switch self {
        case .target(let directory):
            "\(directory) compiles to nothing; --node names a node to take"
        case .deployment(let place, hasErrors: true, let hint):
            "\(place) configures no deployment: correct what is wrong there\(hint)"
        case .deployment(let place, hasErrors: false, _):
            "\(place) configures no deployment: name its nodes in a .yaml file there, or another directory with --config-dir"
        case .portTables(let directory): "\(directory) configures no deployment"
        case .node(let name, let known):
            "there is no node \(name): known are \(known.joined(separator: ", "))"
        case .standingGeneration(let stateDirectory):
            "no generation is in force by \(stateDirectory): \(Self.withoutStore)"
        case .storedGeneration(let reason): "\(reason); \(Self.withoutStore)"
        }
    }
}
