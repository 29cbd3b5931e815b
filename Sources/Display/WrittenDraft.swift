internal import Reports

/// A starting file that was written, and what comes next.
package struct WrittenDraft: Hashable, Sendable {
    /// The file's path.
    package var path: String
    /// The configuration directory that it is a file of; nil where it stands alone.
    package var configuration: String?
    /// The agent's own directory.
    package var live: String
    /// How many nodes it names.
    package var nodes: Int
    /// After this time the agent takes back what is not confirmed, as `5m`.
    package var time: String
    /// Whether root wrote it: nobody else's file is taken up.
    package var isRoots: Bool

    package init(
        path: String, configuration: String?, live: String, nodes: Int, time: String, isRoots: Bool
    ) {
        self.path = path
        self.configuration = configuration
        self.live = live
        self.nodes = nodes
        self.time = time
        self.isRoots = isRoots
    }

    /// - Parameter cut: what the draft would do to the session that it was written in.
    package static func warning(ofCut cut: String) -> String { "warning: in force, \(cut)" }

    /// A sentence on what was done, and the commands that come next.
    package var page: Page {
        var page = Page()
        var commands: [(String, String)]
        let written = "wrote \(path), with \(nodes.counted("node"))"
        if configuration == live {
            page.add(
                Text(
                    "\(written): the agent takes it up at once, and takes it back in \(time) unless that is confirmed"
                ))
            commands = [
                ("pexip-fwctl check", "is it right"), ("pexip-fwctl status", "is it in force"),
            ]
        } else {
            page.add(Text("\(written); nothing is enforced by it yet"))
            commands = []
            if let configuration {
                commands = [
                    ("pexip-fwctl check \(configuration)", "is it right"),
                    ("pexip-fwctl plan --config-dir \(configuration)", "what it would change"),
                ]
            }
            // The agent refuses files that are not root's own.
            let move = isRoots ? "mv" : "sudo install -m 644"
            commands.append(("\(move) \(path) \(live)/", "enforced at once, for \(time)"))
        }
        commands.append(
            (isRoots ? "pexip-fwctl confirm" : "sudo pexip-fwctl confirm", "to keep it"))
        let width = (commands.map(\.0.count).max() ?? 0) + 2
        page.add("next:")
        for (command, purpose) in commands {
            page.add(Text(purpose), label: Text(command, .strong), labelWidth: width, indent: 2)
        }
        return page
    }
}

/// Why a file was not written.
package enum FileProblem: Hashable, Sendable {
    /// A draft would replace it.
    case exists(String)
    /// The loader finds the draft wrong, as was told.
    case wrongDraft
    /// The draft can't be written, for this reason.
    case draft(String, reason: String)
    /// Nobody takes what is written to standard output.
    case standardOutput
    /// A file of output can't be written, for this reason.
    case output(String, reason: String)
    /// Nobody answers the questions that are left.
    case unansweredQuestion

    /// The reason and what to do, in a sentence without its end.
    package var words: String {
        switch self {
        case .exists(let path):
            "\(path) is there already: --force replaces it; nothing was written"
        case .wrongDraft: "the file would be wrong as said above; nothing was written"
        case .draft(let path, let reason): "\(path) can't be written: \(reason)"
        case .standardOutput: "standard output can't be written"
        case .output(let path, let reason):
            "can't write \(path): \(reason): name a file in a directory that exists and that you may write to"
        case .unansweredQuestion: "input ends before the last answer; nothing was written"
        }
    }
}
