import Policy
import PortModel
import Ruleset
import Site
import Testing

@testable import Enforcement
@testable import Reports

@Suite struct DropsReportTests {
    private static let local = """
        refusals: {sample: true, group: 7, rate: 3}
        features: {ssh: true}
        peers: {ssh_clients: [10.1.0.0/16]}
        nodes:
          conf: {role: conferencing, address: [10.0.0.21, "2001:db8::21"]}
          mgmt: {role: management, address: 10.0.0.10}

        """

    private static func inForce(_ text: String) throws -> Generation {
        let compilation = compile(text)
        let target = try #require(compilation.target, "\(compilation.diagnostics)")
        return Generation(
            number: 4, created: Timestamp(seconds: 0), origin: .start,
            configurationDigest: compilation.configurationDigest,
            configuration: [ConfigurationText(path: "a.yaml", text: text)], mode: target.mode,
            revokesEstablished: true, nodes: target.nodes, ruleset: target.ruleset)
    }

    /// One sample each.
    private static func report(
        _ text: String?, _ packets: [RefusedPacket], node: String? = nil, atMost limit: Int = 20
    ) throws -> DropsReport {
        var record = RefusalRecord(since: Timestamp(seconds: 0))
        for (index, packet) in packets.enumerated() {
            record.add(packet, at: Timestamp(seconds: Int64(index)))
        }
        return DropsReport(
            record, problem: nil, in: try text.map(inForce), node: node, atMost: limit)
    }

    private static func packet(
        _ counter: String, _ from: String, _ to: String, _ transport: Transport?,
        number: UInt8 = 6
    ) throws -> RefusedPacket {
        let addresses = try [from, to].map { try #require(IPAddress($0)) }
        return try #require(
            RefusedPacket(
                counter: counter, from: addresses[0], to: addresses[1], protocolNumber: number,
                transport))
    }

    @Test func tellsWhatIsSampled() throws {
        let report = try Self.report(Self.local, [])
        #expect(report.sampling == .init(group: 7, rate: 3))
        #expect(report.mode == .enforce)
        #expect(report.since == Timestamp(seconds: 0))
        #expect(report.talkers.isEmpty && report.more == 0)
        let off = try Self.report(Self.local.replacing("sample: true", with: "sample: false"), [])
        #expect(off.sampling == nil)
        let nothing = DropsReport(nil, problem: "p", in: nil)
        #expect(nothing.sampling == nil && nothing.since == nil && nothing.problem == "p")
    }

    @Test func explainsEachByTheRulesInForce() throws {
        let syn = Transport.tcp(source: 55_000, destination: 22)
        let report = try Self.report(
            Self.local,
            [
                Self.packet("drop.in", "192.0.2.7", "10.0.0.21", syn),
                Self.packet(
                    "drop.out", "10.0.0.21", "10.0.0.2", .udp(source: 54_999, destination: 53),
                    number: 17),
                Self.packet(
                    "drop.in", "2001:db8:9::7", "2001:db8::21", .icmp(type: 128), number: 58),
                Self.packet("drop.in.invalid", "192.0.2.7", "10.0.0.21", syn),
                Self.packet("drop.in", "192.0.2.7", "10.0.0.21", nil, number: 17),
                Self.packet("drop.in", "192.0.2.7", "10.0.0.21", .esp, number: 50),
                Self.packet("drop.in", "192.0.2.7", "224.0.0.1", .other(2), number: 2),
                // Permitted since.
                Self.packet("drop.in", "10.1.0.9", "10.0.0.21", syn),
            ])
        let talkers = report.talkers
        #expect(report.samples == 8 && talkers.count == 8)
        #expect(
            talkers.map(\.protocol) == ["tcp", "udp", "icmpv6", "tcp", "udp", "esp", "2", "tcp"])
        #expect(talkers.allSatisfy { $0.node == "conf" && $0.samples == 1 && $0.excess == 0 })
        #expect(talkers[0].direction == .inbound && talkers[1].direction == .outbound)
        #expect(talkers[0].sourcePort == 55_000 && talkers[0].destinationPort == 22)
        let ssh = try #require(talkers[0].nearest.first)
        #expect(ssh.row == "conferencing.in.ssh")
        #expect(
            ssh.differences == ["the source 192.0.2.7 is not in peers.ssh_clients.v4 (10.1.0.0/16)"]
        )
        #expect(talkers[0].reason == "no inbound row permits it")
        let dns = try #require(talkers[1].nearest.first)
        #expect(dns.row == "conferencing.out.dns")
        #expect(dns.differences == ["the source port 54999 is not 55000-65535"])
        #expect(talkers[2].icmpType == 128 && talkers[2].destinationPort == nil)
        // That a row would permit it is not why connection tracking can't place it.
        #expect(talkers[3].reason == "connection tracking can't place it in any flow")
        #expect(talkers[3].nearest.allSatisfy { !$0.differences.isEmpty })
        #expect(talkers[4].isFragment && talkers[4].verdict == nil && talkers[4].nearest.isEmpty)
        #expect(talkers[5].nearest.first?.row == "conferencing.in.esp")
        #expect(talkers[6].verdict == .drop)
        #expect(talkers[7].verdict == .accept)
        #expect(talkers[7].permits == ["conferencing.in.ssh"])
    }

    @Test func namesTheRowWhoseFeatureIsOff() throws {
        let report = try Self.report(
            Self.local.replacing("features: {ssh: true}", with: ""),
            [
                Self.packet(
                    "drop.in", "10.1.0.9", "10.0.0.21", .tcp(source: 55_000, destination: 22))
            ])
        #expect(report.talkers.first?.inactive == ["conferencing.in.ssh"])
    }

    @Test func tellsNodesOfAGatewayApartByTheEndThatRefuses() throws {
        let text = PacketQueryTests.gateway + "refusals: {sample: true}\n"
        let generation = try Self.inForce(text)
        let classes = Dictionary(
            uniqueKeysWithValues: generation.nodes.map { ($0.name, $0.policyClass ?? "") })
        let a = try #require(classes["a"])
        let b = try #require(classes["b"])
        #expect(a != b)
        let transport = Transport.tcp(source: 55_000, destination: 23)
        let packets = try [
            Self.packet("drop.in.\(a)", "192.0.2.7", "10.0.0.21", transport),
            Self.packet("drop.in.\(a)", "192.0.2.8", "10.0.0.21", transport),
            Self.packet("drop.out.\(b)", "10.0.0.22", "10.0.0.21", transport),
            Self.packet("drop.in.\(b)", "192.0.2.7", "10.0.0.22", transport),
            // Of a node that is enforced no more.
            Self.packet("drop.in.\(b)", "192.0.2.7", "10.0.0.23", transport),
        ]
        let all = try Self.report(text, packets)
        #expect(all.talkers.map(\.node) == ["a", "a", "b", "b", nil])
        #expect(all.talkers.last?.verdict == .accept)
        #expect(try Self.report(text, packets, node: "a").talkers.count == 2)
        let first = try Self.report(text, packets, node: "b", atMost: 1)
        #expect(first.talkers.map(\.direction) == [.outbound])
        #expect(first.more == 1)
        #expect(first.samples == 5)
    }

    @Test func withoutAGenerationNothingIsExplained() throws {
        let report = try Self.report(
            nil,
            [
                Self.packet(
                    "drop.in", "192.0.2.7", "10.0.0.21", .tcp(source: 1, destination: 2))
            ])
        #expect(report.talkers.first?.verdict == nil)
        #expect(report.talkers.first?.node == nil)
        #expect(report.talkers.first?.reason == "no inbound row permits it")
    }

    // MARK: Counters

    private static func counters(
        _ text: String, _ values: [String: StatusReport.CounterReport], node: String? = nil
    ) async throws -> CountersReport {
        let generation = try inForce(text)
        let bench = try Bench()
        var status = await bench.reconciler.inspector.status()
        status.counters = values
        status.nodes = generation.nodes.map { .init(node: $0, dropped: .init(packets: 2)) }
        return CountersReport(status, of: generation, node: node)
    }

    @Test func everyCounterIsToldByKindWithItsValue() async throws {
        let report = try await Self.counters(
            Self.local, ["drop.in": .init(packets: 5, bytes: 300)])
        #expect(report.generation == 4)
        let kinds = report.counters.map(\.kind)
        #expect(kinds == kinds.filter { $0 == .row } + kinds.filter { $0 == .refusal })
        let names = report.counters.map(\.name)
        #expect(Set(names) == Set(try Self.inForce(Self.local).ruleset.tables[0].counters))
        let refused = try #require(report.counters.first { $0.name == "drop.in" })
        #expect(refused.packets == 5 && refused.bytes == 300 && refused.classes.isEmpty)
        #expect(report.counters.first { $0.name == "conferencing.in.ssh" }?.packets == 0)
        #expect(report.nodes.map(\.node.name) == ["conf"])
    }

    @Test func onAGatewayEachTellsItsClasses() async throws {
        let report = try await Self.counters(PacketQueryTests.gateway, [:])
        let classes = Set(report.nodes.compactMap(\.node.policyClass))
        #expect(classes.count == 2)
        func counter(_ name: String) throws -> CountersReport.Counter {
            try #require(report.counters.first { $0.name == name })
        }
        let b = try #require(report.nodes.first { $0.node.name == "b" }?.node.policyClass)
        #expect(Set(try counter("conferencing.in.https").classes) == classes)
        #expect(try counter("conferencing.in.ssh").classes == [b])
        #expect(try counter("drop.in.\(b)").classes == [b])
        #expect(try counter("nat.between-nodes").kind == .note)

        let own = try await Self.counters(PacketQueryTests.gateway, [:], node: "a")
        #expect(own.nodes.map(\.node.name) == ["a"])
        #expect(!own.counters.contains { $0.name == "conferencing.in.ssh" })
        #expect(own.counters.contains { $0.name == "conferencing.in.https" })
        #expect(own.counters.filter { $0.kind == .refusal }.count == 2)
        #expect(own.counters.contains { $0.kind == .note })
    }

    @Test func nothingInForceCountsNothing() async throws {
        let bench = try Bench()
        let report = CountersReport(await bench.reconciler.inspector.status(), of: nil)
        #expect(report.generation == nil && report.counters.isEmpty && report.nodes.isEmpty)
    }
}
