internal import CPacket
internal import FoundationEssentials
internal import Glibc
internal import PortModel
internal import ProbeProtocol

extension AddressFamily {
    var domain: Int32 { self == .ipv4 ? AF_INET : AF_INET6 }
}

extension IPAddress {
    /// Parses an address of a command.
    init(checking text: String) throws {
        guard let address = IPAddress(text) else {
            throw CommandError(description: "\"\(text)\" is not a numeric address")
        }
        self = address
    }
}

/// The raw sockets of the namespace, one for each protocol and family: they record and they send.
///
/// A raw socket gets its copy after the input hook and after reassembly, so a record is the proof
/// that the rules let the packet in.
final class RawSockets {
    private struct Key: Hashable {
        let family: AddressFamily
        let protocolNumber: UInt8
    }

    /// Room for some 40,000 small packets; what does not fit is counted as lost.
    private static let receiveBuffer: Int32 = 32 << 20
    /// How much of a packet is recorded: enough for an ICMPv6 error that quotes a whole header.
    private static let recordedBytes = 160
    private static let longestPadding = 65_535

    private var descriptors: [Key: Int32] = [:]
    private var lost: [Int32: UInt32] = [:]
    private let zeros = [UInt8](repeating: 0, count: longestPadding)
    private(set) var records: [ObservedPacket] = []

    /// The descriptors to poll for input.
    var pollable: [Int32] { Array(descriptors.values) }

    /// Packets that the kernel dropped because a socket's buffer was full.
    var lostPackets: UInt64 { lost.values.reduce(0) { $0 + UInt64($1) } }

    /// Opens the sockets of a protocol unless they are open; ICMP is of one family only.
    func observe(_ protocolNumber: UInt8) throws {
        for family in AddressFamily.allCases {
            if family == .ipv6 && protocolNumber == UInt8(IPPROTO_ICMP) { continue }
            if family == .ipv4 && protocolNumber == UInt8(IPPROTO_ICMPV6) { continue }
            _ = try descriptor(Key(family: family, protocolNumber: protocolNumber))
        }
    }

    private func descriptor(_ key: Key) throws -> Int32 {
        if let known = descriptors[key] { return known }
        let descriptor = pexip_raw_socket(
            key.family.domain, Int32(key.protocolNumber), Self.receiveBuffer)
        guard descriptor >= 0 else {
            throw SystemCallError("raw \(key.family) socket of protocol \(key.protocolNumber)")
        }
        descriptors[key] = descriptor
        return descriptor
    }

    /// Sends all packets through one processor's queue, so that they arrive in their order.
    func send(_ packets: [OutgoingPacket]) throws -> [SendFailure] {
        var processors = [UInt](repeating: 0, count: 16)
        let size = processors.count * MemoryLayout<UInt>.size
        guard pexip_pin_to_processor(&processors, size) >= 0 else {
            throw SystemCallError("pinning to a processor")
        }
        defer {
            if pexip_unpin(processors, size) < 0 {
                complain("packet-probe: \(SystemCallError("unpinning"))")
            }
        }
        var failures: [SendFailure] = []
        for (index, packet) in packets.enumerated() {
            let source = try IPAddress(checking: packet.source)
            let destination = try IPAddress(checking: packet.destination)
            guard source.family == destination.family else {
                throw CommandError(description: "\(source) and \(destination) differ in family")
            }
            guard 0...Self.longestPadding ~= packet.padding else {
                throw CommandError(description: "a padding of \(packet.padding) bytes")
            }
            let descriptor = try descriptor(
                Key(family: source.family, protocolNumber: packet.protocolNumber))
            let content = Array(packet.content)
            let sent = pexip_send_raw(
                descriptor, source.family.domain, source.bytes, destination.bytes,
                Int32(packet.hopLimit), content, content.count, zeros, packet.padding)
            if sent < 0 { failures.append(SendFailure(index: index, errorNumber: errno)) }
        }
        return failures
    }

    /// Records everything that waits in the sockets.
    func drain() throws {
        var buffer = [UInt8](repeating: 0, count: 60 + Self.recordedBytes)
        var packet = pexip_observed_packet()
        for (key, descriptor) in descriptors {
            while true {
                let result = pexip_receive_raw(
                    descriptor, key.family.domain, &buffer, buffer.count, &packet)
                if result < 0 {
                    if errno == EAGAIN { break }
                    throw SystemCallError("receiving protocol \(key.protocolNumber)")
                }
                lost[descriptor] = packet.lost
                let start = packet.header_offset
                let end = min(buffer.count, start + min(packet.length, Self.recordedBytes))
                records.append(
                    ObservedPacket(
                        protocolNumber: key.protocolNumber,
                        source: text(packet.source, key.family),
                        destination: text(packet.destination, key.family),
                        hopLimit: UInt8(clamping: packet.hop_limit), length: packet.length,
                        content: Data(buffer[start..<end])))
            }
        }
    }

    /// Hands over the records and forgets them.
    func takeRecords() -> [ObservedPacket] {
        defer { records = [] }
        return records
    }

    private func text<Bytes>(_ bytes: Bytes, _ family: AddressFamily) -> String {
        withUnsafeBytes(of: bytes) { raw in
            let value = raw.prefix(family.bits / 8).reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
            return IPAddress(family: family, value: value).description
        }
    }
}
