import KernelFake
import PortModel
import Reports
import Ruleset
import Testing

@testable import Enforcement

/// Flows that the generation in force does not permit end with whatever puts it in force.
@Suite struct RevocationTests {
    /// SSH from the address that variant `variant` permits.
    static func ssh(_ variant: UInt8, id: UInt32 = 0) -> Flow {
        Flow(
            id: id,
            original: Flow.Tuple(
                from: IPAddress(family: .ipv4, value: 0x0a09_0000 | UInt128(variant)),
                to: hostAddress, protocolNumber: 6, .ports(source: 50_000, destination: 22)))
    }

    /// What every variant permits.
    static let https = Flow(
        id: 443,
        original: Flow.Tuple(
            from: IPAddress(family: .ipv4, value: 0xc000_0207), to: hostAddress, protocolNumber: 6,
            .ports(source: 50_000, destination: 443)))

    private func bench(_ variants: Int..., flows: [Flow]) async throws -> Bench {
        let bench = try await Bench.holding(variants[0])
        for variant in variants.dropFirst() { await bench.apply(variant) }
        await bench.reconciler.flowsEnded()
        await bench.kernel.tamper { $0.flows = flows }
        return bench
    }

    private func compile(_ variant: Int, _ settings: String) -> Compilation {
        EnforcementTests.compile(
            """
            nodes: {conf: {role: conferencing, address: 10.0.0.21}}
            features: {ssh: true}
            peers: {ssh_clients: [10.9.0.\(variant)]}
            \(settings)
            """)
    }

    @Test func anApplyEndsWhatItNoLongerPermits() async throws {
        let bench = try await bench(1, flows: [Self.ssh(1), Self.https, Self.ssh(2)])
        let report = await bench.reconciler.applied(configuration(2))
        #expect(report.outcome == .applied)
        #expect(report.endedFlows == 1)
        #expect(report.problem == nil)
        #expect(await bench.kernel.state.flows == [Self.https, Self.ssh(2)])
        #expect(await bench.state() == .inSync)
    }

    @Test func aRollbackEndsWhatItDoesNotPermit() async throws {
        let bench = try await bench(1, 2, flows: [Self.ssh(2), Self.ssh(1)])
        let report = await bench.reconciler.rolledBack(to: nil)
        #expect(report.endedFlows == 1)
        #expect(await bench.kernel.state.flows == [Self.ssh(1)])
    }

    /// The one before was killed before it came to it, or flows came up while there were no rules.
    @Test func aStartEndsWhatIsNotPermitted() async throws {
        let bench = try await bench(1, flows: [Self.ssh(2), Self.https])
        await bench.kernel.tamper { $0.tables = [:] }
        try await bench.restarted().startedToItsEnd(configuration(1))
        #expect(await bench.kernel.state.flows == [Self.https])

        await bench.kernel.tamper { $0.flows.append(Self.ssh(2)) }
        try await bench.restarted().startedToItsEnd(configuration(1))
        #expect(await bench.kernel.state.flows == [Self.https])
    }

    @Test func aRepairEndsWhatCameUpMeanwhile() async throws {
        let bench = try await bench(1, flows: [Self.ssh(1)])
        await bench.kernel.tamper {
            $0.tables = [:]
            $0.flows.append(Self.ssh(2))
        }
        #expect(await bench.reconciler.repair(after: DriftTests.writer) == nil)
        await bench.reconciler.flowsEnded()
        #expect(await bench.kernel.state.flows == [Self.ssh(1)])
    }

    @Test func aCheckThatFindsNothingLooksAtNoFlow() async throws {
        let bench = try await bench(1, flows: [Self.ssh(2)])
        let before = await bench.kernel.flowListings
        #expect(await bench.reconciler.repair(after: nil) == nil)
        #expect(await bench.kernel.flowListings == before)
    }

    /// An apply that fails after its commit had let flows come up.
    @Test func goingBackEndsWhatTheFailedGenerationLetIn() async throws {
        let bench = try await bench(1, flows: [Self.ssh(1)])
        await bench.kernel.failCommits(
            .tamper {
                $0.tables["pexip_fw_conf"]?.chains["x"] = ObservedChain(
                    name: "x", attachment: .foreign, rules: [])
                $0.flows.append(Self.ssh(2))
            })
        let report = await bench.reconciler.applied(configuration(2))
        #expect(report.outcome == .failed)
        #expect(report.endedFlows == nil)
        await bench.reconciler.flowsEnded()
        #expect(await bench.kernel.state.flows == [Self.ssh(1)])
        try await bench.expectInForce(1, 1, .degraded)
    }

    @Test func aProbeThatFailsLeavesWhatWasEstablished() async throws {
        let bench = try await bench(1, flows: [Self.ssh(1), Self.ssh(2)])
        bench.prober.fail([443])
        let report = await bench.reconciler.applied(
            compile(2, "guard: {probes: [\"tcp://192.0.2.1:443\"]}"))
        #expect(report.outcome == .failed)
        await bench.reconciler.flowsEnded()
        #expect(await bench.kernel.state.flows == [Self.ssh(1)])
    }

    @Test func takingBackEndsWhatWasOnlyPermittedMeanwhile() async throws {
        let bench = try await bench(1, flows: [Self.ssh(1)])
        let report = await bench.reconciler.applied(configuration(2), ConfirmTests.minute)
        #expect(report.endedFlows == 1)
        await bench.kernel.tamper { $0.flows = [Self.ssh(2), Self.https] }
        bench.clock.advance(by: .seconds(60))
        await bench.reconciler.keepDeadlines()
        await bench.reconciler.flowsEnded()
        #expect(await bench.kernel.state.flows == [Self.https])
    }

    @Test func aFlushEndsNothing() async throws {
        let bench = try await bench(1, flows: [Self.ssh(2)])
        let before = await bench.kernel.flowListings
        #expect(await bench.reconciler.flushed().endedFlows == nil)
        #expect(await bench.kernel.state.flows == [Self.ssh(2)])
        #expect(await bench.kernel.flowListings == before)
    }

    @Test(arguments: ["mode: observe", "guard: {revoke_established: false}"])
    func theSiteMayLetFlowsGoOn(settings: String) async throws {
        let bench = try await bench(1, flows: [Self.ssh(1)])
        let before = await bench.kernel.flowListings
        let report = await bench.reconciler.applied(compile(2, settings))
        #expect(report.outcome == .applied)
        #expect(report.endedFlows == nil)
        #expect(await bench.kernel.state.flows == [Self.ssh(1)])
        // The generation remembers, whatever another agent finds.
        await bench.kernel.tamper { $0.tables = [:] }
        try await bench.restarted().startedToItsEnd(compile(2, settings))
        #expect(await bench.kernel.state.flows == [Self.ssh(1)])
        #expect(await bench.kernel.flowListings == before)

        // Switched on again, with the same rows.
        let again = await bench.reconciler.applied(compile(2, ""))
        #expect(again.outcome == .applied)
        #expect(again.endedFlows == 1)
        #expect(await bench.kernel.state.flows == [])
    }

    @Test(arguments: [FakeKernel.FlowFault.list, .end, .leaveOne])
    func aFailureIsToldAndTriedAgain(fault: FakeKernel.FlowFault) async throws {
        let bench = try await bench(1, flows: [Self.ssh(1)])
        await bench.kernel.failFlows(fault, fault, fault)
        let report = await bench.reconciler.applied(configuration(2))
        #expect(report.outcome == .applied)
        #expect(report.endedFlows == 0)
        let told = "established flows that generation 2 does not permit may go on: "
        #expect(report.problem?.hasPrefix(told) == true)
        var status = await bench.reconciler.inspector.status()
        #expect(status.state == .degraded)
        #expect(status.problem == report.problem)
        #expect(bench.reconciler.inspector.overview.hasRefusedFlows)
        for _ in 0..<2 {
            #expect(await bench.reconciler.repair(after: nil) == nil)
            await bench.reconciler.flowsEnded()
            #expect(await bench.kernel.state.flows == [Self.ssh(1)])
        }

        #expect(await bench.reconciler.repair(after: nil) == nil)
        await bench.reconciler.flowsEnded()
        #expect(await bench.kernel.state.flows == [])
        status = await bench.reconciler.inspector.status()
        #expect(status.problem == nil)
        #expect(!bench.reconciler.inspector.overview.hasRefusedFlows)
        try await bench.expectInForce(2, 2)
    }

    @Test func whatCannotBeEndedKeepsNothingElse() async throws {
        let bench = try await bench(1, flows: [Self.ssh(1, id: 1), Self.ssh(1, id: 2)])
        await bench.kernel.failFlows(.leaveOne)
        let report = await bench.reconciler.applied(configuration(2))
        #expect(report.endedFlows == 1)
        #expect(report.problem?.contains("1 flow can't be ended, first tcp 10.9.0.1") == true)
        // An apply of the same tries again too.
        let again = await bench.reconciler.applied(configuration(2))
        #expect(again.outcome == .unchanged)
        #expect(again.endedFlows == 1)
        #expect(again.problem == nil)
    }

    @Test func aFlushForgetsWhatCouldNotBeEnded() async throws {
        let bench = try await bench(1, flows: [Self.ssh(1)])
        await bench.kernel.failFlows(.end)
        _ = await bench.reconciler.applied(configuration(2))
        _ = await bench.reconciler.flushed()
        #expect(await bench.state() == .flushed)
        #expect(!bench.reconciler.inspector.overview.isOutOfSync)
    }

    @Test func moreFlowsThanAreHeldAtOnceEnd() async throws {
        let count = 2 * Revoker.held + 5
        let flows = (0..<UInt32(count)).map { Self.ssh(1, id: $0) }
        let bench = try await bench(1, flows: flows + [Self.https])
        let before = await bench.kernel.flowListings
        let report = await bench.reconciler.applied(configuration(2))
        #expect(report.endedFlows == count)
        #expect(await bench.kernel.flowListings == before + 3)
        #expect(await bench.kernel.state.flows == [Self.https])
    }

    /// A deleted table does not stay away while thousands of flows end.
    @Test func aRepairGoesBetween() async throws {
        let flows = (0..<2_000 as Range<UInt32>).map { Self.ssh(1, id: $0) }
        let bench = try await bench(1, flows: flows)
        await bench.kernel.onEnd { await $0.pause() }
        let conclusion = await bench.reconciler.apply(configuration(2))
        await bench.kernel.pausedInEnd()
        await bench.kernel.tamper { $0.tables = [:] }
        #expect(await bench.reconciler.repair(after: DriftTests.writer) == nil)
        await bench.expectKernel(try generation(2, 2).stamped)
        #expect(await bench.kernel.state.flows.count > 1_000)

        await bench.kernel.goOn()
        #expect(await conclusion.finalReport().endedFlows == 2_000)
        #expect(await bench.kernel.state.flows == [])
    }

    /// Flows that only the generation before did not permit are left alone.
    @Test func anotherGenerationStopsTheSearch() async throws {
        let flows = (0..<2_000 as Range<UInt32>).map { Self.ssh(1, id: $0) }
        let bench = try await bench(1, flows: flows)
        await bench.kernel.onEnd { await $0.pause() }
        let first = await bench.reconciler.apply(configuration(2))
        await bench.kernel.pausedInEnd()
        let revoker = bench.reconciler.revoker
        let search = await revoker.search
        async let second = bench.reconciler.applied(configuration(1))
        while await revoker.search == search { await Task.yield() }
        await bench.kernel.goOn()
        #expect(await second.endedFlows == 0)
        let ended = try #require(await first.finalReport().endedFlows)
        #expect(0 < ended && ended < 2_000)
        #expect(await bench.kernel.state.flows.count == 2_000 - ended)
        #expect(await bench.state() == .inSync)
    }
}
