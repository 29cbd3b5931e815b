import Configuration
import PortModel
import Site
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

    /// Whether it is there before or behind what says something.
    @Test func mappingWithNothingBelowItSaysNothing() {
        let nothing = [
            "ports", "transports", "features", "groups", "peers", "nodes", "host", "refusals",
            "guard",
        ].map { "\($0):\n" }
        let something = """
            features: {ssh: true}
            ports: {snmp: 1161}
            groups: {g: [10.0.0.9]}
            peers: {ssh_clients: ["@g"]}
            host: {ping: true}

            """
        let alone = load(something + node).deployment
        #expect(alone?.nodes.first?.features == [.ssh])
        for texts in [
            (nothing.joined(), something + node), (something + node, nothing.joined()),
            (something + node, "nodes: {a: {features: , ports: , peers: , transports: }}"),
        ] {
            let loaded = load(files: texts.0, texts.1)
            #expect(loaded.diagnostics == [], "\(texts)")
            #expect(loaded.deployment == alone, "\(texts)")
        }
    }

    /// What nobody else has is no value, and what somebody else has is not taken back.
    @Test func missingValuesAreMistakes() {
        #expect(
            messages(
                "mode: observe\nports: {snmp: 1161}\npeers: {ssh_clients: [10.0.0.9]}\n" + node,
                "mode:\nports: {snmp: ~}\npeers: {ssh_clients: , dns_servers: }")
                == [
                    "2.yaml:1:1: error: the mode must be enforce or observe, and has no value: write one, or remove the key: without it, what stands at 1.yaml:1:7 counts",
                    "2.yaml:2:15: error: ports.snmp must be one port, and has no value: write one, or remove the key: without it, what stands at 1.yaml:2:15 counts",
                    "2.yaml:3:9: error: peers.ssh_clients must be any or a list of addresses, prefixes, ranges and groups, and has no value: write one, or remove the key: without it, what stands at 1.yaml:3:22 counts",
                    "2.yaml:3:24: error: peers.dns_servers must be any or a list of addresses, prefixes, ranges and groups, and has no value: write one, or remove the key",
                ])
        // A later file's value makes good for it, as for any other mistake.
        #expect(messages("mode:\n" + node, "mode: observe") == [])
    }

    @Test func whatAnEarlierFileHasIsNotTakenBack() {
        #expect(
            messages("features: {ssh: true}\n" + node, "features: ~\nnodes: {a: {peers: null}}")
                == [
                    "2.yaml:1:11: error: \"features\" is not taken back by ~, which has no such meaning: write the values that are to count in place of those at 1.yaml:1:11, or remove the key"
                ])
        #expect(
            messages("groups: {g: [10.0.0.9]}\n" + node, "groups: {g: }\nnodes:\n  a:\n  b:\n")
                == [
                    "2.yaml:1:10: error: the group \"g\" has no content: write it, or remove it here, which leaves what stands at 1.yaml:1:13; to have no such group, remove it there",
                    "2.yaml:3:3: error: the node \"a\" has no content: write it, or remove it here, which leaves what stands at 1.yaml:2:12; to have no such node, remove it there",
                    "2.yaml:4:3: error: the node \"b\" has no content: write it, or remove the name",
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
