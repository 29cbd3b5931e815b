package import Deployment
package import PortModel

/// All permits of one node in local placement, with the pure function that decides any packet: the
/// reference that the compiled ruleset and the kernel are tested against.
package struct Policy: Hashable, Sendable {
    package let node: Node
    package let mode: Mode
    package let host: Host
    package let permits: [Permit]
    /// The other nodes' primary addresses: the far ends of IPsec tunnels.
    package let mesh: AddressSet

    package init(of node: Node, in deployment: Deployment) {
        self.node = node
        mode = deployment.mode
        host = deployment.host
        permits = node.permits(in: deployment)
        mesh = permits.reduce(into: AddressSet()) { mesh, permit in
            if permit.peerOrigin == .mesh, case .only(let peers) = permit.peers {
                mesh = mesh.union(peers)
            }
        }
    }

    /// The UDP ports of the node to which a packet can be legitimate: those that a row opens, and
    /// those from which a row lets the node ask, whose answers come back to them.
    package var answerableUDPPorts: PortSet {
        var ports = PortSet(Host.dhcpClientPorts.values.map { $0.client...$0.client })
        if !host.dhcpClient { ports = [] }
        for permit in permits where permit.protocol == .udp {
            ports = ports.union(
                permit.direction == .inbound ? permit.destinationPorts : permit.sourcePorts)
        }
        return ports
    }
}

/// Why a packet is accepted or dropped.
package enum Reason: Hashable, Sendable {
    /// A row or a site rule permits it.
    case permit(String)
    /// It belongs to a flow that a permit opened, or answers one.
    case establishedOrRelated
    case loopback
    case icmpError
    /// IPv6 neighbour and router discovery, and multicast listener discovery.
    case neighbourDiscovery
    /// `host.ping`
    case echo
    /// `host.dhcp_client`
    case dhcpClient
    /// It came out of, or will go into, IPsec with a mesh member.
    case protectedByIPsec

    /// Connection tracking can't place it.
    case invalid
    /// UDP to a port that no row opens and from which no row lets the node ask.
    case unansweredPort
    /// Nothing permits it.
    case noPermit
}

/// What becomes of a packet, and why.
package struct Decision: Hashable, Sendable {
    package enum Verdict: String, Hashable, Sendable, Codable {
        case accept
        case drop
    }

    package let verdict: Verdict
    package let reason: Reason
}

extension Policy {
    /// Decides a packet as enforcement would, whatever the mode: in `observe` mode the packets
    /// that are dropped here pass and are counted.
    package func decide(_ packet: Packet) -> Decision {
        func accept(_ reason: Reason) -> Decision { Decision(verdict: .accept, reason: reason) }
        func drop(_ reason: Reason) -> Decision { Decision(verdict: .drop, reason: reason) }

        if packet.isLoopback { return accept(.loopback) }
        if let permit = permits.first(where: { $0.isStateless && $0.matches(packet) }) {
            return accept(.permit(permit.id))
        }
        if isUnanswered(packet) { return drop(.unansweredPort) }
        // ESP is never tracked, so it belongs to no established flow.
        if packet.transport != .esp,
            packet.connection == .established || packet.connection == .related
        {
            return accept(.establishedOrRelated)
        }
        if let reason = icmpReason(packet) { return accept(reason) }
        if packet.direction == .inbound, packet.connection == .invalid, packet.transport != .esp {
            return drop(.invalid)
        }
        if packet.isProtected, mesh.contains(packet.peerAddress) {
            return accept(.protectedByIPsec)
        }
        if host.dhcpClient, isDHCP(packet) { return accept(.dhcpClient) }
        if let permit = permits.first(where: { $0.matches(packet) }) {
            return accept(.permit(permit.id))
        }
        return drop(.noPermit)
    }

    private func isUnanswered(_ packet: Packet) -> Bool {
        guard mode == .enforce, packet.direction == .inbound, !packet.isProtected,
            case .udp(_, let port) = packet.transport,
            node.allAddresses.contains(packet.destination)
        else { return false }
        return !answerableUDPPorts.contains(port)
    }

    private func icmpReason(_ packet: Packet) -> Reason? {
        guard case .icmp(let type) = packet.transport else { return nil }
        switch packet.family {
        case .ipv4:
            if ICMPTypes.errors4.contains(type) { return .icmpError }
            if host.ping, type == ICMPTypes.echoRequest4 { return .echo }
        case .ipv6:
            if ICMPTypes.errors6.contains(type) { return .icmpError }
            if ICMPTypes.neighbourDiscovery.contains(type), packet.hopLimit == 255 {
                return .neighbourDiscovery
            }
            if ICMPTypes.multicastListener.contains(where: { $0.contains(type) }) {
                return .neighbourDiscovery
            }
            if host.ping, type == ICMPTypes.echoRequest6 { return .echo }
        }
        return nil
    }

    private func isDHCP(_ packet: Packet) -> Bool {
        guard case .udp(let source, let destination) = packet.transport,
            let ports = Host.dhcpClientPorts[packet.family]
        else { return false }
        switch packet.direction {
        case .inbound: return source == ports.server && destination == ports.client
        case .outbound: return source == ports.client && destination == ports.server
        }
    }
}

extension Host {
    /// DHCP (RFC 2131) and DHCPv6 (RFC 8415).
    package static let dhcpClientPorts: [AddressFamily: (client: UInt16, server: UInt16)] = [
        .ipv4: (68, 67), .ipv6: (546, 547),
    ]
}
