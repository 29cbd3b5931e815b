package import PortModel

/// A packet as the reference decides it: all that a rule can see, and nothing else.
package struct Packet: Hashable, Sendable {
    /// Seen from the node: delivered to it, or sent by it. Of no meaning for a packet that a
    /// gateway forwards, which may have a node at both ends.
    package var direction: Direction
    /// The source address of the IP header.
    package var source: IPAddress
    /// The destination address of the IP header, of the same family.
    package var destination: IPAddress
    /// The protocol, with its ports or its type.
    package var transport: Transport
    /// Connection tracking's view, also of packets that the rules exempt from it.
    package var connection: ConnectionState
    /// Received on or sent to the loopback interface.
    package var isLoopback: Bool
    /// Decrypted by, or about to be encrypted by, an IPsec policy.
    package var isProtected: Bool
    /// The flow's source or destination address is translated (NAT).
    package var isTranslated: Bool
    /// The IPv4 time to live or IPv6 hop limit.
    package var hopLimit: UInt8

    /// - Precondition: both addresses are of one family.
    package init(
        _ direction: Direction, from source: IPAddress, to destination: IPAddress,
        _ transport: Transport, connection: ConnectionState = .new, isLoopback: Bool = false,
        isProtected: Bool = false, isTranslated: Bool = false, hopLimit: UInt8 = 64
    ) {
        precondition(source.family == destination.family)
        self.direction = direction
        self.source = source
        self.destination = destination
        self.transport = transport
        self.connection = connection
        self.isLoopback = isLoopback
        self.isProtected = isProtected
        self.isTranslated = isTranslated
        self.hopLimit = hopLimit
    }

    /// Of both addresses.
    package var family: AddressFamily { source.family }

    /// The end of the packet that is at the node.
    package var nodeAddress: IPAddress { direction == .inbound ? destination : source }
    /// The end of the packet that is at the peer.
    package var peerAddress: IPAddress { direction == .inbound ? source : destination }
}

/// The payload of an IP packet, as far as rules look at it.
package enum Transport: Hashable, Sendable {
    case tcp(source: UInt16, destination: UInt16)
    case udp(source: UInt16, destination: UInt16)
    case esp
    /// ICMP or ICMPv6, by the packet's family.
    case icmp(type: UInt8)
    /// Any other protocol number.
    case other(UInt8)

    /// - Parameters:
    ///   - source: the source port; without meaning for ESP.
    ///   - destination: the destination port; without meaning for ESP.
    package init(_ protocol: IPProtocol, source: UInt16, destination: UInt16) {
        switch `protocol` {
        case .tcp: self = .tcp(source: source, destination: destination)
        case .udp: self = .udp(source: source, destination: destination)
        case .esp: self = .esp
        }
    }

    /// The protocol where it is one that rows name.
    package var ipProtocol: IPProtocol? {
        switch self {
        case .tcp: .tcp
        case .udp: .udp
        case .esp: .esp
        case .icmp, .other: nil
        }
    }

    /// Source and destination ports, for the protocols that have them.
    package var ports: (source: UInt16, destination: UInt16)? {
        switch self {
        case .tcp(let source, let destination), .udp(let source, let destination):
            (source, destination)
        case .esp, .icmp, .other: nil
        }
    }
}

/// Connection tracking's view of a packet, before any exemption from tracking.
package enum ConnectionState: String, Hashable, Sendable, CaseIterable, Codable {
    case new
    case established
    case related
    case invalid
}

/// The ICMP and ICMPv6 types that are decided apart from rows (RFC 792, RFC 4443, RFC 4861,
/// RFC 2710, RFC 3810).
package enum ICMPTypes {
    /// Destination unreachable (path-MTU discovery needs it), time exceeded, parameter problem.
    package static let errors4: [UInt8] = [3, 11, 12]
    /// Destination unreachable, packet too big, time exceeded, parameter problem.
    package static let errors6: ClosedRange<UInt8> = 1...4
    /// Router and neighbour solicitation and advertisement, redirect: valid only with hop limit 255.
    package static let neighbourDiscovery: ClosedRange<UInt8> = 133...137
    /// Multicast listener discovery, without which snooping switches lose neighbour discovery.
    package static let multicastListener: [ClosedRange<UInt8>] = [130...132, 143...143]
    /// Echo request (RFC 792).
    package static let echoRequest4: UInt8 = 8
    /// Echo request (RFC 4443).
    package static let echoRequest6: UInt8 = 128
}
