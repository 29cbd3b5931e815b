import Configuration
import Enforcement
import Policy
import PortModel
import Reports
import Site
import Testing
import TestSupport

/// Traffic that is more than one packet: handshakes, fragments, path-MTU discovery, and the way
/// between two nodes.
@Suite("Flows")
struct FlowTests {
    private static func address(_ text: String) -> IPAddress {
        guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
        return address
    }

    private static let node = [address("10.0.0.21"), address("2001:db8::21")]
    private static let other = [address("10.0.0.22"), address("2001:db8::22")]
    private static let peer = [address("192.0.2.7"), address("2001:db8:9::7")]
    /// An address that leads to node `other` through destination NAT.
    private static let virtual = address("10.99.0.1")

    private static func configuration(_ placement: Placement) -> String {
        """
        placement: \(placement.rawValue)
        features: {ssh: true}
        host: {ping: true}
        nodes:
          conf: {role: conferencing, address: [10.0.0.21, "2001:db8::21"]}
          other: {role: conferencing, address: [10.0.0.22, "2001:db8::22"]}
        """
    }

    private struct Scene {
        let topology: Topology
        let agent: AgentFixture
        /// On the node.
        let inside: PacketProbe
        /// Where all peers and the other node are.
        let outside: PacketProbe

        func exchange(
            _ packets: [ProbePacket], inbound: Bool
        ) throws -> Set<UInt32> {
            let own = ProbeEndpoint(FlowTests.node[0])
            let far = ProbeEndpoint(FlowTests.peer[0])
            return try PacketProbe.exchange(
                packets, from: inbound ? outside : inside, to: inbound ? inside : outside,
                sentinel: ProbePacket(
                    id: 1_000_000, .echoRequest, from: inbound ? far : own,
                    to: inbound ? own : far))
        }
    }

    private static func scene(
        _ placement: Placement, _ body: (Scene) throws -> Void
    ) throws {
        try requireRoot()
        let topology =
            switch placement {
            case .local: try Topology.nodeAndPeers(nodeAddresses: node, peerAddresses: other + peer)
            case .gateway: try Topology.gateway(nodeAddresses: node, peerAddresses: other + peer)
            }
        try topology.use { topology in
            try AgentFixture.with(configuration(placement), in: topology.enforcing) { agent in
                try #require(try agent.status().state == .inSync)
                try body(
                    Scene(
                        topology: topology, agent: agent,
                        inside: PacketProbe(in: topology.node),
                        outside: PacketProbe(in: topology.outside)))
            }
        }
    }

    @Test("TCP handshakes of every row complete, others do not", arguments: Placement.allCases)
    func handshakes(placement: Placement) throws {
        try Self.scene(placement) { scene in
            let loaded = LoadedConfiguration(parsing: [
                ConfigurationSource(path: "site.yaml", text: Self.configuration(placement))
            ])
            let deployment = try #require(loaded.deployment)
            let policy = Policy(of: try #require(deployment.node(named: "conf")), in: deployment)
            var clientPort: UInt16 = 21_000
            var listening: Set<ProbeEndpoint> = []
            for permit in policy.permits where permit.protocol == .tcp {
                let isInbound = permit.direction == .inbound
                let (client, server) =
                    isInbound ? (scene.outside, scene.inside) : (scene.inside, scene.outside)
                for (own, far) in zip(Self.node, Self.peer) {
                    clientPort += 1
                    let source =
                        permit.sourcePorts.isAll
                        ? clientPort
                        : permit.sourcePorts.intervals[0].lowerBound + (clientPort - 21_000)
                    let destination =
                        permit.destinationPorts.isAll
                        ? clientPort : permit.destinationPorts.intervals[0].lowerBound
                    let (from, to) = isInbound ? (far, own) : (own, far)
                    let endpoint = ProbeEndpoint(to, port: destination)
                    if listening.insert(endpoint).inserted { try server.listen(at: [endpoint]) }
                    let (connection, outcome) = try client.open(
                        from: ProbeEndpoint(from, port: source),
                        to: ProbeEndpoint(to, port: destination), timeout: .seconds(2))
                    #expect(outcome == .established, "\(permit.id) from \(from) to \(to)")
                    if let connection {
                        #expect(try connection.echo() == .established, "\(permit.id)")
                        try connection.close()
                    }
                }
            }
            // A listener behind a port that no row opens is never reached.
            try scene.inside.listen(at: [ProbeEndpoint(Self.node[0], port: 8443)])
            let refused = try scene.outside.connect(
                from: ProbeEndpoint(Self.peer[0], port: 22_000),
                to: ProbeEndpoint(Self.node[0], port: 8443), timeout: .milliseconds(400))
            #expect(refused == .timedOut)
        }
    }

    @Test("fragments of large media packets arrive whole", arguments: Placement.allCases)
    func fragments(placement: Placement) throws {
        try Self.scene(placement) { scene in
            for isInbound in [true, false] {
                var packets: [ProbePacket] = []
                for (index, (own, far)) in zip(Self.node, Self.peer).enumerated() {
                    let media = ProbeEndpoint(own, port: 40_000)
                    let closed = ProbeEndpoint(own, port: 30_000)
                    for (offset, end) in [media, closed].enumerated() {
                        let remote = ProbeEndpoint(far, port: 23_000 + UInt16(index))
                        packets.append(
                            ProbePacket(
                                id: UInt32(10 * index + offset + 1), .udp,
                                from: isInbound ? remote : end, to: isInbound ? end : remote,
                                payloadLength: 4000))
                    }
                }
                // Media, and not the port beside it, in both families.
                let arrived = try scene.exchange(packets, inbound: isInbound)
                #expect(arrived == [1, 11])
            }
        }
    }

    @Test("path-MTU errors about a media flow arrive", arguments: Placement.allCases)
    func pathMTU(placement: Placement) throws {
        try Self.scene(placement) { scene in
            for (own, far) in zip(Self.node, Self.peer) {
                let media = ProbeEndpoint(own, port: 41_000)
                let remote = ProbeEndpoint(far, port: 24_000)
                let sent = try scene.exchange(
                    [ProbePacket(id: 1, .udp, from: media, to: remote)], inbound: false)
                #expect(sent == [1])
                let error = ProbePacket(
                    id: 2,
                    .tooBig(mtu: 1300, about: ProbePacket.Quoted(.udp, from: media, to: remote)),
                    from: ProbeEndpoint(far), to: ProbeEndpoint(own))
                #expect(try scene.exchange([error], inbound: true) == [2], "\(own.family)")
            }
        }
    }

    @Test("between two nodes both ends' rows are asked")
    func bothEnds() throws {
        try Self.scene(.gateway) { scene in
            let loaded = LoadedConfiguration(parsing: [
                ConfigurationSource(path: "site.yaml", text: Self.configuration(.gateway))
            ])
            let deployment = try #require(loaded.deployment)
            let policy = GatewayPolicy(of: deployment.nodes, in: deployment)
            for isInbound in [true, false] {
                var packets: [Packet] = []
                for (own, far) in zip(Self.node, Self.other) {
                    let (from, to) = isInbound ? (far, own) : (own, far)
                    packets += [
                        // The mesh's.
                        (.udp(source: 500, destination: 500)), .esp,
                        // Signaling and media, which both ends' rows know.
                        .tcp(source: 33_000, destination: 5061),
                        .udp(source: 40_000, destination: 40_002),
                        // The receiver would take it, the sender has no row for it.
                        .tcp(source: 20_001, destination: 443),
                        .tcp(source: 20_002, destination: 22),
                        // The sender has a row for it, the receiver does not take it.
                        .udp(source: 55_000, destination: 53),
                        .tcp(source: 40_001, destination: 9999),
                    ].map { Packet(isInbound ? .inbound : .outbound, from: from, to: to, $0) }
                }
                let arrived = try scene.exchange(
                    packets.enumerated().map { ProbePacket(id: UInt32($0 + 1), $1) },
                    inbound: isInbound)
                for (index, packet) in packets.enumerated() {
                    let decision = policy.decide(packet)
                    #expect(
                        arrived.contains(UInt32(index + 1)) == (decision.verdict == .accept),
                        "\(packet): \(decision)")
                    #expect((index % 8 < 4) == (decision.verdict == .accept), "\(packet)")
                }
                for namespace in [scene.topology.node, scene.topology.enforcing] {
                    try PacketProbe(in: namespace).flushConnectionTracking()
                }
            }
        }
    }

    @Test("a translated flow between nodes is counted and reported")
    func translated() throws {
        try Self.scene(.gateway) { scene in
            #expect(try scene.agent.status().warnings.isEmpty)
            try Nft.run(
                in: scene.topology.enforcing,
                """
                table ip theirs {
                    chain prerouting {
                        type nat hook prerouting priority dstnat;
                        ip daddr \(Self.virtual) dnat to 10.0.0.22
                        ip daddr 10.99.0.2 dnat to 192.0.2.7
                    }
                }
                """)
            let media = ProbeEndpoint(Self.node[0], port: 42_000)
            // To a peer, NAT is the site's own affair.
            let toPeer = try scene.exchange(
                [ProbePacket(id: 1, .udp, from: media, to: "10.99.0.2:25000")], inbound: false)
            #expect(toPeer == [1])
            #expect(try scene.agent.status().warnings.isEmpty)

            let toNode = try scene.exchange(
                [
                    ProbePacket(
                        id: 2, .udp, from: media, to: ProbeEndpoint(Self.virtual, port: 42_001))
                ], inbound: false)
            #expect(toNode == [2], "NAT between nodes is reported, not cut")
            let status = try scene.agent.status()
            // The packet, and what answers it.
            #expect((status.counters["nat.between-nodes"]?.packets ?? 0) >= 1)
            #expect(status.warnings.contains { $0.contains("there cannot be a NAT") })
            #expect(try scene.agent.control("status").standardOutput.contains("NAT"))
        }
    }

    @Test("nodes whose packets will not come by are warned of")
    func unrouted() throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try AgentFixture.with(Self.configuration(.gateway), in: namespace) { agent in
                let status = try agent.status()
                #expect(status.state == .inSync)
                let messages = status.diagnostics.map(\.message)
                #expect(messages.contains { $0.contains("sysctl net.ipv4.ip_forward=1") })
                #expect(messages.contains { $0.contains("forwards no IPv6") })
                #expect(
                    messages.contains {
                        $0.contains("no route to conf (10.0.0.21), other (10.0.0.22)")
                    })
                try namespace.configure(["address add 10.0.0.21/32 dev lo"])
                try agent.waitForStatus("the node that is the host itself") {
                    $0.diagnostics.contains { $0.message.contains("is this host itself") }
                }
            }
        }
        try Self.scene(.gateway) { scene in
            let status = try scene.agent.status()
            #expect(status.diagnostics.isEmpty, "\(status.diagnostics)")
        }
    }

    @Test("what is neither from nor to a node passes a gateway untouched")
    func transit() throws {
        try Self.scene(.gateway) { scene in
            let stranger = ProbeEndpoint("10.0.0.77:9")
            try scene.topology.node.configure(["address add 10.0.0.77/32 dev lo"])
            let packets = (1...5).map {
                ProbePacket(
                    id: UInt32($0), .udp, from: stranger,
                    to: ProbeEndpoint(Self.peer[0], port: UInt16(100 + $0)))
            }
            #expect(try scene.exchange(packets, inbound: false) == [1, 2, 3, 4, 5])
        }
    }
}
