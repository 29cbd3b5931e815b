import Authoring
import Configuration
import PortModel
import Site
import Testing

@Suite struct StartingFileTests {
    private static func node(_ text: String) throws -> NodeAnswer { try NodeAnswer(parsing: text) }

    private static let nodes = [
        ["mgmt:management:10.0.0.10"], ["null:conferencing:2001:db8::21"],
        [
            "mgmt:management:10.0.0.10+2001:db8::10",
            "conf-1:conferencing:10.0.0.21+2001:db8::21,198.51.100.21",
            "12:conferencing:10.0.0.22,198.51.100.22+2001:db8:5::22",
        ],
    ]

    private static let accesses: [Answers.SSHAccess] = [
        .closed, .any, .from(["10.1.0.0/16"]),
        .from(["10.1.0.5", "2001:db8:1::/48", "10.2.0.1-10.2.0.9"]),
    ]

    private func load(_ answers: Answers) -> LoadedConfiguration {
        LoadedConfiguration(parsing: [
            ConfigurationSource(path: StartingFile.name, text: StartingFile(answers).text)
        ])
    }

    /// Each combination of answers loads and means what was answered.
    @Test(arguments: Placement.allCases, nodes) func combinations(
        placement: Placement, nodes: [String]
    ) throws {
        for access in Self.accesses {
            for features in [[], [Feature.snmp], Feature.allCases.filter { $0 != .ssh }] {
                for hasWayIn in [false, true] {
                    for dhcpClient in [false, true] {
                        var answers = Answers()
                        answers.placement = placement
                        for text in nodes { try answers.add(Self.node(text)) }
                        answers.ssh = access
                        answers.use(features)
                        answers.dhcpClient = dhcpClient
                        if hasWayIn {
                            answers.wayIn = .init(node: answers.nodes[0].name, port: 2222)
                        }
                        try check(answers)
                    }
                }
            }
        }
    }

    private func check(_ answers: Answers) throws {
        let loaded = load(answers)
        let text = StartingFile(answers).text
        // Peers of a family that no node has are told of, as they should be.
        #expect(
            loaded.diagnostics.filter { !$0.message.contains("nothing will match them") } == [],
            "\(text)")
        let deployment = try #require(loaded.deployment, "\(text)")
        #expect(deployment.placement == answers.placement)
        #expect(deployment.mode == .enforce)
        #expect(deployment.enforce == .auto)
        #expect(deployment.host.dhcpClient == answers.dhcpClient)
        #expect(!deployment.host.ping)
        #expect(deployment.guards.confirm == .seconds(300))
        #expect(deployment.nodes.count == answers.nodes.count)
        var peers: [PeerClass: Peers] = [:]
        if case .from(let words) = answers.ssh {
            let ranges = try words.map { try parseAddressRange($0) }
            peers[.sshClients] = .only(AddressSet(ranges: ranges))
        }
        for answer in answers.nodes {
            #expect(
                deployment.node(named: answer.name)
                    == Node(
                        name: answer.name, role: answer.role, addresses: answer.addresses,
                        secondaryAddresses: answer.secondaryAddresses,
                        features: answers.features.union(answers.ssh == .closed ? [] : [.ssh]),
                        peers: peers), "\(text)")
        }
        let rules = answers.wayIn.map { wayIn in
            [
                SiteRule(
                    name: "admin-ssh", nodes: [wayIn.node], direction: .inbound, protocol: .tcp,
                    destinationPorts: [wayIn.port...wayIn.port], peers: peers[.sshClients] ?? .any)
            ]
        }
        #expect(deployment.rules == rules ?? [])
        // Longer lines than a terminal's hold values only.
        for line in text.split(separator: "\n") where line.count > 80 {
            #expect(!line.contains("#") || line.hasPrefix("# yaml-language-server"), "\(line)")
        }
    }

    /// The keys that stand there as comments can be taken over.
    @Test func commentedKeysLoadToo() throws {
        var answers = Answers()
        try answers.add(Self.node("mgmt:management:10.0.0.10+2001:db8::10"))
        let text = StartingFile(answers).text.split(separator: "\n").map { line in
            line.hasPrefix("  # ") && line.contains(": [") ? "  " + line.dropFirst(4) : line
        }.joined(separator: "\n")
        let loaded = LoadedConfiguration(parsing: [ConfigurationSource(path: "a", text: text)])
        #expect(loaded.diagnostics == [])
        #expect(
            Set(loaded.deployment?.nodes[0].peers.keys.map { $0 } ?? [])
                == [.sshClients, .dnsServers, .ntpServers, .webClients])
    }

    @Test func text() throws {
        var answers = Answers()
        try answers.add(Self.node("mgmt:management:10.0.0.10"))
        try answers.add(Self.node("conf-1:conferencing:10.0.0.21,198.51.100.21"))
        answers.ssh = .from(["10.1.0.0/16"])
        let lines = StartingFile(answers).text.split(separator: "\n").map(String.init)
        #expect(lines.first == ConfigurationSchema.modeline)
        #expect(
            lines.filter { !$0.contains("#") } == [
                "version: 1", "profile: infinity-14", "placement: local", "mode: enforce",
                "features:", "groups:", "  administrators: [10.1.0.0/16]", "peers:", "nodes:",
                "  mgmt:", "    role: management", "    address: 10.0.0.10", "  conf-1:",
                "    role: conferencing", "    address: 10.0.0.21",
                "    secondary_address: 198.51.100.21", "host:", "guard:", "  confirm: 5m",
            ])
        #expect(lines.contains("  ssh: true                  # Administration by SSH."))
    }
}
