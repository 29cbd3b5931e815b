import PortModel
import Ruleset
import Site
import Testing

@testable import Nftables

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
                        Table(family: .inet, name: name, counters: [], sets: sets, chains: [])
                    ])
                    let observed = try await kernel.tables(compiled: [TableID(.inet, name)]).tables
                    try await kernel.commit(Transaction(from: observed, to: wanted))
                    for read in [
                        try await kernel.tables(compiled: [TableID(.inet, name)]),
                        try await kernel.structure(compiled: [TableID(.inet, name)]),
                    ] {
                        #expect(read.tables[0].differences(from: wanted.tables[0]) == [])
                    }
                }
            }
        }
    }
}
