import Enforcement
import Foundation
import PortModel
import Reports
import Site
import Testing
import TestSupport

/// The agent as its users meet it: files, commands, signals and other people's tools, on a real
/// kernel with real packets.
@Suite("Agent")
struct AgentTests {
    private static let node: IPAddress = ipAddress("10.0.0.21")
    private static let client: IPAddress = ipAddress("192.0.2.7")

    private static func ipAddress(_ text: String) -> IPAddress {
        guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
        return address
    }

    private static let base = """
        features: {ssh: false}
        nodes:
          conf-1: {role: conferencing, address: 10.0.0.21}
          conf-2: {role: conferencing, address: 10.0.0.22}
        """

    /// A node with an agent, and a client beside it that can try to connect.
    private final class Scene {
        let topology: Topology
        let agent: AgentFixture
        let server: PacketProbe
        let client: PacketProbe
        private var port: UInt16 = 20_000

        init(_ topology: Topology, _ agent: AgentFixture) throws {
            self.topology = topology
            self.agent = agent
            server = try PacketProbe(in: topology.node)
            client = try PacketProbe(in: topology.outside)
            try server.listen(at: [22, 443, 8443].map { ProbeEndpoint(AgentTests.node, port: $0) })
        }

        /// Whether a TCP connection to the node is established.
        func connects(to destination: UInt16) throws -> Bool {
            port += 1
            return try client.connect(
                from: ProbeEndpoint(AgentTests.client, port: port),
                to: ProbeEndpoint(AgentTests.node, port: destination), timeout: .milliseconds(300))
                == .established
        }

        func open(_ destination: UInt16) throws -> PacketProbe.Connection {
            port += 1
            let (connection, outcome) = try client.open(
                from: ProbeEndpoint(AgentTests.client, port: port),
                to: ProbeEndpoint(AgentTests.node, port: destination), timeout: .seconds(1))
            return try #require(connection, "\(outcome)")
        }
    }

    private static func scene(
        _ configuration: String? = base, _ body: (Scene) throws -> Void
    ) throws {
        try requireRoot()
        let topology = try Topology.nodeAndPeers(
            nodeAddresses: [node], peerAddresses: [client])
        try topology.use { topology in
            try AgentFixture.with(configuration, in: topology.node) { agent in
                try body(Scene(topology, agent))
            }
        }
    }

    // MARK: Configuration

    @Test("a file renamed into the directory is enforced without any command")
    func dropIn() throws {
        try Self.scene { scene in
            #expect(try scene.connects(to: 443))
            #expect(try !scene.connects(to: 22))
            try scene.agent.write("features: {ssh: true}", as: "50-ssh.yaml")
            try scene.agent.waitForStatus("generation 2") { $0.generation == 2 }
            #expect(try scene.connects(to: 22))
            try scene.agent.remove("50-ssh.yaml")
            try scene.agent.waitForStatus("generation 3") { $0.generation == 3 }
            #expect(try !scene.connects(to: 22))
        }
    }

    @Test("a wrong file leaves rules and generation, and status says where and what")
    func wrongFile() throws {
        try Self.scene { scene in
            let before = try scene.agent.rulesInKernel()
            try scene.agent.write(
                "nodes:\n  conf-1: {rol: conferencing}\nports: {media: 50000-40000}\nfeatures: [",
                as: "60-wrong.yaml")
            try scene.agent.waitForStatus("rejected") { $0.state == .rejected }
            let status = try scene.agent.status()
            #expect(status.generation == 1)
            let location = try #require(status.diagnostics.first?.location)
            #expect(location.file.hasSuffix("60-wrong.yaml"))
            #expect((location.line, location.column) == (4, 12))
            #expect(try scene.agent.rulesInKernel() == before)

            // Every error of a file that can be read is reported, each with its place.
            try scene.agent.write(
                "nodes:\n  conf-1: {rol: conferencing}\nports: {media: 50000-40000}\n",
                as: "60-wrong.yaml")
            try scene.agent.waitForStatus("two errors") { $0.diagnostics.count == 2 }
            let text = try scene.agent.control("status")
            #expect(text.status == .exited(1))
            #expect(text.standardOutput.contains("60-wrong.yaml:2:12: error:"))
            #expect(text.standardOutput.contains("did you mean \"role\""))
            #expect(text.standardOutput.contains("60-wrong.yaml:3:16: error:"))

            let apply = try scene.agent.control("apply")
            #expect(apply.status == .exited(1))
            #expect(apply.standardError.contains("nothing was changed"))
            #expect(try scene.agent.rulesInKernel() == before)

            try scene.agent.remove("60-wrong.yaml")
            try scene.agent.waitForStatus("in sync") { $0.state == .inSync }
            #expect(try scene.agent.status().generation == 1)
        }
    }

    @Test("files that are not read are warned of, by check and by status")
    func misnamedFiles() throws {
        try Self.scene { scene in
            let names = ["20.YAML", "20.YML", "20.yaml.txt", "20.json"]
            for name in names { try scene.agent.write("features: {ssh: true}", as: name) }
            try scene.agent.waitForStatus("warnings") { $0.diagnostics.count == names.count }
            let status = try scene.agent.status()
            #expect(status.state == .inSync)
            #expect(status.generation == 1)
            #expect(status.diagnostics.allSatisfy { $0.severity == .warning })
            #expect(
                Set(status.diagnostics.map { $0.location?.file })
                    == Set(names.map { "\(scene.agent.configurationDirectory.path)/\($0)" }))
            let check = try scene.agent.control("check", scene.agent.configurationDirectory.path)
            #expect(check.status == .exited(0), "\(check)")
            #expect(check.standardOutput.contains("2 nodes, 4 warnings"), "\(check)")
        }
    }

    @Test("what an access control list lets others write is refused until that is taken away")
    func accessControlLists() throws {
        try Self.scene { scene in
            try scene.agent.write("features: {ssh: true}", as: "50-ssh.yaml")
            try scene.agent.waitForStatus("generation 2") { $0.generation == 2 }
            let rules = try scene.agent.rulesInKernel()
            let directory = scene.agent.configurationDirectory.path
            for path in ["\(directory)/50-ssh.yaml", directory] {
                try ChildProcess.run(["setfacl", "-m", "u:1234:rw", path]).requireSuccess()
                try scene.agent.waitForStatus("rejected") { $0.state == .rejected }
                let status = try scene.agent.status()
                #expect(
                    status.diagnostics.contains {
                        $0.message.contains("can be written by user 1234")
                            && $0.message.hasSuffix("run setfacl -b \(path)")
                    }, "\(status.diagnostics)")
                #expect(status.generation == 2)
                #expect(try scene.agent.rulesInKernel() == rules)
                let apply = try scene.agent.control("apply")
                #expect(apply.status == .exited(1))
                #expect(apply.standardError.contains("setfacl -b \(path)"), "\(apply)")
                try ChildProcess.run(["setfacl", "-b", path]).requireSuccess()
                try scene.agent.waitForStatus("health") { $0.state == .inSync }
                #expect(try scene.agent.status().generation == 2)
            }
        }
    }

    @Test("files that vanish open nothing")
    func emptied() throws {
        try Self.scene { scene in
            let before = try scene.agent.rulesInKernel()
            try scene.agent.remove("10-site.yaml")
            try scene.agent.waitForStatus("rejected") { $0.state == .rejected }
            #expect(try scene.agent.rulesInKernel() == before)
            try FileManager.default.removeItem(at: scene.agent.configurationDirectory)
            try scene.agent.waitForStatus("the missing directory") {
                $0.diagnostics.contains { $0.message.contains("does not exist") }
            }
            #expect(try scene.agent.rulesInKernel() == before)
            try FileManager.default.createDirectory(
                at: scene.agent.configurationDirectory, withIntermediateDirectories: false)
            try scene.agent.write(Self.base)
            try scene.agent.waitForStatus("in sync") { $0.state == .inSync }
        }
    }

    @Test("nothing configured at first: nothing is enforced, and status says so")
    func unconfigured() throws {
        try Self.scene(nil) { scene in
            #expect(try scene.agent.status().state == .unconfigured)
            #expect(try scene.agent.control("status").status == .exited(1))
            #expect(try scene.agent.rulesInKernel() == "")
            #expect(try scene.connects(to: 22))
            try scene.agent.write(Self.base)
            try scene.agent.waitForStatus("in sync") { $0.state == .inSync }
            #expect(try !scene.connects(to: 22))
        }
    }

    @Test("enforce: auto takes up the node's address when the host gets it")
    func addressComesLater() throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try AgentFixture.with(Self.base, in: namespace) { agent in
                let status = try agent.status()
                #expect(status.state != .inSync)
                #expect(
                    status.diagnostics.contains {
                        $0.message.contains("enforce: auto finds no node")
                    })
                try namespace.configure(["address add 10.0.0.21/32 dev lo"])
                try agent.waitForStatus("in sync") { $0.state == .inSync }
                #expect(try agent.rulesInKernel().contains("pexip_fw_conf_1"))
            }
        }
    }

    // MARK: Drift

    @Test(
        "a foreign change is repaired, and status names when, what and who",
        arguments: [
            "flush ruleset", "delete table inet pexip_fw_conf_1",
            "flush chain inet pexip_fw_conf_1 input",
            "insert rule inet pexip_fw_conf_1 input tcp dport 22 accept",
            "add element inet pexip_fw_conf_1 mesh.v4 { 203.0.113.7 }",
            "add table inet pexip_fw_conf_1 { flags dormant; }",
        ])
    func tampering(script: String) throws {
        try Self.scene { scene in
            let before = try scene.agent.rulesInKernel()
            let started = Timestamp.now
            try Nft.run(in: scene.topology.node, script)
            try scene.agent.waitForStatus("a drift") { $0.drift.count == 1 }
            #expect(try scene.agent.rulesInKernel() == before)
            #expect(try !scene.connects(to: 22))
            #expect(try scene.connects(to: 443))
            let drift = try scene.agent.status().drift
            let last = try #require(drift.last)
            #expect(last.time >= started && last.time <= .now)
            #expect(last.process.contains("nft"))
            #expect(last.pid.map { $0 > 0 } == true)
            #expect(!last.differences.isEmpty)
            #expect(try scene.agent.status().state == .inSync)
        }
    }

    @Test("one deleted rule comes back")
    func deletedRule() throws {
        try Self.scene { scene in
            let before = try scene.agent.rulesInKernel()
            let listing = try scene.topology.node.run([
                "nft", "-a", "list", "chain", "inet", "pexip_fw_conf_1", "input_tcp",
            ]).requireSuccess().standardOutput
            let line = try #require(
                listing.split(separator: "\n").first { $0.contains("conferencing.in.https") })
            let handle = try #require(line.split(separator: " ").last)
            try Nft.run(
                in: scene.topology.node,
                "delete rule inet pexip_fw_conf_1 input_tcp handle \(handle)")
            try scene.agent.waitForStatus("a drift") { $0.drift.count == 1 }
            #expect(try scene.agent.rulesInKernel() == before)
            let differences = try #require(try scene.agent.status().drift.last).differences
            #expect(differences.contains { $0.contains("conferencing.in.https") })
        }
    }

    @Test("other people's tables are left alone, and changing them is no drift")
    func otherTables() throws {
        try Self.scene { scene in
            try Nft.run(
                in: scene.topology.node,
                "add table inet theirs; add chain inet theirs c; add table ip pexip_fw_conf_1")
            try scene.agent.write("features: {ssh: true}", as: "50-ssh.yaml")
            try scene.agent.waitForStatus("generation 2") { $0.generation == 2 }
            #expect(try scene.agent.status().drift.count == 0)
            let rules = try scene.agent.rulesInKernel()
            #expect(rules.contains("table inet theirs"))
            #expect(rules.contains("table ip pexip_fw_conf_1"))
        }
    }

    // MARK: Life and death of the agent

    @Test("kill -9 leaves the rules; a restart adopts them and interrupts nothing")
    func killed() throws {
        try Self.scene { scene in
            let connection = try scene.open(443)
            let before = try Self.rulesWithHandles(scene)
            scene.agent.kill()
            #expect(try Self.rulesWithHandles(scene) == before)
            #expect(try !scene.connects(to: 22))
            #expect(try connection.echo() == .established)
            #expect(try scene.agent.control("status").status == .exited(3))

            try scene.agent.start()
            let status = try scene.agent.status()
            #expect(status.state == .inSync)
            #expect(status.generation == 1)
            // The same handles: not one rule was written again.
            #expect(try Self.rulesWithHandles(scene) == before)
            #expect(try connection.echo() == .established)
            try connection.close()
        }
    }

    private static func rulesWithHandles(_ scene: Scene) throws -> String {
        try scene.topology.node.run(["nft", "-s", "-a", "list", "ruleset"])
            .requireSuccess().standardOutput
    }

    @Test("changes made while the agent was away are repaired when it comes back")
    func tamperedWhileAway() throws {
        try Self.scene { scene in
            let before = try scene.agent.rulesInKernel()
            scene.agent.kill()
            try Nft.run(in: scene.topology.node, "flush chain inet pexip_fw_conf_1 input_tcp")
            try scene.agent.write("nonsense: true", as: "60-wrong.yaml")
            try scene.agent.start()
            #expect(try scene.agent.rulesInKernel() == before)
            #expect(try scene.agent.status().state == .rejected)
            try scene.agent.remove("60-wrong.yaml")
        }
    }

    @Test("SIGTERM leaves the rules in force; SIGHUP loads the configuration")
    func signals() throws {
        try Self.scene { scene in
            let process = try #require(scene.agent.process)
            process.signal(SIGHUP)
            try scene.agent.write("features: {ssh: true}", as: "50-ssh.yaml")
            process.signal(SIGHUP)
            try scene.agent.waitForStatus("generation 2") { $0.generation == 2 }
            let before = try scene.agent.rulesInKernel()
            try scene.agent.stop()
            #expect(try scene.agent.rulesInKernel() == before)
            #expect(try scene.connects(to: 22))
            try scene.agent.start()
        }
    }

    // MARK: Rollback

    @Test("rollback restores the previous generation until the configuration changes, or apply")
    func rollback() throws {
        try Self.scene { scene in
            try scene.agent.write("features: {ssh: true}", as: "50-ssh.yaml")
            try scene.agent.waitForStatus("generation 2") { $0.generation == 2 }
            #expect(try scene.connects(to: 22))

            let rollback = try scene.agent.control("rollback")
            #expect(rollback.status == .exited(0))
            #expect(
                rollback.standardOutput.contains("closed    conferencing.in.ssh: TCP <any> -> 22"))
            #expect(try !scene.connects(to: 22))
            #expect(try scene.agent.status().state == .pinned)
            #expect(try scene.agent.control("status").status == .exited(0))

            // A restart keeps it, and a file written with the same content.
            scene.agent.kill()
            try scene.agent.start()
            #expect(try scene.agent.status().state == .pinned)
            try scene.agent.write("features: {ssh: true}", as: "50-ssh.yaml")
            #expect(try scene.agent.control("apply", "--dry-run").status == .exited(0))
            #expect(try scene.agent.status().generation == 1)
            #expect(try !scene.connects(to: 22))

            #expect(try scene.agent.control("apply").status == .exited(0))
            #expect(try scene.agent.status().state == .inSync)
            #expect(try scene.connects(to: 22))

            #expect(try scene.agent.control("rollback", "1").status == .exited(0))
            #expect(try !scene.connects(to: 22))
            try scene.agent.write("host: {ping: true}", as: "70-ping.yaml")
            try scene.agent.waitForStatus("in sync") { $0.state == .inSync }
            #expect(try scene.connects(to: 22))

            let missing = try scene.agent.control("rollback", "77")
            #expect(missing.status == .exited(1))
            #expect(missing.standardError.contains("generation 77"))
        }
    }

    @Test("flush takes our tables away until apply is said")
    func flush() throws {
        try Self.scene { scene in
            let flush = try scene.agent.control("flush")
            #expect(flush.status == .exited(0))
            #expect(try scene.agent.rulesInKernel() == "")
            #expect(try scene.agent.status().state == .flushed)
            #expect(try scene.agent.control("apply").status == .exited(0))
            #expect(try scene.agent.status().state == .inSync)
            #expect(try !scene.connects(to: 22))
        }
    }

    // MARK: Control

    @Test("an independent Varlink client reads the agent's interface and status")
    func varlink() throws {
        let python = try #require(
            ProcessInfo.processInfo.environment["PEXIP_FW_VARLINK_PYTHON"],
            "PEXIP_FW_VARLINK_PYTHON names no interpreter: run packaging/test, which prepares one")
        let script = """
            import sys, varlink
            with varlink.Client("unix:" + sys.argv[1]) as client:
                with client.open("org.pexipfw.Control") as agent:
                    print(agent.Status()["status"]["state"])
                    print(agent.Plan()["report"]["outcome"])
                    print(agent.Metrics()["families"][0]["metrics"][0]["value"])
                    print(agent.Rules()["tables"][0]["name"])
                    print(agent.Generations()["generations"][0]["number"])
            """
        try Self.scene { scene in
            let result = try scene.topology.node.run([
                python, "-c", script, scene.agent.socket,
            ]).requireSuccess()
            #expect(result.standardOutput == "in-sync\nunchanged\n1.0\npexip_fw_conf_1\n1\n")
        }
    }

    @Test("only root may change anything; strangers may not even look")
    func strangers() throws {
        try Self.scene { scene in
            let before = try scene.agent.rulesInKernel()
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: scene.agent.directory.path)
            let result = try scene.topology.node.run([
                "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                try BuiltProducts.path(of: "pexip-fwctl"), "--socket", scene.agent.socket, "flush",
            ])
            #expect(result.status == .exited(4), "\(result)")
            #expect(try scene.agent.rulesInKernel() == before)
        }
    }

    @Test("garbage on the control socket costs its own connection and nothing else")
    func garbage() throws {
        try Self.scene { scene in
            let before = try scene.agent.rulesInKernel()
            let script = """
                import os, socket, sys
                for payload in (b"not json\\0", b"{}\\0", b'{"method":1}\\0', b"\\0" * 64,
                                os.urandom(4096) + b"\\0", b"[" * 100000 + b"\\0",
                                b'{"method":"org.pexipfw.Control.Apply","parameters":{"force":7}}\\0',
                                b'{"method":"org.pexipfw.Control.Rollback","parameters":{"generation":-1}}\\0'):
                    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
                    s.sendall(payload); s.shutdown(socket.SHUT_WR)
                    while s.recv(65536): pass
                s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
                try:
                    for _ in range(100): s.sendall(b"x" * 1048576)
                    print("taken")
                except (BrokenPipeError, ConnectionResetError): print("cut off")
                """
            let result = try scene.topology.node.run(
                ["python3", "-c", script, scene.agent.socket], timeout: patience
            ).requireSuccess()
            #expect(result.standardOutput == "cut off\n")
            #expect(try scene.agent.status().state == .inSync)
            #expect(try scene.agent.rulesInKernel() == before)
        }
    }

    @Test("without an agent, commands say what to do")
    func notRunning() throws {
        let control = try BuiltProducts.path(of: "pexip-fwctl")
        let result = try ChildProcess.run([control, "--socket", "/nonexistent/socket", "status"])
        #expect(result.status == .exited(3))
        #expect(result.standardError.contains("systemctl start pexip-fw"))
        let wrong = try ChildProcess.run([control, "frobnicate"])
        #expect(wrong.status == .exited(64))
    }

    @Test("check, show rules and explain work without an agent")
    func offline() throws {
        let control = try BuiltProducts.path(of: "pexip-fwctl")
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "pexip-fw-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer {
            do {
                try FileManager.default.removeItem(at: directory)
            } catch {
                Issue.record(error)
            }
        }
        let file = directory.appending(path: "site.yaml")
        try Data(Self.base.utf8).write(to: file)
        let correct = try ChildProcess.run([control, "check", directory.path])
        #expect(correct.status == .exited(0))
        #expect(correct.standardOutput.contains("2 nodes"))
        let rules = try ChildProcess.run([
            control, "show", "rules", "--config-dir", directory.path, "--node", "conf-2",
        ])
        #expect(rules.status == .exited(0))
        #expect(rules.standardOutput.hasPrefix("table inet pexip_fw_conf_2 {"))
        for (question, status) in [
            (["tcp", "192.0.2.7", "10.0.0.22:443"], Int32(0)),
            (["tcp", "192.0.2.7", "10.0.0.22:22"], 2),
            (["esp", "192.0.2.7", "10.0.0.22:22"], 1),
        ] {
            let answer = try ChildProcess.run(
                [control, "explain", "--config-dir", directory.path, "--node", "conf-2"] + question)
            #expect(answer.status == .exited(status), "\(question): \(answer)")
        }

        try Data("nodes: {a: {role: confrencing, address: 300.0.0.1}}\nfetures: {}\n".utf8)
            .write(to: file)
        let wrong = try ChildProcess.run([control, "check", directory.path])
        #expect(wrong.status == .exited(1))
        for place in ["site.yaml:1:19: error:", "site.yaml:1:41: error:", "site.yaml:2:1: error:"] {
            #expect(wrong.standardError.contains(place), "\(wrong.standardError)")
        }
    }
}
