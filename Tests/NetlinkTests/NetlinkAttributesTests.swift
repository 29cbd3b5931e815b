import CMnl
import Ruleset
import TestSupport
import Testing

@testable import Netlink

/// Attributes of foreign objects are parsed within what holds them, whatever they say.
@Suite("Netlink attributes")
struct NetlinkAttributesTests {
    private static func all(_ attributes: NetlinkAttributes) -> [(Int, NetlinkPayload)] {
        var all: [(Int, NetlinkPayload)] = []
        attributes.forEach { all.append(($0, $1)) }
        return all
    }

    private static func types(_ bytes: [UInt8]) -> [Int] {
        bytes.withUnsafeBytes { all(NetlinkAttributes($0)).map(\.0) }
    }

    @Test("types, numbers, texts and what is nested")
    func reading() {
        let inner =
            NetlinkBytes.attribute(1, [0, 0, 1, 2]) + NetlinkBytes.attribute(2, Array("abc\0".utf8))
        let bytes = NetlinkBytes.attribute(3, [7]) + NetlinkBytes.attribute(4 | 0x8000, inner)
        bytes.withUnsafeBytes { bytes in
            let all = Self.all(NetlinkAttributes(bytes))
            #expect(all.map(\.0) == [3, 4])
            #expect(all[0].1.number(UInt32.self) == nil)
            let nested = Self.all(all[1].1.nested)
            #expect(nested.map(\.0) == [1, 2])
            #expect(nested[0].1.number(UInt32.self) == 258)
            #expect(nested[1].1.text == "abc")
        }
    }

    private static func meaning(
        _ name: String, _ data: [UInt8] = [], family: UInt8 = UInt8(NFPROTO_INET)
    ) -> ExpressionMeaning? {
        let expression = NetlinkBytes.attribute(
            1 | 0x8000,
            NetlinkBytes.attribute(1, Array(name.utf8) + [0])
                + NetlinkBytes.attribute(2 | 0x8000, data))
        return expression.withUnsafeBytes { bytes in
            all(NetlinkAttributes(bytes)).first.map { ExpressionMeaning($0.1, family: family) }
        }
    }

    /// An `immediate` with a verdict, as the kernel tells it.
    private static func verdict(_ code: Int32, _ chain: String? = nil) -> [UInt8] {
        let bytes = withUnsafeBytes(of: code.bigEndian) { Array($0) }
        let inner =
            NetlinkBytes.attribute(1, bytes)
            + (chain.map { NetlinkBytes.attribute(2, Array($0.utf8) + [0]) } ?? [])
        return NetlinkBytes.attribute(1, [0, 0, 0, 0])
            + NetlinkBytes.attribute(2 | 0x8000, NetlinkBytes.attribute(2 | 0x8000, inner))
    }

    @Test("what expressions may do to a packet")
    func meanings() {
        #expect(Self.meaning("immediate", Self.verdict(0)) == .effect(.drop))
        #expect(Self.meaning("immediate", Self.verdict(1)) == .nothing)
        #expect(Self.meaning("immediate", Self.verdict(0x0005_0003)) == .effect(.queue))
        #expect(Self.meaning("immediate", Self.verdict(-3, "a")) == .leads(to: KernelName("a")))
        #expect(Self.meaning("immediate", Self.verdict(-4, "b")) == .leads(to: KernelName("b")))
        #expect(Self.meaning("immediate", Self.verdict(-5)) == .nothing)
        #expect(Self.meaning("immediate", NetlinkBytes.attribute(1, [0, 0, 0, 1])) == .nothing)
        #expect(Self.meaning("reject") == .effect(.reject))
        #expect(Self.meaning("queue") == .effect(.queue))
        #expect(Self.meaning("flow_offload") == .effect(.offload))
        #expect(Self.meaning("fwd") == .effect(.divert))
        #expect(Self.meaning("tproxy") == .effect(.divert))
        #expect(Self.meaning("synproxy") == .effect(.divert))
        #expect(Self.meaning("notrack") == .effect(.notrack))
        for name in [
            "bitwise", "byteorder", "cmp", "connlimit", "counter", "ct", "dup", "dynset", "exthdr",
            "fib", "hash", "inner", "last", "limit", "log", "lookup", "match", "meta",
            "nat", "numgen", "osf", "payload", "quota", "range", "redir", "rt", "socket", "tunnel",
            "xfrm",
        ] { #expect(Self.meaning(name) == .nothing, "\(name)") }
        #expect(Self.meaning("masq") == .translatesSource)
        // NFTA_NAT_TYPE: of sources, of destinations.
        for (type, meaning) in [(0, ExpressionMeaning.translatesSource), (1, .nothing)] {
            let data = NetlinkBytes.attribute(1, [0, 0, 0, UInt8(type)])
            #expect(Self.meaning("nat", data) == meaning)
        }
        for name in ["", "novel"] { #expect(Self.meaning(name) == .effect(.unknown)) }
        func target(_ name: String) -> ExpressionMeaning? {
            Self.meaning("target", NetlinkBytes.attribute(1, Array(name.utf8) + [0]))
        }
        #expect(target("DROP") == .effect(.drop))
        #expect(target("REJECT") == .effect(.reject))
        #expect(target("NFQUEUE") == .effect(.queue))
        #expect(target("TPROXY") == .effect(.divert))
        #expect(target("LOG") == .nothing)
        for name in ["MASQUERADE", "SNAT", "NETMAP"] { #expect(target(name) == .translatesSource) }
        #expect(target("DNAT") == .nothing)
        #expect(target("TTL") == .effect(.rewrite))
        #expect(target("SYNPROXY") == .effect(.divert))
        #expect(target("TARPIT") == .effect(.unknown))
        func lookup(_ register: UInt8) -> ExpressionMeaning? {
            Self.meaning(
                "lookup",
                NetlinkBytes.attribute(1, Array("__map0".utf8) + [0])
                    + NetlinkBytes.attribute(3, [0, 0, 0, register]))
        }
        #expect(lookup(0) == .looksUp(KernelName("__map0")))
        #expect(lookup(1) == .nothing)
    }

    /// Attributes with numbers of 32 bits, by their types.
    private static func numbers(_ numbers: [(Int, UInt32)]) -> [UInt8] {
        numbers.flatMap { type, number in
            NetlinkBytes.attribute(
                UInt16(type), withUnsafeBytes(of: number.bigEndian) { Array($0) })
        }
    }

    @Test("what is written to packets and to their tracking")
    func writing() {
        // A key, and the register that it is set from or read into.
        func meta(_ key: UInt32, register: Int = 3) -> ExpressionMeaning? {
            Self.meaning("meta", Self.numbers([(2, key), (register, 8)]))
        }
        #expect(meta(UInt32(NFT_META_MARK.rawValue)) == .nothing)
        #expect(meta(UInt32(NFT_META_NFTRACE.rawValue)) == .nothing)
        #expect(meta(UInt32(NFT_META_PKTTYPE.rawValue)) == .effect(.rewrite))
        #expect(meta(UInt32(NFT_META_PKTTYPE.rawValue), register: 1) == .nothing)
        #expect(meta(UInt32(NFT_META_SDIFNAME.rawValue) + 1) == .effect(.divert))
        #expect(meta(1_000) == .effect(.unknown))
        #expect(meta(1_000, register: 1) == .nothing)

        func ct(_ key: UInt32, register: Int = 4) -> ExpressionMeaning? {
            Self.meaning("ct", Self.numbers([(2, key), (register, 8)]))
        }
        #expect(ct(UInt32(NFT_CT_ZONE.rawValue)) == .effect(.zone))
        #expect(ct(UInt32(NFT_CT_ZONE.rawValue), register: 1) == .nothing)
        #expect(ct(UInt32(NFT_CT_MARK.rawValue)) == .nothing)

        func payload(
            _ base: nft_payload_bases, _ offset: UInt32, _ length: UInt32, register: Int = 5,
            _ family: Int = NFPROTO_INET
        ) -> ExpressionMeaning? {
            Self.meaning(
                "payload",
                Self.numbers([
                    (2, UInt32(base.rawValue)), (3, offset), (4, length), (register, 8),
                ]), family: UInt8(family))
        }
        #expect(payload(NFT_PAYLOAD_NETWORK_HEADER, 1, 1) == .nothing)
        #expect(payload(NFT_PAYLOAD_NETWORK_HEADER, 0, 2) == .nothing)
        #expect(payload(NFT_PAYLOAD_NETWORK_HEADER, 0, 4) == .effect(.rewrite))
        #expect(payload(NFT_PAYLOAD_NETWORK_HEADER, 0, 4, NFPROTO_IPV6) == .nothing)
        #expect(payload(NFT_PAYLOAD_NETWORK_HEADER, 8, 2) == .effect(.rewrite))
        #expect(payload(NFT_PAYLOAD_NETWORK_HEADER, 16, 4, register: 1) == .nothing)
        #expect(payload(NFT_PAYLOAD_NETWORK_HEADER, UInt32.max, 2) == .effect(.rewrite))
        #expect(payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2) == .effect(.rewrite))
        #expect(payload(NFT_PAYLOAD_LL_HEADER, 0, 2) == .effect(.rewrite))
        #expect(Self.meaning("payload", Self.numbers([(5, 8)])) == .effect(.rewrite))

        func object(_ type: UInt32) -> ExpressionMeaning? {
            Self.meaning("objref", Self.numbers([(1, type)]))
        }
        #expect(
            (1...12).map { object($0) } == [
                .nothing, .nothing, .effect(.helper), .nothing, .nothing, .nothing,
                .effect(.timeout),
                .nothing, .effect(.helper), .effect(.divert), .effect(.unknown), .effect(.unknown),
            ])
        #expect(
            Self.meaning("objref", NetlinkBytes.attribute(4, Array("__map0".utf8) + [0]))
                == .refers(by: KernelName("__map0")))
    }

    @Test("what iptables' CT does is read from its parameters")
    func trackingTarget() {
        func target(
            flags: UInt16 = 0, zone: UInt16 = 0, helper: String = "", timeout: String = "",
            revision: Int = 1
        ) -> ExpressionMeaning? {
            func text(_ text: String, _ count: Int) -> [UInt8] {
                Array(text.utf8) + [UInt8](repeating: 0, count: count - text.utf8.count)
            }
            let numbers = [flags, zone].flatMap { withUnsafeBytes(of: $0) { Array($0) } }
            let info =
                numbers + text("", 8) + text(helper, 16) + (revision > 0 ? text(timeout, 32) : [])
            return Self.meaning(
                "target",
                NetlinkBytes.attribute(1, Array("CT".utf8) + [0])
                    + NetlinkBytes.attribute(3, info))
        }
        #expect(target() == .effects([]))
        #expect(target(flags: 1) == .effect(.notrack))
        #expect(target(flags: 2, revision: 0) == .effect(.notrack))
        #expect(target(zone: 5) == .effect(.zone))
        #expect(target(flags: 4) == .effect(.zone))
        #expect(target(helper: "sip", timeout: "short") == .effects([.helper, .timeout]))
        #expect(target(zone: 1, helper: "sip", revision: 0) == .effects([.zone, .helper]))
        #expect(
            Self.meaning("target", NetlinkBytes.attribute(1, Array("CT".utf8) + [0]))
                == .effect(.unknown))
    }

    @Test("lengths that lie end the run")
    func lies() {
        let good = NetlinkBytes.attribute(1, [1, 2, 3, 4])
        #expect(Self.types(good + NetlinkBytes.attribute(2, [], length: 3)) == [1])
        #expect(Self.types(good + NetlinkBytes.attribute(2, [], length: 0)) == [1])
        #expect(Self.types(good + NetlinkBytes.attribute(2, [1], length: 100)) == [1])
        #expect(Self.types(good + [9, 0, 2]) == [1])
        // The last one may lack its padding.
        #expect(Self.types(good + [5, 0, 2, 0, 42]) == [1, 2])
        #expect(Self.types([]) == [])
    }

    @Test("any bytes are parsed within their bounds, at any depth")
    func garbage() {
        var random = SystemRandomNumberGenerator()
        func count(_ attributes: NetlinkAttributes, depth: Int) -> Int {
            Self.all(attributes).reduce(0) { sum, attribute in
                _ = (attribute.1.number(UInt32.self), attribute.1.text)
                return sum + 1 + (depth < 8 ? count(attribute.1.nested, depth: depth + 1) : 0)
            }
        }
        for _ in 0..<2000 {
            let size = Int.random(in: 0...200, using: &random)
            var bytes = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
            // Small lengths are believed more often.
            for index in stride(from: 1, to: size, by: 4) { bytes[index] = 0 }
            let found = bytes.withUnsafeBytes { count(NetlinkAttributes($0), depth: 0) }
            #expect(found <= size * 9 / 4)
        }
    }
}
