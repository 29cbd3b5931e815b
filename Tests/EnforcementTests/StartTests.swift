import KernelFake
import Ruleset
import Testing

@testable import Enforcement
@testable import Reports

@Suite struct StartTests {
    @Test func theFirstStartEnforcesTheConfiguration() async throws {
        let bench = try Bench()
        await bench.reconciler.start(configuration(1))
        try await bench.expectInForce(1, 1)
        let status = await bench.reconciler.inspector.status()
        #expect(status.generationOrigin == .start)
        #expect(status.nodes.map(\.node.name) == ["conf"])
        #expect(status.counters["drop.in"]?.packets == 0)
        #expect(status.problem == nil)
    }

    @Test(arguments: [
        (wrongText, StatusReport.State.rejected), ("", .unconfigured),
        // Its diagnostic has no place in a file, which does not make it empty.
        ("nodes: {a: {role: conferencing, address: 10.0.0.99}}\n", .rejected),
    ])
    func withoutAnythingStoredAWrongConfigurationChangesNothing(
        _ text: String, _ state: StatusReport.State
    ) async throws {
        let compilation = compile(text)
        let bench = try Bench()
        await bench.reconciler.start(compilation)
        let status = await bench.reconciler.inspector.status()
        #expect(status.state == state)
        #expect(status.generation == nil)
        #expect(status.confirmedGeneration == nil)
        #expect(status.diagnostics == compilation.diagnostics)
        #expect(await bench.kernel.commits == [])
        #expect(try bench.directory.names() == ["generations"])
        #expect(try bench.storedNumbers() == [])
    }

    @Test(arguments: [wrongText, ""])
    func restoresTheStoredGenerationWhateverTheConfigurationSays(
        _ text: String
    ) async throws {
        let bench = try await Bench.holding(1, 2)
        await bench.kernel.tamper { $0 = NfTables() }
        let next = try bench.restarted()
        await next.reconciler.start(compile(text))
        try await next.expectInForce(2, 2, .rejected)
        let drift = await next.reconciler.inspector.status().drift
        #expect(drift.count == 0)
    }

    @Test func adoptsAKernelThatHoldsItWithoutAnyTransaction() async throws {
        let bench = try await Bench.holding(1)
        let before = await bench.kernel.state
        let next = try bench.restarted()
        await next.reconciler.start(configuration(1))
        try await next.expectInForce(1, 1)
        #expect(await next.kernel.commits == [])
        #expect(await next.kernel.state == before)
    }

    @Test func whatChangedWhileNobodyLookedIsTakenUp() async throws {
        let bench = try await Bench.holding(1)
        let next = try bench.restarted()
        await next.reconciler.start(configuration(2))
        try await next.expectInForce(2, 2)
        #expect(await next.kernel.commits.count == 1)
    }

    @Test func aKernelThatCannotBeReadIsToldAndHealedByTheNextCheck() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.tamper { $0 = NfTables() }
        let next = try bench.restarted()
        await bench.kernel.failObservations(times: 2)
        await next.reconciler.start(configuration(1))
        let status = await next.reconciler.inspector.status()
        #expect(status.state == .degraded)
        #expect(status.problem == "the listing fails as scripted")
        #expect(await next.reconciler.repair(after: nil) == nil)
        try await next.expectInForce(1, 1)
        let drift = await next.reconciler.inspector.status().drift
        #expect(drift.count == 0, "nobody else did anything")
    }

    @Test func oneReasonForSeveralFailuresIsToldOnce() async throws {
        let bench = try await Bench.holding(1)
        let next = try bench.restarted()
        // The restore, the apply, and the status itself.
        await bench.kernel.failObservations(times: 3)
        await next.reconciler.start(configuration(2))
        let status = await next.reconciler.inspector.status()
        #expect(status.state == .degraded)
        #expect(status.problem == "the listing fails as scripted; the kernel was not touched")
    }

    @Test func aStartThatCannotRestoreButCanApplyIsNotDegraded() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.tamper { $0 = NfTables() }
        let next = try bench.restarted()
        await bench.kernel.failCommits(.refuse, nil)
        await next.reconciler.start(configuration(2))
        try await next.expectInForce(2, 2)
    }

    // MARK: Damage

    @Test func aDamagedGenerationIsReplacedByTheNewestOlderOne() async throws {
        let bench = try await Bench.holding(1, 2, 3, 4)
        try bench.directory.write([1, 2, 3], to: "generations/4.json")
        try bench.directory.remove("generations/3.json")
        let next = try bench.restarted()
        await next.reconciler.start(wrongConfiguration)
        let status = await next.reconciler.inspector.status()
        #expect(status.state == .degraded)
        #expect(status.generation == 2)
        #expect(status.problem?.contains("generations/4.json is damaged") == true)
        await next.expectKernel(try generation(2, 2).stamped)
        // The number of a generation that was in force is not used again.
        await next.apply(4)
        try await next.expectInForce(5, 4)
        #expect(await next.reconciler.inspector.status().problem == nil)
    }

    @Test func damageThatTheStartHealsIsToldUntilTheNextApply() async throws {
        let bench = try await Bench.holding(1, 2)
        try bench.directory.write([1, 2, 3], to: "generations/2.json")
        let next = try bench.restarted()
        await next.reconciler.start(configuration(2))
        try await next.expectInForce(3, 2)
        #expect(
            await next.reconciler.inspector.status().problem?.contains("2.json is damaged") == true)
        _ = await next.reconciler.applied(configuration(2))
        #expect(await next.reconciler.inspector.status().problem == nil)
    }

    @Test(arguments: [false, true])
    func aDamagedOrMissingRecordForgetsNothing(_ isMissing: Bool) async throws {
        let bench = try await Bench.holding(1, 2, 3)
        try bench.directory.write([1, 2, 3], to: "standing.json")
        if isMissing { try bench.directory.remove("standing.json") }
        let wrong = try bench.restarted()
        await wrong.reconciler.start(wrongConfiguration)
        let status = await wrong.reconciler.inspector.status()
        #expect(status.state == .degraded)
        #expect(status.generation == 3)
        #expect(status.problem != nil)
        #expect(await wrong.kernel.commits == [])

        let right = try bench.restarted()
        await right.reconciler.start(configuration(3))
        try await right.expectInForce(3, 3)
        #expect(await right.kernel.commits == [], "the record is written anew, nothing else")
        #expect(await right.reconciler.inspector.status().problem != nil)
        await right.apply(4)
        try await right.expectInForce(4, 4)
    }

    @Test func nothingReadableIsToldAndNumbersGoOn() async throws {
        let bench = try await Bench.holding(1, 2)
        for number in 1...2 {
            try bench.directory.write([0], to: "generations/\(number).json")
        }
        let next = try bench.restarted()
        await next.reconciler.start(wrongConfiguration)
        let status = await next.reconciler.inspector.status()
        #expect(status.state == .degraded)
        #expect(status.generation == nil)
        #expect(await next.kernel.commits == [], "the kernel keeps what it holds")
        await next.apply(2)
        try await next.expectInForce(3, 2)
    }

    /// Whatever became of the state directory meanwhile, the next start finds what is in force.
    @Test(arguments: ["standing.json", "generations/2.json", "generations", ""])
    func whatIsTakenAwayWhileTheAgentRunsIsWrittenAnew(_ name: String) async throws {
        let bench = try await Bench.holding(1, 2)
        try bench.directory.remove(name)
        await bench.reconciler.secure()
        try await bench.expectInForce(2, 2)
        let status = await bench.reconciler.inspector.status()
        #expect(status.problem?.contains("written anew") == true)
        await bench.reconciler.secure()
        #expect(
            await bench.reconciler.inspector.status().problem == status.problem, "once is enough")
        _ = await bench.reconciler.applied(configuration(2))
        #expect(await bench.reconciler.inspector.status().problem == nil)
        let next = try bench.restarted()
        await next.reconciler.start(wrongConfiguration)
        try await next.expectInForce(2, 2, .rejected)
    }

    /// A state directory that can't be made, on a file system that is mounted too late, say.
    @Test func withoutAStateDirectoryTheAgentGoesOnAndHeals() async throws {
        let bench = try await Bench.holding(1)
        let before = await bench.kernel.state
        try bench.directory.write([], to: "file")
        let next = try Bench(
            TemporaryDirectory(adopting: bench.directory.appending("file/state")),
            kernel: bench.kernel)
        await next.reconciler.start(configuration(2))
        let status = await next.reconciler.inspector.status()
        #expect(status.state == .degraded)
        #expect(status.problem?.contains("file/state: Not a directory") == true)
        #expect(await next.kernel.state == before)
        #expect(await next.reconciler.isUnstored)

        try bench.directory.remove("file")
        try bench.directory.makeDirectory("file")
        await next.reconciler.secure()
        #expect(await !next.reconciler.isUnstored)
        await next.apply(2)
        try await next.expectInForce(1, 2)
    }

    /// The oldest that are whole are left: what was damaged at the start is not written over.
    @Test func aDamagedRecordIsNotSecured() async throws {
        let bench = try await Bench.holding(1, 2)
        try bench.directory.write([1, 2, 3], to: "generations/2.json")
        let next = try bench.restarted()
        await next.reconciler.start(wrongConfiguration)
        await next.reconciler.secure()
        #expect(await next.state() == .degraded)
        #expect(try bench.directory.bytes(of: "generations/2.json") == [1, 2, 3])
    }

    @Test func aPinIsKeptWhenItsGenerationIsDamaged() async throws {
        let bench = try await Bench.holding(1, 2, 3)
        _ = await bench.reconciler.rolledBack(to: 2)
        try bench.directory.write([1], to: "generations/2.json")
        let next = try bench.restarted()
        await next.reconciler.start(configuration(3))
        let status = await next.reconciler.inspector.status()
        #expect(status.generation == 1, "what was rolled back from must not come back")
        #expect(status.state == .degraded)
    }

    /// Without its record the agent does not know what it enforced; the kernel does.
    @Test func aLostStateDirectoryOpensNothing() async throws {
        let bench = try await Bench.holding(1)
        let before = await bench.kernel.state
        let next = try Bench(kernel: bench.kernel)
        await next.reconciler.start(wrongConfiguration)
        #expect(await bench.kernel.commits == [])
        let status = await next.reconciler.inspector.status()
        #expect(status.state == .degraded)
        #expect(status.problem?.contains("pexip_fw_conf") == true)

        // A failed apply leaves it as well.
        for (fault, words) in [
            (FakeKernel.CommitFault.refuse, "the kernel was not changed"),
            (
                .tamper { $0.tables["pexip_fw_conf"]?.chains = [:] },
                "what the kernel held before is in force"
            ),
        ] {
            await bench.kernel.failCommits(fault)
            let report = await next.reconciler.applied(configuration(2))
            #expect(report.outcome == .failed)
            #expect(report.problem?.hasSuffix(words) == true)
            #expect(await bench.kernel.state == before)
        }
        await next.apply(2)
        try await next.expectInForce(1, 2)
    }

    @Test func aTableOfOurNameWithoutAStampIsTakenOver() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.tamper {
            $0.tables["pexip_fw_conf"]?.chains["generation"] = nil
            $0.tables["pexip_fw_conf"]?.chains["input"]?.rules.insert(
                .known(Rule([], .accept)), at: 0)
        }
        let next = try Bench(kernel: bench.kernel)
        await next.reconciler.start(configuration(2))
        try await next.expectInForce(1, 2)
        #expect(await next.kernel.commits.count == 1)
    }
}
