package import PortModel
package import Site

/// A row, or a rule of the site's own, resolved for one node: concrete addresses, peers and ports.
package struct Permit: Hashable, Sendable {
    /// The row's or the site rule's id. A row for TCP and UDP gives two permits of one id.
    package var id: String
    /// Seen from the node.
    package var direction: Direction
    /// One of the row's, or the transport that is configured for the row.
    package var `protocol`: IPProtocol
    /// Which of the node's addresses the row binds to.
    package var plane: Plane
    /// Those addresses, sorted.
    package var nodeAddresses: [IPAddress]
    /// The addresses at the other end.
    package var peers: Peers
    /// Where `peers` comes from: permits of one origin share one named set.
    package var peerOrigin: PeerOrigin
    /// The sender's ports; all for ESP, which has none.
    package var sourcePorts: PortSet
    /// The receiver's ports; all for ESP, which has none.
    package var destinationPorts: PortSet
    /// Allowed in both directions by a pair of rows, so that it needs no connection tracking: UDP
    /// media and ESP.
    package var isStateless: Bool

    /// Whether direction, protocol, addresses and ports are the permit's; connection tracking has
    /// no say.
    package func matches(_ packet: Packet) -> Bool {
        guard packet.direction == direction, packet.transport.ipProtocol == `protocol`,
            nodeAddresses.contains(packet.nodeAddress)
        else { return false }
        if case .only(let addresses) = peers, !addresses.contains(packet.peerAddress) {
            return false
        }
        guard let ports = packet.transport.ports else { return true }
        return sourcePorts.contains(ports.source) && destinationPorts.contains(ports.destination)
    }
}

/// The source of a set of peers, by which the set is named.
package enum PeerOrigin: Hashable, Sendable, Codable {
    case devices(PeerClass)
    /// The primary addresses of the nodes with these roles.
    case mesh([NodeRole])
    case site(String)
}

/// The primary addresses of a deployment's nodes by role, which all nodes' inter-node rows share.
package struct Mesh: Hashable, Sendable {
    private let addresses: [NodeRole: AddressSet]

    /// - Parameter nodes: only their primary addresses count.
    package init(of nodes: some Sequence<Node>) {
        var lists: [NodeRole: [IPAddress]] = [:]
        for node in nodes { lists[node.role, default: []] += node.addresses }
        addresses = lists.mapValues { AddressSet($0) }
    }

    /// The members with one of these roles.
    package func members(_ roles: [NodeRole]) -> AddressSet {
        roles.compactMap { addresses[$0] }.reduce(AddressSet()) { $0.union($1) }
    }

    /// The families in which a node finds another one with one of these roles.
    func families(_ roles: [NodeRole], besides node: Node) -> Set<AddressFamily> {
        roles.reduce(into: []) { families, role in
            let members = addresses[role]?.families ?? []
            families.formUnion(
                role == node.role ? members.subtracting(lonelyFamilies(of: node)) : members)
        }
    }

    /// The families in which a member has its role for itself. Its packets to itself never come by.
    func lonelyFamilies(of node: Node) -> Set<AddressFamily> {
        guard let members = addresses[node.role] else { return [] }
        return Set(
            node.addresses.filter { members.hasNone(but: $0) }.map(\.family))
    }
}

extension AddressSet {
    /// Whether the address is the only member of its family.
    fileprivate func hasNone(but address: IPAddress) -> Bool {
        switch address.family {
        case .ipv4: ipv4.intervals == [UInt32(address.value)...UInt32(address.value)]
        case .ipv6: ipv6.intervals == [address.value...address.value]
        }
    }
}

/// The rows of nodes that are configured alike, resolved once for all of them: without the nodes' own
/// addresses.
package final class SharedRows: Hashable, Sendable {
    /// In the documentation's order, whether they apply or not, then the site's own rules;
    /// ``ResolvedRow/addresses`` are empty.
    let rows: [ResolvedRow]
    /// Of the rows that are not off, in their order; ``Permit/nodeAddresses`` are empty.
    package let permits: [Permit]
    /// How many rows and site rules the permits are of.
    package let count: Int
    /// The nodes at the other end of rows between nodes; empty without such rows.
    let mesh: AddressSet

    init(_ rows: [ResolvedRow]) {
        self.rows = rows
        permits = rows.flatMap(\.permits)
        count = Set(permits.map(\.id)).count
        mesh =
            permits.lazy.compactMap { permit in
                if case .mesh = permit.peerOrigin, case .only(let nodes) = permit.peers {
                    nodes
                } else {
                    nil
                }
            }.first ?? AddressSet()
    }

    package static func == (one: SharedRows, other: SharedRows) -> Bool {
        one === other || one.rows == other.rows
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(permits) }

    /// The permits of one of the nodes.
    func permits(of node: Node) -> [Permit] {
        let addresses = Dictionary(
            uniqueKeysWithValues: Plane.allCases.map { ($0, node.homes[$0]) })
        return permits.map { permit in
            var permit = permit
            permit.nodeAddresses = addresses[permit.plane] ?? []
            return permit
        }
    }
}

/// Everything of a node's configuration that its rows are resolved from, in one deployment.
struct RowSettings: Hashable {
    private let role: NodeRole
    private let features: Set<Feature>
    private let ports: PortAssignments
    private let syslogTransport: IPProtocol
    private let peers: [PeerClass: Peers]
    private let rules: [String]
    /// Of its primary addresses and of all, and those in which it has no other node of its role to
    /// speak with: by these nobody can be at the other end.
    private let families: [Set<AddressFamily>]

    /// - Parameters:
    ///   - rules: the site's that are for the node.
    ///   - mesh: the nodes that rows between nodes are for.
    init(_ node: Node, _ rules: [SiteRule], mesh: Mesh) {
        role = node.role
        features = node.features
        ports = node.ports
        syslogTransport = node.syslogTransport
        peers = node.peers
        self.rules = rules.map(\.name)
        families = [
            Set(node.addresses.map(\.family)), Set(node.allAddresses.map(\.family)),
            mesh.lonelyFamilies(of: node),
        ]
    }

    /// Leaves the peers' addresses out, which may be many: equality tells them apart, at once where
    /// nodes share them.
    func hash(into hasher: inout Hasher) {
        hasher.combine(role)
        hasher.combine(features)
        hasher.combine(ports)
        hasher.combine(rules)
    }
}

extension Deployment {
    /// The site's rules that are for a node.
    package func rules(of name: String) -> [SiteRule] { rules.filter { $0.nodes.contains(name) } }

    /// The site's rules by the names of the nodes that they are for, for callers that ask for many.
    var rulesByNode: [String: [SiteRule]] {
        var result: [String: [SiteRule]] = [:]
        for rule in rules {
            for name in rule.nodes { result[name, default: []].append(rule) }
        }
        return result
    }
}

extension Node {
    /// The permits of the node: its role's rows that apply, in the documentation's order, then the
    /// site's own rules.
    package func permits(in deployment: Deployment) -> [Permit] {
        sharedRows(in: deployment).permits(of: self)
    }

    /// The rows of the node's role in the documentation's order, whether they apply or not, then the
    /// site's rules for it.
    package func rows(in deployment: Deployment) -> [ResolvedRow] {
        sharedRows(in: deployment).rows.map { $0.of(homes) }
    }

    private func sharedRows(in deployment: Deployment) -> SharedRows {
        sharedRows(in: deployment, mesh: mesh(in: deployment), deployment.rules(of: name))
    }

    /// The nodes that the node's inter-node rows are for: the other ones in local placement. On a
    /// gateway nodes share one mesh, and a node's packets to itself never come by.
    func mesh(in deployment: Deployment) -> Mesh {
        Mesh(
            of: deployment.nodes.lazy.filter {
                deployment.placement.facts.sharedTable != nil || $0.name != name
            })
    }

    /// The node's rows, and those of every node with equal ``RowSettings``.
    ///
    /// - Parameter rules: the site's that are for the node.
    func sharedRows(
        in deployment: Deployment, mesh: Mesh, _ rules: [SiteRule]
    ) -> SharedRows {
        let rows = deployment.profile.rows.filter { $0.role == role }
        return SharedRows(
            rows.map { ResolvedRow($0, of: self, mesh: mesh) }
                + rules.map { ResolvedRow($0, of: self) })
    }
}
