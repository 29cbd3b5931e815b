internal import Policy
internal import PortModel

/// The headers at the beginning of an IP packet, which anybody may have sent.
struct PacketHeaders: Hashable {
    let source: IPAddress
    let destination: IPAddress
    /// Of the part behind the IP header and IPv6 extension headers.
    let protocolNumber: UInt8
    /// nil where its header is not there: in a later fragment, or in a packet that ends before it.
    let transport: Transport?

    /// nil where it is no IP packet, or ends within its IP header.
    init?(_ bytes: UnsafeRawBufferPointer) {
        let bytes = HeaderBytes(bytes)
        switch bytes.byte(0).map({ $0 >> 4 }) {
        case 4: self.init(ipv4: bytes)
        case 6: self.init(ipv6: bytes)
        default: return nil
        }
    }

    private init?(ipv4 bytes: HeaderBytes) {
        guard let first = bytes.byte(0), first & 0xf >= 5, let number = bytes.byte(9),
            let fragment = bytes.short(6), let source = bytes.address(12, .ipv4),
            let destination = bytes.address(16, .ipv4)
        else { return nil }
        self.init(
            source, destination, number,
            // The offset's 13 bits.
            fragment & 0x1fff == 0 ? bytes.rest(from: Int(first & 0xf) * 4) : nil)
    }

    private init?(ipv6 bytes: HeaderBytes) {
        guard var number = bytes.byte(6), let source = bytes.address(8, .ipv6),
            let destination = bytes.address(24, .ipv6)
        else { return nil }
        var start = 40
        var isLaterFragment = false
        // Each header takes bytes, so that this ends.
        while let length = Self.extensionLength(number, bytes, at: start),
            let next = bytes.byte(start)
        {
            if number == 44, let fragment = bytes.short(start + 2), fragment >> 3 != 0 {
                isLaterFragment = true
            }
            number = next
            start += length
            // The bytes behind it in a later fragment are the middle of something.
            if isLaterFragment { break }
        }
        let isCutOff = isLaterFragment || Self.extensions.contains(number)
        self.init(source, destination, number, isCutOff ? nil : bytes.rest(from: start))
    }

    private static let extensions: Set<UInt8> = [0, 43, 44, 51, 60, 135, 139, 140]

    /// The length of an extension header (RFC 8200, RFC 4302, RFC 6275, RFC 7401, RFC 5533); nil for
    /// everything else, and where the packet ends before it is told.
    private static func extensionLength(
        _ number: UInt8, _ bytes: HeaderBytes, at start: Int
    ) -> Int? {
        guard extensions.contains(number), let units = bytes.byte(start + 1) else { return nil }
        return switch number {
        case 44: 8
        case 51: (Int(units) + 2) * 4
        default: (Int(units) + 1) * 8
        }
    }

    private init(
        _ source: IPAddress, _ destination: IPAddress, _ number: UInt8, _ rest: HeaderBytes?
    ) {
        self.source = source
        self.destination = destination
        protocolNumber = number
        transport = rest.flatMap { Self.transport(number, source.family, $0) }
    }

    private static func transport(
        _ number: UInt8, _ family: AddressFamily, _ bytes: HeaderBytes
    ) -> Transport? {
        switch (IPProtocol(rawValue: number), family, number) {
        case (.tcp?, _, _), (.udp?, _, _):
            guard let source = bytes.short(0), let destination = bytes.short(2) else { return nil }
            return number == IPProtocol.tcp.rawValue
                ? .tcp(source: source, destination: destination)
                : .udp(source: source, destination: destination)
        case (.esp?, _, _): return .esp
        case (_, .ipv4, 1), (_, .ipv6, 58): return bytes.byte(0).map { .icmp(type: $0) }
        default: return .other(number)
        }
    }
}

/// Bytes in network order, none of which need be there.
private struct HeaderBytes {
    private let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    func byte(_ index: Int) -> UInt8? { index < bytes.count ? bytes[index] : nil }

    func short(_ index: Int) -> UInt16? {
        guard let high = byte(index), let low = byte(index + 1) else { return nil }
        return UInt16(high) << 8 | UInt16(low)
    }

    func address(_ index: Int, _ family: AddressFamily) -> IPAddress? {
        let end = index + family.bits / 8
        guard end <= bytes.count else { return nil }
        return IPAddress(
            family: family, value: bytes[index..<end].reduce(0) { $0 << 8 | UInt128($1) })
    }

    /// Empty where the bytes end before.
    func rest(from index: Int) -> Self {
        Self(UnsafeRawBufferPointer(rebasing: bytes.dropFirst(index)))
    }
}
