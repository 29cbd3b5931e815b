import Ruleset
import Testing

@testable import Nftables

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

    private static func meaning(_ name: String, _ data: [UInt8] = []) -> ExpressionMeaning? {
        let expression = NetlinkBytes.attribute(
            1 | 0x8000,
            NetlinkBytes.attribute(1, Array(name.utf8) + [0])
                + NetlinkBytes.attribute(2 | 0x8000, data))
        return expression.withUnsafeBytes { bytes in
            all(NetlinkAttributes(bytes)).first.map { ExpressionMeaning($0.1) }
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
        #expect(Self.meaning("counter") == .nothing)
        #expect(Self.meaning("") == .nothing)
        func target(_ name: String) -> ExpressionMeaning? {
            Self.meaning("target", NetlinkBytes.attribute(1, Array(name.utf8) + [0]))
        }
        #expect(target("DROP") == .effect(.drop))
        #expect(target("REJECT") == .effect(.reject))
        #expect(target("NFQUEUE") == .effect(.queue))
        #expect(target("TPROXY") == .effect(.divert))
        #expect(target("LOG") == .nothing)
        func lookup(_ register: UInt8) -> ExpressionMeaning? {
            Self.meaning(
                "lookup",
                NetlinkBytes.attribute(1, Array("__map0".utf8) + [0])
                    + NetlinkBytes.attribute(3, [0, 0, 0, register]))
        }
        #expect(lookup(0) == .looksUp(KernelName("__map0")))
        #expect(lookup(1) == .nothing)
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
