import DeploymentGenerator
import Policy
import TestSupport

extension Cell {
    /// The cell's packet as the probe sends it.
    func probePacket(id: UInt32) -> ProbePacket { ProbePacket(id: id, packet) }
}

extension ProbePacket {
    /// A packet of the reference as the probe sends it; ICMP types other than echo requests need
    /// their own content.
    init(id: UInt32, _ packet: Packet) {
        let content: Content
        switch packet.transport {
        case .tcp: content = .tcp
        case .udp: content = .udp
        case .esp: content = .esp
        case .icmp: content = .echoRequest
        case .other(let number): content = .other(number)
        }
        let ports = packet.transport.ports ?? (0, 0)
        self.init(
            id: id, content, from: ProbeEndpoint(packet.source, port: ports.source),
            to: ProbeEndpoint(packet.destination, port: ports.destination))
    }
}
