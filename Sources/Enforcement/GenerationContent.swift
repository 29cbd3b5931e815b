package import Configuration
internal import Policy
package import Reports
package import Ruleset
package import Site

extension Generation {
    /// The meaning of its files to this version.
    package var loaded: LoadedConfiguration {
        LoadedConfiguration(
            parsing: configuration.map { ConfigurationSource(path: $0.path, text: $0.text) })
    }

    /// The deployment that the generation was compiled from.
    package var deployment: Result<Deployment, RefusedFiles> {
        let loaded = loaded
        return loaded.deployment.map { .success($0) }
            ?? .failure(RefusedFiles(of: number, loaded.diagnostics))
    }

    /// The generation that a configuration becomes when it is put in force.
    ///
    /// - Parameter previous: in force before.
    init(
        number: Int, _ target: Compilation.Target, _ compilation: Compilation, _ origin: Origin,
        after previous: Generation?
    ) {
        let files = compilation.files
        self.init(
            number: number, created: .now, origin: origin,
            configurationDigest: compilation.configurationDigest, configuration: files,
            changedFiles: previous.map { files.changes(from: $0.configuration) },
            mode: target.mode, revokesEstablished: target.revokesEstablished,
            mediaTracking: target.mediaTracking,
            nodes: target.nodes, ruleset: target.ruleset, rows: target.rows)
    }

    /// Derives the rows of a generation that another version made from its files; nothing where they
    /// are there. They stay away where this version refuses the files, or finds other nodes in them.
    package mutating func resolveRows() {
        guard rows == nil, case .success(let deployment) = deployment else { return }
        let derived = deployment.rows(of: nodes.map(\.name))
        if hasNodes(of: derived) { rows = derived }
    }

    /// Whether rows are those of its nodes.
    func hasNodes(of rows: NodeRows) -> Bool {
        rows.addresses == Dictionary(nodes.map { ($0.name, $0.addresses) }) { $1 }
    }

    /// The tables as they stand in the kernel.
    package var stamped: Ruleset {
        Ruleset(
            tables: ruleset.tables.map {
                $0.stamped(
                    Stamp(generation: number, digest: SHA256Digest(of: $0.text).hexadecimal))
            })
    }
}

extension Deployment {
    /// The rows of nodes as their placement resolves them.
    fileprivate func rows(of names: [String]) -> NodeRows {
        let names = Set(names)
        let nodes = nodes.filter { names.contains($0.name) }
        return placement.facts.sharedTable == nil
            ? NodeRows(of: nodes.map { Policy(of: $0, in: self) })
            : NodeRows(of: GatewayPolicy(of: nodes, in: self).policies)
    }
}

extension Compilation {
    /// The configuration's files as a generation keeps them.
    var files: [ConfigurationText] {
        sources.map {
            ConfigurationText(path: $0.path, text: String(decoding: $0.bytes, as: UTF8.self))
        }
    }
}

extension DropsReport {
    /// The report on the samples that were heard, with refusals explained by the generation's own
    /// files.
    ///
    /// - Parameters:
    ///   - record: of the samples; nil where none was ever heard.
    ///   - generation: in force now.
    ///   - node: only packets refused to and from this one.
    ///   - limit: how many talkers are told.
    package init(
        _ record: RefusalRecord?, problem: String?, in generation: Generation?,
        node: String? = nil, atMost limit: Int = usualTalkers
    ) {
        self.init(
            record, problem: problem, in: generation, from: \.deployment, node: node,
            atMost: limit)
    }
}

extension NodesReport {
    /// Those that a configuration is for, of which nothing was refused yet.
    package init(_ target: Compilation.Target) { self.init(of: target.nodes) }
}
