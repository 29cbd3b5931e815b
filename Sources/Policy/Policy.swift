package import PortModel
package import Site

/// All permits of one node, with the pure function that decides any packet: the reference that the
/// compiled ruleset and the kernel are tested against.
package struct Policy: Hashable, Sendable {
    package let node: Node
    /// In `observe`, no UDP is refused by its ports before connection tracking sees it.
    package let mode: Mode
    /// `host.ping`, `host.dhcp_client` and `host.track_media` permit or exempt beside the rows.
    package let host: Host
    /// How the compiled rules sample refused packets.
    package let refusals: Refusals
    /// Shared by the nodes that are configured alike.
    package let rows: SharedRows
    /// The other nodes' primary addresses: the far ends of IPsec tunnels.
    package let mesh: AddressSet

    /// Resolves the rows of this node alone. For many nodes ``GatewayPolicy`` resolves them once
    /// for all that are configured alike.
    package init(of node: Node, in deployment: Deployment) {
        self.init(of: node, in: deployment, mesh: node.mesh(in: deployment))
    }

    private init(of node: Node, in deployment: Deployment, mesh: Mesh) {
        self.init(
            of: node, in: deployment,
            rows: node.sharedRows(in: deployment, mesh: mesh, deployment.rules(of: node.name)))
    }

    /// - Parameter rows: resolved for a node with the same ``RowSettings``.
    init(of node: Node, in deployment: Deployment, rows: SharedRows) {
        self.node = node
        mode = deployment.mode
        host = deployment.host
        refusals = deployment.refusals
        self.rows = rows
        mesh = rows.mesh
    }

    /// The permits of the node's rows, in the documentation's order, then those of the site's own
    /// rules.
    package var permits: [Permit] { rows.permits(of: node) }

    /// Whether UDP is tracked before it is judged: then nothing of it is exempted, nor refused by its
    /// ports alone.
    package var tracksMedia: Bool { host.trackMedia == .always }

    /// Which inbound UDP can be legitimate, by its ports alone.
    package var answerableUDP: AnswerableUDP {
        var nodePorts: [ClosedRange<UInt16>] = []
        var peerPorts: [ClosedRange<UInt16>] = []
        if host.dhcpClient {
            nodePorts += Host.dhcpClientPorts.values.map { $0.client...$0.client }
        }
        for permit in rows.permits where permit.protocol == .udp {
            switch permit.direction {
            case .inbound: nodePorts += permit.destinationPorts.intervals
            case .outbound where permit.sourcePorts.isAll:
                peerPorts += permit.destinationPorts.intervals
            case .outbound: nodePorts += permit.sourcePorts.intervals
            }
        }
        return AnswerableUDP(nodePorts: PortSet(nodePorts), peerPorts: PortSet(peerPorts))
    }
}

/// UDP that a row opens, or that can answer what a row lets the node ask. Everything else can be
/// refused before connection tracking sees it.
package struct AnswerableUDP: Hashable, Sendable {
    /// Ports of the node: those that rows open, and those from which rows let it ask.
    package let nodePorts: PortSet
    /// Ports of peers that rows let the node ask from any port of its own.
    package let peerPorts: PortSet

    /// Nothing can be refused by its ports.
    package var isEverything: Bool { nodePorts.isAll || peerPorts.isAll }

    /// Whether UDP with these ports can be legitimate.
    package func contains(source: UInt16, destination: UInt16) -> Bool {
        nodePorts.contains(destination) || peerPorts.contains(source)
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

/// The fate of a packet, and why.
package struct Decision: Hashable, Sendable {
    /// Whether the packet passes.
    package enum Verdict: String, Hashable, Sendable, Codable, CaseIterable {
        case accept
        case drop
    }

    package let verdict: Verdict
    /// The first check that decides, in the order of ``Policy/decide(_:)``.
    package let reason: Reason
}

extension Policy {
    /// Decides a packet of this host in local placement, as enforcement would, whatever the mode: in
    /// `observe` mode the packets that are dropped here pass and are counted.
    package func decide(_ packet: Packet) -> Decision {
        func accept(_ reason: Reason) -> Decision { Decision(verdict: .accept, reason: reason) }
        func drop(_ reason: Reason) -> Decision { Decision(verdict: .drop, reason: reason) }

        // Media meets its row before anything else, since it is most of the traffic.
        if case .udp = packet.transport,
            let permit = permits.first(where: { $0.isStateless && $0.matches(packet) })
        {
            return accept(.permit(permit.id))
        }
        if packet.isLoopback { return accept(.loopback) }
        let isProtected = packet.isProtected && mesh.contains(packet.peerAddress)
        if !isProtected, isUnanswered(packet) { return drop(.unansweredPort) }
        // These are never tracked, so they belong to no established flow.
        let isTracked = packet.transport != .esp && !isProtected
        if isTracked, packet.connection == .established || packet.connection == .related {
            return accept(.establishedOrRelated)
        }
        if let reason = icmpReason(packet) { return accept(reason) }
        if isTracked, packet.direction == .inbound, packet.connection == .invalid {
            return drop(.invalid)
        }
        if isProtected { return accept(.protectedByIPsec) }
        if host.dhcpClient, isDHCP(packet) { return accept(.dhcpClient) }
        if let permit = permits.first(where: { $0.matches(packet) }) {
            return accept(.permit(permit.id))
        }
        return drop(.noPermit)
    }

    private func isUnanswered(_ packet: Packet) -> Bool {
        guard mode == .enforce, !tracksMedia, packet.direction == .inbound,
            case .udp(let source, let destination) = packet.transport,
            node.allAddresses.contains(packet.destination)
        else { return false }
        return !answerableUDP.contains(source: source, destination: destination)
    }

    /// Why an ICMP packet passes whatever the rows say; nil where it does not.
    func icmpReason(_ packet: Packet) -> Reason? {
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
