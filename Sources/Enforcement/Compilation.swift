package import Deployment
internal import Policy
package import PortModel
package import Ruleset

/// What a configuration means for this host: the tables it is to hold, or why there are none.
package struct Compilation: Sendable {
    /// nil when the configuration must not reach the kernel.
    package var target: Target?
    package var diagnostics: [Diagnostic]
    /// The directory configures nothing at all; which a diagnostic refuses as well.
    package var isEmpty = false
    /// SHA-256 of the configuration's files, whatever they hold.
    package var configurationDigest: String

    package struct Target: Hashable, Sendable {
        package var nodes: [EnforcedNode]
        package var ruleset: Ruleset
    }
}

extension Compilation {
    /// Compiles what the directory holds.
    ///
    /// A directory that configures nothing is refused like a wrong one: files that vanish must not
    /// open a firewall.
    ///
    /// - Parameters:
    ///   - hostAddresses: the addresses of this host's interfaces, by which `enforce: auto` finds the
    ///     node that this host is.
    ///   - onlyNode: compiles for this node, whatever `enforce` says and wherever it runs.
    package init(
        _ loaded: LoadedConfiguration, hostAddresses: Set<IPAddress>, node onlyNode: String? = nil
    ) {
        configurationDigest = Self.digest(of: loaded.sources)
        diagnostics = loaded.diagnostics
        guard let deployment = loaded.deployment else {
            if !loaded.hasErrors {
                isEmpty = true
                diagnostics.append(
                    Diagnostic(
                        .error, at: nil,
                        "nothing is configured: name this host's node under nodes in a .yaml file"))
            }
            return
        }
        let enforced =
            onlyNode.map { deployment.named($0) }
            ?? deployment.enforcedNodes(hostAddresses: hostAddresses)
        switch enforced {
        case .failure(let problem):
            diagnostics.append(Diagnostic(.error, at: nil, problem.message))
        case .success(let nodes):
            for node in nodes
            where node.name != onlyNode
                && !node.allAddresses.contains(where: hostAddresses.contains)
            {
                let addresses = node.allAddresses.map(\.description).joined(separator: ", ")
                diagnostics.append(
                    Diagnostic(
                        .warning, at: nil,
                        "this host has no address of node \(node.name) (\(addresses)): its rules are in force but no packet meets them"
                    ))
            }
            target = Target(nodes: nodes, deployment: deployment)
        }
    }

    /// Names and contents of all files, so that another file, order or byte gives another digest.
    private static func digest(of sources: [ConfigurationSource]) -> String {
        let parts = sources.flatMap { source in
            [Array("\(source.path)\0\(source.bytes.count)\0".utf8), source.bytes]
        }
        return SHA256Digest(of: parts).hexadecimal
    }
}

extension Compilation.Target {
    fileprivate init(nodes: [Node], deployment: Deployment) {
        var tables: [Table] = []
        var enforced: [EnforcedNode] = []
        for node in nodes {
            let policy = Policy(of: node, in: deployment)
            tables.append(policy.compileLocal())
            enforced.append(
                EnforcedNode(
                    name: node.name, role: node.role,
                    addresses: node.addresses + node.secondaryAddresses, table: node.tableName,
                    rows: Set(policy.permits.map(\.id)).count))
        }
        self.init(nodes: enforced, ruleset: Ruleset(tables: tables))
    }
}

/// Why no node can be enforced.
private struct EnforceProblem: Error {
    let message: String
}

extension Deployment {
    fileprivate func named(_ name: String) -> Result<[Node], EnforceProblem> {
        guard let node = node(named: name) else {
            let known = nodes.map(\.name).joined(separator: ", ")
            return .failure(EnforceProblem(message: "there is no node \(name): known are \(known)"))
        }
        return .success([node])
    }

    /// The nodes that are enforced on this host: one in local placement, whose tables would drop
    /// each other's packets if there were two.
    fileprivate func enforcedNodes(
        hostAddresses: Set<IPAddress>
    ) -> Result<[Node], EnforceProblem> {
        switch enforce {
        case .nodes(let names):
            return .success(names.compactMap(node(named:)))
        case .auto:
            let own = nodes.filter { $0.allAddresses.contains(where: hostAddresses.contains) }
            switch own.count {
            case 1:
                return .success(own)
            case 0:
                return .failure(
                    EnforceProblem(
                        message:
                            "enforce: auto finds no node: none has an address of this host; correct the addresses, or name the node, as in enforce: [\(nodes.first?.name ?? "node")]"
                    ))
            default:
                let names = own.map(\.name).joined(separator: ", ")
                return .failure(
                    EnforceProblem(
                        message:
                            "enforce: auto finds \(own.count) nodes on this host (\(names)), which can be only one of them: name it, as in enforce: [\(own[0].name)]"
                    ))
            }
        }
    }
}
