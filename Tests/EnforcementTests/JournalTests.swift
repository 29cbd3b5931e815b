import Enforcement
import KernelFake
import Logging
import Reports
import Ruleset
import Site
import Testing

/// What watchers hear, and what they cost.
@Suite("Journal", .timeLimit(.minutes(10)))
struct JournalTests {
    private static func event(_ number: Int) -> Event {
        Event(.applied, time: .now, message: "\(number)", state: .inSync, generation: number)
    }

    /// Everything until the journal is closed.
    private static func all(_ events: Journal.Events) async -> [Event] {
        var events = events.makeAsyncIterator()
        return await rest(&events)
    }

    private static func rest(_ events: inout Journal.Events.Iterator) async -> [Event] {
        var all: [Event] = []
        while let event = await events.next() { all.append(event) }
        return all
    }

    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test("every watcher hears everything from its beginning on")
    func order() async {
        let journal = Journal(log: Self.silent)
        journal.publish(Self.event(1))
        let first = journal.events()
        journal.publish(Self.event(2))
        let second = journal.events()
        journal.publish(Self.event(3))
        journal.close()
        #expect(await Self.all(first).map(\.generation) == [2, 3])
        #expect(await Self.all(second).map(\.generation) == [3])
        #expect(await Self.all(journal.events()).isEmpty)
    }

    @Test("who does not read keeps the newest, and hears how many are missing")
    func loss() async {
        let journal = Journal(log: Self.silent)
        var events = journal.events().makeAsyncIterator()
        for number in 1...1000 { journal.publish(Self.event(number)) }
        let first = await events.next()
        #expect(first?.generation == 1001 - Journal.held)
        #expect(first?.lost == 1000 - Journal.held)
        for number in 1001...1010 { journal.publish(Self.event(number)) }
        journal.close()
        let rest = await Self.rest(&events)
        #expect(rest.last?.generation == 1010)
        // None is missing without being counted.
        let read = rest.count + 1
        #expect(read + (first?.lost ?? 0) + rest.reduce(0) { $0 + ($1.lost ?? 0) } == 1010)
    }

    @Test("a watcher that goes is forgotten")
    func leaving() async {
        let journal = Journal(log: Self.silent)
        do {
            let events = journal.events()
            #expect(journal.watcherCount == 1)
            withExtendedLifetime(events) {}
        }
        #expect(journal.watcherCount == 0)
        let task = Task { await Self.all(journal.events()) }
        while journal.watcherCount == 0 { await Task.yield() }
        task.cancel()
        _ = await task.value
        #expect(journal.watcherCount == 0)
    }

    @Test("what the reconciler does is told once each, with the state and generation afterwards")
    func reconciler() async throws {
        let bench = try await Bench.holding(1)
        let (present, following) = await bench.reconciler.events()
        #expect(present.kind == .present)
        #expect(present.state == .inSync)
        #expect(present.generation == 1)

        await bench.apply(2)
        _ = await bench.reconciler.applied(wrongConfiguration)
        _ = await bench.reconciler.applied(configuration(2))
        _ = await bench.reconciler.rolledBack(to: nil)
        await bench.kernel.tamper { $0.tables = [:] }
        _ = await bench.reconciler.repair(
            after: .init(process: "nft flush ruleset", name: "nft", pid: 42))
        await bench.kernel.failCommits(.refuse)
        _ = await bench.reconciler.applied(configuration(3))
        _ = await bench.reconciler.flushed()
        await bench.kernel.setForeign([
            ForeignChain(
                .inet, "firewalld", "filter_INPUT", at: .init(.input, priority: 10),
                effects: [.reject])
        ])
        await bench.reconciler.lookForShadows()
        await bench.apply(4)
        await bench.kernel.setForeign([])
        await bench.reconciler.lookForShadows()
        await bench.reconciler.lookForShadows()
        await bench.reconciler.announceEnd("SIGTERM: ending")
        bench.journal.close()

        let events = await Self.all(following)
        let told = events.map { "\($0.kind.rawValue) \($0.state.rawValue) \($0.generation ?? 0)" }
        #expect(
            told == [
                "applied in-sync 2",
                "rejected rejected 2", "state rejected 2",
                "state in-sync 2",
                "rolled-back pinned 1", "state pinned 1",
                "repaired pinned 1",
                "failed degraded 1", "state degraded 1",
                "flushed flushed 0", "state flushed 0",
                "applied in-sync 3", "state in-sync 3", "shadow-found in-sync 3",
                "shadow-gone in-sync 3",
                "stopping in-sync 3",
            ])
        let repair = try #require(events.first { $0.kind == .repaired })
        #expect(repair.process == "nft flush ruleset")
        #expect(repair.pid == 42)
        #expect(events.first { $0.kind == .shadowFound }?.shadow?.table == "firewalld")
    }

    @Test("what waits for confirmation, is confirmed or taken back is told")
    func confirmation() async throws {
        let bench = try await Bench.holding(1)
        let (_, following) = await bench.reconciler.events()
        _ = await bench.reconciler.applied(configuration(2), .init(confirm: .seconds(60)))
        _ = await bench.reconciler.confirmed()
        _ = await bench.reconciler.applied(configuration(3), .init(confirm: .seconds(60)))
        bench.clock.advance(by: .seconds(61))
        await bench.reconciler.keepDeadlines()
        bench.journal.close()
        let told = await Self.all(following).map {
            "\($0.kind.rawValue) \($0.state.rawValue) \($0.generation ?? 0)"
        }
        #expect(
            told == [
                "applied pending-confirmation 2", "pending pending-confirmation 2",
                "state pending-confirmation 2",
                "confirmed in-sync 2", "state in-sync 2",
                "applied pending-confirmation 3", "pending pending-confirmation 3",
                "state pending-confirmation 3",
                "reverted reverted 2", "state reverted 2",
            ])
    }

    @Test("a fight is told, and its end")
    func fight() async throws {
        let bench = try await Bench.holding(1)
        let (_, following) = await bench.reconciler.events()
        let writer = Reconciler.Writer(process: "rival", name: "rival", pid: 7)
        for _ in 0..<21 {
            await bench.kernel.tamper { $0.tables = [:] }
            _ = await bench.reconciler.repair(after: writer)
        }
        bench.clock.advance(by: .seconds(60))
        _ = await bench.reconciler.repair(after: nil)
        bench.journal.close()
        let kinds = await Self.all(following).map(\.kind)
        #expect(
            kinds == Array(repeating: .repaired, count: 20) + [.fight, .state, .repaired, .state])
    }
}
