internal import Foundation

/// Members of the reading group who do to the agent's socket what its limits let them: several users
/// with as many connections as each may have.
package final class HostileReaders {
    /// The group that may read, and the ids of the users in it.
    private static let group = 64_999
    private static let users = [64_101, 64_102, 64_103]

    private let agent: AgentFixture
    private let mounts: MountNamespace
    private var clients: [ChildProcess] = []

    /// Lets an agent that is not started yet know the group. Needs root.
    package init(of agent: AgentFixture) throws {
        self.agent = agent
        mounts = try MountNamespace(in: agent.namespace)
        let groups = agent.directory.appending(path: "group").path
        try mounts.run(
            "sh", "-c",
            "(cat /etc/group; echo pexip-fw:x:\(Self.group):) > \(groups) && mount --bind \(groups) /etc/group"
        )
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: agent.directory.path)
        // Without any capability the socket can only be given to a group of one's own.
        agent.launcher = mounts.entering + ["setpriv", "--groups=\(Self.group)"]
    }

    /// Lets them begin, and returns some seconds later.
    package func begin() throws {
        for user in Self.users {
            clients.append(
                try agent.namespace.spawn(
                    [
                        "setpriv", "--reuid=\(user)", "--regid=\(user)",
                        "--groups=\(Self.group)", "/usr/bin/python3", "-c", Self.script,
                        agent.socket,
                    ], input: .socket))
        }
        for client in clients { try client.awaitWord("ready\n") }
    }

    /// - Throws: where one of them ended before.
    package func end() throws {
        defer {
            for client in clients { client.kill() }
            clients = []
        }
        for client in clients where !client.isRunning {
            throw TestSupportError("a reader ended: \(client.standardError)")
        }
    }

    deinit { for client in clients { client.kill() } }

    /// Sixteen connections at most, each of which asks for what is large, asks for plans and goes,
    /// sends texts that take long where somebody is careless, or never reads.
    private static let script = #"""
        import json, random, socket, sys, threading, time
        path = sys.argv[1]
        methods = ["Status", "Metrics", "Rules", "Generations", "Ports", "Counters", "Drops", "Mesh"]
        marks = "\u0301\u0316" * 120000
        letters = "\U0001f1e6" * 250000

        def message(method, parameters={}, more=False):
            call = {"method": "org.pexipfw.Control." + method, "parameters": parameters}
            if more: call["more"] = True
            return json.dumps(call, ensure_ascii=False).encode() + b"\0"

        def connect():
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(60)
            client.connect(path)
            return client

        def ask(client, method, parameters={}):
            client.sendall(message(method, parameters, True))
            rest = b""
            while True:
                data = client.recv(1 << 20)
                if not data: return
                rest += data
                while b"\0" in rest:
                    reply, rest = rest.split(b"\0", 1)
                    if b'"continues":true' not in reply[:32]: return

        def everything(client):
            for method in methods: ask(client, method)
            ask(client, "Mesh", {"all": True})
            ask(client, "Explain", {"protocol": "tcp", "source": "192.0.2.1", "destination": "10.0.0.1:443"})

        def plans(client): client.sendall(message("Plan", {"tables": True}))
        def letters_in_method(client): client.sendall(message(letters))
        def marks_in_keys(client): client.sendall(message("Status", {"a" + marks: 1, "b" + marks: 2}))
        def deaf(client):
            client.sendall(message("Metrics") * 20)
            time.sleep(5)

        def work():
            while True:
                try:
                    client = connect()
                    random.choice([everything, plans, plans, letters_in_method, marks_in_keys, deaf])(client)
                    client.close()
                except (OSError, TimeoutError): time.sleep(0.05)

        threads = [threading.Thread(target=work, daemon=True) for _ in range(16)]
        for thread in threads: thread.start()
        time.sleep(3)
        print("ready", flush=True)
        sys.stdin.read()
        """#
}
