import Configuration
import DeploymentGenerator
import Enforcement
import Policy
import PortModel
import Reports
import Ruleset
import Site
import Testing
import TestSupport
import Reports

/// Every row of both roles against the real kernel, in both placements: the allowed packets arrive,
/// their near misses do not, and each row's counter counts its own.
@Suite("Row matrix")
struct RowMatrixTests {
    /// One node of a deployment in which every feature is on, so that every row of its role applies.
    struct Site: CustomTestStringConvertible, Sendable {
        let placement: Placement
        let node: String
        /// The Conferencing Node's secondary addresses, as the configuration writes them.
        let secondary: String?
        let isNarrowed: Bool
        var mode = Mode.enforce

        var testDescription: String {
            let homing = secondary.map { "dual-homed by \($0)" } ?? "single-homed"
            let peers = isNarrowed ? "narrowed peers" : "any peers"
            return "\(placement.rawValue), \(node), \(homing), \(peers), \(mode.rawValue)"
        }

        var configuration: String {
            var text = """
                placement: \(placement.rawValue)
                mode: \(mode.rawValue)
                enforce: \(placement == .local ? "[\(node)]" : "auto")
                features:
                \(Feature.allCases.map { "  \($0.rawValue): true" }.joined(separator: "\n"))
                host: {ping: true}
                nodes:
                  mgmt: {role: management, address: [10.0.0.10, "2001:db8::10"]}
                  conf:
                    role: conferencing
                    address: [10.0.0.21, "2001:db8::21"]
                \(secondary.map { "    secondary_address: \($0)" } ?? "")
                  other: {role: conferencing, address: [10.0.0.22, "2001:db8::22"], secondary_address: 198.51.100.22}
                """
            if isNarrowed {
                text += "\npeers:\n"
                for (index, peerClass) in PeerClass.allCases.enumerated() {
                    text +=
                        "  \(peerClass.rawValue): [192.0.2.\(10 + index), \"2001:db8:9::\(10 + index)\"]\n"
                }
            }
            return text
        }
    }

    static let sites: [Site] = Placement.allCases.flatMap { placement in
        [
            Site(
                placement: placement, node: "conf", secondary: "198.51.100.21", isNarrowed: true,
                mode: .observe)
        ]
            + [false, true].flatMap { isNarrowed in
                [
                    ("mgmt", nil), ("conf", nil), ("conf", "198.51.100.21"),
                    ("conf", #"[198.51.100.21, "2001:db8:2::21"]"#),
                ].map { node, secondary in
                    Site(
                        placement: placement, node: node, secondary: secondary,
                        isNarrowed: isNarrowed)
                }
            }
    }

    /// On a gateway they are others' transit traffic, which passes.
    private static let decoys = ["10.0.0.99", "2001:db8::99"].compactMap { IPAddress($0) }
    private static let strangers = ["203.0.113.5", "2001:db8:ff::5"].compactMap { IPAddress($0) }

    @Test("packets arrive as the policy decides", arguments: sites)
    func arrives(site: Site) throws {
        try requireRoot()
        let reference = try Reference(site)
        let node = reference.policy.node
        let cells = CellMaker(reference.policy, decoys: Self.decoys, strangers: Self.strangers)
            .cells
        let tried = Set(cells.map { String($0.name.prefix { $0 != " " }) })
        #expect(tried == Set(reference.rows), "a row without a cell")

        let peers = Set(cells.map(\.packet.peerAddress)).union(Self.strangers).sorted()
        let own = node.allAddresses + Self.decoys
        let topology =
            switch site.placement {
            case .local: try Topology.nodeAndPeers(nodeAddresses: own, peerAddresses: peers)
            case .gateway: try Topology.gateway(nodeAddresses: own, peerAddresses: peers)
            }
        try topology.use { topology in
            let inside = try PacketProbe(in: topology.node)
            let outside = try PacketProbe(in: topology.outside)
            try AgentFixture.with(site.configuration, in: topology.enforcing) { agent in
                let status = try agent.status()
                try #require(status.state == .inSync, "\(status)")

                var expected: [String: UInt64] = [:]
                for direction in Direction.allCases {
                    let batch = cells.filter { $0.packet.direction == direction }
                    let isInbound = direction == .inbound
                    let arrived = try Self.send(
                        batch, from: isInbound ? outside : inside,
                        to: isInbound ? inside : outside, node: node)
                    for (index, cell) in batch.enumerated() {
                        let (verdict, _) = reference.decide(cell.packet)
                        #expect(
                            arrived.contains(UInt32(index + 1))
                                == (verdict == .accept || site.mode == .observe),
                            "\(cell.name): should be \(verdict.rawValue)")
                        for counter in reference.counters(cell.packet) {
                            expected[counter, default: 0] += 1
                        }
                    }
                    // An allowed packet opens the way back for its answers: not for our next batch.
                    for namespace in [topology.node, topology.outside, topology.enforcing] {
                        try PacketProbe(in: namespace).flushConnectionTracking()
                    }
                }
                try Self.checkRows(reference, cells, site)
                // Every row and every reason for dropping counted exactly its own packets.
                let counted = try agent.status().counters.mapValues(\.packets)
                #expect(counted.filter { $0.value > 0 } == expected)
                let refused = expected.filter { $0.key.hasPrefix("drop.") }
                print(
                    "\(site.testDescription): \(cells.count) cells, \(reference.rows.count) rows, \(refused.values.reduce(0, +)) counted as refused"
                )
            }
        }
    }

    /// Every row was met by a packet that it allows and by one that was refused for its sake.
    private static func checkRows(_ reference: Reference, _ cells: [Cell], _ site: Site) throws {
        for row in reference.rows {
            let own = cells.filter { $0.name.hasPrefix("\(row) ") }
            // Rows that an earlier row covers are decided by that one.
            let isCovered = coveredRows.contains(row) && !site.isNarrowed
            #expect(
                isCovered || own.contains { reference.decide($0.packet).rows.contains(row) },
                "no allowed packet met \(row)")
            #expect(
                own.contains { reference.decide($0.packet).verdict == .drop },
                "no near miss of \(row) was refused")
        }
    }

    /// With any peers: TCP to any port from the media range covers RTMP, UDP the STUN row, HTTPS to
    /// web conferencing the same to front ends, and HTTPS to vSphere the other servers.
    private static let coveredRows: Set<String> = [
        "conferencing.out.rtmp", "conferencing.out.stun-turn", "conferencing.out.https-lync",
        "conferencing.out.psom",
        "management.out.https-licensing", "management.out.https-incident-reporting",
        "management.out.https-usage-statistics",
    ]

    private static func send(
        _ cells: [Cell], from sender: PacketProbe, to receiver: PacketProbe, node: Node
    ) throws -> Set<UInt32> {
        let inbound = cells.first?.packet.direction == .inbound
        let own = ProbeEndpoint(node.addresses[0])
        let peer = ProbeEndpoint(strangers[0])
        return try PacketProbe.exchange(
            cells.enumerated().map { $1.probePacket(id: UInt32($0 + 1)) }, from: sender,
            to: receiver,
            sentinel: ProbePacket(
                id: UInt32(cells.count + 1), .echoRequest, from: inbound ? peer : own,
                to: inbound ? own : peer))
    }
}

/// What a site's packets should meet, from the same text that the agent gets.
private struct Reference {
    /// Of the node under test.
    let policy: Policy
    /// The role's rows, all of which apply.
    let rows: [String]
    private let gateway: GatewayPolicy?
    private let evaluator: TableEvaluator

    init(_ site: RowMatrixTests.Site) throws {
        let loaded = LoadedConfiguration(parsing: [
            ConfigurationSource(path: "site.yaml", text: site.configuration)
        ])
        let deployment = try #require(loaded.deployment, "\(loaded.diagnostics)")
        let node = try #require(deployment.node(named: site.node))
        policy = Policy(of: node, in: deployment)
        rows = deployment.profile.rows.filter { $0.role == node.role }.map(\.id)
        gateway =
            site.placement == .gateway
            ? GatewayPolicy(of: deployment.nodes, in: deployment) : nil
        evaluator = TableEvaluator(gateway?.compile() ?? policy.compileLocal())
    }

    /// What the compiled rules count of the packet.
    func counters(_ packet: Packet) -> [String] {
        let evaluation =
            gateway == nil ? evaluator.evaluate(packet) : evaluator.evaluateForwarded(packet)
        return evaluation.counters
    }

    /// The verdict, and the rows that permit the packet.
    func decide(_ packet: Packet) -> (verdict: Decision.Verdict, rows: [String]) {
        guard let gateway else {
            let decision = policy.decide(packet)
            return (decision.verdict, [decision].compactMap(\.row))
        }
        let decision = gateway.decide(packet)
        let rows = [decision.inbound, decision.outbound].compactMap { $0?.row }
        return (decision.verdict, decision.verdict == .accept ? rows : [])
    }
}

extension Decision {
    fileprivate var row: String? { if case .permit(let id) = reason { id } else { nil } }
}
