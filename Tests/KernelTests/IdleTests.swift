import Enforcement
import Foundation
import PortModel
import Reports
import TestSupport
import Testing
import Reports

/// The agent, its keeper and its worker sleep while nothing happens: what wakes once a second keeps
/// a processor from its deeper states, on every host for ever.
@Suite("Idle")
struct IdleTests {
    private static let base = """
        features: {ssh: false}
        rules: [{name: probe, nodes: all, direction: outbound, protocol: tcp, destination_ports: [8443]}]
        nodes:
          conf-1: {role: conferencing, address: 10.0.0.21}
          conf-2: {role: conferencing, address: 10.0.0.22}
        """

    /// Other tests' namespaces, which are mounts, and files beside the agent's directory are no
    /// changes here.
    private static let quietly = [
        "unshare", "--mount", "sh", "-c",
        """
        set -e
        directory=$1
        # The checkout may lie where other files hide it below.
        cp "$2" "$directory/program"
        shift 2
        mount --bind "$directory" /mnt
        mount -t tmpfs tmpfs "${directory%/*}"
        mkdir "$directory"
        mount --bind /mnt "$directory"
        umount --lazy /run/netns
        exec "$directory/program" "$@"
        """, "sh",
    ]

    private static func scene(
        _ body: (AgentFixture, Topology) async throws -> Void
    ) async throws {
        try requireRoot()
        let node = try #require(IPAddress("10.0.0.21"))
        let peer = try #require(IPAddress("192.0.2.7"))
        let topology = try Topology.nodeAndPeers(nodeAddresses: [node], peerAddresses: [peer])
        let agent = try AgentFixture(in: topology.node, configuration: base)
        agent.launcher = quietly + [agent.directory.path]
        do {
            try agent.start()
            try await body(agent, topology)
            try agent.stop()
            try topology.close()
        } catch {
            throw TestSupportError("\(error)\nThe agent logged:\n\(agent.log)")
        }
    }

    /// How often each thread of the agent and its processes was switched off to wait, by its name.
    private static func switches(_ agent: AgentFixture) throws -> [String: Int] {
        let pid = try #require(agent.process).pid
        var switches: [String: Int] = [:]
        for process in try ProcessTree.descendants(of: pid) {
            for (thread, count) in try ProcessTree.switches(of: process) {
                switches["\(ProcessTree.name(of: process) ?? "?") \(thread)"] = count
            }
        }
        return switches
    }

    /// Dispatch's threads end when they had nothing to do for 5 seconds; the last timers of what
    /// was done before come within 30, later on a busy machine. Whatever wakes again and again lets
    /// no 8 seconds pass.
    private static func expectSleep(
        _ agent: AgentFixture, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        var last: [String: Int] = [:]
        for _ in 0..<12 {
            let now = try switches(agent)
            if now == last { return }
            last = now
            // Asleep, not suspended: a task would wake when the other tests let it.
            sleep(8)
        }
        Issue.record("never quiet: \(last)", sourceLocation: sourceLocation)
    }

    @Test("after its start, no thread wakes in 8 seconds")
    func started() async throws {
        try await Self.scene { agent, _ in
            try agent.waitForStatus("in sync") { $0.state == .inSync }
            try Self.expectSleep(agent)
        }
    }

    @Test("nor after files, commands, probes, watchers, signals and other people's changes")
    func used() async throws {
        try await Self.scene { agent, topology in
            let peer = try PacketProbe(in: topology.outside)
            let address = try #require(IPAddress("192.0.2.7"))
            try peer.listen(at: [ProbeEndpoint(address, port: 8443)])
            let watcher = try agent.namespace.spawn([
                try BuiltProducts.path(of: "pexip-fwctl"), "monitor", "--json", "--socket",
                agent.socket,
            ])
            try agent.write(
                "guard: {confirm: 1h, probes: [\"tcp://192.0.2.7:8443\"]}\nfeatures: {ssh: true}",
                as: "50-site.yaml")
            try agent.waitForStatus("generation 2") { $0.generation == 2 }
            for command in ["confirm", "plan", "apply", "confirm", "rollback", "apply", "confirm"] {
                _ = try agent.control(command)
            }
            #expect(try agent.control("show", "rules").succeeded)
            try agent.waitForStatus("in sync") { $0.state == .inSync }

            let rules = try agent.rulesInKernel()
            try Nft.run(in: agent.namespace, "flush chain inet pexip_fw_conf_1 input_tcp")
            #expect(try waitUntil { try agent.rulesInKernel() == rules })
            try Nft.run(
                in: agent.namespace,
                "table inet t { chain c { type filter hook input priority 9; meta mark 7 drop; }; }"
            )
            try agent.waitForStatus("a shadow") { !$0.shadows.isEmpty }
            try Nft.run(in: agent.namespace, "delete table inet t")
            try agent.waitForStatus("no shadow") { $0.shadows.isEmpty }
            agent.process?.signal(SIGHUP)
            #expect(waitUntil { watcher.standardOutput.contains(#""kind":"repaired""#) })
            watcher.signal(SIGINT)
            #expect(watcher.wait(timeout: patience) == .exited(0))
            try Self.expectSleep(agent)
        }
    }
}
