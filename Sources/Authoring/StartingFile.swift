internal import PortModel
internal import Site

/// A file to begin a configuration with: the answers, and beside them the keys that there are.
package struct StartingFile: Hashable, Sendable {
    /// The file's name in its directory, so that others may stand before and behind it.
    package static let name = "10-deployment.yaml"
    /// A change that files bring is taken back after this time, unless it is confirmed.
    package static let confirmation = "5m"

    /// YAML with comments, in lines that fit a terminal as far as words allow.
    package let text: String

    /// - Parameter answers: with at least one node.
    package init(_ answers: Answers) {
        var writer = CommentedWriter()
        Self.head(&writer)
        Self.placement(answers, &writer)
        Self.features(answers, &writer)
        Self.peers(answers, &writer)
        Self.nodes(answers, &writer)
        Self.host(answers, &writer)
        Self.rules(answers, &writer)
        Self.guards(&writer)
        text = writer.text
    }

    private static func head(_ writer: inout CommentedWriter) {
        writer.line(ConfigurationSchema.modeline)
        writer.comment(
            "A starting file by pexip-fwctl init. pexip-fw.d(5) tells all keys; the line above shows them to editors. A file in /etc/pexip-fw.d is enforced as soon as it is there: pexip-fwctl plan --config-dir DIRECTORY tells beforehand what it would change."
        )
        writer.line("version: 1")
        writer.line("profile: \(Answers.profile.name)")
    }

    private static func placement(_ answers: Answers, _ writer: inout CommentedWriter) {
        writer.section(RootKey.placement.meaning)
        writer.line("placement: \(answers.placement.rawValue)")
        writer.section(RootKey.mode.meaning)
        writer.line("mode: \(Mode.enforce.rawValue)")
    }

    private static func features(_ answers: Answers, _ writer: inout CommentedWriter) {
        writer.section(RootKey.features.meaning)
        writer.line("features:")
        let lines = Feature.allCases.map { feature in
            let isUsed =
                feature == .ssh ? answers.ssh != .closed : answers.features.contains(feature)
            return ("  \(feature.rawValue): \(isUsed)", feature.meaning)
        }
        writer.table(lines)
    }

    private static func peers(_ answers: Answers, _ writer: inout CommentedWriter) {
        if case .from(let addresses) = answers.ssh {
            writer.section(RootKey.groups.meaning)
            writer.line("groups:")
            writer.line("  \(administrators): \(list(addresses))")
        }
        writer.section(RootKey.peers.meaning)
        let ssh =
            switch answers.ssh {
            case .closed: "  # \(PeerClass.sshClients.rawValue): [10.1.0.0/16]"
            case .any: "  \(PeerClass.sshClients.rawValue): any"
            case .from: "  \(PeerClass.sshClients.rawValue): [\"@\(administrators)\"]"
            }
        writer.line("peers:")
        writer.table(
            [(ssh, PeerClass.sshClients.meaning)]
                + [
                    (PeerClass.dnsServers, "[10.0.0.2]"),
                    (.ntpServers, "[10.0.0.3, \"2001:db8::3\"]"), (.webClients, "[10.1.0.0/16]"),
                ].map { ("  # \($0.0.rawValue): \($0.1)", $0.0.meaning) })
    }

    private static func nodes(_ answers: Answers, _ writer: inout CommentedWriter) {
        writer.section(RootKey.nodes.meaning)
        writer.line("nodes:")
        for node in answers.nodes {
            writer.line("  \(node.name):")
            writer.line("    role: \(node.role.rawValue)")
            writer.line("    address: \(addresses(node.addresses))")
            if !node.secondaryAddresses.isEmpty {
                writer.line("    secondary_address: \(addresses(node.secondaryAddresses))")
            }
        }
    }

    private static func host(_ answers: Answers, _ writer: inout CommentedWriter) {
        writer.section(RootKey.host.meaning)
        writer.line("host:")
        writer.table([
            ("  \(HostKey.ping.rawValue): false", HostKey.ping.meaning),
            ("  \(HostKey.dhcpClient.rawValue): \(answers.dhcpClient)", HostKey.dhcpClient.meaning),
        ])
    }

    private static func rules(_ answers: Answers, _ writer: inout CommentedWriter) {
        guard let wayIn = answers.wayIn else { return }
        writer.section(
            "Rows of the site's own. This one keeps SSH as it reaches this host now: the documented row is for port 22 of the primary address alone."
        )
        writer.line("rules:")
        writer.line("  - name: admin-ssh")
        writer.line("    nodes: [\(quotedIfNeeded(wayIn.node))]")
        writer.line("    direction: inbound")
        writer.line("    protocol: tcp")
        writer.line("    destination_ports: \(wayIn.port)")
        if case .from = answers.ssh { writer.line("    peers: [\"@\(administrators)\"]") }
    }

    private static func guards(_ writer: inout CommentedWriter) {
        writer.section(RootKey.guards.meaning)
        writer.line("guard:")
        writer.comment(GuardKey.confirm.meaning, indent: 2)
        writer.line("  confirm: \(confirmation)")
    }

    // MARK: Values

    private static let administrators = "administrators"

    private static func addresses(_ addresses: [IPAddress]) -> String {
        let words = addresses.map(\.description)
        return words.count == 1 ? quotedIfNeeded(words[0]) : list(words)
    }

    private static func list(_ words: [String]) -> String {
        "[\(words.map(quotedIfNeeded).joined(separator: ", "))]"
    }

    /// Quotes what YAML would not take for a text, of the characters that names and addresses have.
    private static func quotedIfNeeded(_ word: String) -> String {
        word.utf8.contains(UInt8(ascii: ":")) || word.lowercased() == "null" ? "\"\(word)\"" : word
    }
}

/// Lines of YAML with comments that fit a terminal.
private struct CommentedWriter {
    private static let width = 80
    private(set) var text = ""

    mutating func line(_ line: String) { text += line + "\n" }

    /// An empty line, and a comment on what follows.
    mutating func section(_ comment: String) {
        line("")
        self.comment(comment)
    }

    mutating func comment(_ comment: String, indent: Int = 0) {
        let margin = String(repeating: " ", count: indent)
        fill(comment, behind: margin, then: margin)
    }

    /// Lines with a comment behind each, in a column.
    mutating func table(_ lines: [(line: String, comment: String)]) {
        let column = (lines.map(\.line.count).max() ?? 0) + 2
        let margin = String(repeating: " ", count: column)
        for (line, comment) in lines {
            fill(comment, behind: line + margin.dropFirst(line.count), then: margin)
        }
    }

    private mutating func fill(_ comment: String, behind first: String, then margin: String) {
        var current = first + "#"
        var isEmpty = true
        for word in comment.split(separator: " ") {
            if current.count + 1 + word.count > Self.width, !isEmpty {
                line(current)
                current = margin + "#"
            }
            current += " \(word)"
            isEmpty = false
        }
        line(current)
    }
}
