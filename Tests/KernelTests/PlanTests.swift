import Enforcement
import Foundation
import PortModel
import Reports
import TestSupport
import Testing

/// What `plan` says beforehand is what `apply` does, and `plan` does nothing.
@Suite("Plan")
struct PlanTests {
    private static let base = """
        nodes:
          conf-1: {role: conferencing, address: 10.0.0.21}
          conf-2: {role: conferencing, address: 10.0.0.22}
        """

    private static func configuration(ssh: Bool) -> String { base + "\nfeatures: {ssh: \(ssh)}\n" }

    /// The agent takes up files by itself, so that a difference is left by a rollback.
    private static func differing(
        _ body: (AgentFixture, PacketProbe.Connection) throws -> Void
    ) throws {
        try requireRoot()
        let node = try #require(IPAddress("10.0.0.21"))
        let peer = try #require(IPAddress("192.0.2.7"))
        let topology = try Topology.nodeAndPeers(nodeAddresses: [node], peerAddresses: [peer])
        try topology.use { topology in
            try AgentFixture.with(configuration(ssh: true), in: topology.node) { agent in
                try agent.write(configuration(ssh: false))
                try agent.waitForStatus("generation 2") { $0.generation == 2 }
                try agent.control("rollback", "1").requireSuccess()
                let inside = try PacketProbe(in: topology.node)
                let outside = try PacketProbe(in: topology.outside)
                try inside.listen(at: [ProbeEndpoint(node, port: 22)])
                let (connection, outcome) = try outside.open(
                    from: ProbeEndpoint(peer, port: 20_001), to: ProbeEndpoint(node, port: 22))
                let opened = try #require(connection, "\(outcome)")
                try #require(try opened.echo() == .established)
                try body(agent, opened)
            }
        }
    }

    @Test("rows, live flows and rules are told beforehand, by both names, and nothing changes")
    func plan() throws {
        try Self.differing { agent, connection in
            let rules = try agent.rulesInKernel()
            let closed = """
                conf-1
                  closed    conferencing.in.ssh: TCP <any> -> 22 from any

                """
            let plan = try agent.control("plan").requireSuccess().standardOutput
            #expect(
                plan == closed
                    + "would apply: 1 row closes; 1 established flow would end; now generation 1 is in force\n"
            )
            #expect(
                try agent.control("apply", "--dry-run").requireSuccess().standardOutput == plan)
            let nft = try agent.control("plan", "--nft").requireSuccess().standardOutput
            #expect(nft.contains("table inet pexip_fw_conf_1\n"))
            #expect(nft.contains("  chain input_tcp\n    - tcp dport 22 counter "))
            let json = try JSONDecoder().decode(
                ApplyReport.self,
                from: Data(try agent.control("plan", "--json").requireSuccess().standardOutput.utf8)
            )
            #expect(json.outcome == .wouldApply)
            #expect(json.endedFlows == 1)
            #expect(json.changes.map(\.row) == ["conferencing.in.ssh"])
            #expect(try agent.rulesInKernel() == rules)
            #expect(try connection.echo() == .established)

            let applied = try agent.control("apply").requireSuccess().standardOutput
            #expect(
                applied == closed + "applied: generation 3 is in force; ended 1 established flow\n")
            #expect(
                try agent.control("plan").requireSuccess().standardOutput
                    == "nothing would change: generation 3 is what the configuration says\n")

            try agent.write("nodes: {conf-1: {rol: x}}", as: "60-wrong.yaml")
            let wrong = try agent.control("plan")
            #expect(wrong.status == .exited(1))
            #expect(wrong.standardError.contains("60-wrong.yaml:1:18: error:"))
            #expect(
                wrong.standardError.contains("the configuration has 1 error: apply would refuse it")
            )
        }
    }

    @Test("without the agent it compares with what is stored, or says that everything is new")
    func withoutAgent() throws {
        try Self.differing { agent, _ in
            try agent.stop()
            func plan(_ arguments: String..., state: String) throws -> ProcessResult {
                try agent.namespace.run(
                    [
                        try BuiltProducts.path(of: "pexip-fwctl"), "plan", "--state-dir", state,
                        "--config-dir", agent.configurationDirectory.path,
                    ] + arguments)
            }
            let stored = try plan(state: agent.stateDirectory.path).requireSuccess()
            #expect(
                stored.standardOutput.contains("  closed    conferencing.in.ssh: TCP <any> -> 22"))
            #expect(stored.standardError.contains("compared with the stored generation 1"))
            let new = try plan("--node", "conf-2", state: "/nowhere").requireSuccess()
            #expect(new.standardOutput.hasPrefix("conf-2 joins (conferencing; 10.0.0.22)\n"))
            #expect(new.standardError.contains("everything is new"))
            // What can't be read is not taken for nothing.
            let unreadable = try agent.namespace.run([
                "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                try BuiltProducts.path(of: "pexip-fwctl"), "plan", "--socket", agent.socket,
                "--config-dir", agent.configurationDirectory.path, "--state-dir",
                agent.stateDirectory.path,
            ])
            #expect(unreadable.standardError.contains("everything is shown as new"))
            #expect(unreadable.succeeded)
            try agent.start()
        }
    }
}
