import Enforcement
import KernelFake
import PortModel
import Reports
import Ruleset
import Testing

/// Nodes that move between classes behind a gateway.
@Suite struct ClassChangeTests {
    private static func configuration(_ features: String) -> Compilation {
        compile(
            """
            placement: gateway
            nodes:
              a: {role: conferencing, address: 10.0.0.21\(features)}
              b: {role: conferencing, address: 10.0.0.22}
              c: {role: conferencing, address: 10.0.0.23, features: {ssh: true}}
            """)
    }

    /// In how many classes' sets an address is.
    private static func classes(of address: IPAddress, in tables: NfTables) -> Int {
        (tables.tables["pexip_fw_gateway"]?.sets ?? [:]).count { name, set in
            name.hasPrefix("conferencing_") && set.addresses.contains(address)
        }
    }

    @Test func aNodeIsInBothClassesBeforeItIsInTheNewOneAlone() async throws {
        let address = try #require(IPAddress("10.0.0.21"))
        let bench = try Bench()
        await bench.reconciler.start(Self.configuration(""))
        #expect(await bench.kernel.commits.count == 1)
        for features in [", features: {ssh: true}", ""] {
            let before = await bench.kernel.commits.count
            let old = await bench.kernel.state
            let report = await bench.reconciler.applied(
                Self.configuration(features))
            #expect(report.outcome == .applied)
            let commits = await bench.kernel.commits.dropFirst(before)
            try #require(commits.count == 2)
            var between = old
            try between.apply(try #require(commits.first))
            #expect(Self.classes(of: address, in: between) == 2)
            #expect(Self.classes(of: address, in: await bench.kernel.state) == 1)
        }
    }

    @Test func aNodeThatJoinsOrLeavesNeedsOneTransaction() async throws {
        let bench = try Bench()
        await bench.reconciler.start(Self.configuration(""))
        let joined = compile(
            """
            placement: gateway
            nodes:
              a: {role: conferencing, address: 10.0.0.21}
              b: {role: conferencing, address: 10.0.0.22}
              c: {role: conferencing, address: 10.0.0.23, features: {ssh: true}}
              d: {role: conferencing, address: 10.0.0.24}
            """)
        for configuration in [joined, Self.configuration("")] {
            let before = await bench.kernel.commits.count
            _ = await bench.reconciler.applied(configuration)
            #expect(await bench.kernel.commits.count == before + 1)
        }
    }
}
