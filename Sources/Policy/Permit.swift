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
package enum PeerOrigin: Hashable, Sendable {
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
}

/// The permits of nodes that are configured alike, resolved once for all of them: without the nodes'
/// own addresses.
package final class SharedPermits: Hashable, Sendable {
    /// In the documentation's order, then the site's own rules; ``Permit/nodeAddresses`` are empty.
    package let permits: [Permit]
    /// How many rows and site rules they are of.
    package let count: Int
    /// The nodes at the other end of rows between nodes; empty without such rows.
    let mesh: AddressSet

    init(_ permits: [Permit]) {
        self.permits = permits
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

    package static func == (one: SharedPermits, other: SharedPermits) -> Bool {
        one === other || one.permits == other.permits
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(permits) }

    /// The permits of one of the nodes.
    func permits(of node: Node) -> [Permit] {
        let addresses = Dictionary(
            uniqueKeysWithValues: Plane.allCases.map { ($0, node.addresses(of: $0)) })
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

    /// - Parameter rules: the site's that are for the node.
    init(_ node: Node, _ rules: [SiteRule]) {
        role = node.role
        features = node.features
        ports = node.ports
        syslogTransport = node.syslogTransport
        peers = node.peers
        self.rules = rules.map(\.name)
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
        sharedPermits(
            in: deployment, mesh: mesh(in: deployment), deployment.rules(of: name)
        ).permits(of: self)
    }

    /// The nodes that the node's inter-node rows are for: the other ones in local placement. On a
    /// gateway nodes share one mesh, and a node's packets to itself never come by.
    func mesh(in deployment: Deployment) -> Mesh {
        Mesh(
            of: deployment.nodes.lazy.filter {
                deployment.placement.facts.sharedTable != nil || $0.name != name
            })
    }

    /// The permits of the node's rows, and those of every node with equal ``RowSettings``.
    ///
    /// - Parameter rules: the site's that are for the node.
    func sharedPermits(
        in deployment: Deployment, mesh: Mesh, _ rules: [SiteRule]
    ) -> SharedPermits {
        let rows = deployment.profile.rows.filter { $0.role == role }
        return SharedPermits(
            rows.flatMap { ResolvedRow($0, of: self, mesh: mesh).permits }
                + rules.flatMap { ResolvedRow($0, of: self).permits })
    }
}
