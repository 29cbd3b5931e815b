import Enforcement
import Foundation
import PortModel
import Reports
import TestSupport
import Testing
import Reports

/// The agent takes back what nobody confirms, whatever happens to it meanwhile.
@Suite("Commit-confirm")
struct ConfirmTests {
    private static let base = """
        features: {ssh: true}
        nodes:
          conf-1: {role: conferencing, address: 10.0.0.21}
          conf-2: {role: conferencing, address: 10.0.0.22}
        """

    private static func scene(_ body: (AgentFixture, Topology) throws -> Void) throws {
        try requireRoot()
        let node = try #require(IPAddress("10.0.0.21"))
        let peer = try #require(IPAddress("192.0.2.7"))
        let topology = try Topology.nodeAndPeers(nodeAddresses: [node], peerAddresses: [peer])
        try topology.use { topology in
            try AgentFixture.with(base, in: topology.node) { try body($0, topology) }
        }
    }

    /// What the kernel holds, in no order: an object that is made anew stands at another place.
    private static func rules(_ agent: AgentFixture) throws -> [Substring] {
        try agent.rulesInKernel().split(separator: "\n").sorted()
    }

    @Test("an agent killed in the time to confirm takes back at the deadline, or at its start")
    func killed() throws {
        try Self.scene { agent, _ in
            let before = try Self.rules(agent)
            agent.kill()
            // Nobody sees the file until the agent is there to be commanded.
            try agent.write("features: {ssh: false}\nguard: {confirm: 10s}", as: "50-ssh.yaml")
            try agent.start()
            var status = try agent.status()
            #expect(status.state == .pendingConfirmation)
            #expect(status.generation == 2)
            #expect(status.confirmedGeneration == 1)
            let during = try Self.rules(agent)
            #expect(during != before)

            // Killed and started in time: the rest of the time remains.
            agent.kill()
            #expect(try Self.rules(agent) == during)
            try agent.start()
            status = try agent.status()
            #expect(status.state == .pendingConfirmation)
            #expect(try #require(status.pending).secondsLeft < 10)
            try agent.waitForStatus("reverted") { $0.state == .reverted }
            #expect(try Self.rules(agent) == before)
            #expect(try agent.control("status").status == .exited(1))

            // Killed and away until the time has passed.
            let apply = try agent.control("apply", "--confirm", "10s").requireSuccess()
            #expect(apply.standardOutput.contains("pexip-fwctl confirm within 10 s"))
            #expect(try Self.rules(agent) != before)
            agent.kill()
            let deadline = Date().addingTimeInterval(10.5)
            _ = waitUntil { Date() > deadline }
            #expect(try Self.rules(agent) != before, "the rules outlive the agent")
            try agent.start()
            #expect(try agent.status().state == .reverted)
            #expect(try Self.rules(agent) == before)
        }
    }

    @Test("what is confirmed stays")
    func confirmed() throws {
        try Self.scene { agent, _ in
            #expect(try agent.control("confirm").status == .exited(1))
            try agent.write("features: {ssh: false}\nguard: {confirm: 10s}", as: "50-ssh.yaml")
            try agent.waitForStatus("pending") { $0.state == .pendingConfirmation }
            let text = try agent.control("status").requireSuccess().standardOutput
            #expect(text.contains("PENDING CONFIRMATION"))
            #expect(text.contains("generation 1 comes back"))
            let rules = try Self.rules(agent)
            let confirm = try agent.control("confirm").requireSuccess()
            #expect(confirm.standardOutput == "confirmed: generation 2 stays\n")
            #expect(try agent.status().state == .inSync)
            let deadline = Date().addingTimeInterval(10.5)
            _ = waitUntil { Date() > deadline }
            #expect(try agent.status().state == .inSync)
            #expect(try Self.rules(agent) == rules)
        }
    }

    @Test("apply refuses to cut the SSH session that it was typed in, also below sudo")
    func session() throws {
        try Self.scene { agent, topology in
            func apply(_ arguments: String...) throws -> ProcessResult {
                // As sudo does it: the session's shell has the variable, its children do not.
                let words = arguments.joined(separator: " ")
                let program = try BuiltProducts.path(of: "pexip-fwctl")
                return try topology.node.run([
                    "env", "SSH_CONNECTION=192.0.2.7 50123 10.0.0.21 22", "sh", "-c",
                    "env -u SSH_CONNECTION \(program) --socket \(agent.socket) apply \(words); exit $?",
                ])
            }
            let rules = try Self.rules(agent)
            #expect(try apply("--dry-run").status == .exited(0))
            _ = try apply().requireSuccess()
            #expect(try Self.rules(agent) == rules)

            try agent.write("features: {ssh: false}", as: "50-ssh.yaml")
            try agent.waitForStatus("generation 2") { $0.generation == 2 }
            _ = try agent.control("rollback", "1").requireSuccess()
            for arguments in ["", "--dry-run"] {
                let refused = try apply(arguments)
                #expect(refused.status == .exited(1))
                #expect(refused.standardError.contains("it would cut the SSH session"))
                #expect(refused.standardError.contains("--force"))
            }
            #expect(try Self.rules(agent) == rules)
            // Without a session, and with force, it is done.
            _ = try apply("--force").requireSuccess()
            #expect(try Self.rules(agent) != rules)
        }
    }

    @Test("a configuration whose probe does not connect is taken back and not tried again")
    func probes() throws {
        try Self.scene { agent, topology in
            let rules = try Self.rules(agent)
            let rule =
                "rules: [{name: probe, nodes: all, direction: outbound, protocol: tcp, destination_ports: [8443, 8444]}]\n"
            try agent.write(
                rule + "guard: {probes: [\"tcp://192.0.2.7:8443\", \"tcp://192.0.2.7:8444\"]}",
                as: "50-probe.yaml")
            try agent.waitForStatus("reverted") { $0.state == .reverted }
            #expect(try Self.rules(agent) == rules)
            let status = try agent.status()
            #expect(status.hold?.reason == .probe)
            let explanation = try #require(status.hold?.explanation)
            #expect(
                explanation.contains("tcp://192.0.2.7:8443 did not connect: Connection refused"))

            let peer = try PacketProbe(in: topology.outside)
            let address = try #require(IPAddress("192.0.2.7"))
            try peer.listen(at: [8443, 8444].map { ProbeEndpoint(address, port: $0) })
            _ = try agent.control("apply").requireSuccess()
            #expect(try agent.status().state == .inSync)
            #expect(try Self.rules(agent) != rules)

            // A probe that the new rules themselves would refuse is refused before anything happens.
            try agent.write("guard: {probes: [\"tcp://192.0.2.7:1\"]}", as: "60-probe.yaml")
            let refused = try agent.control("apply")
            #expect(refused.status == .exited(1))
            #expect(refused.standardError.contains("it would refuse the probe tcp://192.0.2.7:1"))
        }
    }

    /// Restores as a boot does, into a kernel that holds nothing of ours.
    private static func restore(
        _ agent: AgentFixture, bootID: String? = nil
    ) throws -> ProcessResult {
        _ = try agent.namespace.run(["nft", "delete", "table", "inet", "pexip_fw_conf_1"])
            .requireSuccess()
        return try agent.namespace.run(
            [
                try BuiltProducts.path(of: "pexip-fwd"), "restore", "--state-dir",
                agent.stateDirectory.path,
            ], environment: bootID.map { ["PEXIP_FW_BOOT_ID": $0] } ?? [:])
    }

    @Test("a boot restores the confirmed generation, without configuration and agent")
    func restore() throws {
        try Self.scene { agent, _ in
            let confirmed = try Self.rules(agent)
            try agent.write("features: {ssh: false}\nguard: {confirm: 1h}", as: "50-ssh.yaml")
            try agent.waitForStatus("pending") { $0.state == .pendingConfirmation }
            let pending = try Self.rules(agent)
            agent.kill()
            try FileManager.default.removeItem(at: agent.configurationDirectory)

            // Within the boot, the time to confirm still runs.
            #expect(try Self.restore(agent).requireSuccess().standardError.contains("restored"))
            #expect(try Self.rules(agent) == pending)
            let restored = try Self.restore(agent, bootID: "another").requireSuccess()
            #expect(restored.standardError.contains("restored generation=1"))
            #expect(try Self.rules(agent) == confirmed)

            // Nothing left to restore fails, and leaves nothing behind.
            for name in ["1.json", "2.json"] {
                try FileManager.default.removeItem(
                    at: agent.stateDirectory.appending(path: "generations/\(name)"))
            }
            let failed = try Self.restore(agent, bootID: "another")
            #expect(failed.status == .exited(1))
            #expect(failed.standardError.contains("generation"))
            #expect(try Self.rules(agent) == [])

            // For the fixture, which expects to end an agent.
            try FileManager.default.createDirectory(
                at: agent.configurationDirectory, withIntermediateDirectories: false)
            try agent.start()
        }
    }

    @Test("a removal takes our tables away and no others, and keeps the state")
    func removal() throws {
        try Self.scene { agent, _ in
            _ = try agent.namespace.run(["nft", "add", "table", "inet", "other"]).requireSuccess()
            // Named like ours, without the stamp that ours have.
            _ = try agent.namespace.run(
                ["nft", "add", "table", "inet", "pexip_fw_others_own"]
            ).requireSuccess()
            agent.kill()
            let program = try BuiltProducts.path(of: "pexip-fwd")
            let arguments = ["remove-tables"]
            let removed = try agent.namespace.run([program] + arguments).requireSuccess()
            #expect(removed.standardError.contains("removed table=pexip_fw_conf_1"))
            #expect(
                try agent.namespace.run(["nft", "list", "tables"]).requireSuccess().standardOutput
                    == "table inet other\ntable inet pexip_fw_others_own\n")
            #expect(removed.standardError.contains("pexip_fw_others_own"))
            // None is left to take away.
            let again = try agent.namespace.run([program] + arguments).requireSuccess()
            #expect(!again.standardError.contains("removed"))

            try agent.start()
            try agent.waitForStatus("in sync") { $0.state == .inSync && $0.generation == 1 }
        }
    }
}
