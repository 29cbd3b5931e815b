import Enforcement
import Foundation
import PortModel
import Reports
import Ruleset
import Site
import Testing
import TestSupport
import Reports

/// The first rules of a host come while connections stand: those that rows permit go on, whoever
/// speaks first, and no others.
@Suite("Adoption", .serialized)
struct AdoptionTests {
    private static let nodes = addresses("10.0.0.21", "2001:db8::21")
    private static let peers = addresses("192.0.2.7", "2001:db8:9::7")

    private static func addresses(_ texts: String...) -> [IPAddress] {
        texts.compactMap { IPAddress($0) }
    }

    private static func configuration(_ placement: Placement) -> String {
        """
        placement: \(placement.rawValue)
        peers: {conference_clients: [192.0.2.0/29, "2001:db8:9::/64"]}
        nodes:
          conf: {role: conferencing, address: [10.0.0.21, "2001:db8::21"]}
        """
    }

    private struct Scene {
        let topology: Topology
        let agent: AgentFixture
        let inside: PacketProbe
        let outside: PacketProbe
        /// Of each family: to a port that a row opens, and to one that none does.
        var permitted: [PacketProbe.Connection] = []
        var refused: [PacketProbe.Connection] = []

        /// Opens the connections before there is any rule.
        init(_ placement: Placement, _ topology: Topology) throws {
            self.topology = topology
            agent = try AgentFixture(
                in: topology.enforcing, configuration: configuration(placement))
            inside = try PacketProbe(in: topology.node)
            outside = try PacketProbe(in: topology.outside)
            for (node, peer) in zip(nodes, peers) {
                try inside.listen(at: [443, 22].map { ProbeEndpoint(node, port: $0) })
                try outside.listen(at: [443, 9_999].map { ProbeEndpoint(peer, port: $0) })
                func open(
                    _ probe: PacketProbe, _ from: ProbeEndpoint, _ to: ProbeEndpoint
                ) throws -> PacketProbe.Connection {
                    let (connection, outcome) = try probe.open(from: from, to: to)
                    return try #require(connection, "\(to): \(outcome)")
                }
                let (client, server) = (
                    ProbeEndpoint(peer, port: 50_000), ProbeEndpoint(node, port: 443)
                )
                permitted.append(try open(outside, client, server))
                refused.append(
                    try open(
                        outside, ProbeEndpoint(peer, port: 50_001), ProbeEndpoint(node, port: 22)))
                // The node asked, and the other end speaks: both ways are rows' matter.
                permitted.append(
                    try open(
                        inside, ProbeEndpoint(node, port: 55_000), ProbeEndpoint(peer, port: 443)))
                refused.append(
                    try open(
                        inside, ProbeEndpoint(node, port: 55_001), ProbeEndpoint(peer, port: 9_999))
                )
            }
        }

        func push() throws {
            try inside.push()
            try outside.push()
        }

        /// What is pushed arrives where rows permit it, and nowhere else; what is asked likewise.
        func expectAdopted() throws {
            try push()
            for connection in permitted {
                #expect(try connection.hear(timeout: patience) == .established)
            }
            for connection in refused {
                #expect(try connection.hear(timeout: .milliseconds(500)) == .silent)
            }
            for connection in permitted {
                #expect(try connection.echo(timeout: patience) == .established)
            }
            for connection in refused {
                #expect(try connection.echo(timeout: .milliseconds(500)) == .silent)
            }
        }

        /// Of what the kernel holds, the rules that adopt.
        func adoptingRules() throws -> Int {
            try Nft.ruleset(in: topology.enforcing).split(separator: "\n")
                .count { $0.contains("adopt") }
        }
    }

    private static func scene(
        _ placement: Placement, _ body: (Scene) throws -> Void
    ) throws {
        try requireRoot()
        let topology =
            switch placement {
            case .local: try Topology.nodeAndPeers(nodeAddresses: nodes, peerAddresses: peers)
            case .gateway: try Topology.gateway(nodeAddresses: nodes, peerAddresses: peers)
            }
        try topology.use { topology in
            let scene = try Scene(placement, topology)
            do {
                try body(scene)
            } catch {
                throw TestSupportError("\(error)\nThe agent logged:\n\(scene.agent.log)")
            }
        }
    }

    @Test("what is pushed on a permitted connection arrives", arguments: Placement.allCases)
    func pushed(placement: Placement) throws {
        try Self.scene(placement) { scene in
            try scene.agent.start()
            try scene.agent.waitForStatus("in sync") { $0.state == .inSync }
            try scene.expectAdopted()
            // Another look at the flows, and other rules, leave them alone.
            try scene.agent.write("host: {ping: true}", as: "20-more.yaml")
            try scene.agent.waitForStatus("generation 2") { $0.generation == 2 }
            try scene.push()
            for connection in scene.permitted {
                #expect(try connection.hear(timeout: patience) == .established)
            }
            #expect(try scene.agent.status().drift.count == 0)
            try scene.agent.stop()
        }
    }

    @Test("nothing else is opened meanwhile", arguments: Placement.allCases)
    func others(placement: Placement) throws {
        try Self.scene(placement) { scene in
            try scene.agent.start()
            #expect(try scene.adoptingRules() > 0)
            var packets: [ProbePacket] = []
            func add(_ flags: UInt8, _ from: String, _ to: String) throws {
                packets.append(
                    ProbePacket(
                        id: UInt32(packets.count), .tcp(flags: flags),
                        from: try #require(ProbeEndpoint(from)),
                        to: try #require(ProbeEndpoint(to))))
            }
            let (syn, ack, synack, rst): (UInt8, UInt8, UInt8, UInt8) = (2, 0x10, 0x12, 4)
            // From a port that a row opens: no new connection, whatever the flags.
            for flags in [syn, synack, rst, syn | 1, 0] {
                try add(flags, "10.0.0.21:443", "192.0.2.7:50009")
            }
            // To whom the row is not for, and from a port that none opens.
            try add(ack, "10.0.0.21:443", "192.0.2.9:50009")
            try add(ack, "10.0.0.21:22", "192.0.2.7:50009")
            try add(ack, "10.0.0.21:444", "192.0.2.7:50009")
            try add(ack, "[2001:db8::21]:22", "[2001:db8:9::7]:50009")
            try scene.topology.outside.configure(["address add 192.0.2.9/32 dev lo"])
            let sentinel = ProbePacket(
                id: 1_000_000, .udp, from: "10.0.0.21:40000", to: "192.0.2.7:40000")
            #expect(
                try PacketProbe.exchange(
                    packets, from: scene.inside, to: scene.outside, sentinel: sentinel) == [])
            packets = []
            // Answers to what no row lets the node ask, and a new connection.
            try add(ack, "192.0.2.7:443", "10.0.0.21:54999")
            try add(ack, "192.0.2.7:9999", "10.0.0.21:55001")
            try add(syn, "192.0.2.7:443", "10.0.0.21:55009")
            try add(ack, "192.0.2.7:50009", "10.0.0.21:22")
            #expect(
                try PacketProbe.exchange(
                    packets, from: scene.outside, to: scene.inside,
                    sentinel: ProbePacket(
                        id: 1_000_000, .udp, from: "192.0.2.7:40000", to: "10.0.0.21:40000"))
                    == [])
            try scene.agent.stop()
        }
    }

    @Test(
        "an agent that is killed once its rules stand leaves what the next one goes on with",
        arguments: Placement.allCases)
    func killed(placement: Placement) throws {
        try Self.scene(placement) { scene in
            for round in 0..<3 {
                let process = try scene.agent.spawn()
                #expect(try waitUntil { try scene.adoptingRules() > 0 })
                if round > 0 { usleep(UInt32(round) * 20_000) }
                process.kill()
                _ = process.wait(timeout: patience)
            }
            try scene.agent.start()
            try scene.agent.waitForStatus("in sync") { $0.state == .inSync }
            try scene.expectAdopted()
            #expect(try scene.agent.status().generation == 1)
            try scene.agent.stop()
        }
    }

    @Test("it ends: by the agent, or by itself where there is none any more")
    func ending() throws {
        try Self.scene(.local) { scene in
            try scene.agent.start()
            let rules = try scene.agent.rulesInKernel()
            #expect(
                try waitUntil { try scene.adoptingRules() == 0 })
            #expect(try scene.agent.rulesInKernel() == rules)
            let status = try scene.agent.status()
            #expect(status.state == .inSync && status.drift.count == 0)
            // None was heard of in its time: what is pushed now is the first of something new.
            try scene.push()
            for connection in scene.permitted + scene.refused {
                #expect(try connection.hear(timeout: .milliseconds(500)) == .silent)
            }
            // Once the other end speaks it goes on, with what is to be sent again.
            for connection in scene.permitted {
                #expect(try connection.echo(timeout: patience) == .established)
            }
            try scene.agent.stop()
        }
        try Self.scene(.gateway) { scene in
            try scene.agent.start()
            scene.agent.kill()
            #expect(try scene.adoptingRules() > 0)
            let set = ["nft", "list", "set", "inet", "pexip_fw_gateway", "adopt.tcp"]
            #expect(
                try waitUntil {
                    try !scene.topology.enforcing.run(set).requireSuccess()
                        .standardOutput.contains("elements")
                })
            try scene.push()
            for connection in scene.permitted + scene.refused {
                #expect(try connection.hear(timeout: .milliseconds(500)) == .silent)
            }
            try scene.agent.start()
            #expect(try scene.agent.status().state == .inSync)
            try scene.agent.stop()
        }
    }

    @Test("nothing is adopted where rules are there already, or where nothing is dropped")
    func notNeeded() throws {
        try Self.scene(.local) { scene in
            try scene.agent.write("mode: observe", as: "20-mode.yaml")
            try scene.agent.start()
            #expect(try scene.adoptingRules() == 0)
            // Whoever spoke first meanwhile is known for who began; that ends nothing.
            try scene.push()
            for connection in scene.permitted + scene.refused {
                #expect(try connection.hear(timeout: patience) == .established)
            }
            try scene.agent.remove("20-mode.yaml")
            #expect(waitUntil { scene.agent.log.contains("ended 4 established flows") })
            #expect(try scene.adoptingRules() == 0)
            try scene.expectAdopted()
            try scene.agent.stop()
        }
    }
}
