package import Reports
package import Ruleset
package import Site

/// Everything that an auditor's report is made from.
package struct AuditSubject: Sendable {
    /// This host's name.
    package var host: String
    /// Its kernel's release.
    package var kernel: String
    /// When the report is made.
    package var time: Timestamp
    /// Of the program that makes the report.
    package var version: String
    /// Where the configuration comes from.
    package var origin: Origin
    /// The configuration's files, in the order in which they are merged.
    package var files: [File]
    /// SHA-256 over the names and contents of all files.
    package var configurationDigest: String
    /// Everything to tell of the configuration; that this host enforces none of its nodes is told
    /// by ``coverage`` instead.
    package var diagnostics: [Diagnostic]
    /// The configuration that the report is about, with all its nodes.
    package var deployment: Deployment
    /// Which of the deployment's nodes are told.
    package var coverage: Coverage
    /// The tables that the nodes covered compile to; empty where these are of several hosts.
    package var tables: [Table]
    /// SHA-256 of the text of each of ``tables``, by name.
    package var tableDigests: [String: String]
    /// The agent's answers about its status, its tables and its plan, or the reason for which there
    /// are none.
    package var agent: AgentAnswer

    /// Where the configuration comes from.
    package enum Origin: Hashable, Sendable {
        case directory(String)
        /// Stored as it was when the generation was made.
        case generation(Int, stateDirectory: String)

        var title: String {
            switch self {
            case .directory(let path): path
            case .generation(let number, let path): "generation \(number), stored in \(path)"
            }
        }

        /// As it is called within sentences.
        var words: String {
            switch self {
            case .directory(let path): "the configuration in \(path)"
            case .generation(let number, let path):
                "the configuration of generation \(number), stored in \(path)"
            }
        }
    }

    /// A file of the configuration, by which an auditor finds it again.
    package struct File: Hashable, Sendable {
        /// As users name it.
        package var path: String
        /// As `sha256sum` prints it.
        package var digest: String

        package init(path: String, digest: String) {
            self.path = path
            self.digest = digest
        }
    }

    /// Which nodes are told.
    package enum Coverage: Hashable, Sendable {
        /// Those that this host enforces.
        case enforcedHere([Node])
        /// One that was asked for.
        case asked(Node)
        /// All of the deployment, because this host enforces none of them, for this reason.
        case everything(because: String)
    }

    /// The answers of this host's agent.
    package enum AgentAnswer: Sendable {
        /// - tables: those in force; or why they are not known.
        /// - plan: the changes that `apply` would make, where these were asked for.
        case answered(
            StatusReport, tables: Result<[RulesReport.TableText], AgentSilence>,
            plan: ApplyReport?)
        case silent(AgentSilence)
    }

    /// Why the agent does not say something.
    package struct AgentSilence: Error, Hashable, Sendable {
        /// In words that stand for themselves.
        package var reason: String

        package init(_ reason: String) { self.reason = reason }
    }

    package init(
        host: String, kernel: String, time: Timestamp, version: String, origin: Origin,
        files: [File], configurationDigest: String, diagnostics: [Diagnostic],
        deployment: Deployment, coverage: Coverage, tables: [Table],
        tableDigests: [String: String], agent: AgentAnswer
    ) {
        self.host = host
        self.kernel = kernel
        self.time = time
        self.version = version
        self.origin = origin
        self.files = files
        self.configurationDigest = configurationDigest
        self.diagnostics = diagnostics
        self.deployment = deployment
        self.coverage = coverage
        self.tables = tables
        self.tableDigests = tableDigests
        self.agent = agent
    }

    /// The nodes that the report tells of, in the deployment's order where they are several.
    package var nodes: [Node] {
        switch coverage {
        case .enforcedHere(let nodes): nodes
        case .asked(let node): [node]
        case .everything: deployment.nodes
        }
    }

    /// The agent's status; nil where it did not answer.
    package var status: StatusReport? {
        if case .answered(let status, _, _) = agent { status } else { nil }
    }

    /// SHA-256 of a table's text; empty where nobody told.
    func digest(of table: Table) -> String { tableDigests[table.name] ?? "" }

    /// Whether the kernel holds exactly what the configuration compiles to.
    package enum Agreement: Hashable, Sendable {
        case same
        /// These tables differ, are missing or are too many.
        case different([String])
        case unknown(String)
    }

    /// Compares the compiled tables with those in force, text by text and stamps included.
    package var agreement: Agreement {
        switch (agent, coverage) {
        case (.silent, _):
            return .unknown("the agent did not answer")
        case (_, .everything(let reason)):
            return .unknown(reason)
        case (.answered(let status, _, _), _) where status.state == .degraded:
            return .unknown("the agent is degraded, and may not hold the kernel at its tables")
        case (.answered(_, .failure(let silence), _), _):
            return .unknown(silence.reason)
        case (.answered(let status, .success(let inForce), _), _):
            let generation = status.generation ?? 0
            let compiled = tables.map { table in
                let digest = digest(of: table)
                return (
                    table.name,
                    table.stamped(Stamp(generation: generation, digest: digest)).text
                )
            }
            var differing = Set(inForce.map(\.name)).symmetricDifference(compiled.map(\.0))
            for (name, text) in compiled
            where inForce.contains(where: { $0.name == name && $0.text != text }) {
                differing.insert(name)
            }
            return differing.isEmpty ? .same : .different(differing.sorted())
        }
    }
}
