import Enforcement
import Foundation
import Reports
import TestSupport
import Testing
import Reports

/// Where the kernel's limits let nobody watch, everything is enforced all the same, changes are taken
/// up late, and status says what to set.
@Suite("Watch limits")
struct WatchLimitTests {
    private static func configuration(_ variant: Int) -> String {
        """
        nodes: {conf-1: {role: conferencing, address: 10.0.0.21}}
        enforce: [conf-1]
        features: {ssh: true}
        peers: {ssh_clients: [10.9.0.\(variant)]}

        """
    }

    private static let late = "are noticed up to 15 s late, since they can't be watched: "

    /// Expects changes to be taken up without any event, and the warning to go when there is room.
    private static func expectLate(
        _ agent: AgentFixture, _ words: String, makingRoom: () throws -> Void
    ) throws {
        try agent.waitForStatus("the warning") { status in
            status.warnings.contains { $0.contains(late) && $0.contains(words) }
        }
        let status = try agent.status()
        #expect(status.state == .inSync)
        #expect(status.generation == 1)
        #expect(agent.log.contains(words))
        #expect(try agent.control("status").standardOutput.contains("sysctl -w"))
        // Well beyond the time between two looks, however busy the machine.
        try agent.write(configuration(2))
        try agent.waitForStatus("generation 2", timeout: .seconds(150)) {
            $0.generation == 2 && $0.state == .inSync
        }
        try makingRoom()
        try agent.waitForStatus("no warning", timeout: .seconds(150)) { status in
            !status.warnings.contains { $0.contains(late) }
        }
        try agent.write(configuration(3))
        try agent.waitForStatus("generation 3") { $0.generation == 3 && $0.state == .inSync }
    }

    @Test("a user whose instances are used up")
    func instances() throws {
        try requireRoot()
        // A user whom nobody else is.
        let user = "54321"
        try NetworkNamespace.with { namespace in
            try namespace.configure(["address add 10.0.0.21/32 dev lo"])
            let agent = try AgentFixture(in: namespace, configuration: Self.configuration(1))
            #expect(chown(agent.directory.path, 54_321, 54_321) == 0)
            let become = ["setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups"]
            let holder = try namespace.spawn(
                become + [
                    "/usr/bin/python3", "-c",
                    """
                    import ctypes, resource, time
                    libc = ctypes.CDLL(None, use_errno=True)
                    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
                    while libc.inotify_init() >= 0: pass
                    print(ctypes.get_errno(), flush=True)
                    time.sleep(1000)
                    """,
                ])
            #expect(waitUntil { holder.standardOutput == "\(EMFILE)\n" }, "\(holder.standardError)")
            agent.launcher =
                become + ["--inh-caps=+net_admin", "--ambient-caps=+net_admin"]
            try agent.start()
            let limit = try String(
                contentsOfFile: "/proc/sys/fs/inotify/max_user_instances", encoding: .utf8
            ).trimmingCharacters(in: .whitespacesAndNewlines)
            try Self.expectLate(
                agent,
                "inotify's instances of user \(user) are used up, all \(limit) that fs.inotify.max_user_instances allows: sysctl -w fs.inotify.max_user_instances="
            ) { holder.kill() }
            try agent.stop()
        }
    }

    @Test("a container that allows fewer watches than the way to the directory takes")
    func watches() throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            let agent = try AgentFixture(in: namespace, configuration: Self.configuration(1))
            agent.launcher = [
                "unshare", "--user", "--map-root-user", "--net", "sh", "-c",
                "echo 3 >/proc/sys/user/max_inotify_watches; exec \"$@\"", "sh",
            ]
            try agent.start()
            let process = try #require(agent.process)
            try Self.expectLate(
                agent,
                "all 3 that user.max_inotify_watches allows in this container: sysctl -w user.max_inotify_watches=65536 there, where fs.inotify.max_user_watches is "
            ) {
                try ChildProcess.run([
                    "nsenter", "--target", "\(process.pid)", "--user", "sh", "-c",
                    "echo 1000 >/proc/sys/user/max_inotify_watches",
                ]).requireSuccess()
            }

            // The limit is met later: the way leads to another directory, and there is no room for it.
            try ChildProcess.run([
                "nsenter", "--target", "\(process.pid)", "--user", "sh", "-c",
                "echo 2 >/proc/sys/user/max_inotify_watches",
            ]).requireSuccess()
            let files = FileManager.default
            let aside = agent.directory.appending(path: "aside")
            try files.moveItem(at: agent.configurationDirectory, to: aside)
            try files.createDirectory(
                at: agent.configurationDirectory, withIntermediateDirectories: false)
            try agent.write(Self.configuration(4))
            try agent.waitForStatus("generation 4", timeout: .seconds(150)) {
                $0.generation == 4 && $0.state == .inSync
            }
            #expect(try agent.status().warnings.contains { $0.contains(Self.late) })
            try agent.stop()
        }
    }
}
