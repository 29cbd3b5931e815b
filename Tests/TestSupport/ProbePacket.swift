internal import FoundationEssentials
package import PortModel
internal import ProbeProtocol

/// An address with a port; as a literal `"10.0.0.1:443"`, `"[2001:db8::1]:443"` or, with port 0,
/// `"10.0.0.1"` and `"2001:db8::1"`.
package struct ProbeEndpoint: Hashable, Sendable, ExpressibleByStringLiteral,
    CustomStringConvertible
{
    package let address: IPAddress
    package let port: UInt16

    package init(_ address: IPAddress, port: UInt16 = 0) {
        self.address = address
        self.port = port
    }

    /// Parses what a literal may hold.
    package init?(_ text: String) {
        if let address = IPAddress(text) {
            self.init(address)
            return
        }
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else { return nil }
        var host = text[..<colon]
        let bracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if bracketed { host = host.dropFirst().dropLast() }
        guard let address = IPAddress(host), bracketed == (address.family == .ipv6) else {
            return nil
        }
        self.init(address, port: port)
    }

    package init(stringLiteral value: String) {
        guard let endpoint = ProbeEndpoint(value) else {
            preconditionFailure("\"\(value)\" is not an address with a port")
        }
        self = endpoint
    }

    package var description: String {
        address.family == .ipv4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }

    var wire: WireEndpoint { WireEndpoint(address: address.description, port: port) }
}

/// One packet to send, and to recognise where it arrives.
package struct ProbePacket: Sendable {
    /// What the packet carries. "ICMP" means the one of the addresses' family.
    package enum Content: Hashable, Sendable {
        /// A segment with these flags.
        case tcp(flags: UInt8)
        case udp
        /// IP protocol 50.
        case esp
        case echoRequest
        case echoReply
        /// An ICMP message that quotes nothing.
        case icmp(type: UInt8, code: UInt8)
        /// An ICMP error about a datagram; `parameter` is the MTU of "packet too big".
        case icmpError(type: UInt8, code: UInt8, parameter: UInt16, about: Quoted)
        /// Any other IP protocol; the ports stand where SCTP, DCCP and UDP-Lite have them.
        case other(UInt8)

        /// A connection's first segment.
        package static let tcp = Content.tcp(flags: 0x02)

        /// "Fragmentation needed" of IPv4, "packet too big" of IPv6. A receiver that believes it
        /// fragments what it sends to the quoted destination from then on.
        package static func tooBig(mtu: UInt16, about quoted: Quoted) -> Content {
            quoted.source.address.family == .ipv4
                ? .icmpError(type: 3, code: 4, parameter: mtu, about: quoted)
                : .icmpError(type: 2, code: 0, parameter: mtu, about: quoted)
        }

        /// "Port unreachable" of either family.
        package static func portUnreachable(about quoted: Quoted) -> Content {
            quoted.source.address.family == .ipv4
                ? .icmpError(type: 3, code: 3, parameter: 0, about: quoted)
                : .icmpError(type: 1, code: 4, parameter: 0, about: quoted)
        }
    }

    /// The datagram that an ICMP error is about.
    package struct Quoted: Hashable, Sendable {
        /// What a quotation can hold: an ICMP error is never about another.
        package enum Content: Hashable, Sendable {
            case tcp, udp, esp, echoRequest
        }

        package let content: Content
        package let source: ProbeEndpoint
        package let destination: ProbeEndpoint
        /// Of the datagram's payload, of which only the start is quoted.
        package let payloadLength: Int

        package init(
            _ content: Content, from source: ProbeEndpoint, to destination: ProbeEndpoint,
            payloadLength: Int = 1400
        ) {
            self.content = content
            self.source = source
            self.destination = destination
            self.payloadLength = payloadLength
        }
    }

    /// The test's own name for the packet, unique in its batch.
    package let id: UInt32
    package let content: Content
    package let source: ProbeEndpoint
    package let destination: ProbeEndpoint
    /// Beyond the MTU the sending stack fragments. At least 4 for UDP, which carries an id there.
    package let payloadLength: Int
    /// 0 means the host's default.
    package let hopLimit: UInt8

    package init(
        id: UInt32, _ content: Content, from source: ProbeEndpoint, to destination: ProbeEndpoint,
        payloadLength: Int = 4, hopLimit: UInt8 = 0
    ) {
        self.id = id
        self.content = content
        self.source = source
        self.destination = destination
        self.payloadLength = payloadLength
        self.hopLimit = hopLimit
    }
}

// MARK: - On the wire

/// What makes a packet recognisable on arrival, whatever was translated on its way. The answers
/// that kernels give (resets, replies, errors) differ from the packet in one of the three.
struct WireIdentity: Hashable {
    let number: UInt32
    let protocolNumber: UInt8
    /// Of ICMP, else 0.
    let icmpType: UInt8
}

extension ProbePacket {
    /// The packet's identity if it is sent under a number.
    func identity(_ number: UInt32) -> WireIdentity {
        WireIdentity(number: number, protocolNumber: protocolNumber, icmpType: icmpType)
    }

    /// The packet under a number, for the probe to send.
    func outgoing(_ number: UInt32) -> OutgoingPacket {
        let (header, padding) = transport(number)
        return OutgoingPacket(
            protocolNumber: protocolNumber, source: source.address.description,
            destination: destination.address.description, hopLimit: hopLimit,
            content: Data(header), padding: padding)
    }

    private var family: AddressFamily { source.address.family }

    private var protocolNumber: UInt8 {
        switch content {
        case .tcp: 6
        case .udp: 17
        case .esp: 50
        case .echoRequest, .echoReply, .icmp, .icmpError: family == .ipv4 ? 1 : 58
        case .other(let number): number
        }
    }

    private var icmpType: UInt8 {
        switch content {
        case .echoRequest: family == .ipv4 ? 8 : 128
        case .echoReply: family == .ipv4 ? 0 : 129
        case .icmp(let type, _), .icmpError(let type, _, _, _): type
        case .tcp, .udp, .esp, .other: 0
        }
    }

    /// The transport header with the number in it and a valid checksum, and how many zero bytes
    /// follow it.
    private func transport(_ number: UInt32) -> (header: [UInt8], padding: Int) {
        let ports = source.port.bytes + destination.port.bytes
        switch content {
        case .tcp(let flags):
            // Sequence number, acknowledgment, 20 bytes of header, window, no urgent data.
            let header: [UInt8] =
                ports + number.bytes + [0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]
            // A first segment with data would be unusual: the payload is for others.
            let padding = payloadLength > 4 ? payloadLength : 0
            return (checksummed(header, at: 16, padding: padding), padding)
        case .udp:
            let padding = max(0, payloadLength - 4)
            let header = ports + UInt16(12 + padding).bytes + [0, 0] + number.bytes
            return (checksummed(header, at: 6, padding: padding), padding)
        case .esp:
            // SPI, sequence number, and what would be encrypted.
            return (number.bytes + [0, 0, 0, 1], max(16, payloadLength))
        case .echoRequest, .echoReply:
            let header = [icmpType, 0, 0, 0] + Self.echoFields(number)
            return (checksummed(header, at: 2, padding: payloadLength), payloadLength)
        case .icmp(let type, let code):
            // 16 bytes are enough for the target address of a neighbour message.
            let header = [type, code, 0, 0] + Self.echoFields(number)
            let padding = max(16, payloadLength)
            return (checksummed(header, at: 2, padding: padding), padding)
        case .icmpError(let type, let code, let parameter, let quoted):
            let header = [type, code, 0, 0, 0, 0] + parameter.bytes + quoted.datagram(number)
            return (checksummed(header, at: 2, padding: 0), 0)
        case .other:
            return (ports + number.bytes, payloadLength)
        }
    }

    /// Identifier and sequence number. Flows are told apart by the identifier, so it takes the
    /// half that changes.
    private static func echoFields(_ number: UInt32) -> [UInt8] {
        UInt16(truncatingIfNeeded: number).bytes + UInt16(number >> 16).bytes
    }

    /// Fills in the Internet checksum, which zeros after the header do not change.
    private func checksummed(_ header: [UInt8], at offset: Int, padding: Int) -> [UInt8] {
        var sum = ProbeChecksum()
        if protocolNumber != 1 {
            sum.add(source.address.bytes + destination.address.bytes)
            sum.add(UInt32(header.count + padding).bytes + [0, 0, 0, protocolNumber])
        }
        sum.add(header)
        var checksum = sum.value
        // In UDP zero means that there is none.
        if content == .udp && checksum == 0 { checksum = 0xffff }
        var result = header
        result.replaceSubrange(offset..<offset + 2, with: checksum.bytes)
        return result
    }
}

extension ProbePacket.Quoted {
    /// The quoted datagram's IP header and the start of the rest, with the number in it.
    fileprivate func datagram(_ number: UInt32) -> [UInt8] {
        let content: ProbePacket.Content =
            switch content {
            case .tcp: .tcp
            case .udp: .udp
            case .esp: .esp
            case .echoRequest: .echoRequest
            }
        let inner = ProbePacket(
            id: number, content, from: source, to: destination, payloadLength: payloadLength
        ).outgoing(number)
        let start = [UInt8](inner.content)
        let length = start.count + inner.padding
        // Its hop limit went down by one on the way.
        guard source.address.family == .ipv4 else {
            return [0x60, 0, 0, 0] + UInt16(length).bytes + [inner.protocolNumber, 63]
                + source.address.bytes + destination.address.bytes + start
        }
        var header: [UInt8] =
            [0x45, 0] + UInt16(20 + length).bytes + [0, 1, 0x40, 0, 63, inner.protocolNumber, 0, 0]
        header += source.address.bytes + destination.address.bytes
        var sum = ProbeChecksum()
        sum.add(header)
        header.replaceSubrange(10..<12, with: sum.value.bytes)
        return header + start
    }
}

extension WireIdentity {
    /// The identity of an arrived packet; nil if it can't be one of ours.
    init?(_ packet: ObservedPacket) {
        let content = [UInt8](packet.content)
        let isICMP = [1, 58].contains(packet.protocolNumber)
        guard
            let number = Self.number(
                in: content, protocolNumber: packet.protocolNumber, quotations: 1)
        else { return nil }
        self.init(
            number: number, protocolNumber: packet.protocolNumber, icmpType: isICMP ? content[0] : 0
        )
    }

    private static func number(
        in content: [UInt8], protocolNumber: UInt8, quotations: Int
    ) -> UInt32? {
        switch protocolNumber {
        case 6: return UInt32(content, at: 4)
        case 17: return UInt32(content, at: 8)
        case 50: return UInt32(content, at: 0)
        case 1, 58:
            guard let type = content.first, let fields = UInt32(content, at: 4) else { return nil }
            let isError =
                protocolNumber == 58 ? type < 128 : [3, 4, 5, 11, 12].contains(type)
            guard isError else { return fields >> 16 | fields << 16 }
            let headerLength = protocolNumber == 58 ? 40 : 20
            let protocolOffset = protocolNumber == 58 ? 6 : 9
            guard quotations > 0, content.count >= 8 + headerLength else { return nil }
            return number(
                in: Array(content.dropFirst(8 + headerLength)),
                protocolNumber: content[8 + protocolOffset], quotations: quotations - 1)
        default: return UInt32(content, at: 4)
        }
    }
}

/// The Internet checksum (RFC 1071). Every part but the last has an even length.
private struct ProbeChecksum {
    private var sum: UInt32 = 0

    mutating func add(_ bytes: [UInt8]) {
        for index in stride(from: 0, to: bytes.count, by: 2) {
            let low = index + 1 < bytes.count ? bytes[index + 1] : 0
            sum += UInt32(bytes[index]) << 8 | UInt32(low)
        }
    }

    var value: UInt16 {
        let once = (sum & 0xffff) + sum >> 16
        return ~UInt16((once & 0xffff) + once >> 16)
    }
}

extension FixedWidthInteger {
    /// In network byte order.
    fileprivate var bytes: [UInt8] { withUnsafeBytes(of: bigEndian) { Array($0) } }
}

extension UInt32 {
    /// Reads network byte order; nil beyond the end.
    fileprivate init?(_ bytes: [UInt8], at offset: Int) {
        guard bytes.count >= offset + 4 else { return nil }
        self = bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
