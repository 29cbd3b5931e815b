package import Configuration
package import Policy
package import PortModel
package import Reports
package import Ruleset
package import Site

/// The meaning of a configuration for this host: the tables it is to hold, or why there are none.
package struct Compilation: Sendable {
    /// nil when the configuration must not reach the kernel.
    package var target: Target?
    /// Those of the configuration, then those of compiling it for this host.
    package var diagnostics: [Diagnostic]
    /// The directory configures nothing at all; which a diagnostic refuses as well.
    package var isEmpty = false
    /// SHA-256 of the configuration's files, whatever they hold.
    package var configurationDigest: String
    /// The configuration's files.
    package var sources: [ConfigurationSource]
    /// The properties of this host that it depends on.
    package private(set) var hostDependence = HostDependence.none

    /// The tables of a configuration that may reach the kernel, with all that belongs to them.
    package struct Target: Hashable, Sendable {
        /// Whether the tables drop packets or only count them.
        package var mode: Mode
        /// The nodes enforced here, sorted by name where they share a table.
        package var nodes: [EnforcedNode]
        /// Without stamps, which depend on the generation's number.
        package var ruleset: Ruleset
        /// Those of the nodes.
        package var rows: NodeRows
        /// The deployment that it was compiled from, with all its nodes.
        package var deployment: Deployment

        /// Whether established flows that it does not permit are ended.
        package var revokesEstablished: Bool { deployment.guards.revokeEstablished }
        /// `host.track_media`, as configured.
        package var mediaTracking: Host.MediaTracking { deployment.host.trackMedia }
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
    ///   - routes: this host's routing, to warn of nodes whose packets never come by a gateway; nil
    ///     where this host is not the one that will enforce.
    ///   - onlyNode: compiles for this node, whatever `enforce` says and wherever it runs.
    package init(
        _ loaded: LoadedConfiguration, hostAddresses: Set<IPAddress>,
        routes: @autoclosure () -> HostRoutes? = nil, node onlyNode: String? = nil
    ) {
        configurationDigest = Self.digest(of: loaded.sources)
        sources = loaded.sources
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
        hostDependence = HostDependence(deployment, hostAddresses: hostAddresses)
        let enforced =
            onlyNode.map { deployment.named($0) }
            ?? deployment.enforcedNodes(hostAddresses: hostAddresses)
        switch enforced {
        case .failure(let problem):
            diagnostics.append(Diagnostic(.error, at: nil, problem.message))
        case .success(let nodes):
            if onlyNode == nil {
                diagnostics += deployment.placementWarnings(nodes, hostAddresses: hostAddresses)
                if deployment.placement.facts.traffic == .routed, let routes = routes() {
                    let warnings = routes.warnings(of: nodes)
                    diagnostics += warnings
                    hostDependence = HostDependence(
                        deployment, hostAddresses: hostAddresses, routed: nodes,
                        warnings: warnings)
                }
            }
            target = Target(nodes: nodes, deployment: deployment)
        }
    }

    /// A configuration that can't be compiled now, for a reason that is not its own.
    package init(refusing loaded: LoadedConfiguration, because message: String) {
        configurationDigest = Self.digest(of: loaded.sources)
        sources = loaded.sources
        diagnostics = loaded.diagnostics + [Diagnostic(.error, at: nil, message)]
        hostDependence = .unknown
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
        if let table = deployment.placement.facts.sharedTable {
            let policy = GatewayPolicy(of: nodes, in: deployment)
            let classes = policy.classes
            var enforced: [EnforcedNode] = []
            for policyClass in classes {
                enforced += policyClass.policies.map {
                    EnforcedNode($0, table: table, policyClass: policyClass.name)
                }
            }
            self.init(
                mode: deployment.mode, nodes: enforced.sorted { $0.name < $1.name },
                ruleset: Ruleset(tables: [policy.compile(classes)]),
                rows: NodeRows(of: policy.policies), deployment: deployment)
        } else {
            let policies = nodes.map { Policy(of: $0, in: deployment) }
            self.init(
                mode: deployment.mode,
                nodes: policies.map { EnforcedNode($0, table: $0.node.tableName) },
                ruleset: Ruleset(tables: policies.map { $0.compileLocal() }),
                rows: NodeRows(of: policies), deployment: deployment)
        }
    }
}

extension EnforcedNode {
    fileprivate init(_ policy: Policy, table: String, policyClass: String? = nil) {
        self.init(
            name: policy.node.name, role: policy.node.role,
            addresses: policy.node.addresses + policy.node.secondaryAddresses, table: table,
            policyClass: policyClass, rows: policy.rows.count)
    }
}

extension HostRoutes {
    /// So many nodes are named; a site whose routes are all missing has one cause.
    private static let namedNodes = 5

    /// The reasons for which packets of the nodes never come by.
    func warnings(of nodes: [Node]) -> [Diagnostic] {
        var warnings: [Diagnostic] = []
        func warn(_ message: String) { warnings.append(Diagnostic(.warning, at: nil, message)) }
        let families = Set(nodes.flatMap(\.allAddresses).map(\.family)).subtracting(forwarded)
        for family in AddressFamily.allCases where families.contains(family) {
            let key = family == .ipv4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding"
            let name = family == .ipv4 ? "IPv4" : "IPv6"
            warn(
                "this host forwards no \(name), so no \(name) packet of the nodes comes by: sysctl \(key)=1"
            )
        }
        let lost = nodes.compactMap { node in
            node.allAddresses.first { !hasRoute($0) }.map { (node: node.name, address: $0) }
        }
        if !lost.isEmpty {
            let named = lost.prefix(Self.namedNodes).map { "\($0.node) (\($0.address))" }
                .joined(separator: ", ")
            let more =
                lost.count > Self.namedNodes ? " and \(lost.count - Self.namedNodes) more" : ""
            warn(
                "this host has no route to \(named)\(more): packets of nodes that are not routed through it meet no rule"
            )
        }
        return warnings
    }
}

/// Why no node can be enforced.
private struct EnforceProblem: Error {
    let message: String
}

extension Deployment {
    /// Nodes whose packets will not meet the rules where they stand.
    fileprivate func placementWarnings(
        _ nodes: [Node], hostAddresses: Set<IPAddress>
    ) -> [Diagnostic] {
        nodes.compactMap { node in
            let isHere = node.allAddresses.contains(where: hostAddresses.contains)
            var addresses: String {
                node.allAddresses.map(\.description).joined(separator: ", ")
            }
            switch (placement.facts.judgesHost, isHere) {
            case (true, true), (false, false): return nil
            case (true, false):
                return Diagnostic(
                    .warning, at: nil,
                    "this host has no address of node \(node.name) (\(addresses)): its rules are in force but no packet meets them"
                )
            case (false, true):
                return Diagnostic(
                    .warning, at: nil,
                    "node \(node.name) (\(addresses)) is this host itself, whose packets are not forwarded: placement: local enforces a host's own node"
                )
            }
        }
    }

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
        case .auto where placement.facts.judgesForwarded:
            return .success(nodes)
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
