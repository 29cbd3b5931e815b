import Enforcement
import Foundation
import Reports
import TestSupport
import Testing
import Reports

/// Whatever clients do to the real agent, root's `status` is answered meanwhile, and nothing of it
/// stays behind.
@Suite("Client faults")
struct ClientFaultTests {
    /// What a bad client does, in the language of the script below.
    private enum Attack: String, CaseIterable {
        case connections, halves, hugeMessages, deafness, garbage, vanishing
    }

    private enum User: CaseIterable {
        case reader, root
    }

    /// A user that may read, but is not root.
    private static let readerID = 64_999

    private static let script = """
        import os, random, resource, socket, sys
        path, attack = sys.argv[1:]
        resource.setrlimit(resource.RLIMIT_NOFILE, (2048, 2048))
        call = b'{"method":"org.pexipfw.Control.%s"}\\0'

        def connect():
            client = socket.socket(socket.AF_UNIX)
            client.connect(path)
            return client

        def send(client, data):
            try: client.sendall(data)
            except (BrokenPipeError, ConnectionResetError): return False
            return True

        def ready():
            print("ready", flush=True)

        held = []
        if attack in ("connections", "halves", "deafness"):
            for _ in range(1000):
                client = connect()
                if attack == "halves": send(client, b'{"method":"org.pexipfw.Contr')
                if attack == "deafness":
                    client.setblocking(False)
                    try:
                        while True: client.send((call % b"Rules") * 100)
                    except (BlockingIOError, BrokenPipeError, ConnectionResetError): pass
                held.append(client)
            ready()
            sys.stdin.read()
        rounds = 0
        while True:
            client = connect()
            if attack == "hugeMessages":
                if all(send(client, b"x" * 1000000) for _ in range(100)): sys.exit("taken")
            elif attack == "garbage":
                send(client, os.urandom(5000) + b"\\0" + (call % b"Status"))
            elif attack == "vanishing":
                data = (call % random.choice([b"Status", b"Rules", b"Generations"])) * 3
                send(client, data[:random.randrange(len(data))])
            client.close()
            rounds += 1
            if rounds == 10: ready()
        """

    private struct Usage {
        let descriptors: Int
        /// Bytes that the agent allocated and that are resident.
        let memory: Int

        init(_ pid: Int32) throws {
            descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")
                .count
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            let line = try #require(
                status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") })
            memory = try #require(Int(line.filter(\.isNumber))) * 1024
        }
    }

    @Test("root's status is answered during every attack, and descriptors and memory come back")
    func attacks() throws {
        try StoreFaultTests.withNamespace { namespace in
            let mounts = try MountNamespace(in: namespace)
            let agent = try AgentFixture(
                in: namespace, configuration: StoreFaultTests.configuration(1))
            let groups = agent.directory.appending(path: "group").path
            try mounts.run(
                "sh", "-c",
                "(cat /etc/group; echo pexip-fw:x:\(Self.readerID):) > \(groups) && mount --bind \(groups) /etc/group"
            )
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: agent.directory.path)
            // Without any capability the socket can only be given to a group of one's own.
            agent.launcher = mounts.entering + ["setpriv", "--groups=\(Self.readerID)"]
            try agent.start()
            let pid = try #require(agent.process).pid
            let rules = try agent.rulesInKernel()

            var usages = [try Usage(pid)]
            for _ in 0..<2 {
                for attack in Attack.allCases {
                    for user in User.allCases { try Self.run(attack, by: user, on: agent) }
                }
                let first = usages[0].descriptors
                #expect(
                    try waitUntil { try Usage(pid).descriptors <= first },
                    "descriptors stay open")
                usages.append(try Usage(pid))
            }
            // Measured: 2 MB for what is loaded or made once, then 0.1 MB.
            #expect(usages[1].memory - usages[0].memory < 6 << 20)
            #expect(usages[2].memory - usages[1].memory < 1 << 20)
            #expect(try agent.status().state == .inSync)
            #expect(try agent.rulesInKernel() == rules)
            try agent.stop()
        }
    }

    private static func run(_ attack: Attack, by user: User, on agent: AgentFixture) throws {
        let identity = ["--reuid=\(readerID)", "--regid=\(readerID)", "--clear-groups"]
        let client = try agent.namespace.spawn(
            (user == .root ? [] : ["setpriv"] + identity)
                + ["/usr/bin/python3", "-c", script, agent.socket, attack.rawValue],
            input: .socket)
        defer { client.kill() }
        try client.awaitWord("ready\n")
        for _ in 0..<3 {
            let result = try agent.control("status")
            #expect(result.status == .exited(0), "\(attack) by \(user): \(result)")
        }
        #expect(client.isRunning, "\(attack) by \(user): \(client.standardError)")
    }
}
