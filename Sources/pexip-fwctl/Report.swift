import ArgumentParser
import Auditing
import Configuration
import Display
import Enforcement
import Glibc
import Reports
import Ruleset
import Site
import SystemPackage

/// `pexip-fwctl report`
struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes a page for an auditor: what is configured, and what of it is in force.",
        discussion: """
            One self-contained page: the deployment, each documented row with its status, rules \
            and counters, deviations from the documented defaults, other firewalls, foreign \
            changes, and the diagrams. Works without the agent and without privileges, and says \
            plainly what it does not know then. Exit status: 0 where the report is written, \
            whatever it says.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        /// For browsers and paper.
        case html
        /// GitHub's, with diagrams that it draws.
        case markdown
    }

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var source: ConfigurationOption

    @Option(
        help: "Only this node, wherever it is enforced.", completion: Completion.nodes)
    var node: String?

    @Option(help: "html, or markdown as GitHub has it.")
    var format = Format.html

    @Flag(
        help: "Tell the generation in force, as it is stored, in place of what the files say now.")
    var inForce = false

    @Option(help: "With --in-force: where generations are stored.", completion: .directory)
    var stateDir = Plan.defaultStateDirectory

    @Option(help: "Write the page to this file in place of standard output.", completion: .file())
    var output: String?

    func validate() throws {
        if inForce, source.configDir != nil {
            throw ValidationError(
                "--in-force tells what is stored: it needs --state-dir, and no --config-dir.")
        }
    }

    func run() throws {
        try Terminal.reporting {
            let document = try subject().report
            let text: String
            switch format {
            case .html: text = HTMLPage.text(document)
            case .markdown: text = MarkdownPage.text(document)
            }
            if let output {
                try OutputFile.write(text, to: output)
            } else {
                Terminal.say(document: text)
            }
        }
    }

    private func subject() throws -> AuditSubject {
        let (loaded, origin) = try configuration()
        let deployment = try loaded.deploymentOrFailure(
            in: place(of: origin), node: node,
            hint: inForce ? "" : "; with --in-force the report tells what is in force")
        let compilation = Compilation(
            loaded, hostAddresses: try HostAddresses.current(), node: node)
        let host = try HostIdentity.current()
        return AuditSubject(
            host: host.name, kernel: host.kernel, time: .now, version: Version.current,
            origin: origin,
            files: loaded.sources.map {
                AuditSubject.File(
                    path: $0.path, digest: SHA256Digest(of: [$0.bytes]).hexadecimal)
            },
            configurationDigest: compilation.configurationDigest,
            // A host that enforces nothing is no diagnostic but the coverage.
            diagnostics: compilation.target == nil
                ? loaded.diagnostics : compilation.diagnostics,
            deployment: deployment, coverage: coverage(compilation, deployment),
            tables: compilation.target?.ruleset.tables ?? [],
            tableDigests: compilation.target?.ruleset.digests ?? [:], agent: try agent())
    }

    private func configuration() throws -> (LoadedConfiguration, AuditSubject.Origin) {
        guard inForce else {
            let directory = source.configDir ?? ConfigurationOption.defaultDirectory
            return (ConfigurationDirectory(directory).load(), .directory(directory))
        }
        do {
            let store = try GenerationStore(ofAgentAt: stateDir)
            if let number = try store.standing()?.generation {
                let generation = try store.generation(number)
                if case .failure(let refused) = generation.deployment {
                    throw Failure(.failure, MissingInput.storedGeneration("\(refused)").words)
                }
                return (generation.loaded, .generation(number, stateDirectory: stateDir))
            }
        } catch let error as StoreError {
            throw Failure(.failure, MissingInput.storedGeneration("\(error)").words)
        }
        throw Failure(
            .failure, MissingInput.standingGeneration(stateDirectory: stateDir).words)
    }

    private func place(of origin: AuditSubject.Origin) -> String {
        switch origin {
        case .directory(let path): path
        case .generation(let number, let path):
            MissingInput.place(ofGeneration: number, in: path)
        }
    }

    private func coverage(
        _ compilation: Compilation, _ deployment: Deployment
    ) -> AuditSubject.Coverage {
        if let asked = node.flatMap(deployment.node(named:)) { return .asked(asked) }
        guard let target = compilation.target else {
            let reason = compilation.diagnostics.last { $0.severity == .error }?.message
            return .everything(because: reason ?? "it can't be compiled")
        }
        return .enforcedHere(target.nodes.compactMap { deployment.node(named: $0.name) })
    }

    /// The agent's answers, as far as it gives any.
    private func agent() throws -> AuditSubject.AgentAnswer {
        let status: StatusReport
        do {
            status = try connection.status()
        } catch let failure as Failure {
            return .silent(AuditSubject.AgentSilence(failure.description))
        }
        let tables: Result<[RulesReport.TableText], AuditSubject.AgentSilence>
        do {
            tables = .success(try connection.rules().tables)
        } catch let failure as Failure {
            tables = .failure(
                AuditSubject.AgentSilence("the rules in force: \(failure.description)"))
        }
        return .answered(status, tables: tables, plan: try plan())
    }

    /// The changes that apply would make: of the agent's own directory only.
    private func plan() throws -> ApplyReport? {
        guard source.configDir == nil, !inForce else { return nil }
        do {
            return try connection.plan(force: true, withTables: false)
        } catch is Failure {
            // The report says that it differs; the plan would only have said how.
            return nil
        }
    }
}

/// This host's names.
private struct HostIdentity {
    var name: String
    var kernel: String

    static func current() throws -> HostIdentity {
        var names = utsname()
        guard uname(&names) == 0 else {
            throw Failure(.failure, "uname fails: \(Errno(rawValue: errno))")
        }
        return HostIdentity(name: text(&names.nodename), kernel: text(&names.release))
    }

    private static func text<Field>(_ field: inout Field) -> String {
        withUnsafeBytes(of: &field) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
