import KernelFake
import PortModel
import Ruleset
import Testing

@testable import Enforcement
@testable import Reports

@Suite struct DriftTests {
    typealias Tampering = @Sendable (inout NfTables) -> Void
    static let table = "pexip_fw_conf"
    static let writer = Reconciler.Writer(
        process: "nft -f site.nft", name: "nft", pid: 77)

    static let tamperings: [(String, Tampering)] = [
        ("is missing", { $0 = NfTables() }),
        (
            "foreign rule: accept",
            { $0.tables[table]?.chains["input"]?.rules.insert(.known(Rule([], .accept)), at: 0) }
        ),
        (
            // The comment is kept, the verdict is not.
            "foreign rule",
            {
                guard case .known(var rule)? = $0.tables[table]?.chains["input_tcp"]?.rules.last
                else { return }
                rule.verdict = .drop
                $0.tables[table]?.chains["input_tcp"]?.rules.removeLast()
                $0.tables[table]?.chains["input_tcp"]?.rules.append(.known(rule))
            }
        ),
        (
            "foreign rule: {\"mark\"}",
            { $0.tables[table]?.chains["input"]?.rules.append(.foreign("{\"mark\"}")) }
        ),
        ("rule is missing", { $0.tables[table]?.chains["input"]?.rules.removeLast() }),
        ("another order", { $0.tables[table]?.chains["input_tcp"]?.rules.reverse() }),
        (
            "set peers.ssh_clients.v4 has other elements",
            { $0.tables[table]?.sets["peers.ssh_clients.v4"]?.addresses = AddressSet() }
        ),
        (
            "set peers.ssh_clients.v4 has other elements",
            { $0.tables[table]?.sets["peers.ssh_clients.v4"]?.addresses = .all.only(.ipv4) }
        ),
        (
            "foreign chain x",
            {
                $0.tables[table]?.chains["x"] = ObservedChain(
                    name: "x", attachment: .foreign, rules: [])
            }
        ),
        (
            "foreign set x",
            { $0.tables[table]?.sets["x"] = NfTables.ObjectSet(family: .ipv6, kind: .intervals) }
        ),
        ("foreign counter x", { $0.tables[table]?.counters["x"] = CounterValue() }),
        ("counter drop.in is missing", { $0.tables[table]?.counters["drop.in"] = nil }),
        (
            "foreign table flags dormant",
            { $0.tables[table] = NfTables.Contents(foreign: ["table flags dormant"]) }
        ),
        ("chain generation is missing", { $0.tables[table]?.chains["generation"] = nil }),
        (
            "foreign rule: return comment",
            {
                $0.tables[table]?.chains["generation"]?.rules = [
                    .known(Rule([], .return, comment: "generation 9 sha256 0"))
                ]
            }
        ),
        (
            "chain input is attached differently",
            {
                $0.tables[table]?.chains["input"]?.attachment = .hook(
                    Hook(.input, .filter, policy: .accept))
            }
        ),
        (
            "chain input is attached differently",
            { $0.tables[table]?.chains["input"]?.attachment = .foreign }
        ),
        ("table pexip_fw_old is not ours", { $0.tables["pexip_fw_old"] = $0.tables[table] }),
    ]

    @Test(arguments: tamperings)
    func everyForeignChangeIsRepairedAndNamed(
        _ words: String, _ tampering: @escaping Tampering
    ) async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.tamper(tampering)
        #expect(await bench.reconciler.repair(after: Self.writer) == nil)
        #expect(await bench.kernel.commits.count == 1)
        try await bench.expectInForce(1, 1)
        let drift = await bench.reconciler.inspector.status().drift
        #expect(drift.count == 1)
        #expect(drift.last?.process == Self.writer.process)
        #expect(drift.last?.pid == 77)
        #expect(drift.last?.differences.contains { $0.contains(words) } == true)
        #expect(drift.last.map { (1...5).contains($0.differences.count) } == true)
    }

    @Test func whatIsNotOursIsLeftAlone() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.tamper {
            $0.tables["pexip_fw_site"] = NfTables.Contents(foreign: ["map x"])
            $0.tables[Self.table]?.counters["drop.in"] = CounterValue(packets: 5, bytes: 5)
        }
        let before = await bench.kernel.state
        #expect(await bench.reconciler.repair(after: Self.writer) == nil)
        #expect(await bench.kernel.state == before)
        #expect(await bench.kernel.commits == [])
        let drift = await bench.reconciler.inspector.status().drift
        #expect(drift == StatusReport.Drift(count: 0, last: nil))
    }

    @Test func lostNotificationsMeanAnUnknownWriter() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.tamper { $0 = NfTables() }
        #expect(await bench.reconciler.repair(after: nil) == nil)
        let drift = await bench.reconciler.inspector.status().drift
        #expect(drift.count == 1)
        #expect(drift.last?.process == "unknown")
        #expect(drift.last?.pid == nil)
    }

    /// Who changes the tables again before they are read back is heard of next, and counted: for
    /// that no table is replaced.
    @Test func whatComesBeforeTheReadingIsRepairedNext() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.forgetCommits()
        await bench.kernel.tamper { $0.tables[Self.table]?.chains["input"]?.rules = [] }
        await bench.kernel.failCommits(
            .tamper { $0.tables[Self.table]?.chains["input"]?.rules = [] }, times: 5)
        for _ in 0..<5 {
            #expect(await bench.reconciler.repair(after: Self.writer) == .seconds(1))
        }
        #expect(await bench.reconciler.repair(after: Self.writer) == nil)
        try await bench.expectInForce(1, 1)
        #expect(await bench.reconciler.inspector.status().drift.count == 6)
        #expect(await bench.kernel.commits.allSatisfy { !$0.makesTables })
    }

    /// What could not be changed in place is made anew.
    @Test func aRepairAfterAFailedOneRebuilds() async throws {
        let bench = try await Bench.holding(1)
        func tamper() async {
            await bench.kernel.tamper { $0.tables[Self.table]?.chains["input"]?.rules = [] }
        }
        await tamper()
        await bench.kernel.failCommits(.refuse)
        #expect(await bench.reconciler.repair(after: Self.writer) == .seconds(1))
        #expect(await bench.reconciler.repair(after: nil) == nil)
        try await bench.expectInForce(1, 1)
        await tamper()
        #expect(await bench.reconciler.repair(after: Self.writer) == nil)
        let first = await bench.kernel.commits.map { $0.statements[0].text }
        #expect(
            first == [
                "flush chain inet \(Self.table) input", "delete table inet \(Self.table)",
                "flush chain inet \(Self.table) input",
            ])
    }

    /// Trying again is not another foreign change, and does not make its writer unknown.
    @Test func failingRepairsAreTriedAgainEverLater() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.tamper { $0 = NfTables() }
        await bench.kernel.failCommits(.refuse, times: 7)
        var writer: Reconciler.Writer? = Self.writer
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            #expect(await bench.reconciler.repair(after: writer) == .seconds(seconds))
            writer = nil
            let status = await bench.reconciler.inspector.status()
            #expect(status.state == .degraded)
            #expect(status.problem == "the commit fails as scripted")
            #expect(status.drift.count == 1)
            #expect(status.drift.last?.process == Self.writer.process)
            bench.clock.advance(by: .seconds(seconds))
        }
        #expect(await bench.reconciler.repair(after: nil) == nil)
        try await bench.expectInForce(1, 1)
        await bench.kernel.tamper { $0 = NfTables() }
        #expect(await bench.reconciler.repair(after: nil) == nil)
        #expect(await bench.reconciler.inspector.status().drift.count == 2)
    }

    @Test func aKernelThatCannotBeReadIsLookedAtAgain() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.failObservations(times: 2)
        #expect(await bench.reconciler.repair(after: nil) == .seconds(1))
        #expect(await bench.reconciler.repair(after: nil) == .seconds(2))
        #expect(await bench.reconciler.repair(after: nil) == nil)
        try await bench.expectInForce(1, 1)
        #expect(await bench.reconciler.inspector.status().drift.count == 0)
    }

    @Test func aFightBacksOffAndSaysWithWhom() async throws {
        let bench = try await Bench.holding(1)
        for _ in 0..<RepairPace.burst {
            await bench.kernel.tamper { $0 = NfTables() }
            #expect(await bench.reconciler.repair(after: Self.writer) == nil)
        }
        await bench.kernel.tamper { $0 = NfTables() }
        let delay = try #require(await bench.reconciler.repair(after: Self.writer))
        #expect(delay == RepairPace.window + .seconds(1))
        var status = await bench.reconciler.inspector.status()
        #expect(status.state == .degraded)
        #expect(status.problem?.contains("nft -f site.nft keeps changing our tables") == true)
        #expect(status.drift.count == RepairPace.burst + 1)

        // Looking too early changes nothing.
        bench.clock.advance(by: .seconds(3))
        #expect(await bench.reconciler.repair(after: nil) == delay - .seconds(3))
        status = await bench.reconciler.inspector.status()
        #expect(status.problem?.contains("nft -f site.nft keeps changing our tables") == true)
        #expect(status.drift.count == RepairPace.burst + 1)
        #expect(await bench.kernel.commits.count == RepairPace.burst)

        bench.clock.advance(by: delay - .seconds(3))
        #expect(await bench.reconciler.repair(after: nil) == nil)
        try await bench.expectInForce(1, 1)
    }

    @Test func beforeTheFirstGenerationThereIsNothingToRepair() async throws {
        let bench = try Bench()
        await bench.reconciler.start(emptyConfiguration)
        await bench.kernel.tamper { $0.tables["pexip_fw_conf"] = NfTables.Contents() }
        #expect(await bench.reconciler.repair(after: Self.writer) == nil)
        #expect(await bench.kernel.commits == [])
    }
}
