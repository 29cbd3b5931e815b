package import PortModel
package import Site

/// A row of the documentation, or a rule of the site's own, as it is for one node. Port tables,
/// diagrams, reports and permits are made of these.
package struct ResolvedRow: Hashable, Sendable, Codable {
    package enum Origin: Hashable, Sendable, Codable {
        case row(Row)
        /// A rule of the site's own, by its id.
        case rule(String)
    }

    /// Whether the row permits anything.
    package enum State: Hashable, Sendable, Codable {
        case open
        /// The feature that the row needs is not configured.
        case off(Feature)
        /// Nobody can be at the other end.
        case nobody(Nobody)
    }

    /// Why nobody can be at the other end.
    package enum Nobody: String, Hashable, Sendable, Codable {
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

    /// Every text in it that may be of any length.
    var texts: [String] {
        switch origin {
        case .row(let row): [row.id, row.description, row.device]
        case .rule(let id): [id]
        }
    }
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

extension ResolvedRow {
    /// The row of all nodes that are configured like this one, without their addresses.
    ///
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
        addresses = []
        isStateless = row.carriesMedia || row.protocols == [.esp]
        let families = node.homes[row.plane].map(\.family)
        if let feature = row.feature, !row.applies(with: node.features) {
            state = .off(feature)
        } else if case .nodes(let roles) = row.peer {
            state = .init(mesh.families(roles, besides: node), at: families)
        } else {
            state = .init(peers, at: families)
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
        addresses = []
        isStateless = false
        state = .init(peers, at: node.homes[.any].map(\.family))
    }

    /// The row of a node with these addresses.
    func of(_ homes: NodeAddresses) -> ResolvedRow {
        var row = self
        row.addresses = homes[plane]
        return row
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

extension ResolvedRow.State {
    /// - Parameter own: the families of the node's addresses.
    fileprivate init(_ peers: Peers, at own: [AddressFamily]) {
        switch peers {
        case .any: self = .open
        case .only(let addresses): self.init(addresses.families, at: own)
        }
    }

    /// - Parameters:
    ///   - families: of the peers' addresses.
    ///   - own: of the node's.
    fileprivate init(_ families: Set<AddressFamily>, at own: [AddressFamily]) {
        self =
            families.isEmpty
            ? .nobody(.noSuchNode)
            : families.isDisjoint(with: own) ? .nobody(.noCommonFamily) : .open
    }
}
