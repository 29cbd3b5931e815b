import Enforcement
import Foundation
import Reports
import Synchronization
import TestSupport
import Testing
import Reports

/// Where the system lets the agent start too few threads, it says so and ends; libdispatch would wait
/// for them for ever.
@Suite("Thread need")
struct ThreadNeedTests {
    private static let configuration = """
        nodes: {conf-1: {role: conferencing, address: 10.0.0.21}}
        enforce: [conf-1]

        """

    /// Users whom nobody else is: all their threads are counted together, those of processes that are
    /// ending as well.
    private static let nextUser = Atomic<UInt32>(54_400)

    /// Starts what follows it as the user, with the privilege that a unit gives.
    private static func launcher(_ limit: String, _ user: UInt32) -> [String] {
        [
            "prlimit", limit, "setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups",
            "--inh-caps=+net_admin", "--ambient-caps=+net_admin",
        ]
    }

    private static func scene(
        _ body: (NetworkNamespace, AgentFixture, UInt32) throws -> Void
    ) throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try namespace.configure(["address add 10.0.0.21/32 dev lo"])
            let agent = try AgentFixture(in: namespace, configuration: configuration)
            let user = nextUser.add(1, ordering: .relaxed).newValue
            #expect(chown(agent.directory.path, user, user) == 0)
            try body(namespace, agent, user)
        }
    }

    private static func restore(
        _ agent: AgentFixture, _ limit: String
    ) throws -> ProcessResult {
        let user = nextUser.add(1, ordering: .relaxed).newValue
        try ChildProcess.run(["chown", "-R", "\(user)", agent.stateDirectory.path])
            .requireSuccess()
        return try agent.namespace.run(
            launcher(limit, user) + [
                try BuiltProducts.path(of: "pexip-fwd"), "restore", "--state-dir",
                agent.stateDirectory.path,
            ])
    }

    /// Threads are counted with the user's processes, and their stacks with its memory.
    @Test(
        "too few threads, or no memory for them: a line and a status",
        arguments: [
            ("--nproc=3", "ulimit -u (3)"), ("--nproc=6", "ulimit -u (6)"),
            ("--nproc=9", "ulimit -u (9)"), ("--nproc=12", "ulimit -u (12)"),
            ("--as=60000000", "ulimit -v (58593)"),
        ])
    func tooFew(limit: String, words: String) throws {
        try Self.scene { namespace, agent, user in
            agent.launcher = Self.launcher(limit, user)
            let process = try agent.spawn()
            #expect(process.wait(timeout: patience) == .exited(1))
            #expect(
                process.standardError.hasPrefix("critical: pexip-fwd ends: can't start 32 threads"))
            #expect(process.standardError.contains(words), "\(process.standardError)")
            #expect(process.standardError.contains("TasksMax="))
            #expect(try Nft.ruleset(in: namespace) == "")
        }
    }

    @Test("with as many as it asks for it works, and a boot restores with fewer")
    func enough() throws {
        try Self.scene { namespace, agent, user in
            // The agent, the keeper, and as many threads as are asked for.
            agent.launcher = Self.launcher("--nproc=34", user)
            try agent.start()
            #expect(try agent.status().state == .inSync)
            for _ in 0..<3 {
                for command in ["status", "apply", "plan", "metrics"] {
                    #expect(try agent.control(command).status == .exited(0), "\(command)")
                }
            }
            try agent.stop()
            let rules = try agent.rulesInKernel()

            try Nft.run(in: namespace, "flush ruleset")
            let refused = try Self.restore(agent, "--nproc=5")
            #expect(refused.status == .exited(1))
            #expect(refused.standardError.contains("can't start 8 threads"))
            #expect(try Nft.ruleset(in: namespace) == "")
            try Self.restore(agent, "--nproc=10").requireSuccess()
            #expect(try agent.rulesInKernel() == rules)
        }
    }
}
