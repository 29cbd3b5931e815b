import KernelFake
import Reports
import Ruleset
import Synchronization
import Testing

@testable import Enforcement

/// The agent is killed during an operation: what it left, in the state directory and the kernel, is
/// taken up by another one.
@Suite struct KillTests {
    enum Operation: CaseIterable, Sendable {
        case firstApply
        case apply
        case rollback
        case flush

        /// What may be in force after the kill: before the operation or after it.
        var variants: [Int?] {
            switch self {
            case .firstApply: [nil, 3]
            case .apply: [2, 3]
            case .rollback: [2, 1]
            case .flush: [2, nil]
            }
        }
    }

    /// What a killed agent leaves behind.
    struct Remains: Sendable {
        let directory: TemporaryDirectory
        let state: NfTables
    }

    /// The remains of a kill at each step of the operation: before the commit, after it, and when
    /// all was recorded.
    static func remains(of operation: Operation) async throws -> [Remains] {
        let bench: Bench
        if operation == .firstApply {
            bench = try Bench()
            await bench.reconciler.start(emptyConfiguration)
        } else {
            bench = try await Bench.holding(1, 2)
        }
        let collected = Collected()
        let directory = bench.directory
        await bench.kernel.onCommit { moment in
            switch moment {
            case .before(let state), .after(let state):
                collected.add(Remains(directory: try directory.copy(), state: state))
            }
        }
        switch operation {
        case .firstApply, .apply: await bench.apply(3)
        case .rollback: _ = await bench.reconciler.rolledBack(to: 1)
        case .flush: _ = await bench.reconciler.flushed()
        }
        collected.add(
            Remains(directory: try bench.directory.copy(), state: await bench.kernel.state))
        return collected.all
    }

    /// - Parameter variant: the configuration that the next agent finds; nil for a wrong one.
    @Test(arguments: Operation.allCases, [2, 3, nil])
    func theNextAgentHoldsTheOldOrTheNewGeneration(
        _ operation: Operation, _ variant: Int?
    ) async throws {
        let compilation = variant.map { configuration($0) } ?? wrongConfiguration
        let remains = try await Self.remains(of: operation)
        #expect(remains.count == 3)
        for remains in remains {
            // Half written files of the step that came next.
            try remains.directory.write([0x73], to: ".standing.json.1.1.tmp")
            try remains.directory.write([0x73], to: "generations/.9.json.1.1.tmp")
            let bench = try Bench(remains.directory, kernel: FakeKernel(remains.state))
            await bench.reconciler.start(compilation)
            let status = await bench.reconciler.inspector.status()
            let rules = await bench.reconciler.generationInForce?.stamped
            await bench.expectKernel(rules ?? Ruleset(tables: []))
            #expect(status.problem == nil)
            #expect(status.drift.count == 0)
            #expect(status.state != .degraded)

            let held = try status.generation.map {
                try GenerationStore(directory: bench.directory.path).generation($0)
            }
            let configured = compilation.target?.ruleset
            let possible: [Ruleset?] = try operation.variants.map { variant in
                try variant.map { try generation(1, $0).ruleset }
            }
            #expect((possible + (configured.map { [$0] } ?? [])).contains(held?.ruleset))
            #expect(try bench.directory.names().allSatisfy { !$0.hasSuffix(".tmp") })

            // It works on: the next configuration comes into force.
            await bench.apply(8)
            #expect(await bench.state() == .inSync)
            let numbers = try bench.reconciler.inspector.generations().map(\.number)
            #expect(Set(numbers).count == numbers.count)
            #expect(await bench.reconciler.inspector.status().generation == numbers.last)
        }
    }

    /// Without any configuration the boot restores what was recorded, never what was only stored.
    @Test(arguments: zip([Operation.apply, .rollback], [[2, 2, 3], [2, 2, 1]]))
    func aBootRestoresWhatWasRecorded(
        _ operation: Operation, _ recorded: [Int]
    ) async throws {
        for (remains, number) in zip(try await Self.remains(of: operation), recorded) {
            let bench = try Bench(remains.directory)
            await bench.reconciler.start(wrongConfiguration)
            try await bench.expectInForce(number, number, .rejected)
        }
    }

    /// A generation that was stored when the agent was killed is not one to roll back to.
    @Test func whatWasOnlyStoredIsNoGeneration() async throws {
        let killed = try #require(try await Self.remains(of: .apply).first)
        let bench = try Bench(killed.directory, kernel: FakeKernel(killed.state))
        await bench.reconciler.start(configuration(2))
        #expect(try bench.storedNumbers() == [1, 2, 3])
        #expect(try bench.reconciler.inspector.generations().map(\.number) == [1, 2])
        await bench.apply(5)
        try await bench.expectInForce(3, 5)
        #expect(await bench.reconciler.rolledBack(to: nil).generation == 2)
    }

    final class Collected: Sendable {
        private let remains = Mutex<[Remains]>([])

        var all: [Remains] { remains.withLock { $0 } }
        func add(_ new: Remains) { remains.withLock { $0.append(new) } }
    }
}
