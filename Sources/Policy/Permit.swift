package import Deployment
package import PortModel

/// A row, or a rule of the site's own, resolved for one node: concrete addresses, peers and ports.
package struct Permit: Hashable, Sendable {
    /// The row's or the site rule's id. A row for TCP and UDP gives two permits of one id.
    package var id: String
    package var direction: Direction
    package var `protocol`: IPProtocol
    /// Which of the node's addresses the row binds to.
    package var plane: Plane
    /// Those addresses, sorted.
    package var nodeAddresses: [IPAddress]
    package var peers: Peers
    /// Where `peers` comes from: permits of one origin share one named set.
    package var peerOrigin: PeerOrigin
    package var sourcePorts: PortSet
    package var destinationPorts: PortSet
    /// Allowed in both directions by a pair of rows, so that it needs no connection tracking: UDP
    /// media and ESP.
    package var isStateless: Bool

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

/// What names a set of peers.
package enum PeerOrigin: Hashable, Sendable {
    case devices(PeerClass)
    /// The primary addresses of the nodes with these roles.
    case mesh([NodeRole])
    case site(String)
}

extension Node {
    /// The permits of the node: its role's rows that apply, in the documentation's order, then the
    /// site's own rules.
    package func permits(in deployment: Deployment) -> [Permit] {
        permits(in: deployment, Mesh(of: self, in: deployment))
    }

    func permits(in deployment: Deployment, _ mesh: Mesh) -> [Permit] {
        let rows = deployment.profile.rows.filter { row in
            row.role == role && row.feature.map(features.contains) ?? true
        }
        return rows.flatMap { permits(of: $0, mesh) }
            + deployment.rules.filter { $0.nodes.contains(name) }.map(permit(of:))
    }

    private func permits(of row: Row, _ mesh: Mesh) -> [Permit] {
        let peers: Peers
        let origin: PeerOrigin
        switch row.peer {
        case .devices(let peerClass):
            peers = self.peers[peerClass] ?? .any
            origin = .devices(peerClass)
        case .nodes(let roles):
            peers = .only(mesh[roles])
            origin = .mesh(roles)
        }
        let protocols = row.hasConfigurableTransport ? [syslogTransport] : row.protocols
        return protocols.map { `protocol` in
            Permit(
                id: row.id, direction: row.direction, protocol: `protocol`, plane: row.plane,
                nodeAddresses: addresses(of: row.plane), peers: peers, peerOrigin: origin,
                sourcePorts: portSet(row.source), destinationPorts: portSet(row.destination),
                isStateless: `protocol` == .esp || (`protocol` == .udp && row.carriesMedia))
        }
    }

    private func permit(of rule: SiteRule) -> Permit {
        Permit(
            id: rule.id, direction: rule.direction, protocol: rule.protocol, plane: .any,
            nodeAddresses: allAddresses, peers: rule.peers, peerOrigin: .site(rule.name),
            sourcePorts: rule.sourcePorts, destinationPorts: rule.destinationPorts,
            isStateless: false)
    }

    private func portSet(_ cell: PortCell) -> PortSet {
        switch cell {
        case .any, .notApplicable:
            .all
        case .ports(let numbers, let range):
            PortSet(numbers.map { $0...$0 } + (range.map { [ports[$0]] } ?? []))
        case .configurable(let port):
            PortSet(ports[port].map { $0...$0 })
        }
    }
}

/// The primary addresses of the nodes with one of a row's roles: the other ones in local placement.
/// On a gateway nodes share these sets, and a node's packets to itself never come by.
struct Mesh {
    private var members: [[NodeRole]: AddressSet] = [:]

    /// On a gateway it is the same for all nodes: one will do for all their permits.
    init(of node: Node, in deployment: Deployment) {
        for row in deployment.profile.rows {
            guard case .nodes(let roles) = row.peer, members[roles] == nil else { continue }
            members[roles] = AddressSet(
                deployment.nodes.filter {
                    roles.contains($0.role)
                        && (deployment.placement == .gateway || $0.name != node.name)
                }.flatMap(\.addresses))
        }
    }

    subscript(roles: [NodeRole]) -> AddressSet { members[roles] ?? AddressSet() }
}

extension Row {
    /// Whether this is one of the pair of rows "RTP / RTCP / …", which mirror each other: the media
    /// range is the destination of the inbound row and the source of the outbound one, both with
    /// any port and the same devices at the other end.
    fileprivate var carriesMedia: Bool {
        switch direction {
        case .inbound: source == .any && destination == .range(.media)
        case .outbound: source == .range(.media) && destination == .any
        }
    }
}
