import DeploymentGenerator
import Policy
import PortModel
import Ruleset
import Site
import Testing
import TestSupport

/// Generated deployments and packets against the real kernel: a bounded sample of what the oracle
/// decides in memory.
@Suite("Generated packets in the kernel")
struct SampleTests {
    static let seeds: [UInt64] = [101, 102, 103, 104]
    static let packetsPerDeployment = 400

    @Test("local placement", arguments: seeds)
    func local(seed: UInt64) throws {
        var generator = DeploymentGenerator(seed: seed)
        var deployment = generator.deployment(nodeCount: 4)
        deployment.host.ping = true
        let node = generator.random.pick(deployment.nodes)
        let policy = Policy(of: node, in: deployment)
        let topology = Topology.nodeAndPeers(nodeAddresses:peerAddresses:mtu:neighbors:)
        try check(
            seed, deployment, [policy], node, policy.compileLocal(),
            { try topology($0, $1, 1500, .permanent) }
        ) { policy.decide($0).verdict }
    }

    @Test("gateway placement", arguments: seeds)
    func gateway(seed: UInt64) throws {
        var generator = DeploymentGenerator(seed: seed)
        var deployment = generator.deployment(placement: .gateway, nodeCount: 6)
        deployment.host.ping = true
        let node = generator.random.pick(deployment.nodes)
        let policy = GatewayPolicy(of: deployment.nodes, in: deployment)
        let topology = Topology.gateway(nodeAddresses:peerAddresses:mtu:outerMTU:neighbors:)
        try check(
            seed, deployment, policy.policies, node, policy.compile(),
            { try topology($0, $1, 1500, nil, .permanent) }
        ) { policy.decide($0).verdict }
    }

    /// Sends packets between one node and everybody else, and compares arrival with the decision.
    private func check(
        _ seed: UInt64, _ deployment: Deployment, _ policies: [Policy], _ node: Node,
        _ table: Table, _ makeTopology: ([IPAddress], [IPAddress]) throws -> Topology,
        _ decide: (Packet) -> Decision.Verdict
    ) throws {
        try requireRoot()
        let packets = Self.packets(deployment, policies, node, seed: seed)
        let peers = Set(packets.map(\.peerAddress)).sorted()
        let verdicts = packets.map { packet in
            deployment.mode == .observe ? Decision.Verdict.accept : decide(packet)
        }
        let sentinelPeer = try #require(
            peers.first { $0.family == node.addresses[0].family })
        try makeTopology(node.allAddresses, peers).use { topology in
            try Nft.run(
                in: topology.enforcing,
                Transaction(from: [], to: Ruleset(tables: [table])).text)
            let inside = try PacketProbe(in: topology.node)
            let outside = try PacketProbe(in: topology.outside)
            for direction in Direction.allCases {
                let indices = packets.indices.filter { packets[$0].direction == direction }
                let isInbound = direction == .inbound
                let ends = [ProbeEndpoint(sentinelPeer), ProbeEndpoint(node.addresses[0])]
                let arrived = try PacketProbe.exchange(
                    indices.map { ProbePacket(id: UInt32($0 + 1), packets[$0]) },
                    from: isInbound ? outside : inside, to: isInbound ? inside : outside,
                    sentinel: ProbePacket(
                        id: UInt32(packets.count + 1), .echoRequest,
                        from: isInbound ? ends[0] : ends[1], to: isInbound ? ends[1] : ends[0]))
                for index in indices {
                    #expect(
                        arrived.contains(UInt32(index + 1)) == (verdicts[index] == .accept),
                        "seed \(seed): \(packets[index])")
                }
                for namespace in [topology.node, topology.enforcing] {
                    try PacketProbe(in: namespace).flushConnectionTracking()
                }
            }
            let accepted = verdicts.count { $0 == .accept }
            print(
                "seed \(seed), \(deployment.placement.rawValue), \(deployment.mode.rawValue): \(packets.count) packets, \(accepted) accepted"
            )
        }
    }

    /// New packets that a raw socket can send between the node and others, no two of one flow.
    private static func packets(
        _ deployment: Deployment, _ policies: [Policy], _ node: Node, seed: UInt64
    ) -> [Packet] {
        var generator = PacketGenerator(deployment, policies, seed: seed)
        let own = Set(node.allAddresses)
        var flows: Set<[String]> = []
        var packets: [Packet] = []
        while packets.count < packetsPerDeployment {
            let drawn = generator.packet()
            let packet = Packet(
                drawn.direction, from: drawn.source, to: drawn.destination, drawn.transport)
            guard own.contains(packet.nodeAddress), !own.contains(packet.peerAddress) else {
                continue
            }
            switch packet.transport {
            case .icmp(let type) where type != ICMPTypes.echoRequest4 || packet.family == .ipv6:
                continue
            // Not what raw sockets can send as they are: port 0, and IPv6's extension headers.
            case .other: continue
            default: break
            }
            if let ports = packet.transport.ports, ports.source == 0 || ports.destination == 0 {
                continue
            }
            let ports = packet.transport.ports ?? (0, 0)
            let ends = [
                "\(packet.nodeAddress) \(packet.direction == .inbound ? ports.destination : ports.source)",
                "\(packet.peerAddress) \(packet.direction == .inbound ? ports.source : ports.destination)",
                "\(packet.transport.ipProtocol.map(\.name) ?? "icmp")",
            ]
            guard flows.insert(ends).inserted else { continue }
            packets.append(packet)
        }
        return packets
    }
}
