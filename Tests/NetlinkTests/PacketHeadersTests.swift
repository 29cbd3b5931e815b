import Policy
import PortModel
import Testing

@testable import Netlink

/// What is read of packets that anybody may send.
@Suite("Packet headers")
struct PacketHeadersTests {
    private static let source4: [UInt8] = [192, 0, 2, 7]
    private static let destination4: [UInt8] = [10, 0, 0, 21]
    private static let source6: [UInt8] =
        [0x20, 1, 0x0d, 0xb8] + .init(repeating: 0, count: 11) + [7]
    private static let destination6: [UInt8] =
        [0x20, 1, 0x0d, 0xb8] + .init(repeating: 0, count: 11) + [0x21]

    private static let ports: [UInt8] = [0xd6, 0xd8, 0x13, 0xc5]

    private static func ipv4(
        _ number: UInt8, options: Int = 0, fragment: UInt16 = 0, _ rest: [UInt8]
    ) -> [UInt8] {
        [0x45 + UInt8(options), 0, 0, 0, 0, 0, UInt8(fragment >> 8), UInt8(fragment & 0xff), 64]
            + [number, 0, 0] + source4 + destination4 + .init(repeating: 1, count: options * 4)
            + rest
    }

    private static func ipv6(_ next: UInt8, _ rest: [UInt8]) -> [UInt8] {
        [0x60, 0, 0, 0, 0, 0, next, 64] + source6 + destination6 + rest
    }

    private static func parse(_ bytes: [UInt8]) -> PacketHeaders? {
        bytes.withUnsafeBytes { PacketHeaders($0) }
    }

    /// An extension header of so many units of eight bytes beyond the first.
    private static func extensionHeader(_ next: UInt8, units: UInt8 = 0) -> [UInt8] {
        [next, units] + .init(repeating: 0xff, count: 6 + Int(units) * 8)
    }

    private static func fragment(_ next: UInt8, offset: UInt16) -> [UInt8] {
        [next, 0, UInt8(offset >> 5), UInt8((offset << 3) & 0xff), 0, 0, 0, 1]
    }

    struct Case: Sendable {
        var name: String
        var bytes: [UInt8]
        var number: UInt8
        var transport: Transport?

        init(_ name: String, _ bytes: [UInt8], _ number: UInt8, _ transport: Transport?) {
            (self.name, self.bytes, self.number, self.transport) = (name, bytes, number, transport)
        }
    }

    static let cases: [Case] = {
        let tcp = Transport.tcp(source: 55_000, destination: 5061)
        let udp = Transport.udp(source: 55_000, destination: 5061)
        return [
            Case("TCP", ipv4(6, ports), 6, tcp), Case("UDP", ipv4(17, ports), 17, udp),
            Case("options", ipv4(6, options: 10, ports), 6, tcp),
            Case("first fragment", ipv4(17, fragment: 0x2000, ports), 17, udp),
            Case("don't fragment", ipv4(17, fragment: 0x4000, ports), 17, udp),
            Case("later fragment", ipv4(17, fragment: 0x2001, ports), 17, nil),
            Case("last fragment", ipv4(6, fragment: 0x1fff, ports), 6, nil),
            Case("ESP", ipv4(50, [1, 2]), 50, .esp), Case("ESP of nothing", ipv4(50, []), 50, .esp),
            Case("AH", ipv4(51, ports), 51, .other(51)), Case("GRE", ipv4(47, []), 47, .other(47)),
            Case("echo", ipv4(1, [8, 0]), 1, .icmp(type: 8)),
            Case("ICMPv6 in IPv4", ipv4(58, [128, 0]), 58, .other(58)),
            Case("no ICMP", ipv4(1, []), 1, nil), Case("no ports", ipv4(6, [1, 2, 3]), 6, nil),
            Case("options that are cut off", Array(ipv4(6, options: 5, []).prefix(30)), 6, nil),
            Case("TCP over IPv6", ipv6(6, ports), 6, tcp),
            Case("echo over IPv6", ipv6(58, [128]), 58, .icmp(type: 128)),
            Case("ICMP in IPv6", ipv6(1, [8]), 1, .other(1)),
            Case("no next header", ipv6(59, ports), 59, .other(59)),
            Case("hop-by-hop", ipv6(0, extensionHeader(17) + ports), 17, udp),
            Case(
                "several headers",
                ipv6(
                    0,
                    extensionHeader(43, units: 2) + extensionHeader(60) + extensionHeader(135)
                        + extensionHeader(139) + extensionHeader(140) + extensionHeader(6) + ports),
                6, tcp),
            Case(
                "authenticated", ipv6(51, [17, 4] + .init(repeating: 0, count: 22) + ports), 17, udp
            ),
            Case("first fragment of IPv6", ipv6(44, fragment(6, offset: 0) + ports), 6, tcp),
            Case("later fragment of IPv6", ipv6(44, fragment(6, offset: 185) + ports), 6, nil),
            // What looks like one more header is what a later fragment carries.
            Case(
                "later fragment of something with headers",
                ipv6(44, fragment(60, offset: 1) + extensionHeader(6) + ports), 60, nil),
            Case("ESP behind a header", ipv6(60, extensionHeader(50)), 50, .esp),
            Case("a header that is cut off", ipv6(60, [6, 200, 0, 0]), 6, nil),
            Case("a header of which nothing is there", ipv6(0, []), 0, nil),
            Case("headers to the end", ipv6(0, extensionHeader(0)), 0, nil),
        ]
    }()

    @Test("headers are read through extensions and fragments", arguments: cases)
    func headers(_ one: Case) throws {
        let headers = try #require(Self.parse(one.bytes), "\(one.name)")
        #expect(headers.protocolNumber == one.number, "\(one.name)")
        #expect(headers.transport == one.transport, "\(one.name)")
        let isIPv4 = one.bytes[0] >> 4 == 4
        #expect(headers.source.bytes == (isIPv4 ? Self.source4 : Self.source6))
        #expect(headers.destination.bytes == (isIPv4 ? Self.destination4 : Self.destination6))
    }

    @Test("what is cut off before its addresses end, or is no IP, is nothing")
    func noPacket() {
        for one in Self.cases {
            let length = one.bytes[0] >> 4 == 4 ? 20 : 40
            for end in 0..<length { #expect(Self.parse(Array(one.bytes.prefix(end))) == nil) }
            for end in length...one.bytes.count {
                // Whatever is missing is not made up.
                let headers = Self.parse(Array(one.bytes.prefix(end)))
                let known = [nil, one.transport]
                #expect(
                    headers.map { known.contains($0.transport) || $0.protocolNumber != one.number }
                        == true, "\(one.name)")
            }
            for version in 0..<16 where version != 4 && version != 6 {
                var bytes = one.bytes
                bytes[0] = UInt8(version) << 4 | bytes[0] & 0xf
                #expect(Self.parse(bytes) == nil)
            }
        }
        var short = Self.ipv4(6, Self.ports)
        short[0] = 0x44
        #expect(Self.parse(short) == nil)
    }

    @Test("any bytes are read without harm, and alike however much follows")
    func fuzz() {
        var random = SystemRandomNumberGenerator()
        var read = 0
        for _ in 0..<200_000 {
            var bytes: [UInt8]
            if Bool.random(using: &random), let base = Self.cases.randomElement(using: &random) {
                bytes = base.bytes
                for _ in 0..<Int.random(in: 0...6, using: &random) {
                    bytes[Int.random(in: 1..<bytes.count, using: &random)] = .random(
                        in: 0...255, using: &random)
                }
                bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
            } else {
                bytes = (0..<Int.random(in: 0...128, using: &random)).map { _ in
                    .random(in: 0...255, using: &random)
                }
                if !bytes.isEmpty { bytes[0] = Bool.random(using: &random) ? 0x45 : 0x60 }
            }
            guard let headers = Self.parse(bytes) else { continue }
            read += 1
            #expect(headers.source.family == headers.destination.family)
            if let transport = headers.transport, transport.ports != nil {
                #expect(Self.parse(bytes + [1, 2, 3]) == headers, "\(bytes)")
            }
        }
        #expect(read > 50_000)
    }
}
