import Site
import Policy
import PortModel
import Ruleset
import Testing

@testable import Enforcement
@testable import Reports

@Suite struct PacketQueryTests {
    static let node =
        "nodes: {conf: {role: conferencing, address: [10.0.0.21, \"2001:db8::21\"]}}\n"
    static let gateway = """
        placement: gateway
        nodes:
          a: {role: conferencing, address: 10.0.0.21}
          b: {role: conferencing, address: 10.0.0.22, features: {ssh: true}}
          c: {role: conferencing, address: 10.0.0.23}
        enforce: [a, b]

        """

    static func explain(
        _ text: String, _ ipProtocol: String, _ from: String, _ to: String
    ) throws -> ExplainReport {
        let target = try #require(compile(text).target)
        let packet = try PacketQuery(protocol: ipProtocol, source: from, destination: to)
            .packet(for: target.nodes, in: target.ruleset.placement)
        return ExplainReport(
            packet, by: target.ruleset, nodes: target.nodes, deployment: .success(target.deployment)
        )
    }

    // MARK: Rows that are off

    struct Question: Sendable {
        var text: String
        var ipProtocol = "tcp"
        var from = "192.0.2.7"
        var to: String
        var inactive: [String]
    }

    @Test(arguments: [
        Question(text: node, to: "10.0.0.21:22", inactive: ["conferencing.in.ssh"]),
        // Peers: SSH would not be for this client even if it were on.
        Question(
            text: node + "peers: {ssh_clients: [10.9.0.1]}\n", to: "10.0.0.21:22", inactive: []),
        Question(
            text: node + "peers: {ssh_clients: [192.0.2.7]}\n", to: "10.0.0.21:22",
            inactive: ["conferencing.in.ssh"]),
        // Ports: SNMP is where the site has it.
        Question(
            text: node + "ports: {snmp: 1161}\n", ipProtocol: "udp", from: "10.0.0.21",
            to: "192.0.2.7:161", inactive: []),
        Question(
            text: node + "ports: {snmp: 1161}\n", ipProtocol: "udp", from: "10.0.0.21",
            to: "192.0.2.7:1161", inactive: ["conferencing.out.snmp"]),
        // Planes: SSH is for the primary address.
        Question(
            text: node.replacing("]}}", with: "], secondary_address: 198.51.100.21}}"),
            to: "198.51.100.21:22", inactive: []),
        // A feature of one node says nothing about another.
        Question(text: gateway, to: "10.0.0.21:22", inactive: ["conferencing.in.ssh"]),
        Question(text: gateway, to: "10.0.0.22:22", inactive: []),
        // Nobody asks for a node that is not enforced.
        Question(text: gateway, to: "10.0.0.23:22", inactive: []),
        // Both ends are judged; the sender has no such row at all.
        Question(
            text: gateway, from: "10.0.0.22", to: "10.0.0.21:22",
            inactive: ["conferencing.in.ssh"]),
    ])
    func namesRowsWhoseFeatureIsOffForTheNode(_ question: Question) throws {
        let report = try Self.explain(
            question.text, question.ipProtocol, question.from, question.to)
        #expect(report.inactive == question.inactive)
        #expect(question.inactive.allSatisfy { report.rows[$0] != nil })
    }

    @Test func withoutADeploymentNoRowIsNamed() throws {
        let target = try #require(compile(Self.node).target)
        let packet = try PacketQuery(
            protocol: "tcp", source: "192.0.2.7", destination: "10.0.0.21:22"
        ).packet(for: target.nodes, in: .local)
        let report = ExplainReport(
            packet, by: target.ruleset, nodes: target.nodes,
            deployment: .failure(RefusedFiles(of: 3, [])))
        #expect(report.explanation.verdict == .drop)
        #expect(report.incomplete?.contains("generation 3") == true)
        #expect(report.inactive == [])
        #expect(!report.rows.isEmpty)
    }

    // MARK: Packets

    @Test(arguments: [("10.0.0.21", "10.0.0.21:9999"), ("2001:db8::21", "[2001:db8::21]:9999")])
    func aNodesTrafficWithItselfPasses(_ from: String, _ to: String) throws {
        let report = try Self.explain(Self.node, "tcp", from, to)
        #expect(report.explanation.verdict == .accept)
        #expect(report.explanation.reason == "the host's traffic with itself passes")
    }

    /// The address of the node is asked for on the way to most rules, and by the others themselves.
    @Test func aRefusalNamesTheAddressesThatArePermitted() throws {
        var text =
            Self.node
            + "features: {ssh: true}\npeers: {ssh_clients: [10.9.0.1, \"2001:db8:9::1\"]}\n"
        func nearest(_ to: String, _ change: (inout Packet) -> Void = { _ in }) throws -> [String] {
            let target = try #require(compile(text).target)
            var packet = try PacketQuery(
                protocol: "tcp", source: to.hasPrefix("[") ? "2001:db8:7::7" : "192.0.2.7",
                destination: to
            ).packet(for: target.nodes, in: .local)
            change(&packet)
            let explanation = target.ruleset.explain(packet)
            #expect(explanation.verdict == .drop)
            let first = try #require(explanation.nearest.first)
            return [first.row] + first.differences
        }
        #expect(
            try nearest("10.0.0.21:22") == [
                "conferencing.in.ssh",
                "the source 192.0.2.7 is not in peers.ssh_clients.v4 (10.9.0.1)",
            ])
        #expect(
            try nearest("[2001:db8::21]:22") == [
                "conferencing.in.ssh",
                "the source 2001:db8:7::7 is not in peers.ssh_clients.v6 (2001:db8:9::1)",
            ])
        // Addresses of the host that are not the node's.
        let other = try #require(IPAddress("10.0.0.29"))
        #expect(
            try nearest("10.0.0.21:443") { $0.destination = other } == [
                "conferencing.in.https", "the destination is not 10.0.0.21",
            ])
        let other6 = try #require(IPAddress("2001:db8::29"))
        #expect(
            try nearest("[2001:db8::21]:443") { $0.destination = other6 } == [
                "conferencing.in.https", "the destination is not 2001:db8::21",
            ])
        // A rule of the other family has no way of the packet's.
        text += """
            rules:
              - {name: x, nodes: all, direction: inbound, protocol: tcp, destination_ports: 9100, peers: ["2001:db8:9::1"]}

            """
        #expect(
            try nearest("10.0.0.21:9100") { $0.destination = other } == [
                "site.x", "the destination is not 2001:db8::21",
                "the source 192.0.2.7 is not in site.x.v6 (2001:db8:9::1)",
            ])
        // A row that is for one of two.
        text = text.replacing(
            "\"2001:db8::21\"]", with: "\"2001:db8::21\"], secondary_address: 198.51.100.21")
        #expect(
            try nearest("10.0.0.21:5061") { $0.destination = other } == [
                "conferencing.in.sip-tls", "the destination is not 198.51.100.21",
            ])
    }

    @Test func aGatewayTakesNoPacketForLoopback() throws {
        let report = try Self.explain(Self.gateway, "tcp", "10.0.0.21", "10.0.0.21:9999")
        #expect(report.explanation.verdict == .drop)
    }

    @Test(arguments: [
        ("6", "tcp", ":443"), ("17", "udp", ":5060"), ("50", "esp", ""), ("1", "icmp", ""),
        ("58", "icmp", ""), ("TCP", "tcp", ":443"),
    ])
    func numbersMeanTheProtocolsThatHaveNames(
        _ number: String, _ name: String, _ port: String
    ) throws {
        let target = try #require(compile(Self.node).target)
        func packet(_ ipProtocol: String) throws -> Packet {
            try PacketQuery(
                protocol: ipProtocol, source: "192.0.2.7", destination: "10.0.0.21" + port
            ).packet(for: target.nodes, in: .local)
        }
        #expect(try packet(number) == packet(name))
    }

    @Test(arguments: [
        ("esp", "10.0.0.21:443", "only tcp and udp have ports: leave out :443"),
        ("50", "10.0.0.21:443", "only tcp and udp have ports: leave out :443"),
        ("icmp", "10.0.0.21:8", "only tcp and udp have ports: leave out :8"),
        ("47", "10.0.0.21:8", "only tcp and udp have ports: leave out :8"),
        ("tcp", "10.0.0.21", "tcp needs the destination's port"),
        ("6", "10.0.0.21", "6 needs the destination's port"),
        ("gre", "10.0.0.21", "gre is no protocol"), ("256", "10.0.0.21", "256 is no protocol"),
        (
            "tcp", "[::ffff:10.0.0.21]:443",
            "[::ffff:10.0.0.21]:443 has an IPv4-mapped address, which no packet has: write 10.0.0.21:443"
        ),
        (
            "esp", "::ffff:10.0.0.21",
            "::ffff:10.0.0.21 has an IPv4-mapped address, which no packet has: write 10.0.0.21"
        ),
        (
            String(repeating: "\u{1f1e6}", count: 260_000), "10.0.0.21",
            "the protocol has more than 64 characters"
        ),
        (
            "tcp", String(repeating: "\u{1f1e6}", count: 260_000),
            "the destination has more than 64 characters"
        ),
        ("tcp", "\u{1f1e6}:\u{1f1e6}", "\u{1f1e6}:\u{1f1e6} is no address"),
    ])
    func questionsWithoutAnAnswer(_ ipProtocol: String, _ to: String, _ problem: String) throws {
        let target = try #require(compile(Self.node).target)
        let query = PacketQuery(protocol: ipProtocol, source: "192.0.2.7", destination: to)
        let error = #expect(throws: PacketQuery.Problem.self) {
            try query.packet(for: target.nodes, in: .local)
        }
        #expect(error?.description.hasPrefix(problem) == true)
    }
}
