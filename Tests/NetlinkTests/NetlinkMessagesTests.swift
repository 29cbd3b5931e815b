import Glibc
import Ruleset
import Site
import TestSupport
import Testing

@testable import Netlink

/// Messages of a datagram are read within its bounds, whatever they say of themselves.
@Suite("Netlink messages")
struct NetlinkMessagesTests {
    /// A message as the kernel writes it on this machine.
    private static func message(
        _ type: UInt16, sequence: UInt32 = 1, _ payload: [UInt8] = [], length: UInt32? = nil
    ) -> [UInt8] {
        func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
            withUnsafeBytes(of: number) { Array($0) }
        }
        return bytes(length ?? UInt32(16 + payload.count)) + bytes(type) + bytes(UInt16(0))
            + bytes(sequence) + bytes(UInt32(0)) + payload
    }

    /// The families of the messages, and the `errno` that ended them.
    private static func read(_ bytes: [UInt8]) -> (families: [UInt8], code: Int32?) {
        var families: [UInt8] = []
        let code = bytes.withUnsafeBytes {
            NetlinkSocket.forEachMessage(in: $0) { families.append($0.family) }
        }
        return (families, code)
    }

    /// The request's buffer has room for the kernel's longest names, and a longer one names nothing.
    @Test(
        "a name longer than the kernel's is asked for of nobody", arguments: [256, 1_000, 100_000])
    func longNames(length: Int) throws {
        let socket = try NetlinkSocket()
        let table = TableID(.inet, "pexip_fw_a")
        let error = #expect(throws: KernelError.self) {
            try socket.elements(of: String(repeating: "a", count: length), in: table)
        }
        #expect(error?.code == .missing)
        #expect(error?.description.contains("255 bytes") == true)
    }

    @Test("messages come one after another, up to a failure")
    func messages() {
        let (families, code) = Self.read(
            Self.message(0x0a00, [2, 0, 0, 0]) + Self.message(0x0a00, [7, 0, 0, 0])
                + Self.message(2, [254, 255, 255, 255]) + Self.message(0x0a00, [1, 0, 0, 0]))
        #expect(families == [2, 7])
        #expect(code == ENOENT)
    }

    @Test(
        "a length that is not there ends the datagram",
        arguments: [0, 15, 21, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] as [UInt32])
    func lengths(length: UInt32) {
        let (families, code) = Self.read(
            Self.message(0x0a00, [2, 0, 0, 0]) + Self.message(0x0a00, [7, 0, 0, 0], length: length))
        #expect(families == [2])
        #expect(code == nil)
    }

    @Test("what a message ends before is not taken from the next one")
    func heads() {
        let bytes = Self.message(0x0a0f) + [UInt8](repeating: 0xff, count: 16)
        bytes.withUnsafeBytes {
            let code = NetlinkSocket.forEachMessage(in: UnsafeRawBufferPointer(rebasing: $0[..<16]))
            {
                #expect($0.family == 0)
                #expect($0.generationBits == 0)
                #expect($0.routeType == 7)  // RTN_UNREACHABLE
            }
            #expect(code == nil)
        }
    }

    @Test("a transaction's effects are told by the tables' families and names")
    func families() {
        let name = NetlinkBytes.attribute(1, Array("pexip_fw_a".utf8) + [0])
        func effects(of messages: [UInt8]) -> RulesetChange? {
            let group = TransactionGroup()
            var change: RulesetChange?
            _ = messages.withUnsafeBytes {
                NetlinkSocket.forEachMessage(in: $0) { change = group.add($0) ?? change }
            }
            return change
        }
        // A table of family inet (1) goes, and the transaction ends.
        let removed = Self.message(0x0a02, [1, 0, 0, 7] + name)
        let end = Self.message(0x0a0f, [0, 0, 0, 7])
        let ours = effects(of: removed + end)
        #expect(ours?.tables == [TableID(.inet, "pexip_fw_a"): .removed])
        #expect(ours?.touchesOtherFamilies == false)
        // Those of the same name in ip, arp, netdev, ip6, one that there is not yet, and bridge come.
        for other in [2, 3, 5, 10, 14, 7] as [UInt8] {
            let made = Self.message(0x0a00, [other, 0, 0, 7] + name)
            let both = effects(of: made + removed + end)
            #expect(both?.tables[TableID(.inet, "pexip_fw_a")] == .removed, "family \(other)")
            let family = TableFamily(number: other)
            let isPlaced = Placement.allCases.contains { $0.facts.family == family }
            #expect(both?.tables.count == (isPlaced ? 2 : 1), "family \(other)")
            #expect(both?.touchesOtherFamilies == !isPlaced, "family \(other)")
        }
    }

    @Test("the lowest number is an error, too")
    func lowestError() {
        #expect(Self.read(Self.message(2, [0, 0, 0, 0x80])).code == .max)
    }
}
