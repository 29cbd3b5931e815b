import Doctor
import Enforcement
import Foundation
import PortModel
import Reports
import TestSupport
import Testing
import Reports

/// A node's host that also translates for others, as for containers: their answers come to the
/// node's own address and ports.
@Suite("Translation for others")
struct TranslationTests {
    private static let node = IPAddress("10.0.0.21")
    private static let peer = IPAddress("192.0.2.7")
    private static let guest = IPAddress("172.30.0.2")

    /// Of the guest: of media, of signalling and another below the ephemeral range, and of that
    /// range. A masquerade keeps them.
    private static let ports: [UInt16] = [
        1_025, 20_000, 33_000, 39_999, 40_000, 45_000, 49_999, 50_000, 54_999, 55_000, 60_000,
    ]
    /// Those whose answers are lost where nothing of UDP is tracked that rows judge before: those of
    /// media, and those to which no row has an answer come.
    private static let lost: [UInt16] = [
        1_025, 20_000, 40_000, 45_000, 49_999, 50_000, 54_999,
    ]

    private static func configuration(_ tracking: String) -> String {
        """
        host: {track_media: \(tracking)}
        nodes: {conf: {role: conferencing, address: 10.0.0.21}}
        """
    }

    private struct Scene {
        let topology: Topology
        let agent: AgentFixture
        let inside: PacketProbe
        let guest: PacketProbe
        let outside: PacketProbe

        /// Sends from each port of the guest, and an answer to where that came from; returns the
        /// ports whose answer came.
        func answered(_ guestAddress: IPAddress, _ peer: IPAddress) throws -> [UInt16] {
            let server = ProbeEndpoint(peer, port: 7_000)
            let asked = try PacketProbe.trace(
                ports.map {
                    ProbePacket(
                        id: UInt32($0), .udp, from: ProbeEndpoint(guestAddress, port: $0),
                        to: server)
                }, from: guest, to: outside,
                sentinel: ProbePacket(
                    id: 0, .udp, from: ProbeEndpoint(guestAddress, port: 60_001), to: server))
            #expect(asked.arrived.count == ports.count)
            let here = try #require(TranslationTests.node)
            #expect(asked.arrived.values.allSatisfy { $0.source == here })
            // What is answered last is known to come.
            let answers = try PacketProbe.exchange(
                ports.map {
                    ProbePacket(
                        id: UInt32($0), .udp, from: server, to: ProbeEndpoint(here, port: $0))
                }, from: outside, to: guest,
                sentinel: ProbePacket(
                    id: 0, .udp, from: server, to: ProbeEndpoint(here, port: 60_001)))
            return answers.map { UInt16($0) }.sorted()
        }

        /// Media of the node itself, in both directions.
        func expectMedia(_ node: IPAddress, _ peer: IPAddress) throws {
            let (here, there) = (
                ProbeEndpoint(node, port: 41_000), ProbeEndpoint(peer, port: 6_000)
            )
            for (sender, receiver, from, to) in [
                (inside, outside, here, there), (outside, inside, there, here),
            ] {
                let packet = ProbePacket(id: 1, .udp, from: from, to: to)
                #expect(
                    try PacketProbe.exchange(
                        [packet], from: sender, to: receiver, sentinel: packet) == [1])
            }
        }
    }

    private static func scene(_ tracking: String, _ body: (Scene) throws -> Void) throws {
        try requireRoot()
        let (node, peer, guest) = (
            try #require(Self.node), try #require(Self.peer), try #require(Self.guest)
        )
        let topology = try Topology.nodeAndPeers(nodeAddresses: [node], peerAddresses: [peer])
        try topology.use { topology in
            try NetworkNamespace.with { container in
                let link = try Link.connect(container, topology.node, addressesOfA: [guest])
                try link.route(from: \.a)
                try link.route([guest], from: \.b)
                try topology.node.setKernelParameters(["net/ipv4/ip_forward": 1])
                try Nft.run(
                    in: topology.node,
                    """
                    table ip nat {
                      chain guests { ip saddr 172.30.0.0/24 masquerade; }
                      chain POSTROUTING { type nat hook postrouting priority 100; jump guests; }
                    }
                    """)
                try AgentFixture.with(configuration(tracking), in: topology.node) { agent in
                    try body(
                        Scene(
                            topology: topology, agent: agent,
                            inside: try PacketProbe(in: topology.node),
                            guest: try PacketProbe(in: container),
                            outside: try PacketProbe(in: topology.outside)))
                }
            }
        }
    }

    @Test("answers to what is translated come where UDP is tracked, and are lost where it is not")
    func answers() throws {
        let (node, peer, guest) = (
            try #require(Self.node), try #require(Self.peer), try #require(Self.guest)
        )
        try Self.scene("true") { scene in
            #expect(try scene.answered(guest, peer) == Self.ports)
            try scene.expectMedia(node, peer)
            #expect(try scene.agent.status().warnings == [])
            // The same table in place, there and back.
            try scene.agent.write(Self.configuration("false"))
            try scene.agent.waitForStatus("generation 2") { $0.generation == 2 }
            #expect(
                try scene.answered(guest, peer) == Self.ports.filter { !Self.lost.contains($0) })
            try scene.expectMedia(node, peer)
            #expect(try scene.agent.status().warnings == [])
            try scene.agent.write(Self.configuration("true"))
            try scene.agent.waitForStatus("generation 3") { $0.generation == 3 }
            #expect(try scene.answered(guest, peer) == Self.ports)
            try scene.expectMedia(node, peer)
            // What nobody asked for is refused, wherever it is judged.
            let strays = Self.lost.filter { !(40_000...49_999).contains($0) }.map {
                ProbePacket(
                    id: UInt32($0), .udp, from: ProbeEndpoint(peer, port: 7_001),
                    to: ProbeEndpoint(node, port: $0))
            }
            #expect(
                try PacketProbe.exchange(
                    strays, from: scene.outside, to: scene.inside,
                    sentinel: ProbePacket(
                        id: 0, .udp, from: ProbeEndpoint(peer, port: 7_001),
                        to: ProbeEndpoint(node, port: 41_000))) == [])
            #expect(try scene.agent.status().drift.count == 0)
        }
    }

    @Test("where nobody said what to do, status and doctor say it, and what they say mends it")
    func told() throws {
        let (peer, guest) = (try #require(Self.peer), try #require(Self.guest))
        try Self.scene("auto") { scene in
            let agent = scene.agent
            try agent.waitForStatus("the warning") { status in
                status.warnings.contains {
                    $0.hasPrefix("table ip nat, chain POSTROUTING ")
                        && $0.contains("host: {track_media: true}")
                }
            }
            #expect(try agent.status().state == .inSync)
            #expect(
                try scene.answered(guest, peer) == Self.ports.filter { !Self.lost.contains($0) })
            let result = try agent.control(
                "doctor", "--json", "--config-dir", agent.configurationDirectory.path)
            let report = try JSONDecoder().decode(
                DoctorReport.self, from: Data(result.standardOutput.utf8))
            let mend = try #require(
                report.findings.first {
                    $0.check == .connectionTracking && $0.what.contains("table ip nat")
                }?.mend)
            let command = mend.command.replacing(
                "/etc/pexip-fw.d", with: agent.configurationDirectory.path)
            try agent.namespace.run(["sh", "-c", command]).requireSuccess()
            try agent.waitForStatus("generation 2") {
                $0.generation == 2 && $0.warnings.isEmpty
            }
            #expect(try scene.answered(guest, peer) == Self.ports)
            // Without the table that translates there is nothing to say.
            try agent.write(Self.configuration("auto"), as: "90-track-media.yaml")
            try agent.waitForStatus("the warning again") { !$0.warnings.isEmpty }
            try Nft.run(in: agent.namespace, "delete table ip nat")
            try agent.waitForStatus("no warning") { $0.warnings.isEmpty }
        }
    }
}
