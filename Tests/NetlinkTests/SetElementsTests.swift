import CMnl
import PortModel
import Ruleset
import TestSupport
import Testing

@testable import Netlink

/// Elements as the kernel lists them.
@Suite struct SetElementsTests {
    private static func counter(packets: UInt8, bytes: UInt8) -> [UInt8] {
        func number(_ value: UInt8) -> [UInt8] { [0, 0, 0, 0, 0, 0, 0, value] }
        return NetlinkBytes.attribute(UInt16(NFTA_COUNTER_BYTES.rawValue), number(bytes))
            + NetlinkBytes.attribute(UInt16(NFTA_COUNTER_PACKETS.rawValue), number(packets))
    }

    private static let end = UInt32(NFT_SET_ELEM_INTERVAL_END.rawValue)

    private static func set(_ ranges: String...) throws -> AddressSet {
        AddressSet(ranges: try ranges.map { try parseAddressRange($0) })
    }

    @Test func singleAddressesAndTheirCounters() throws {
        let elements = SetElements(
            bytes: NetlinkBytes.setElement([10, 0, 0, 1])
                + NetlinkBytes.setElement(
                    [10, 0, 0, 9], expression: ("counter", Self.counter(packets: 2, bytes: 200)))
                + NetlinkBytes.setElement([10, 0, 0, 5], expression: ("limit", [])))
        let found = try #require(elements.addresses(.ipv4))
        #expect(found.addresses == (try Self.set("10.0.0.1", "10.0.0.5", "10.0.0.9")))
        let nine = try #require(IPAddress("10.0.0.9"))
        #expect(found.counters == [nine: CounterValue(packets: 2, bytes: 200)])
        #expect(elements.addresses(.ipv6) == nil)
    }

    /// In whatever order they come.
    @Test func intervals() throws {
        let bytes =
            NetlinkBytes.setElement([10, 0, 1, 0], flags: Self.end)
            + NetlinkBytes.setElement([0, 0, 0, 0], flags: Self.end)
            + NetlinkBytes.setElement([255, 255, 255, 0]) + NetlinkBytes.setElement([10, 0, 0, 0])
            + NetlinkBytes.setElement([10, 0, 1, 0])
            + NetlinkBytes.setElement([10, 0, 1, 1], flags: Self.end)
        #expect(
            SetElements(bytes: bytes).intervals(.ipv4)
                == (try Self.set("10.0.0.0/24", "10.0.1.0", "255.255.255.0/24")))
        let all = [UInt8](repeating: 0, count: 16)
        #expect(
            SetElements(bytes: NetlinkBytes.setElement(all)).intervals(.ipv6)
                == (try Self.set("::/0")))
        #expect(SetElements(bytes: []).intervals(.ipv4) == AddressSet())
    }

    /// What is not read for certain is no set of ours.
    @Test(arguments: [
        NetlinkBytes.setElement([10, 0, 0]), NetlinkBytes.setElement([10, 0, 0, 1, 10, 0, 0, 2]),
        NetlinkBytes.setElement([]),
        NetlinkBytes.setElement([10, 0, 0, 1], flags: UInt32(NFT_SET_ELEM_CATCHALL.rawValue)),
        NetlinkBytes.setElement([10, 0, 0, 1], flags: 0x80),
        Array(NetlinkBytes.setElement([10, 0, 0, 1]).dropLast()),
        NetlinkBytes.setElement([10, 0, 0, 1]) + [9],
    ])
    func otherElements(bytes: [UInt8]) {
        #expect(SetElements(bytes: bytes).addresses(.ipv4) == nil)
        #expect(SetElements(bytes: bytes).intervals(.ipv4) == nil)
    }

    @Test func intervalsInEachOther() {
        let bytes =
            NetlinkBytes.setElement([10, 0, 0, 0]) + NetlinkBytes.setElement([10, 0, 0, 5])
        #expect(SetElements(bytes: bytes).intervals(.ipv4) == nil)
        let end = NetlinkBytes.setElement([10, 0, 0, 0], flags: Self.end)
        #expect(SetElements(bytes: end).addresses(.ipv4) == nil)
    }
}
