internal import Site
internal import Policy
internal import PortModel
internal import Reports
internal import Ruleset

/// Tells which tracked flows a generation no longer permits: those whose first packet it would
/// refuse now, and of TCP also the first of the other direction. Prepared for many of them.
struct FlowJudge: Sendable {
    /// Of the generation's nodes: what flows are looked at for.
    let addresses: Set<IPAddress>
    private let hostAddresses: Set<IPAddress>
    /// Whether flows between others are judged, rather than the host's own.
    private let judgesForwarded: Bool
    private let evaluators: [TableEvaluator]

    /// - Parameter hostAddresses: those of this host's interfaces. Packets between them are loopback
    ///   traffic, and a gateway's own are not forwarded.
    init(_ generation: Generation, hostAddresses: Set<IPAddress>) {
        addresses = Set(generation.nodes.flatMap(\.addresses))
        self.hostAddresses = hostAddresses
        judgesForwarded = generation.ruleset.placement.facts.judgesForwarded
        evaluators = generation.ruleset.tables.map { TableEvaluator($0) }
    }

    /// Whether the flow must end.
    ///
    /// One that a helper expected stays with the flow that announced it, which is judged by its
    /// tuple before NAT, since nothing else is known of it: where that was sent to a node by
    /// destination NAT it is no node's flow, and what it announced stays.
    func refuses(_ flow: Flow) -> Bool {
        guard isRefused(flow) else { return false }
        guard let master = flow.master else { return true }
        return isRefused(Flow(id: 0, original: master))
    }

    private func isRefused(_ flow: Flow) -> Bool {
        let (source, destination) = (flow.original.source, flow.destination)
        let direction: Direction
        if judgesForwarded {
            guard !isHere(source), !isHere(destination) else { return false }
            direction = addresses.contains(destination) ? .inbound : .outbound
            guard direction == .inbound || addresses.contains(source) else { return false }
        } else if addresses.contains(source) {
            // The interface is chosen before NAT of what the host sends.
            guard !isHere(flow.original.destination) else { return false }
            direction = .outbound
        } else if addresses.contains(destination) {
            guard !isHere(source) else { return false }
            direction = .inbound
        } else {
            // Forwarded by this host for others.
            return false
        }
        let packet = Packet(direction, from: source, to: destination, flow.transport)
        let arriving = Packet(
            direction, from: source, to: flow.original.destination, flow.arrivingTransport)
        guard drops(packet, arriving: arriving) else { return false }
        // Where tracking began in the middle of a connection, who spoke first is taken for who began;
        // and where the other way is permitted, its next segment that way begins the flow anew.
        guard let answering = packet.answering else { return true }
        return drops(answering, arriving: answering)
    }

    private func drops(_ packet: Packet, arriving: Packet) -> Bool {
        evaluators.contains {
            let evaluation =
                judgesForwarded
                ? $0.evaluateForwarded(packet) : $0.evaluate(packet, arriving: arriving)
            return evaluation.verdict == .drop
        }
    }

    private func isHere(_ address: IPAddress) -> Bool {
        hostAddresses.contains(address) || (!judgesForwarded && addresses.contains(address))
            || address.isLoopback
    }
}

extension Packet {
    /// The packet of the other direction that would be the first of the same connection; nil for what
    /// is no TCP.
    fileprivate var answering: Packet? {
        guard case .tcp(let source, let destination) = transport else { return nil }
        return Packet(
            direction == .inbound ? .outbound : .inbound, from: self.destination, to: self.source,
            .tcp(source: destination, destination: source))
    }
}

extension IPAddress {
    /// 127.0.0.0/8 or ::1.
    fileprivate var isLoopback: Bool {
        family == .ipv4 ? value >> 24 == 127 : value == 1
    }
}
