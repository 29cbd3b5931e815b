import Foundation
import Netlink
import PortModel
import Ruleset
import Site
import TestSupport
import Testing

@testable import Nftables

extension NftablesKernelTests {
    /// What becomes of calls when the process ends, hangs or crashes in which libnftables runs.
    @Suite("worker") struct WorkerTests {
        /// A table of many rules, which differ between the variants.
        private static func table(_ variant: Int, rules: Int = 150) -> Table {
            Table(
                family: .inet, name: "pexip_fw_worker", counters: ["c"], sets: [],
                chains: [
                    Chain(
                        name: "input", hook: Hook(.input, .filter, policy: .accept),
                        rules: (1...rules).map { number in
                            let port = UInt16(number * 10 + variant)
                            return Rule([.destinationPorts(.tcp, port...port)], .drop)
                        })
                ])
        }

        private static func observed(_ kernel: NftablesKernel) async throws -> [ObservedTable] {
            try await kernel.tables(compiled: [TableID(.inet, "pexip_fw_worker")]).tables
        }

        private static func transaction(
            to variant: Int, on kernel: NftablesKernel
        ) async throws -> Transaction {
            Transaction(from: try await observed(kernel), to: Ruleset(tables: [table(variant)]))
        }

        @Test(
            "a worker that dies while nothing is asked of it is replaced, and that is told",
            arguments: [(SIGKILL, "SIGKILL"), (SIGSEGV, "SIGSEGV"), (SIGABRT, "SIGABRT")])
        func idle(signal: Int32, name: String) async throws {
            try await TestedKernel.withWorker { kernel, worker in
                let generation = try await kernel.generationID()
                let first = try worker.pid
                try worker.end(by: signal)
                #expect(try await kernel.generationID() == generation)
                #expect(try worker.pid != first)
                #expect(
                    worker.ends == [
                        "libnftables ended by \(name) while it had nothing to do; another process takes over"
                    ])
                #expect(kernel.workerEnds == 1)
            }
        }

        @Test(
            "a call whose worker dies says how and during what, and the next call works",
            arguments: [(SIGKILL, "SIGKILL"), (SIGSEGV, "SIGSEGV"), (SIGABRT, "SIGABRT")])
        func dying(signal: Int32, name: String) async throws {
            try await TestedKernel.withWorker { kernel, worker in
                let first = try await Self.transaction(to: 1, on: kernel)
                // Stopped, so that the request waits in its socket.
                try worker.signal(SIGSTOP)
                let result = Task { try await kernel.commit(first) }
                try await Self.untilAsked(worker)
                try worker.signal(signal, SIGCONT)
                await #expect(
                    throws: KernelError(
                        .crashed,
                        "libnftables ended by \(name) while it committed a transaction: the kernel took all of it or nothing"
                    )
                ) { try await result.value }
                #expect(try await Self.observed(kernel).isEmpty)
                try await kernel.commit(first)
                #expect(try await Self.observed(kernel)[0].differences(from: Self.table(1)) == [])

                try worker.signal(SIGSTOP)
                let reading = Task { try await Self.observed(kernel) }
                try await Self.untilAsked(worker)
                try worker.signal(signal, SIGCONT)
                await #expect(
                    throws: KernelError(
                        .crashed,
                        "libnftables ended by \(name) while it looked for our tables: the rules in force stay"
                    )
                ) { try await reading.value }
                #expect(worker.ends.count == 2)
            }
        }

        /// Waits until a request is on its way to a stopped worker.
        private static func untilAsked(_ worker: TestedWorker) async throws {
            let pid = try #require(try worker.pid)
            #expect(
                try await waitSuspended {
                    try ProcessTree.status("State", of: pid).hasPrefix("T")
                })
            // Bytes that it has not read are the request.
            #expect(
                try await waitSuspended {
                    try ChildProcess.run(["ss", "-xnpH"]).requireSuccess().standardOutput
                        .split(separator: "\n").contains { line in
                            line.contains("pid=\(pid),")
                                && line.split(separator: " ").dropFirst(2).first != "0"
                        }
                })
        }

        @Test("a worker that hangs is ended after the deadline, and the next call works")
        func hanging() async throws {
            try await TestedKernel.withWorker(deadline: .milliseconds(300)) { kernel, worker in
                let change = try await Self.transaction(to: 1, on: kernel)
                let stopped = try #require(try worker.pid)
                try worker.signal(SIGSTOP)
                await #expect(
                    throws: KernelError(
                        .crashed,
                        "libnftables hung while it committed a transaction, and was ended after 0.3 seconds: the kernel took all of it or nothing"
                    )
                ) { try await kernel.commit(change) }
                #expect(!ProcessTree.isAlive(stopped))
                try await kernel.commit(change)
                #expect(try await Self.observed(kernel)[0].differences(from: Self.table(1)) == [])
            }
        }

        @Test("a worker that is busy for too long ends by its own alarm")
        func alarm() async throws {
            try await TestedKernel.withWorker(deadline: .milliseconds(100)) { kernel, worker in
                // Takes several times as long to evaluate.
                let change = Transaction(
                    from: [], to: Ruleset(tables: [Self.table(0, rules: 6_500)]))
                var least = Duration.seconds(3_600)
                // On a busy machine a worker may not even start in this time, or end late.
                for _ in 0..<10 where least > .seconds(2) {
                    let started = ContinuousClock.now
                    await #expect(throws: KernelError.self) { try await kernel.check(change) }
                    if worker.ends.last?.hasPrefix(
                        "libnftables hung while it checked a transaction, and was ended after 0.1 seconds"
                    ) == true {
                        least = min(least, ContinuousClock.now - started)
                    }
                }
                // Sooner than the agent's own limit would be.
                #expect(least < .seconds(2), "\(worker.ends)")
                let left = try await Self.observed(kernel)
                #expect(left.isEmpty)
            }
        }

        @Test(
            "killed at any moment of a commit: old or new, the next call works, and it was us")
        func killedCommits() async throws {
            try await TestedKernel.withWorker { kernel, worker in
                let listener = try RulesetListener()
                let events = try listener.events()
                let rounds = 40
                try await kernel.commit(try await Self.transaction(to: 0, on: kernel))
                let change = try await Self.transaction(to: 1, on: kernel)
                let started = ContinuousClock.now
                try await kernel.commit(change)
                let usual = ContinuousClock.now - started
                var (old, new, failures) = (0, 0, 0)
                var variant = 1
                for round in 0..<rounds {
                    let next = variant % 9 + 1
                    let change = try await Self.transaction(to: next, on: kernel)
                    let pid = try #require(try worker.pid)
                    async let result: Void = kernel.commit(change)
                    try await Task.sleep(for: usual * round / rounds)
                    kill(pid, [SIGKILL, SIGSEGV, SIGABRT][round % 3])
                    do {
                        try await result
                    } catch let error as KernelError where error.code == .crashed {
                        failures += 1
                    }
                    #expect(waitUntil { !ProcessTree.isAlive(pid) })
                    let tables = try await Self.observed(kernel)
                    #expect(tables.count == 1)
                    switch (
                        tables[0].differences(from: Self.table(variant)).isEmpty,
                        tables[0].differences(from: Self.table(next)).isEmpty
                    ) {
                    case (true, false): old += 1
                    case (false, true): new += 1
                    default: Issue.record("round \(round): neither old nor new")
                    }
                    // A third variant, so that there is something to commit in any case.
                    variant = (variant + 4) % 9 + 1
                    try await kernel.commit(try await Self.transaction(to: variant, on: kernel))
                }
                print("\(rounds) killed commits: \(old) old, \(new) new, \(failures) failed calls")
                #expect(failures > 0)
                let last = try await kernel.generationID()
                for await event in events {
                    guard case .change(let change) = event else {
                        Issue.record("\(event)")
                        break
                    }
                    #expect(await kernel.takeUp(change), "\(change)")
                    if change.generationID == last { break }
                }
            }
        }

        @Test("what crashes libnftables again and again is tried ever more seldom")
        func poison() async throws {
            try await TestedKernel.withWorker { kernel, worker in
                try await kernel.commit(try await Self.transaction(to: 1, on: kernel))
                let poison = Poison(.inet, table: "pexip_fw_worker")
                try ChildProcess.run(poison.insertion).requireSuccess()
                let nft = try ChildProcess.run(["nft", "list", "ruleset"])
                guard case .signaled = nft.status else {
                    // A version that survives it lists it as anything else that is not ours.
                    #expect(try await Self.observed(kernel)[0].foreign == [])
                    try ChildProcess.run(poison.removal).requireSuccess()
                    return
                }
                let crash = KernelError(
                    .crashed,
                    "libnftables ended by SIGSEGV while it listed table pexip_fw_worker: the rules in force stay"
                )
                for _ in 1...10 {
                    await #expect(throws: crash) { _ = try await Self.observed(kernel) }
                }
                // The second came at once; those after it did not even start a worker.
                #expect(worker.ends == [crash.description, crash.description])
                // What libnftables survives is not held up.
                _ = try await kernel.generationID()
                try ChildProcess.run(poison.removal).requireSuccess()
                #expect(
                    try await Self.eventually {
                        try await Self.observed(kernel)[0].differences(from: Self.table(1)) == []
                    })
            }
        }

        /// Calls again while calls fail because of a crash.
        private static func eventually(_ body: () async throws -> Bool) async throws -> Bool {
            let deadline = ContinuousClock.now + .seconds(10)
            while true {
                do {
                    return try await body()
                } catch let error as KernelError where error.code == .crashed {
                    if ContinuousClock.now > deadline { throw error }
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
        }

        @Test("after the first two, each attempt waits longer, up to half a minute")
        func pace() {
            var pace = WorkerPace()
            var now = ContinuousClock.now
            let error = KernelError(.crashed, "")
            #expect(pace.refusal(now: now) == nil)
            for seconds in [0, 1, 2, 4, 8, 16, 30, 30] {
                pace.ended(error, now: now)
                if seconds > 0 {
                    now += .seconds(seconds) - .milliseconds(1)
                    #expect(pace.refusal(now: now) == error)
                    now += .milliseconds(1)
                }
                #expect(pace.refusal(now: now) == nil)
            }
        }

        @Test("a change is ours where our worker's thread made it while the worker lived")
        func lives() {
            func change(_ thread: Int32, _ generation: UInt32) -> RulesetChange {
                RulesetChange(
                    generationID: generation,
                    writer: RulesetChange.Writer(pid: thread, name: ""), tables: [:],
                    touchesOtherFamilies: false)
            }
            var lives = WorkerLives()
            #expect(!lives.contain(change(7, 11)))
            lives.began(on: 7, at: 10)
            #expect(!lives.contain(change(7, 10)))
            #expect(lives.contain(change(7, 11)))
            #expect(!lives.contain(change(8, 11)))
            // Its end is bounded only when the next one looks.
            #expect(lives.contain(change(7, 99)))
            lives.began(on: 8, at: 20)
            #expect(lives.contain(change(7, 20)))
            #expect(!lives.contain(change(7, 21)))
            #expect(!lives.contain(change(8, 20)))
            #expect(lives.contain(change(8, 21)))
        }
    }
}
