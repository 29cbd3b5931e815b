import ArgumentParser
import Configuration
import Control
import Enforcement
import PlainText
import Reports
import Site

/// The words that shells offer where only the configuration or the agent knows them.
enum Completion {
    /// Long enough for a busy agent, short enough for who waits at a prompt.
    private static let patience = Duration.seconds(2)

    /// Names of nodes: those in the directory that the line names, or those that the agent enforces,
    /// or, where it does not answer, those of the usual directory.
    static let nodes = CompletionKind.custom { words, _, _ in
        if let directory = value(of: "config-dir", in: words) { return nodes(in: directory) }
        let enforced = ask(ControlMethods.status, words) {
            // Shells show them as they are.
            $0.nodes.map(\.node.name).filter(\.isVisible)
        }
        return enforced ?? nodes(in: ConfigurationOption.defaultDirectory)
    }

    /// Numbers of stored generations, the newest first.
    static let generations = CompletionKind.custom { words, _, _ in
        ask(ControlMethods.generations, words) { $0.map { "\($0.number)" } }?.reversed() ?? []
    }

    private static func nodes(in directory: String) -> [String] {
        ConfigurationDirectory(directory).load().deployment?.nodes.map(\.name) ?? []
    }

    /// nil where the agent does not answer: at a prompt nobody can be told why.
    private static func ask<Reply>(
        _ method: ControlMethod<NoParameters, Reply>, _ words: [String],
        _ names: (Reply) -> [String]
    ) -> [String]? {
        let socket = value(of: "socket", in: words) ?? PexipFirewallInterface.defaultSocketPath
        do {
            var found: [String] = []
            try VarlinkClient(path: socket, timeout: patience).callMore(
                method, NoParameters(), replyTimeout: patience
            ) { reply in
                found += names(reply)
                return true
            }
            return found
        } catch {
            return nil
        }
    }

    /// The word behind an option on the line, which shells pass on as it was typed.
    private static func value(of option: String, in words: [String]) -> String? {
        var value: String?
        for (index, word) in words.enumerated() {
            if word == "--\(option)", index + 1 < words.count {
                // Bash takes the = for a word of its own.
                let next = words[index + 1]
                value = next == "=" && index + 2 < words.count ? words[index + 2] : next
            } else if word.hasPrefix("--\(option)=") {
                value = String(word.dropFirst(option.count + 3))
            }
        }
        return value?.filter { $0 != "'" && $0 != "\"" }
    }
}
