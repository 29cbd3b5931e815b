import Configuration
import PortModel
import Site
import Testing

@Suite struct DecodingTests {
    /// The documentation's example.
    static let example = """
        version: 1
        profile: infinity-14
        placement: local            # local | gateway
        enforce: auto
        mode: enforce               # enforce | observe
        ports:
          ephemeral: 55000-65535
          signaling: 33000-39999
          media: 40000-49999
          snmp: 161
          syslog: 514
          stun_turn: 3478
          psom: [443, 8057]
        transports: {syslog: udp}   # udp | tcp
        features:
          ssh: true
          http: false
          snmp: true
        groups:
          office: [10.1.0.0/16, "2001:db8:1::/48"]
        peers:
          ssh_clients: ["@office"]
          dns_servers: [10.0.0.2]
        nodes:
          mgmt:
            role: management
            address: 10.0.0.10
          conf-lon-1:
            role: conferencing
            address: [10.0.0.21, "2001:db8::21"]
            secondary_address: 198.51.100.21
            features: {snmp: false}
        host:
          ping: true
          dhcp_client: false
          track_media: auto
        rules:
          - name: node-exporter
            nodes: [conf-lon-1]
            direction: inbound
            protocol: tcp
            destination_ports: 9100
            peers: ["@office"]
        guard:
          confirm: 60s
          probes: ["tcp://10.0.0.10:443"]
          revoke_established: true

        """

    static func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    static func set(_ elements: String...) throws -> AddressSet {
        AddressSet(ranges: try elements.map { try parseAddressRange($0) })
    }

    @Test func example() throws {
        let loaded = load(Self.example)
        #expect(loaded.diagnostics == [])
        #expect(loaded.deployment?.guards.revokeEstablished == true)
        let office = Peers.only(try Self.set("10.1.0.0/16", "2001:db8:1::/48"))
        let peers: [PeerClass: Peers] = [
            .sshClients: office, .dnsServers: .only(try Self.set("10.0.0.2")),
        ]
        var host = Host()
        host.ping = true
        var guards = Guard()
        guards.confirm = .seconds(60)
        guards.probes = [Probe(address: try Self.address("10.0.0.10"), port: 443)]
        let expected = Deployment(
            nodes: [
                Node(
                    name: "mgmt", role: .management, addresses: [try Self.address("10.0.0.10")],
                    features: [.ssh, .snmp], peers: peers),
                Node(
                    name: "conf-lon-1", role: .conferencing,
                    addresses: [try Self.address("10.0.0.21"), try Self.address("2001:db8::21")],
                    secondaryAddresses: [try Self.address("198.51.100.21")], features: [.ssh],
                    peers: peers),
            ],
            host: host,
            rules: [
                SiteRule(
                    name: "node-exporter", nodes: ["conf-lon-1"], direction: .inbound,
                    protocol: .tcp, destinationPorts: [9100...9100], peers: office)
            ], guards: guards)
        #expect(loaded.deployment == expected)
        #expect(
            loaded.deployment?.nodes.map(\.tableName) == ["pexip_fw_conf_lon_1", "pexip_fw_mgmt"])
    }

    @Test func overridesOfANode() throws {
        let loaded = load(
            """
            ports: {media: 40000-41000, psom: 8057}
            transports: {syslog: tcp}
            features: {ssh: true, ldap: true}
            peers: {dns_servers: [10.0.0.2], ntp_servers: [10.0.0.3]}
            nodes:
              a:
                role: conferencing
                address: 10.0.0.1
              b:
                role: conferencing
                address: 10.0.0.4
                ports: {signaling: 20000-20999, media: 40000-49999, psom: [8057, 443]}
                transports: {syslog: udp}
                features: {ssh: false, http: true}
                peers: {dns_servers: any, ntp_servers: [10.0.0.5-10.0.0.6]}
            """)
        #expect(loaded.diagnostics == [])
        let a = try #require(loaded.deployment?.node(named: "a"))
        #expect(a.ports[.media] == 40000...41000)
        #expect(a.ports[.psom] == [8057])
        #expect(a.syslogTransport == .tcp)
        #expect(a.features == [.ssh, .ldap])
        let b = try #require(loaded.deployment?.node(named: "b"))
        #expect(b.ports[.signaling] == 20000...20999)
        #expect(b.ports[.media] == 40000...49999)
        #expect(b.ports[.psom] == [8057, 443])
        #expect(b.syslogTransport == .udp)
        #expect(b.features == [.http, .ldap])
        #expect(b.peers == [.ntpServers: .only(try Self.set("10.0.0.5-10.0.0.6"))])
    }

    @Test func equalSettingsAreEqualDeployments() {
        let defaults = load(node).deployment
        #expect(defaults != nil)
        #expect(load("ports: {media: 40000-49999, snmp: 161}\n" + node).deployment == defaults)
        #expect(
            load("peers: {endpoints: any}\nfeatures: {ssh: false}\n" + node).deployment == defaults)
    }

    @Test func groupsOfGroups() throws {
        let loaded = load(
            """
            groups: {all: ["@office", "@lab"], lab: [10.2.0.0/16], office: ["@lab", 10.3.0.1]}
            peers: {ssh_clients: ["@all", 10.9.0.1]}

            """ + node)
        #expect(loaded.diagnostics == [])
        #expect(
            loaded.deployment?.nodes[0].peers[.sshClients]
                == .only(try Self.set("10.2.0.0/16", "10.3.0.1", "10.9.0.1")))
    }

    @Test(arguments: [
        ("[c1, c2]", ["c1", "c2"]), ("c1", ["c1"]), ("conferencing", ["c1", "c2"]),
        ("[management, c2]", ["c2", "m"]), ("all", ["c1", "c2", "m"]), ("[c1, c1]", ["c1"]),
    ])
    func nodesOfRules(nodes: String, expected: [String]) throws {
        let loaded = load(
            """
            nodes:
              m: {role: management, address: 10.0.0.1}
              c1: {role: conferencing, address: 10.0.0.2}
              c2: {role: conferencing, address: 10.0.0.3}
            rules:
              - {name: x, nodes: \(nodes), direction: outbound, protocol: udp,
                 source_ports: [1, 5-7, 6-9], destination_ports: 80-90}
            """)
        #expect(loaded.diagnostics == [])
        let rule = try #require(loaded.deployment?.rules.first)
        #expect(rule.nodes == Set(expected))
        #expect(rule.direction == .outbound)
        #expect(rule.protocol == .udp)
        #expect(rule.sourcePorts == [1...1, 5...9])
        #expect(rule.destinationPorts == [80...90])
        #expect(rule.peers == .any)
    }

    @Test func otherSettings() {
        let loaded = load(
            """
            enforce: [a]
            mode: observe
            host: {ping: true, dhcp_client: true, track_media: true}
            guard: {confirm: off, probes: [], revoke_established: false}
            rules: [{name: e, nodes: a, direction: inbound, protocol: esp, peers: any}]

            """ + node)
        #expect(loaded.diagnostics == [])
        #expect(loaded.deployment?.enforce == .nodes(["a"]))
        #expect(loaded.deployment?.mode == .observe)
        #expect(loaded.deployment?.host.ping == true)
        #expect(loaded.deployment?.host.dhcpClient == true)
        #expect(loaded.deployment?.host.trackMedia == .always)
        #expect(loaded.deployment?.guards.confirm == nil)
        #expect(loaded.deployment?.guards.revokeEstablished == false)
        #expect(loaded.deployment?.rules.first?.protocol == .esp)
    }

    @Test(arguments: ["", "# nothing\n", "---\n", "~", "\u{feff}", "nodes:\nports: ~\n"])
    func nothingConfigured(text: String) {
        let loaded = load(text)
        #expect(loaded.diagnostics == [])
        #expect(loaded.deployment == nil)
    }

    @Test func windowsLineEndsAndByteOrderMark() {
        let text = "\u{feff}" + Self.example.split(separator: "\n").joined(separator: "\r\n")
        #expect(load(text).deployment == load(Self.example).deployment)
        #expect(
            load("\u{feff}nodez: 1\r\nnodes: 2").diagnostics.map(\.description).last
                == "a.yaml:2:8: error: nodes must be a mapping of keys, not \"2\"")
    }
}
