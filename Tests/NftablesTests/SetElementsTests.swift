import CMnl
import PortModel
import Ruleset
import Testing

@testable import Nftables

/// Elements as the kernel lists them.
@Suite struct SetElementsTests {
    /// An element with a key in network order.
    ///
    /// - Parameters:
    ///   - left: milliseconds until it goes.
    ///   - expression: its name, and its data.
    static func element(
        _ key: [UInt8], flags: UInt32? = nil, left: UInt64? = nil,
        expression: (name: String, data: [UInt8])? = nil
    ) -> [UInt8] {
        func attribute(_ type: some RawRepresentable<UInt32>, _ payload: [UInt8]) -> [UInt8] {
            NetlinkBytes.attribute(UInt16(type.rawValue), payload)
        }
        func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
            withUnsafeBytes(of: number.bigEndian) { Array($0) }
        }
        var content = attribute(NFTA_SET_ELEM_KEY, attribute(NFTA_DATA_VALUE, key))
        if let flags { content += attribute(NFTA_SET_ELEM_FLAGS, bytes(flags)) }
        if let left { content += attribute(NFTA_SET_ELEM_EXPIRATION, bytes(left)) }
        if let expression {
            content += attribute(
                NFTA_SET_ELEM_EXPR,
                attribute(NFTA_EXPR_NAME, Array(expression.name.utf8) + [0])
                    + attribute(NFTA_EXPR_DATA, expression.data))
        }
        return NetlinkBytes.attribute(1 | 0x8000, content)
    }

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
            bytes: Self.element([10, 0, 0, 1])
                + Self.element(
                    [10, 0, 0, 9], expression: ("counter", Self.counter(packets: 2, bytes: 200)))
                + Self.element([10, 0, 0, 5], expression: ("limit", [])))
        let found = try #require(elements.addresses(.ipv4))
        #expect(found.addresses == (try Self.set("10.0.0.1", "10.0.0.5", "10.0.0.9")))
        let nine = try #require(IPAddress("10.0.0.9"))
        #expect(found.counters == [nine: CounterValue(packets: 2, bytes: 200)])
        #expect(elements.addresses(.ipv6) == nil)
    }

    /// In whatever order they come.
    @Test func intervals() throws {
        let bytes =
            Self.element([10, 0, 1, 0], flags: Self.end)
            + Self.element([0, 0, 0, 0], flags: Self.end)
            + Self.element([255, 255, 255, 0]) + Self.element([10, 0, 0, 0])
            + Self.element([10, 0, 1, 0]) + Self.element([10, 0, 1, 1], flags: Self.end)
        #expect(
            SetElements(bytes: bytes).intervals(.ipv4)
                == (try Self.set("10.0.0.0/24", "10.0.1.0", "255.255.255.0/24")))
        let all = [UInt8](repeating: 0, count: 16)
        #expect(SetElements(bytes: Self.element(all)).intervals(.ipv6) == (try Self.set("::/0")))
        #expect(SetElements(bytes: []).intervals(.ipv4) == AddressSet())
    }

    /// What is not read for certain is no set of ours.
    @Test(arguments: [
        element([10, 0, 0]), element([10, 0, 0, 1, 10, 0, 0, 2]), element([]),
        element([10, 0, 0, 1], flags: UInt32(NFT_SET_ELEM_CATCHALL.rawValue)),
        element([10, 0, 0, 1], flags: 0x80), Array(element([10, 0, 0, 1]).dropLast()),
        element([10, 0, 0, 1]) + [9],
    ])
    func otherElements(bytes: [UInt8]) {
        #expect(SetElements(bytes: bytes).addresses(.ipv4) == nil)
        #expect(SetElements(bytes: bytes).intervals(.ipv4) == nil)
    }

    @Test func intervalsInEachOther() {
        let bytes = Self.element([10, 0, 0, 0]) + Self.element([10, 0, 0, 5])
        #expect(SetElements(bytes: bytes).intervals(.ipv4) == nil)
        let end = Self.element([10, 0, 0, 0], flags: Self.end)
        #expect(SetElements(bytes: end).addresses(.ipv4) == nil)
    }
}

extension NftablesKernelTests {
    /// What is written to sets is read from them, whatever addresses it is.
    @Suite struct SetElementsInTheKernelTests {
        private static func ranges(_ family: AddressFamily) throws -> [[ClosedRange<IPAddress>]] {
            let bits = UInt128(family.bits)
            let last = UInt128.max >> (128 - bits)
            func range(_ low: UInt128, _ high: UInt128) -> ClosedRange<IPAddress> {
                IPAddress(family: family, value: low)...IPAddress(family: family, value: high)
            }
            var random = SystemRandomNumberGenerator()
            return [
                [], [range(0, 0)], [range(last, last)], [range(0, last)], [range(1, last - 1)],
                [range(0, 7), range(9, 9), range(last - 7, last)],
            ]
                + (0..<20).map { _ in
                    (0..<Int.random(in: 1...40, using: &random)).map { _ in
                        let low = UInt128.random(in: 0...last, using: &random)
                        let size = UInt128.random(in: 0...last >> 8, using: &random)
                        return range(low, low > last - size ? last : low + size)
                    }
                }
        }

        @Test(arguments: AddressFamily.allCases)
        func writtenAndRead(_ family: AddressFamily) async throws {
            try await TestedKernel.with { kernel in
                let name = TestedKernel.prefix + "elements"
                for ranges in try Self.ranges(family) {
                    let single = AddressSet(ranges.map(\.lowerBound))
                    let sets = [
                        NamedSet(
                            name: "counted", family: family, kind: .countedAddresses,
                            addresses: single),
                        NamedSet(
                            name: "intervals", family: family, kind: .intervals,
                            addresses: AddressSet(ranges: ranges)),
                        NamedSet(
                            name: "single", family: family, kind: .addresses, addresses: single),
                    ]
                    let wanted = Ruleset(tables: [
                        Table(name: name, counters: [], sets: sets, chains: [])
                    ])
                    let observed = try await kernel.tables(compiled: [name]).tables
                    try await kernel.commit(Transaction(from: observed, to: wanted))
                    for read in [
                        try await kernel.tables(compiled: [name]),
                        try await kernel.structure(compiled: [name]),
                    ] {
                        #expect(read.tables[0].differences(from: wanted.tables[0]) == [])
                    }
                }
            }
        }
    }
}
