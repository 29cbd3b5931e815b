import ArgumentParser
import Authoring
import Configuration
import Display
import Enforcement
import Glibc
import LinuxSystem
import PortModel
import Reports
import Site
import SystemPackage

/// `pexip-fwctl init`
struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Writes a commented file to begin a configuration with.",
        discussion: """
            Asks on a terminal, where no option tells of nodes. Writes a draft, \
            \(Draft.directory)/\(StartingFile.name), unless another place is named, and nothing that \
            the loader finds wrong. In local placement, SSH stays open for the network of the \
            session that it is typed in, unless --ssh-from says otherwise.
            """)

    @Option(
        help: "Where the agent runs: \(Placement.words). Default: \(Placement.local.rawValue).")
    var placement: Placement?

    @Option(
        help: ArgumentHelp(
            "A node; + joins addresses of both families. For each node once.",
            valueName: "name:role:address[,secondary]"),
        transform: { text in
            try inWords { () throws(AnswerProblem) in try NodeAnswer(parsing: text) }
        })
    var node: [NodeAnswer] = []

    @Option(help: "An optional part of the product that is used, such as snmp. For each once.")
    var feature: [Feature] = []

    @Option(
        help:
            "From where SSH to the nodes is open: any, none, or an address, prefix or range. For each once.",
        completion: .list(["any", "none"]))
    var sshFrom: [String] = []

    @Flag(help: "This host gets its address by DHCP.")
    var dhcpClient = false

    @Option(
        help: "Write this file; - for standard output.", completion: .file(extensions: ["yaml"]))
    var output: String?

    @Option(
        help: "Write \(StartingFile.name) in this directory, beside what is there.",
        completion: .directory)
    var configDir: String?

    @Flag(help: "Even where the file is there already.")
    var force = false

    /// The access that `sshFrom` gives; nil where it is not given.
    private var sshAccess: Answers.SSHAccess? {
        get throws {
            guard !sshFrom.isEmpty else { return nil }
            return try Self.inWords { () throws(AnswerProblem) in
                try Answers.SSHAccess(parsing: sshFrom)
            }
        }
    }

    func validate() throws {
        _ = try sshAccess
        if output != nil, configDir != nil {
            throw ValidationError("--output names a file, --config-dir a directory: give one.")
        }
        if let output, output != "-", !output.hasSuffix(".yaml") {
            throw ValidationError(
                "--output must end in .yaml, or the agent will not read the file.")
        }
        if configDir == "" { throw ValidationError("--config-dir must name a directory.") }
        if node.isEmpty, !isAsking {
            throw ValidationError("Name the nodes with --node; questions are for a terminal.")
        }
    }

    /// Whether nothing is said of the deployment, and somebody is there to ask.
    private var isAsking: Bool {
        placement == nil && node.isEmpty && feature.isEmpty && sshFrom.isEmpty && !dhcpClient
            && Terminal.isConversation
    }

    func run() throws {
        try Terminal.reporting {
            let draft = Draft(output: output, directory: configDir)
            if !force { try draft.requireAbsence() }
            let session = OperatorSession.current.flatMap { $0.client == $0.server ? nil : $0 }
            let host = try HostAddresses.current()
            var answers = try isAsking ? ask(session, host) : told(session, host)
            var loaded = try draft.loaded(StartingFile(answers).text)
            var compilation = Compilation(loaded, hostAddresses: host)
            // SSH may reach this host by a way that the documented row does not let through.
            if let session, let target = compilation.target, !target.cuts(session).isEmpty,
                answers.ssh.includes(session.client), let node = target.nodes.first
            {
                answers.wayIn = Answers.WayIn(node: node.name, port: session.serverPort)
                loaded = try draft.loaded(StartingFile(answers).text)
                compilation = Compilation(loaded, hostAddresses: host)
            }
            // A fault for this host alone may be none for the one that the file is for.
            Terminal.complain(
                compilation.diagnostics.map { Diagnostic(.warning, at: $0.location, $0.message) })
            for cut in compilation.target?.cuts(session) ?? [] {
                Terminal.complain(WrittenDraft.warning(ofCut: cut))
            }
            try draft.write(StartingFile(answers).text, replacing: force)
            if !draft.isStandardOutput { Terminal.show(draft.next(nodes: answers.nodes.count)) }
        }
    }

    /// The answers by the options.
    private func told(_ session: OperatorSession?, _ host: Set<IPAddress>) throws -> Answers {
        var answers = Answers()
        answers.placement = placement ?? .local
        answers.dhcpClient = dhcpClient
        for node in node { try Self.inWords { () throws(AnswerProblem) in try answers.add(node) } }
        if let access = try sshAccess {
            answers.ssh = access
        } else if let session, answers.include(host), !feature.contains(.ssh) {
            answers.ssh = Answers.SSHAccess(aroundClient: session.client)
            Terminal.complain(answers.ssh.noteOfSession)
        }
        answers.use(feature)
        return answers
    }

    /// The answers that are typed at the terminal.
    private func ask(_ session: OperatorSession?, _ addresses: Set<IPAddress>) throws -> Answers {
        let usable = addresses.filter { $0.unusableAsHost == nil }.sorted()
        let host = Interview.Host(
            name: HostName.short, addresses: addresses, address: session?.server ?? usable.first,
            client: session?.client)
        return try Interview(of: host, ask: Terminal.ask) { Terminal.complain($0) }.answers()
    }

    /// An answer that can't be taken is wrong usage.
    private static func inWords<Value>(
        _ body: () throws(AnswerProblem) -> Value
    ) throws -> Value {
        do throws(AnswerProblem) {
            return try body()
        } catch {
            throw ValidationError(error.description)
        }
    }
}

extension Placement: ExpressibleByArgument {}
extension Feature: ExpressibleByArgument {}
