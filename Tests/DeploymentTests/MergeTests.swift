import Deployment
import PortModel
import Testing

@Suite struct MergeTests {
    @Test func mappingsMergeAndListsReplace() throws {
        let loaded = load(
            files: """
                features: {ssh: true, http: true}
                groups: {g: [10.0.0.1, 10.0.0.2]}
                peers: {ssh_clients: ["@g"]}
                nodes:
                  a: {role: conferencing, address: 10.0.1.1, features: {ldap: true}}
                rules: [{name: x, nodes: all, direction: inbound, protocol: tcp}]
                """,
            """
            features: {http: false}
            groups: {g: [10.0.0.3]}
            nodes:
              a: {features: {smtp: true}}
              b: {role: management, address: 10.0.1.2}
            rules: [{name: y, nodes: all, direction: inbound, protocol: tcp}]
            """)
        #expect(loaded.diagnostics == [])
        let deployment = try #require(loaded.deployment)
        #expect(deployment.nodes.map(\.name) == ["a", "b"])
        #expect(deployment.nodes[0].features == [.ssh, .ldap, .smtp])
        #expect(
            deployment.nodes[0].peers == [.sshClients: .only(try DecodingTests.set("10.0.0.3"))])
        #expect(deployment.rules.map(\.name) == ["y"])
    }

    @Test func nullResets() {
        let loaded = load(
            files: "mode: observe\nports: {snmp: 1161, media: 20000-20100}\n" + node,
            "mode:\nports: {snmp: ~}\nnodes: {b: {role: management, address: 10.0.0.2}}",
            "nodes: {a: }\nports: ~", "ports: {snmp: 1162}")
        #expect(loaded.diagnostics == [])
        #expect(loaded.deployment?.mode == .enforce)
        #expect(loaded.deployment?.nodes.map(\.name) == ["b"])
        #expect(loaded.deployment?.nodes.first?.ports[.snmp] == [1162])
        #expect(loaded.deployment?.nodes.first?.ports[.media] == 40000...49999)
    }

    @Test func nodeOfNothingIsAMistake() {
        #expect(
            messages(node, "nodes:\n  b:\n")
                == [
                    "2.yaml:2:3: error: the node \"b\" has no content: write it, or remove the name"
                ])
    }

    @Test func anotherKindReplacesAndIsValidated() {
        #expect(
            messages(node, "nodes: 5") == [
                "2.yaml:1:8: error: nodes must be a mapping of keys, not \"5\""
            ])
        #expect(messages("ports: 5\nmode: [a]\n" + node, "ports: {snmp: 1}\nmode: observe") == [])
    }

    @Test func locationsAreThoseOfTheWinningFile() {
        #expect(
            messages("mode: a\nfeatures:\n  ssh: x\n  http: y\n" + node, "# \nfeatures: {http: z}")
                == [
                    "1.yaml:1:7: error: unknown mode \"a\": write enforce or observe",
                    "1.yaml:3:8: error: features.ssh must be true or false, not \"x\"",
                    "2.yaml:2:18: error: features.http must be true or false, not \"z\"",
                ])
    }

    @Test func conflictsBetweenFilesNameBoth() {
        #expect(
            messages(
                "nodes:\n  a-1: {role: management, address: 10.0.0.1}",
                "nodes:\n  a.1: {role: conferencing, address: 10.0.0.1}")
                == [
                    "2.yaml:2:3: error: the nodes \"a-1\" (at 1.yaml:2:3) and \"a.1\" would both have the table pexip_fw_a_1: rename one of them",
                    "2.yaml:2:38: error: 10.0.0.1 is an address of node \"a-1\", at 1.yaml:2:36: two nodes cannot share one",
                ])
    }

    /// What a file that can't be read may have held is not reported as missing.
    @Test func brokenFileDoesNotMakeOthersWrong() {
        #expect(
            messages("peers: {ssh_clients: [\"@g\"]}\nenforce: [b]\nmode: x", "groups: [")
                == [
                    "1.yaml:3:7: error: unknown mode \"x\": write enforce or observe",
                    "2.yaml:1:10: error: did not find expected node content while parsing a flow node",
                ])
    }

    private func messages(_ first: String, _ second: String) -> [String] {
        load(files: first, second).diagnostics.map(\.description)
    }
}
