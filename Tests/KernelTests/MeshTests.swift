import Enforcement
import Foundation
import PortModel
import Reports
import Site
import Testing
import TestSupport

/// `pexip-fwctl mesh` on networks that are broken in different ways, with real IKE and ESP packets.
@Suite("Mesh")
struct MeshTests {
    private static func address(_ text: String) -> IPAddress {
        guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
        return address
    }

    private static let own = address("10.0.0.21")
    /// The other nodes, by what is wrong between them and ``own``.
    private static let others: [String: IPAddress] = [
        "fine": address("10.0.0.22"), "no-esp-back": address("10.0.0.23"),
        "no-ike-back": address("10.0.0.24"), "behind-nat": address("10.0.0.25"),
        "unrouted": address("10.0.0.26"), "no-esp": address("10.0.0.27"),
        "down": address("10.0.0.28"),
    ]
    /// What the node `behind-nat` has behind its NAT.
    private static let real = address("10.99.0.25")

    private static func configuration(_ placement: Placement) -> String {
        """
        placement: \(placement.rawValue)
        enforce: [conf]
        host: {ping: true}
        nodes:
          conf: {role: conferencing, address: \(own)}
        \(others.sorted { $0.key < $1.key }.map {
            "  \($0.key): {role: conferencing, address: \($0.value)}"
        }.joined(separator: "\n"))
        """
    }

    /// What is wrong with the network where the other nodes are.
    private static let obstacles = """
        table ip obstacles {
            chain output {
                type filter hook output priority 0; policy accept;
                ip saddr 10.0.0.23 meta l4proto 50 drop
                ip saddr 10.0.0.24 udp dport 500 drop
                ip saddr 10.0.0.27 meta l4proto 50 drop
            }
            chain prerouting {
                type nat hook prerouting priority -100; policy accept;
                ip daddr 10.0.0.25 dnat to \(real)
            }
            chain postrouting {
                type nat hook postrouting priority 100; policy accept;
                ip saddr \(real) snat to 10.0.0.25
            }
        }
        """

    private struct Scene {
        let topology: Topology
        let agent: AgentFixture
        let inside: PacketProbe
        let outside: PacketProbe

        /// Sends IKE, and ESP where it is wanted, between the node and another.
        @discardableResult func speak(
            _ name: String, esp: Bool = true, inbound: Bool, port: UInt16 = 500
        ) throws -> Set<UInt32> {
            var other = try #require(MeshTests.others[name])
            // Where it has that NAT.
            if name == "behind-nat", inbound { other = MeshTests.real }
            let (from, to) = inbound ? (other, MeshTests.own) : (MeshTests.own, other)
            var packets = [
                ProbePacket(
                    id: 1, .udp, from: ProbeEndpoint(from, port: port),
                    to: ProbeEndpoint(to, port: port))
            ]
            if esp {
                packets.append(
                    ProbePacket(id: 2, .esp, from: ProbeEndpoint(from), to: ProbeEndpoint(to)))
            }
            let (near, far) = (MeshTests.own, try #require(MeshTests.others["fine"]))
            return try PacketProbe.exchange(
                packets, from: inbound ? outside : inside, to: inbound ? inside : outside,
                sentinel: ProbePacket(
                    id: 1_000_000, .echoRequest, from: ProbeEndpoint(inbound ? far : near),
                    to: ProbeEndpoint(inbound ? near : far)))
        }

        func report(_ arguments: String...) throws -> (MeshReport, Int32?) {
            let result = try agent.namespace.run(
                [try BuiltProducts.path(of: "pexip-fwctl"), "mesh", "--json", "--socket"]
                    + [agent.socket] + arguments)
            let report = try JSONDecoder().decode(
                MeshReport.self, from: Data(result.standardOutput.utf8))
            if case .exited(let status) = result.status { return (report, status) }
            return (report, nil)
        }

        /// The states of the node's pairs, by the other node.
        func states() throws -> [String: MeshReport.State] {
            let (report, _) = try report("--node", "conf")
            return Dictionary(
                uniqueKeysWithValues: report.pairs.map {
                    ($0.first == "conf" ? $0.second : $0.first, $0.state)
                })
        }
    }

    private static func scene(_ placement: Placement, _ body: (Scene) throws -> Void) throws {
        try requireRoot()
        let peers = others.values.sorted() + [real]
        let topology =
            switch placement {
            case .local: try Topology.nodeAndPeers(nodeAddresses: [own], peerAddresses: peers)
            case .gateway: try Topology.gateway(nodeAddresses: [own], peerAddresses: peers)
            }
        try topology.use { topology in
            try topology.enforcing.configure(["route add unreachable 10.0.0.26/32"])
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

    @Test("what is wrong between two nodes is told apart", arguments: Placement.allCases)
    func states(placement: Placement) throws {
        try Self.scene(placement) { scene in
            let before = try scene.states()
            #expect(before["unrouted"] == .noRoute)
            #expect(before["fine"] == .silent)

            try Nft.run(in: scene.topology.outside, Self.obstacles)
            for name in ["fine", "no-esp-back"] { try scene.speak(name, inbound: false) }
            try scene.speak("fine", inbound: true)
            #expect(try scene.speak("no-esp-back", inbound: true) == [1])
            try scene.speak("no-ike-back", esp: false, inbound: false)
            #expect(try scene.speak("no-ike-back", esp: false, inbound: true).isEmpty)
            for isInbound in [false, true] {
                try scene.speak("no-esp", esp: false, inbound: isInbound)
                // Behind a NAT, IKE finds it and goes on by UDP 4500.
                #expect(try scene.speak("behind-nat", esp: false, inbound: isInbound) == [1])
                #expect(
                    try scene.speak("behind-nat", esp: false, inbound: isInbound, port: 4500)
                        .isEmpty)
            }
            #expect(
                try scene.states() == [
                    "fine": .up, "no-esp-back": .espOneWay, "no-ike-back": .ikeOneWay,
                    "behind-nat": .translated, "unrouted": .noRoute, "no-esp": .espMissing,
                    "down": .silent,
                ])

            let (report, status) = try scene.report("--node", "conf")
            #expect(status == 1)
            #expect(report.counts["up"] == 1)
            let translated = try #require(report.pairs.first { $0.state == .translated })
            #expect(translated.evidence.map(\.kind) == [.traversal, .traversal])
            #expect(report.strangers.isEmpty)
            let (fine, fineStatus) = try scene.report("--node", "fine")
            #expect(fineStatus == 0)
            #expect(fine.pairs.filter { $0.state == .up }.count == 1)

            let text = try scene.agent.control("mesh", "--node", "conf").standardOutput
            for words in [
                "up: IKE", "ESP ONE WAY: IKE", "IKE ONE WAY: IKE", "NAT IN BETWEEN: IKE",
                "IKE BUT NO ESP: IKE",
                "NO ROUTE: IKE never / never", "this host has no route to 10.0.0.26",
                "UDP 4500 from 10.0.0.25 to 10.0.0.21 was refused",
                "pexip-fwctl explain esp 10.0.0.23 10.0.0.21",
            ] {
                #expect(text.contains(words), "\(words) is not in:\n\(text)")
            }
            // Nothing that packets note is a change.
            #expect(try scene.agent.status().drift.count == 0)
            #expect(try scene.agent.status().generation == 1)
        }
    }

    @Test("a NAT that nobody told of is suspected where no other silence explains the stranger")
    func suspicion() throws {
        try Self.scene(.local) { scene in
            // From an address that is no node's.
            #expect(try scene.speak("behind-nat", inbound: true).isEmpty)
            let (ambiguous, _) = try scene.report()
            #expect(ambiguous.strangers.map(\.from) == [Self.real, Self.real])
            #expect(ambiguous.counts["nat-suspected"] == nil)
            #expect(ambiguous.pairs.allSatisfy { $0.evidence.contains { $0.kind == .stranger } })

            for name in Self.others.keys where name != "behind-nat" && name != "unrouted" {
                for isInbound in [false, true] { try scene.speak(name, inbound: isInbound) }
            }
            #expect(try scene.states()["behind-nat"] == .natSuspected)
            let text = try scene.agent.control("mesh").standardOutput
            #expect(text.contains("it may be behind-nat behind a NAT"), "\(text)")
        }
    }

    @Test("a NAT of this host is told, also where all passes")
    func translation() throws {
        try Self.scene(.gateway) { scene in
            for isInbound in [false, true] { try scene.speak("fine", inbound: isInbound) }
            #expect(try scene.states()["fine"] == .up)
            try Nft.run(
                in: scene.topology.enforcing,
                """
                table ip theirs {
                    chain postrouting {
                        type nat hook postrouting priority srcnat;
                        ip saddr 10.0.0.21 ip daddr 10.0.0.23 snat to 203.0.113.25
                    }
                }
                """)
            for _ in 0..<2 { try scene.speak("no-esp-back", esp: false, inbound: false) }
            let (report, status) = try scene.report("--node", "no-esp-back")
            #expect(status == 1)
            let pair = try #require(report.pairs.first { $0.state == .translated })
            #expect(Set(pair.evidence.map(\.kind)) == [.translated])
        }
    }

    @Test("changes in place keep what was noted, and a full set costs no packet")
    func notes() throws {
        try Self.scene(.local) { scene in
            for isInbound in [false, true] { try scene.speak("fine", inbound: isInbound) }
            let (before, _) = try scene.report("--node", "fine")
            #expect(before.pairs.first?.state == .up)
            let seen = try #require(before.pairs.first?.esp.back)

            try scene.agent.write("features: {ssh: true}", as: "20-ssh.yaml")
            try scene.agent.waitForStatus("the second generation") { $0.generation == 2 }
            let (after, _) = try scene.report("--node", "fine")
            let kept = try #require(after.pairs.first?.esp.back)
            // Ages are read in whole seconds.
            #expect(abs(kept.seconds - seen.seconds) <= 1)
            #expect(after.notedSince == before.notedSince)

            let elements = (0..<16_384).map { "10.9.\($0 >> 8).\($0 & 255) . 10.0.0.21" }
            try scene.topology.enforcing.run(
                ["nft", "-f", "-"],
                input:
                    "add element inet pexip_fw_conf seen.esp.v4 { \(elements.dropLast(2).joined(separator: ", ")) }"
            ).requireSuccess()
            #expect(try scene.speak("no-esp-back", inbound: true) == [1, 2])
            #expect(try scene.speak("fine", inbound: true) == [1, 2])
            let (full, _) = try scene.report("--node", "conf")
            #expect(full.isFull)
            let unknown = try #require(full.pairs.first { $0.second == "no-esp-back" })
            #expect(unknown.esp.back == nil)
            #expect(unknown.ike.back != nil)
            #expect(try scene.agent.status().counters["conferencing.in.esp"]?.packets == 3)
            let text = try scene.agent.control("mesh").standardOutput
            #expect(text.contains("the kernel holds no more pairs"))
            // Elements are nobody's policy: there is nothing to repair.
            #expect(try scene.agent.status().drift.count == 0)
        }
    }

    @Test("readers may ask; a node that is none, and an agent without rules, are told")
    func refusals() throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try AgentFixture.with(nil, in: namespace) { agent in
                let nothing = try agent.control("mesh")
                #expect(nothing.status == .exited(1))
                #expect(nothing.standardError.contains("nothing is in force"))
            }
            try namespace.configure(["address add 10.0.0.21/32 dev lo"])
            try AgentFixture.with(Self.configuration(.local), in: namespace) { agent in
                let unknown = try agent.control("mesh", "--node", "nobody")
                #expect(unknown.status == .exited(1))
                #expect(unknown.standardError.contains("nobody is no node of the deployment"))
            }
            try AgentFixture.with(
                "nodes: {conf: {role: conferencing, address: 10.0.0.21}}", in: namespace
            ) { agent in
                let alone = try agent.control("mesh")
                #expect(alone.standardError.contains("they are for a single node"))
            }
        }
    }
}
