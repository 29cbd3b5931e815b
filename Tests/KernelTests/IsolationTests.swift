import Enforcement
import Foundation
import Reports
import TestSupport
import Testing

/// The agent, the keeper of its privilege and the worker that runs libnftables: who may do what, and
/// what becomes of the others when one ends.
@Suite("Isolation")
struct IsolationTests {
    private static let base = """
        features: {ssh: false}
        nodes:
          conf-1: {role: conferencing, address: 10.0.0.21}
        """
    private static let withSSH = "features: {ssh: true}"

    /// The agent and the two processes behind it.
    private struct Processes {
        let agent: Int32
        let keeper: Int32
        /// The one that lives now.
        var worker: Int32? { get throws { try ProcessTree.children(of: keeper).first } }

        init(_ fixture: AgentFixture) throws {
            agent = try #require(fixture.process).pid
            keeper = try #require(try ProcessTree.children(of: agent).first)
        }

        func requireWorker() throws -> Int32 { try #require(try worker) }
    }

    private static func scene(
        _ body: (NetworkNamespace, AgentFixture, Processes) throws -> Void
    ) throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try namespace.configure(["link set lo up", "address add 10.0.0.21/32 dev lo"])
            let agent = try AgentFixture(in: namespace, configuration: base)
            do {
                try agent.start()
                try body(namespace, agent, try Processes(agent))
            } catch {
                throw TestSupportError("\(error)\nThe agent logged:\n\(agent.log)")
            }
        }
    }

    private static func areGone(_ processes: Int32...) -> Bool {
        waitUntil { !processes.contains(where: ProcessTree.isAlive) }
    }

    // MARK: Privileges

    @Test("no thread of the agent holds a capability; keeper and worker hold CAP_NET_ADMIN alone")
    func capabilities() throws {
        try Self.scene { _, agent, processes in
            let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
            let none = String(repeating: "0", count: 16)
            let threads = try ProcessTree.threads(of: processes.agent)
            #expect(threads.count > 1)
            for thread in threads {
                for set in sets {
                    #expect(try ProcessTree.status(set, of: thread) == none, "\(thread) \(set)")
                }
                #expect(try ProcessTree.status("NoNewPrivs", of: thread) == "1")
            }
            let worker = try processes.requireWorker()
            for (process, name) in [
                (processes.keeper, "pexip-fw-keeper"), (worker, "pexip-fw-nft"),
            ] {
                #expect(ProcessTree.name(of: process) == name)
                #expect(try ProcessTree.threads(of: process) == [process])
                for set in sets {
                    #expect(
                        try ProcessTree.status(set, of: process)
                            == (["CapInh", "CapAmb"].contains(set) ? none : "0000000000001000"))
                }
                #expect(try ProcessTree.status("NoNewPrivs", of: process) == "1")
            }
            try agent.stop()
        }
    }

    @Test("without CAP_NET_ADMIN the agent does not start, and says what it needs")
    func notPermitted() throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            let agent = try AgentFixture(in: namespace, configuration: Self.base)
            let result = try namespace.run([
                "setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin",
                try BuiltProducts.path(of: "pexip-fwd"), "--config-dir",
                agent.configurationDirectory.path, "--state-dir", agent.stateDirectory.path,
                "--socket", agent.socket,
            ])
            #expect(result.status == .exited(1))
            #expect(result.standardError.contains("the agent needs CAP_NET_ADMIN"), "\(result)")
        }
    }

    @Test("the keeper serves nobody but the agent that started it")
    func strayKeeper() throws {
        let result = try ChildProcess.run([
            try BuiltProducts.path(of: "pexip-fwd"), "kernel-worker",
        ])
        #expect(result.status == .exited(1), "\(result)")
    }

    // MARK: Life and death

    @Test("the agent's end ends all three in order, also where everyone gets the signal")
    func ending() throws {
        for signal in [SIGTERM, SIGINT] {
            for everyone in [false, true] {
                try Self.scene { _, agent, processes in
                    let before = try agent.rulesInKernel()
                    let worker = try processes.requireWorker()
                    if everyone {
                        // Those who may not end of it first.
                        #expect(kill(worker, signal) == 0)
                        #expect(kill(processes.keeper, signal) == 0)
                    }
                    #expect(kill(processes.agent, signal) == 0)
                    #expect(agent.process?.wait(timeout: patience) == .exited(0))
                    #expect(Self.areGone(processes.keeper, worker))
                    #expect(try agent.rulesInKernel() == before)
                    #expect(!agent.log.contains("libnftables"), "\(agent.log)")
                }
            }
        }
    }

    @Test("kill -9 of the agent leaves the rules and nobody behind", arguments: [false, true])
    func killedAgent(whileWorkerStands: Bool) throws {
        try Self.scene { _, agent, processes in
            let before = try agent.rulesInKernel()
            let worker = try processes.requireWorker()
            if whileWorkerStands { #expect(kill(worker, SIGSTOP) == 0) }
            agent.kill()
            #expect(Self.areGone(processes.keeper, worker))
            #expect(try agent.rulesInKernel() == before)
            try agent.start()
            #expect(try agent.status().state == .inSync)
            try agent.stop()
        }
    }

    @Test("without its keeper the agent ends with an error, and the rules stay")
    func killedKeeper() throws {
        try Self.scene { _, agent, processes in
            let before = try agent.rulesInKernel()
            let worker = try processes.requireWorker()
            #expect(kill(processes.keeper, SIGKILL) == 0)
            #expect(agent.process?.wait(timeout: patience) == .exited(1))
            #expect(Self.areGone(worker))
            #expect(
                agent.log.contains("the process that holds CAP_NET_ADMIN ended by SIGKILL"),
                "\(agent.log)")
            #expect(try agent.rulesInKernel() == before)
            try agent.start()
            #expect(try agent.status().state == .inSync)
            try agent.stop()
        }
    }

    @Test("workers killed at any moment: the agent gets where it should by itself")
    func killedWorkers() throws {
        try Self.scene { _, agent, processes in
            let closed = try agent.rulesInKernel()
            try agent.write(Self.withSSH, as: "50-ssh.yaml")
            try agent.waitForStatus("generation 2") { $0.generation == 2 }
            let opened = try agent.rulesInKernel()
            func withoutStamp(_ rules: String) -> String {
                rules.split(separator: "\n").filter { !$0.contains("generation ") }
                    .joined(separator: "\n")
            }
            for round in 0..<12 {
                let opens = round % 2 == 1
                if opens {
                    try agent.write(Self.withSSH, as: "50-ssh.yaml")
                } else {
                    try agent.remove("50-ssh.yaml")
                }
                let apply = try agent.namespace.spawn([
                    try BuiltProducts.path(of: "pexip-fwctl"), "--socket", agent.socket, "apply",
                ])
                // From before the apply to after it.
                usleep(UInt32(round) * 4_000)
                if let worker = try processes.worker {
                    kill(worker, [SIGKILL, SIGSEGV, SIGABRT][round % 3])
                }
                _ = try apply.finish(timeout: patience)
                let rules = withoutStamp(try agent.rulesInKernel())
                #expect([closed, opened].map(withoutStamp).contains(rules))
                try agent.waitForStatus("in sync") {
                    $0.state == .inSync && $0.problem == nil
                }
                let wanted = withoutStamp(opens ? opened : closed)
                #expect(
                    try waitUntil {
                        withoutStamp(try agent.rulesInKernel()) == wanted
                    })
            }
            // What a worker did that is no more was ours all the same.
            #expect(try agent.status().drift.count == 0)
            #expect(agent.log.contains("libnftables ended by"))
            try agent.stop()
        }
    }

    // MARK: What others put into nf_tables

    /// Whether the machine's nftables survives it.
    private static func isDeadly(_ namespace: NetworkNamespace) throws -> Bool {
        try namespace.run(["nft", "list", "ruleset"]).status != .exited(0)
    }

    private static func workerEnds(_ agent: AgentFixture) -> Int {
        agent.log.split(separator: "\n").count { $0.hasPrefix("warning: libnftables ended") }
    }

    @Test("a table of ours that crashes libnftables: degraded, explained, in force, and healed")
    func poisonedTable() throws {
        try Self.scene { namespace, agent, processes in
            let before = try agent.rulesInKernel()
            let poison = Poison(.inet, table: "pexip_fw_conf_1")
            try namespace.run(poison.insertion).requireSuccess()
            guard try Self.isDeadly(namespace) else {
                // A version that survives it repairs it.
                try agent.waitForStatus("a drift") { $0.drift.count == 1 }
                #expect(try agent.rulesInKernel() == before)
                return try agent.stop()
            }
            let words =
                "libnftables ended by SIGSEGV while it listed table pexip_fw_conf_1: the rules in force stay"
            try agent.waitForStatus("degraded") { $0.state == .degraded && $0.problem == words }
            #expect(try agent.control("status").standardOutput.contains(words))
            #expect(try agent.control("apply").status == .exited(1))
            // No client makes it a loop, however often it asks.
            let started = ContinuousClock.now
            var answers = 0
            while ContinuousClock.now - started < .seconds(4) {
                let status = try agent.status()
                #expect(status.state == .degraded)
                #expect(status.problem?.contains(words) == true)
                #expect(status.generation == 1)
                answers += 1
            }
            print("\(answers) answers while \(Self.workerEnds(agent)) workers ended")
            // Two at once, then after 1, 2, 4 … seconds.
            #expect((2...6).contains(Self.workerEnds(agent)))
            // What libnftables has no part in.
            #expect(try agent.control("show", "rules").status == .exited(0))
            #expect(ProcessTree.isAlive(processes.agent))
            #expect(ProcessTree.isAlive(processes.keeper))

            // A restart finds the same, and stays.
            try agent.stop()
            try agent.start()
            try agent.waitForStatus("degraded") { $0.state == .degraded }

            try namespace.run(poison.removal).requireSuccess()
            // Nothing was lost while nobody could look.
            #expect(try agent.rulesInKernel() == before)
            try agent.waitForStatus("in sync") { $0.state == .inSync && $0.problem == nil }
            #expect(try agent.rulesInKernel() == before)
            #expect(try agent.status().drift.count == 0)
            try agent.stop()
        }
    }

    @Test("another's table that crashes libnftables: what is in force is watched, applies wait")
    func poisonElsewhere() throws {
        try Self.scene { namespace, agent, _ in
            let before = try agent.rulesInKernel()
            let poison = Poison(.ip, table: "theirs")
            try namespace.run(poison.insertion).requireSuccess()
            guard try Self.isDeadly(namespace) else {
                try agent.write(Self.withSSH, as: "50-ssh.yaml")
                try agent.waitForStatus("generation 2") { $0.generation == 2 }
                return try agent.stop()
            }
            // Our own tables can be listed.
            #expect(try agent.status().state == .inSync)
            #expect(Self.workerEnds(agent) == 0)

            // To commit a rule, libnftables 1.0.6 reads every set of every table.
            try agent.write(Self.withSSH, as: "50-ssh.yaml")
            try agent.waitForStatus("degraded") { $0.state == .degraded }
            let status = try agent.status()
            #expect(
                status.problem
                    == "libnftables ended by SIGSEGV while it committed a transaction: the kernel took all of it or nothing; generation 1 is in force"
            )
            #expect(status.generation == 1)
            #expect(try agent.control("apply").status == .exited(1))
            let started = ContinuousClock.now
            while ContinuousClock.now - started < .seconds(2) {
                #expect(try agent.status().state == .degraded)
            }
            #expect((2...5).contains(Self.workerEnds(agent)))

            try namespace.run(poison.removal).requireSuccess()
            #expect(
                try agent.rulesInKernel().replacing("table ip theirs {\n}\n", with: "") == before)
            try agent.waitForStatus("in sync") { $0.state == .inSync && $0.problem == nil }
            #expect(try agent.rulesInKernel().contains("conferencing.in.ssh"))
            #expect(try agent.status().drift.count == 0)
            try agent.stop()
        }
    }
}
