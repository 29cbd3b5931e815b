import Enforcement
import Foundation
import Reports
import TestSupport
import Testing
import Reports

/// One agent for a network namespace, a state directory and a control socket: another ends before it
/// has touched anything, and says whose they are.
@Suite("Claims")
struct ClaimTests {
    private static let configuration = """
        nodes: {conf-1: {role: conferencing, address: 10.0.0.21}}
        enforce: [conf-1]

        """

    private static func scene(
        _ body: (NetworkNamespace, AgentFixture) throws -> Void
    ) throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try namespace.configure(["address add 10.0.0.21/32 dev lo"])
            let agent = try AgentFixture(in: namespace, configuration: configuration)
            do {
                try agent.start()
                try body(namespace, agent)
            } catch {
                throw TestSupportError("\(error)\nThe agent logged:\n\(agent.log)")
            }
        }
    }

    /// Every file below a directory, with what writing to it changes.
    private static func files(in directory: URL) throws -> String {
        try ChildProcess.run([
            "find", directory.path, "-printf", "%p %i %m %s %T@ %C@\n",
        ]).requireSuccess().standardOutput
    }

    /// Runs another agent to its end.
    private static func another(
        _ agent: AgentFixture, in namespace: NetworkNamespace, state: URL? = nil,
        socket: String? = nil
    ) throws -> ProcessResult {
        try namespace.run([
            try BuiltProducts.path(of: "pexip-fwd"), "--config-dir",
            agent.configurationDirectory.path, "--state-dir",
            (state ?? agent.stateDirectory).path, "--socket", socket ?? agent.socket,
        ])
    }

    /// Expects that a program ended because of the agent, and names it.
    private static func expectRefused(
        _ result: ProcessResult, _ words: String, by agent: AgentFixture,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let process = try #require(agent.process)
        #expect(result.status == .exited(1), "\(result)", sourceLocation: sourceLocation)
        let program = try BuiltProducts.path(of: "pexip-fwd")
        for part in [words, "\(program) --config-dir", "(\(process.pid)), which runs"] {
            #expect(
                result.standardError.contains(part), "\(result)", sourceLocation: sourceLocation)
        }
    }

    @Test("a second one in the same network namespace ends, whatever directories it has")
    func sameNamespace() throws {
        try Self.scene { namespace, agent in
            let monitor = try namespace.spawn(["nft", "monitor"])
            _ = waitUntil { ProcessTree.name(of: monitor.pid) == "nft" }
            let files = try Self.files(in: agent.directory)
            let other = agent.directory.appending(path: "other")
            for (state, socket) in [
                (nil, nil), (other, nil), (nil, other.path), (other, other.path),
            ] as [(URL?, String?)] {
                let result = try Self.another(agent, in: namespace, state: state, socket: socket)
                try Self.expectRefused(
                    result, "the tables of this network namespace are those of", by: agent)
            }
            for command in ["restore", "remove-tables"] {
                let result = try namespace.run([
                    try BuiltProducts.path(of: "pexip-fwd"), command, "--state-dir",
                    agent.stateDirectory.path,
                ])
                try Self.expectRefused(result, "the tables of this network", by: agent)
            }
            #expect(try Self.files(in: agent.directory) == files)
            #expect(try agent.status().state == .inSync)
            // The monitor would have told of anything by now, as it tells of this.
            try Nft.run(in: namespace, "add table inet last")
            #expect(waitUntil { monitor.standardOutput.contains("last") })
            #expect(monitor.standardOutput.hasPrefix("add table inet last"))
            try agent.stop()
        }
    }

    @Test("nor do two share a state directory, or a socket, from different network namespaces")
    func otherNamespace() throws {
        try Self.scene { _, agent in
            try NetworkNamespace.with { elsewhere in
                let other = agent.directory.appending(path: "other")
                let files = try Self.files(in: agent.directory)
                try Self.expectRefused(
                    try Self.another(agent, in: elsewhere, socket: other.path),
                    "the state directory \(agent.stateDirectory.path) is that of", by: agent)
                try Self.expectRefused(
                    try Self.another(agent, in: elsewhere, state: other),
                    "the control socket \(agent.socket) is that of", by: agent)
                #expect(try Self.files(in: agent.directory) == files)
                #expect(try Nft.ruleset(in: elsewhere) == "")

                // What somebody took away and the agent made anew is its own as well.
                try FileManager.default.removeItem(at: agent.stateDirectory)
                #expect(try agent.control("apply").status == .exited(0))
                try Self.expectRefused(
                    try Self.another(agent, in: elsewhere, socket: other.path),
                    "the state directory \(agent.stateDirectory.path) is that of", by: agent)
                #expect(try Nft.ruleset(in: elsewhere) == "")
            }
            try agent.stop()
        }
    }

    /// Runs a program where capset(2) is forbidden, as a unit's sandbox has it: the agent executes
    /// itself anew to be rid of its capabilities.
    private static let sandbox = """
        import ctypes, os, platform, struct, sys
        capset = {"x86_64": 126, "aarch64": 91}[platform.machine()]
        def op(code, jt, jf, k): return struct.pack("HBBI", code, jt, jf, k)
        code = (op(0x20, 0, 0, 0) + op(0x15, 0, 1, capset) + op(0x06, 0, 0, 0x00050001)
                + op(0x06, 0, 0, 0x7fff0000))
        held = ctypes.create_string_buffer(code)
        program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(held)))
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.prctl(38, 1, 0, 0, 0) == 0
        assert libc.prctl(22, 2, program, 0, 0) == 0
        os.execv(sys.argv[1], sys.argv[1:])
        """

    @Test("what was claimed stays so where the agent executes itself anew")
    func executedAnew() throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try namespace.configure(["address add 10.0.0.21/32 dev lo"])
            let agent = try AgentFixture(in: namespace, configuration: Self.configuration)
            agent.launcher = [
                "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                "--inh-caps=+net_admin", "--ambient-caps=+net_admin", "/usr/bin/python3", "-c",
                Self.sandbox,
            ]
            #expect(chown(agent.directory.path, 65534, 65534) == 0)
            try agent.start()
            let process = try #require(agent.process)
            #expect(try ProcessTree.status("CapEff", of: process.pid) == "0000000000000000")
            #expect(try ProcessTree.status("Seccomp", of: process.pid) == "2")
            #expect(try agent.status().state == .inSync)

            let elsewhere = try NetworkNamespace()
            let other = agent.directory.appending(path: "other")
            try Self.expectRefused(
                try Self.another(agent, in: namespace),
                "the tables of this network namespace are those of", by: agent)
            try Self.expectRefused(
                try Self.another(agent, in: elsewhere, socket: other.path),
                "the state directory \(agent.stateDirectory.path) is that of", by: agent)
            try elsewhere.close()
            try agent.stop()
            // And goes with it.
            try agent.start()
            try agent.stop()
        }
    }

    @Test("a killed agent leaves nothing claimed, whatever becomes of its other processes")
    func killed() throws {
        try Self.scene { _, agent in
            let process = try #require(agent.process)
            let keeper = try #require(try ProcessTree.children(of: process.pid).first)
            kill(keeper, SIGSTOP)
            process.signal(SIGKILL)
            // At once, as a supervisor that does not wait.
            try agent.start()
            #expect(ProcessTree.isAlive(keeper), "the test's keeper ended too soon")
            kill(keeper, SIGKILL)
            #expect(try agent.status().state == .inSync)
            try agent.stop()
        }
    }

    @Test("one that is ending is waited for, and named where it does not end")
    func ending() throws {
        try Self.scene { namespace, agent in
            // Its end waits for the keeper's, for five seconds.
            let process = try #require(agent.process)
            let keeper = try #require(try ProcessTree.children(of: process.pid).first)
            kill(keeper, SIGSTOP)
            process.signal(SIGTERM)
            #expect(waitUntil { process.standardError.contains("SIGTERM: ending") })
            let next = try agent.spawn()
            usleep(1_500_000)
            #expect(next.isRunning && process.isRunning, "\(agent.log)")
            kill(keeper, SIGCONT)
            #expect(process.wait(timeout: patience) == .exited(0))
            #expect(try waitUntil { try agent.control("status").status == .exited(0) })

            // One that never ends.
            let last = try #require(try ProcessTree.children(of: next.pid).first)
            defer { kill(last, SIGKILL) }
            kill(last, SIGSTOP)
            next.signal(SIGTERM)
            #expect(waitUntil { next.standardError.contains("SIGTERM: ending") })
            next.signal(SIGSTOP)
            let result = try Self.another(agent, in: namespace)
            #expect(result.status == .exited(1))
            #expect(
                result.standardError.contains("(\(next.pid)), which has not ended in 5"),
                "\(result)")
            next.kill()
        }
    }

    @Test("another user who takes the name keeps no agent from its work")
    func foreignName() throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try namespace.configure(["address add 10.0.0.21/32 dev lo"])
            let program = """
                import socket, sys, time
                s = socket.socket(socket.AF_UNIX)
                s.bind("\\0pexip-fwd")
                if sys.argv[1] == "listen": s.listen(1)
                print("ready", flush=True)
                time.sleep(1000)
                """
            for mode in ["listen", "silent"] {
                let stranger = try namespace.spawn([
                    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                    "/usr/bin/python3",
                    "-c", program, mode,
                ])
                #expect(waitUntil { stranger.standardOutput == "ready\n" })
                let agent = try AgentFixture(in: namespace, configuration: Self.configuration)
                try agent.start()
                #expect(agent.log.contains("a second agent would not be noticed"))
                #expect(agent.log.contains("65534") == (mode == "listen"), "\(agent.log)")
                #expect(try agent.status().state == .inSync)
                try agent.stop()
                stranger.kill()
            }
        }
    }

    @Test("what can't be locked at the start is locked before anything is written")
    func lateLock() throws {
        try Self.scene { namespace, first in
            try NetworkNamespace.with { elsewhere in
                try elsewhere.configure(["address add 10.0.0.21/32 dev lo"])
                let second = try AgentFixture(in: elsewhere, configuration: Self.configuration)
                // Missing, and not to be made.
                second.stateDirectory = second.directory.appending(path: "missing/state")
                try second.start()
                #expect(try second.status().state == .degraded)
                // Then it is there: another agent's.
                let missing = second.directory.appending(path: "missing").path
                try FileManager.default.createDirectory(
                    atPath: missing, withIntermediateDirectories: false)
                #expect(symlink(first.stateDirectory.path, "\(missing)/state") == 0)
                let files = try Self.files(in: first.stateDirectory)
                let words =
                    "can't write the state directory \(second.stateDirectory.path): it is that of"
                try second.waitForStatus("the lock") { $0.problem?.contains(words) == true }
                #expect(try second.control("apply").status == .exited(1))
                #expect(try Self.files(in: first.stateDirectory) == files)
                // And then its own.
                try first.stop()
                try second.waitForStatus("health") { $0.state == .inSync }
                try second.stop()
            }
        }
    }
}
