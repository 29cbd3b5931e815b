import KernelFake
import Policy
import Ruleset
import Site
import Synchronization
import Testing

@testable import Enforcement
@testable import Reports

@Suite struct ApplyTests {
    static let table = "pexip_fw_conf"

    @Test func anUnchangedConfigurationCommitsNothing() async throws {
        let bench = try await Bench.holding(1)
        let report = await bench.reconciler.applied(configuration(1))
        #expect(report.outcome == .unchanged)
        #expect(report.generation == 1)
        #expect(report.changes == [])
        #expect(await bench.kernel.commits == [])
        try await bench.expectInForce(1, 1)
    }

    @Test func aNewConfigurationIsANewGenerationWithTheSameCounters() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.tamper {
            $0.tables[Self.table]?.counters["conferencing.in.ssh"] = CounterValue(
                packets: 7, bytes: 900)
        }
        let report = await bench.reconciler.applied(configuration(2))
        #expect(report.outcome == .applied)
        #expect(report.generation == 2)
        #expect(report.changes.map(\.kind) == [.changed])
        #expect(report.changes.map(\.nodes) == [["conf"]])
        #expect(report.changes.map(\.row) == ["conferencing.in.ssh"])
        #expect(await bench.kernel.commits.count == 1)
        try await bench.expectInForce(2, 2)
        let status = await bench.reconciler.inspector.status()
        #expect(status.counters["conferencing.in.ssh"]?.packets == 7)
        #expect(status.generationOrigin == .command)
        #expect(try bench.storedNumbers() == [1, 2])
    }

    /// Two nodes are not enforced on one host, but the reconciler does not know that.
    static func twoNodes(_ variants: Int...) throws -> Compilation {
        var compilation = configuration(1)
        compilation.target?.ruleset = Ruleset(
            tables: try variants.enumerated().map { index, variant in
                var table = try #require(configuration(variant).target?.ruleset.tables.first)
                table.name = "pexip_fw_\(index)"
                return table
            })
        compilation.target?.nodes = try variants.indices.map { index in
            var node = try #require(configuration(1).target?.nodes.first)
            node.name = "conf-\(index)"
            node.table = "pexip_fw_\(index)"
            return node
        }
        let nodes = try #require(compilation.target?.nodes).map {
            Node(name: $0.name, role: $0.role, addresses: $0.addresses)
        }
        let deployment = Deployment(nodes: nodes)
        compilation.target?.rows = NodeRows(of: nodes.map { Policy(of: $0, in: deployment) })
        return compilation
    }

    @Test func aTableThatDoesNotChangeIsOnlyStampedAnew() async throws {
        let bench = try Bench()
        await bench.reconciler.start(try Self.twoNodes(1, 2))
        await bench.kernel.forgetCommits()
        let report = await bench.reconciler.applied(try Self.twoNodes(1, 3))
        #expect(report.changes.map(\.kind) == [.changed])
        #expect(report.changes.map(\.nodes) == [["conf-1"]])
        #expect(report.changes.map(\.row) == ["conferencing.in.ssh"])
        let statements = await bench.kernel.commits.flatMap(\.statements).map(\.text)
        #expect(
            statements.filter { !$0.contains(" generation") } == [
                "flush set inet pexip_fw_1 peers.ssh_clients.v4",
                "add element inet pexip_fw_1 peers.ssh_clients.v4 { 10.9.0.3 }",
            ])
    }

    @Test func aRejectedConfigurationChangesNothing() async throws {
        let bench = try await Bench.holding(1)
        let before = await bench.kernel.state
        let record = try bench.directory.bytes(of: "standing.json")
        let report = await bench.reconciler.applied(wrongConfiguration)
        #expect(report.outcome == .rejected)
        #expect(report.generation == 1)
        #expect(await bench.kernel.state == before)
        #expect(await bench.kernel.commits == [])
        #expect(try bench.storedNumbers() == [1])
        #expect(try bench.directory.bytes(of: "standing.json") == record)
        let status = await bench.reconciler.inspector.status()
        #expect(status.state == .rejected)
        let place = status.diagnostics.first?.location
        #expect(place.map { "\($0.file):\($0.line):\($0.column)" } == "a.yaml:1:22")
        await bench.apply(2)
        try await bench.expectInForce(2, 2)
    }

    // MARK: Failures

    static let failures: [(String, FakeKernel.CommitFault)] = [
        ("refused", .refuse),
        ("a rule is missing", .tamper { $0.tables[table]?.chains["input"]?.rules.removeLast() }),
        ("the table is missing", .tamper { $0.tables = [:] }),
        ("a chain is foreign", .tamper { $0.tables[table]?.foreign = ["map x"] }),
        (
            "a table without a stamp",
            .tamper { $0.tables[table]?.chains["generation"] = nil }
        ),
    ]

    @Test(arguments: failures)
    func aFailedApplyLeavesThePreviousGeneration(
        _ what: String, _ fault: FakeKernel.CommitFault
    ) async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.failCommits(fault)
        let report = await bench.reconciler.applied(configuration(2))
        #expect(report.outcome == .failed)
        #expect(report.generation == 1)
        #expect(report.problem?.hasSuffix("; generation 1 is in force") == true)
        try await bench.expectInForce(1, 1, .degraded)
        #expect(await bench.reconciler.inspector.status().problem == report.problem)
        #expect(try bench.storedNumbers() == [1])
        // The next good one heals.
        await bench.apply(2)
        try await bench.expectInForce(2, 2)
        #expect(await bench.reconciler.inspector.status().problem == nil)
    }

    @Test(arguments: failures)
    func aFailedFirstApplyLeavesNothing(
        _ what: String, _ fault: FakeKernel.CommitFault
    ) async throws {
        let bench = try Bench()
        await bench.kernel.failCommits(fault)
        await bench.reconciler.start(configuration(1))
        let status = await bench.reconciler.inspector.status()
        #expect(status.state == .degraded)
        #expect(status.generation == nil)
        #expect(status.problem?.hasSuffix("; nothing is enforced, as before") == true)
        #expect(await bench.kernel.state == NfTables())
        #expect(try bench.storedNumbers() == [])
        await bench.apply(1)
        try await bench.expectInForce(1, 1)
    }

    @Test func anErrorDoesNotProveThatNothingWasApplied() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.failCommits(.refuseButApply)
        await bench.apply(2)
        try await bench.expectInForce(2, 2)
        #expect(await bench.kernel.commits.count == 1)
    }

    @Test func aVerificationThatFindsSomethingElseSaysWhat() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.failCommits(.tamper { $0.tables[Self.table]?.sets = [:] })
        let report = await bench.reconciler.applied(configuration(2))
        #expect(report.problem?.contains("verification failed") == true)
        #expect(report.problem?.contains("set peers.ssh_clients.v4 is missing") == true)
    }

    /// Observations of an apply: before, after the commit, before going back, after going back.
    @Test(arguments: [
        ([true], 1, "; the kernel was not touched"),
        ([false, true], 1, "; generation 1 is in force"),
        ([false, true, true], 2, "the previous state can't be restored"),
        ([false, true, false, true], 1, "the previous state can't be restored"),
    ])
    func aKernelThatCannotBeReadIsAFailure(
        _ faults: [Bool], _ kernelVariant: Int, _ words: String
    ) async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.failObservations(faults)
        let report = await bench.reconciler.applied(configuration(2))
        #expect(report.outcome == .failed)
        #expect(report.problem?.contains(words) == true)
        await bench.expectKernel(try generation(kernelVariant, kernelVariant).stamped)
        #expect(await bench.state() == .degraded)
        // The next look brings it back, and nobody else is blamed.
        #expect(await bench.reconciler.repair(after: nil) == nil)
        try await bench.expectInForce(1, 1, .degraded)
        #expect(await bench.reconciler.inspector.status().drift.count == 0)
        await bench.apply(2)
        try await bench.expectInForce(2, 2)
    }

    @Test func whereGoingBackFailsTooTheNextCheckRepairs() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.failCommits(.tamper { $0 = NfTables() }, .refuse, .refuse)
        let report = await bench.reconciler.applied(configuration(2))
        #expect(report.problem?.contains("the previous state can't be restored") == true)
        #expect(await bench.state() == .degraded)
        #expect(await bench.reconciler.repair(after: nil) == .seconds(1))
        #expect(await bench.reconciler.repair(after: nil) == nil)
        try await bench.expectInForce(1, 1, .degraded)
    }

    // MARK: The store

    @Test func aStoreThatCannotWriteLeavesTheKernelAlone() async throws {
        let small = try SmallFileSystem(kibibytes: 512)
        let bench = try await Bench.holding(1, in: small.directory)
        try small.fill()
        let report = await bench.reconciler.applied(configuration(2))
        #expect(report.outcome == .failed)
        #expect(report.problem?.contains("No space left on device") == true)
        #expect(report.problem?.hasSuffix("the kernel was not touched") == true)
        #expect(await bench.kernel.commits == [])
        try await bench.expectInForce(1, 1, .degraded)
        #expect(try bench.storedNumbers() == [1])
        try bench.directory.remove("filler")
        await bench.apply(2)
        try await bench.expectInForce(2, 2)
    }

    @Test func aRecordThatCannotBeWrittenTakesTheKernelBack() async throws {
        let small = try SmallFileSystem(kibibytes: 512)
        let bench = try await Bench.holding(1, in: small.directory)
        await bench.kernel.onCommit { moment in
            if case .before = moment { try small.fill() }
        }
        let report = await bench.reconciler.applied(configuration(2))
        #expect(report.outcome == .failed)
        #expect(report.problem?.contains("No space left on device") == true)
        #expect(await bench.kernel.commits.count == 2)
        try await bench.expectInForce(1, 1, .degraded)
        #expect(try bench.storedNumbers() == [1])
        let next = try bench.restarted()
        await next.reconciler.start(configuration(1))
        try await next.expectInForce(1, 1)
    }

    /// A file that can't be removed is neither listed nor rolled back to, and overwritten.
    @Test func aFailedGenerationsFileThatStaysIsNotInForce() async throws {
        let small = try SmallFileSystem(kibibytes: 512)
        let bench = try await Bench.holding(1, in: small.directory)
        await bench.kernel.failCommits(.refuse)
        await bench.kernel.onCommit { _ in try small.setReadOnly(true) }
        _ = await bench.reconciler.applied(configuration(2))
        try small.setReadOnly(false)
        await bench.kernel.onCommit { _ in }
        #expect(try bench.storedNumbers() == [1, 2])
        #expect(try bench.reconciler.inspector.generations().map(\.number) == [1])
        #expect(await bench.reconciler.rolledBack(to: 2).outcome == .failed)
        try await bench.expectInForce(1, 1, .degraded)
        await bench.apply(3)
        try await bench.expectInForce(2, 3)
    }

    @Test func oldGenerationsArePruned() async throws {
        let bench = try await Bench.holding(1)
        for variant in 2...25 { await bench.apply(variant) }
        #expect(try bench.storedNumbers() == Array(5...25))
    }

    // MARK: Dry runs

    @Test func aDryRunChangesNothing() async throws {
        let bench = try await Bench.holding(1)
        let before = await bench.kernel.state
        let status = await bench.reconciler.inspector.status()
        let report = try await bench.reconciler.inspector.plan(configuration(2))
        #expect(report.outcome == .wouldApply)
        #expect(report.changes.map(\.kind) == [.changed])
        #expect(report.generation == 1)
        #expect(try await bench.reconciler.inspector.plan(configuration(1)).outcome == .unchanged)
        #expect(try await bench.reconciler.inspector.plan(wrongConfiguration).outcome == .rejected)
        await bench.kernel.failObservations([true])
        #expect(try await bench.reconciler.inspector.plan(configuration(2)).outcome == .failed)
        #expect(await bench.kernel.state == before)
        #expect(await bench.kernel.commits == [])
        #expect(await bench.kernel.checks.count == 2)
        #expect(await bench.reconciler.inspector.status() == status)
        #expect(try bench.storedNumbers() == [1])
        try await bench.expectInForce(1, 1)
    }

    @Test func aKernelThatCannotBeReadIsADegradedStatus() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.failObservations([true])
        let status = await bench.reconciler.inspector.status()
        #expect(status.state == .degraded)
        #expect(status.problem == "the listing fails as scripted")
        try await bench.expectInForce(1, 1)
    }

    /// One that is asked for while another is under way begins when that one has ended.
    @Test func operationsWaitForEachOther() async throws {
        let bench = try await Bench.holding(1)
        let (began, beginning) = AsyncStream.makeStream(of: Void.self)
        let flush = Mutex<Task<ApplyReport, Never>?>(nil)
        await bench.kernel.onCommit { moment in
            guard case .before = moment, flush.withLock({ $0 == nil }) else { return }
            let task = Task { await bench.reconciler.flushed() }
            flush.withLock { $0 = task }
            beginning.yield()
        }
        let applied = await bench.reconciler.applied(configuration(2))
        #expect(applied.outcome == .applied)
        #expect(applied.generation == 2)
        for await _ in began.prefix(1) {}
        #expect(await flush.withLock { $0 }?.value.outcome == .applied)
        #expect(await bench.state() == .flushed)
        await bench.expectKernel(Ruleset(tables: []))
    }
}
