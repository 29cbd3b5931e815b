import Deployment
import Enforcement
import Policy
import PortModel
import TestSupport
import Testing

/// Every row of both roles against the real kernel: the allowed packets arrive, their near misses
/// do not, and each row's counter counts its own.
@Suite("Row matrix, local placement")
struct RowMatrixTests {
    struct Site: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let node: String
        let secondary: String?
        let isNarrowed: Bool

        /// A deployment whose every feature is on, so that every row of the role applies.
        var configuration: String {
            var text = """
                enforce: [\(node)]
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

    static let sites = [false, true].flatMap { isNarrowed in
        let peers = isNarrowed ? "narrowed peers" : "any peers"
        return [
            Site(
                testDescription: "Management Node, \(peers)", node: "mgmt", secondary: nil,
                isNarrowed: isNarrowed),
            Site(
                testDescription: "Conferencing Node, \(peers)", node: "conf", secondary: nil,
                isNarrowed: isNarrowed),
            Site(
                testDescription: "dual-homed Conferencing Node, \(peers)", node: "conf",
                secondary: "198.51.100.21", isNarrowed: isNarrowed),
            Site(
                testDescription: "dual-homed Conferencing Node, both families, \(peers)",
                node: "conf", secondary: #"[198.51.100.21, "2001:db8:2::21"]"#,
                isNarrowed: isNarrowed),
        ]
    }

    private static let decoys = ["10.0.0.99", "2001:db8::99"].compactMap { IPAddress($0) }
    private static let strangers = ["203.0.113.5", "2001:db8:ff::5"].compactMap { IPAddress($0) }

    @Test("packets arrive as the policy decides", arguments: sites)
    func arrives(site: Site) throws {
        try requireRoot()
        let loaded = LoadedConfiguration(parsing: [
            ConfigurationSource(path: "site.yaml", text: site.configuration)
        ])
        let deployment = try #require(loaded.deployment, "\(loaded.diagnostics)")
        let node = try #require(deployment.node(named: site.node))
        let policy = Policy(of: node, in: deployment)
        let cells = CellMaker(policy, decoys: Self.decoys, strangers: Self.strangers).cells

        let rows = deployment.profile.rows.filter { $0.role == node.role }.map(\.id)
        let tried = Set(cells.map { $0.name.prefix { $0 != " " } })
        #expect(tried == Set(rows.map { Substring($0) }), "a row without a cell")

        var peers = Set(Self.strangers)
        for cell in cells { peers.insert(cell.packet.peerAddress) }
        let topology = try Topology.nodeAndPeers(
            nodeAddresses: node.allAddresses + Self.decoys,
            peerAddresses: peers.sorted())
        try topology.use { topology in
            let inside = try PacketProbe(in: topology.node)
            let outside = try PacketProbe(in: topology.outside)
            try AgentFixture.with(site.configuration, in: topology.node) { agent in
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
                        let decision = policy.decide(cell.packet)
                        #expect(
                            arrived.contains(UInt32(index + 1)) == (decision.verdict == .accept),
                            "\(cell.name): \(decision)")
                        if case .permit(let id) = decision.reason { expected[id, default: 0] += 1 }
                    }
                    // An allowed packet opens the way back for its answers: not for our next batch.
                    try inside.flushConnectionTracking()
                    try outside.flushConnectionTracking()
                }

                for row in rows {
                    let allowed = cells.filter {
                        policy.decide($0.packet).reason == .permit(row)
                    }
                    let refused = cells.filter {
                        $0.name.hasPrefix("\(row) ")
                            && policy.decide($0.packet).verdict == .drop
                    }
                    // Rows that an earlier row covers are decided by that one.
                    let isCovered = Self.coveredRows.contains(row) && !site.isNarrowed
                    #expect(!allowed.isEmpty || isCovered, "no allowed packet met \(row)")
                    #expect(!refused.isEmpty, "no near miss of \(row) was refused")
                }
                let counters = try #require(try agent.status().nodes.first).counters
                for (id, packets) in expected {
                    #expect(counters[id]?.packets == packets, "counter of \(id)")
                }
                print(
                    "\(site.testDescription): \(cells.count) cells, \(rows.count) rows, \(expected.values.reduce(0, +)) allowed"
                )
            }
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
