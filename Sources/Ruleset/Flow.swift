package import Policy
package import PortModel

/// A flow as connection tracking keeps it.
package struct Flow: Hashable, Sendable {
    /// The kernel's number of this entry: a later one with the same tuples has another.
    package var id: UInt32
    /// A conntrack zone, as others' rules assign them; ours assign none.
    package var zone: Zone
    /// Of the packets from the end that began, as they come in: before any NAT.
    package var original: Tuple
    /// Of the packets that answer, as they come in: NAT's changes to the original are turned round
    /// here.
    package var reply: Tuple
    /// Of a flow that a helper expected, as FTP's data: the original of the flow that announced it.
    package var master: Tuple?

    /// All tuples are of one family.
    package init(
        id: UInt32, zone: Zone = .none, original: Tuple, reply: Tuple? = nil,
        master: Tuple? = nil
    ) {
        self.id = id
        self.zone = zone
        self.original = original
        self.reply = reply ?? original.reversed
        self.master = master
        precondition(original.family == self.reply.family)
    }

    /// Which of several tables the kernel keeps the entry in.
    package enum Zone: Hashable, Sendable {
        case none
        case both(UInt16)
        /// Only the original tuple is in the zone.
        case original(UInt16)
    }

    /// Everything that the packets of one direction have in common.
    package struct Tuple: Hashable, Sendable {
        /// Where the packets come from, as they come in.
        package var source: IPAddress
        /// Where the packets go, as they come in.
        package var destination: IPAddress
        /// As in the IP header, behind extension headers.
        package var protocolNumber: UInt8
        /// Tells apart the flows of one protocol between the same ends.
        package var detail: Detail

        /// - Precondition: both addresses are of one family.
        package init(
            from source: IPAddress, to destination: IPAddress, protocolNumber: UInt8,
            _ detail: Detail = .none
        ) {
            precondition(source.family == destination.family)
            self.source = source
            self.destination = destination
            self.protocolNumber = protocolNumber
            self.detail = detail
        }

        /// Of both addresses.
        package var family: AddressFamily { source.family }
    }

    /// The protocol's own part of a tuple.
    package enum Detail: Hashable, Sendable {
        /// Of protocols that the kernel does not look into, as ESP.
        case none
        /// Ports, and what other protocols have in their place, as GRE's keys.
        case ports(source: UInt16, destination: UInt16)
        /// ICMP and ICMPv6.
        case icmp(id: UInt16, type: UInt8, code: UInt8)
    }

    /// The destination of the first packet once destination NAT is done, as rules of input, forward
    /// and output see it.
    package var destination: IPAddress { reply.source }

    /// The first packet's transport before destination NAT.
    package var arrivingTransport: Transport { original.transport }

    /// The first packet's transport once destination NAT is done.
    package var transport: Transport {
        guard case .ports(let source, _) = original.detail,
            case .ports(let destination, _) = reply.detail
        else { return original.transport }
        var tuple = original
        tuple.detail = .ports(source: source, destination: destination)
        return tuple.transport
    }
}

extension Flow.Tuple {
    /// The tuple of the answers, where there is no NAT.
    package var reversed: Self {
        var detail = detail
        switch detail {
        case .none: break
        case .ports(let source, let destination):
            detail = .ports(source: destination, destination: source)
        case .icmp(let id, let type, let code):
            detail = .icmp(id: id, type: Self.icmpAnswers[family]?[type] ?? type, code: code)
        }
        return Self(from: destination, to: source, protocolNumber: protocolNumber, detail)
    }

    /// The requests that are tracked, with the answers to them: echo, timestamp, information and
    /// address mask; echo and node information of ICMPv6.
    private static let icmpAnswers: [AddressFamily: [UInt8: UInt8]] = [
        .ipv4: [8: 0, 13: 14, 15: 16, 17: 18], .ipv6: [128: 129, 139: 140],
    ]

    fileprivate var transport: Transport {
        switch (protocolNumber, detail) {
        case (IPProtocol.tcp.rawValue, .ports(let source, let destination)):
            .tcp(source: source, destination: destination)
        case (IPProtocol.udp.rawValue, .ports(let source, let destination)):
            .udp(source: source, destination: destination)
        case (IPProtocol.esp.rawValue, _): .esp
        case (family == .ipv4 ? 1 : 58, .icmp(_, let type, _)): .icmp(type: type)
        default: .other(protocolNumber)
        }
    }
}

extension Flow: CustomStringConvertible {
    package var description: String {
        var text =
            "\(IPProtocol(rawValue: original.protocolNumber)?.name ?? "protocol \(original.protocolNumber)") \(original.source)"
        if case .ports(let source, let destination) = original.detail {
            text += " port \(source) to \(original.destination) port \(destination)"
        } else {
            text += " to \(original.destination)"
        }
        return text
    }
}

/// The outcome of ending flows.
package struct EndedFlows: Hashable, Sendable {
    /// How many were there and are no more.
    package var count: Int
    /// How many are still there.
    package var left: Int
    /// Why the first of those is still there, in words; nil where none is.
    package var failure: String?

    /// Without arguments: nothing was to be ended.
    package init(count: Int = 0, left: Int = 0, failure: String? = nil) {
        self.count = count
        self.left = left
        self.failure = failure
    }
}
