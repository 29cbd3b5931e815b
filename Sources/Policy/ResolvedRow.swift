package import PortModel
package import Site

/// A row of the documentation, or a rule of the site's own, as it is for one node. Port tables,
/// diagrams, reports and permits are made of these.
package struct ResolvedRow: Hashable, Sendable {
    package enum Origin: Hashable, Sendable {
        case row(Row)
        /// A rule of the site's own, by its id.
        case rule(String)
    }

    /// Whether the row permits anything.
    package enum State: Hashable, Sendable {
        case open
        /// The feature that the row needs is not configured.
        case off(Feature)
        /// Nobody can be at the other end.
        case nobody(Nobody)
    }

    /// Why nobody can be at the other end.
    package enum Nobody: Hashable, Sendable {
        /// The deployment has no other node of the roles that the row is for.
        case noSuchNode
        /// The peers and the node's addresses are of different families.
        case noCommonFamily
    }

    package var origin: Origin
    package var direction: Direction
    package var state: State
    /// The protocols of the row, or the one that the administrator chose for it.
    package var protocols: [IPProtocol]
    package var sourcePorts: CellPorts
    package var destinationPorts: CellPorts
    /// The peers at the other end, also of a row that is off.
    package var peers: Peers
    /// The list or the roles that the peers come from.
    package var peerOrigin: PeerOrigin
    package var plane: Plane
    /// The node's addresses that the row binds to, sorted.
    package var addresses: [IPAddress]
    /// Whether a pair of rows permits both directions, so that UDP and ESP need no connection
    /// tracking.
    package var isStateless: Bool

    /// The row's or the site rule's id.
    package var id: String {
        switch origin {
        case .row(let row): row.id
        case .rule(let id): id
        }
    }

    /// The row of the documentation; nil for a site rule.
    package var row: Row? {
        if case .row(let row) = origin { row } else { nil }
    }

    /// The "Protocol" cell without marks: `TCP/UDP`, `TCP (TLS)`.
    package var protocolText: String {
        row?.protocolText(protocols)
            ?? protocols.map { $0.name.uppercased() }.joined(separator: "/")
    }

    /// The "Description" cell without marks.
    package var description: String { row?.description ?? "site rule" }
}

extension ResolvedRow.State {
    /// Why the row permits nothing, in words; nil where it permits something.
    package var reason: String? {
        switch self {
        case .open: nil
        case .off(let feature): "features.\(feature.rawValue) is off"
        case .nobody(.noSuchNode): "there is no such node"
        // No fault of the configuration; no rule can come of it.
        case .nobody(.noCommonFamily):
            "its peers and the node have no address family in common"
        }
    }
}

// MARK: Resolving

extension Node {
    /// The rows of the node's role in the documentation's order, whether they apply or not, then the
    /// site's rules for it.
    package func rows(in deployment: Deployment) -> [ResolvedRow] {
        let mesh = mesh(in: deployment)
        let rows = deployment.profile.rows.filter { $0.role == role }.map { row in
            var resolved = ResolvedRow(row, of: self, mesh: mesh)
            // On a gateway a node is among its own peers, but its packets to itself never come by.
            if case .nodes(let roles) = row.peer {
                resolved.close(
                    for: Set(
                        deployment.nodes.lazy.filter {
                            roles.contains($0.role) && $0.name != name
                        }.flatMap(\.addresses).map(\.family)))
            }
            return resolved
        }
        return rows + deployment.rules(of: name).map { ResolvedRow($0, of: self) }
    }
}

extension ResolvedRow {
    /// - Parameter mesh: the nodes that rows between nodes are for.
    init(_ row: Row, of node: Node, mesh: Mesh) {
        origin = .row(row)
        direction = row.direction
        protocols = row.hasConfigurableTransport ? [node.syslogTransport] : row.protocols
        sourcePorts = CellPorts(row.source, node.ports)
        destinationPorts = CellPorts(row.destination, node.ports)
        switch row.peer {
        case .devices(let peerClass):
            peers = node.peers[peerClass] ?? .any
            peerOrigin = .devices(peerClass)
        case .nodes(let roles):
            peers = .only(mesh.members(roles))
            peerOrigin = .mesh(roles)
        }
        plane = row.plane
        addresses = node.addresses(of: row.plane)
        isStateless = row.carriesMedia || row.protocols == [.esp]
        state = .open
        if let feature = row.feature, !row.applies(with: node.features) {
            state = .off(feature)
        } else if case .only(let addresses) = peers {
            close(for: addresses.families)
        }
    }

    init(_ rule: SiteRule, of node: Node) {
        origin = .rule(rule.id)
        direction = rule.direction
        protocols = [rule.protocol]
        sourcePorts = CellPorts(rule.sourcePorts, of: rule.protocol)
        destinationPorts = CellPorts(rule.destinationPorts, of: rule.protocol)
        peers = rule.peers
        peerOrigin = .site(rule.name)
        plane = .any
        addresses = node.addresses(of: .any)
        isStateless = false
        state = .open
        if case .only(let addresses) = peers { close(for: addresses.families) }
    }

    /// Tells that nobody is at the other end where its families leave nobody there.
    fileprivate mutating func close(for families: Set<AddressFamily>) {
        if case .off = state { return }
        if families.isEmpty {
            state = .nobody(.noSuchNode)
        } else if families.isDisjoint(with: addresses.map(\.family)) {
            state = .nobody(.noCommonFamily)
        }
    }

    /// A permit for each protocol, without the node's own addresses; none of a row that is off.
    var permits: [Permit] {
        if case .off = state { return [] }
        return protocols.map { ipProtocol in
            Permit(
                id: id, direction: direction, protocol: ipProtocol, plane: plane,
                nodeAddresses: [], peers: peers, peerOrigin: peerOrigin,
                sourcePorts: sourcePorts.set, destinationPorts: destinationPorts.set,
                isStateless: isStateless && ipProtocol != .tcp)
        }
    }
}
