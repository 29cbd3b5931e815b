import Configuration
import Foundation
import Policy
import PortModel
import Ruleset
import Site
import Testing

/// The compiled tables of two ordinary nodes, kept beside the tests as nft's language.
///
/// `PEXIP_FW_RECORD_GOLDEN=1` writes them anew and still fails, so that a recording is looked at.
@Suite("Golden rulesets")
struct GoldenTests {
    @Test("a deployment compiles to the recorded tables", arguments: ["conf-lon-1", "mgmt"])
    func golden(name: String) throws {
        let loaded = LoadedConfiguration(parsing: [
            ConfigurationSource(path: "golden.yaml", text: Self.configuration)
        ])
        let deployment = try #require(loaded.deployment, "\(loaded.diagnostics)")
        let node = try #require(deployment.node(named: name))
        let text = Policy(of: node, in: deployment).compileLocal().text
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Golden/\(name).nft")
        if ProcessInfo.processInfo.environment["PEXIP_FW_RECORD_GOLDEN"] != nil {
            try Data(text.utf8).write(to: file)
            Issue.record("recorded \(file.lastPathComponent): look at the difference")
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == text)
    }

    private static let configuration = """
        features: {ssh: true, http: true, snmp: true, sip_udp: true, syslog: true}
        groups:
          office: [10.1.0.0/16, "2001:db8:1::/48"]
        peers:
          ssh_clients: ["@office"]
          dns_servers: [10.0.0.2]
        nodes:
          mgmt: {role: management, address: 10.0.0.10}
          conf-lon-1:
            role: conferencing
            address: [10.0.0.21, "2001:db8::21"]
            secondary_address: 198.51.100.21
          conf-lon-2: {role: conferencing, address: [10.0.0.22, "2001:db8::22"]}
        host: {ping: true}
        rules:
          - name: node-exporter
            nodes: [conf-lon-1]
            direction: inbound
            protocol: tcp
            destination_ports: 9100
            peers: ["@office"]
        """
}
