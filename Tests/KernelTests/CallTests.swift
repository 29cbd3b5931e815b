import Enforcement
import PortModel
import Reports
import Ruleset
import Site
import Testing
import TestSupport
import Reports

/// Conferencing calls as they really run: SIP signalling over TCP and TLS by SIPp, and RTP in both
/// directions, between an endpoint and a Conferencing Node whose port usage is enforced.
@Suite("Calls")
struct CallTests {
    /// IPv4 signalling and media belong to the secondary address; IPv6 has none.
    private static func configuration(_ placement: Placement, peers: String = "") -> String {
        """
        placement: \(placement.rawValue)
        enforce: \(placement == .local ? "[conf]" : "auto")
        nodes:
          mgmt: {role: management, address: 10.0.0.10}
          conf:
            role: conferencing
            address: [10.0.0.21, "2001:db8::21"]
            secondary_address: 198.51.100.21
        \(peers)
        """
    }

    private static let nodeAddresses = addresses("10.0.0.21", "198.51.100.21", "2001:db8::21")
    private static let endpointAddresses = addresses("192.0.2.7", "2001:db8:9::7", "203.0.113.5")

    private static func addresses(_ texts: String...) -> [IPAddress] {
        texts.compactMap { IPAddress($0) }
    }

    /// A network with an agent, and what a call in it meets.
    private struct Scene {
        let topology: Topology
        let agent: AgentFixture

        func node(_ family: AddressFamily, mediaPort: UInt16 = 42_000) throws -> SIPCall.Party {
            SIPCall.Party(
                namespace: topology.node,
                address: try #require(
                    nodeAddresses.last { $0.family == family }), mediaPort: mediaPort)
        }

        /// Endpoints choose their media ports as they like.
        func endpoint(_ address: String) throws -> SIPCall.Party {
            SIPCall.Party(
                namespace: topology.outside, address: try #require(IPAddress(address)),
                mediaPort: 16_384)
        }

        func endpoint(_ family: AddressFamily) throws -> SIPCall.Party {
            try endpoint(family == .ipv4 ? "192.0.2.7" : "2001:db8:9::7")
        }

        /// Packets by counter: those that counted any.
        func counters() throws -> [String: Int] {
            try agent.status().counters.mapValues { Int($0.packets) }.filter { $0.value > 0 }
        }

        /// Packets that were refused for any reason.
        func drops() throws -> Int {
            try counters().filter { $0.key.hasPrefix("drop.") }.values.reduce(0, +)
        }

        /// The flows of a protocol that the kernel tracks where the rules are.
        func trackedFlows(_ name: String) throws -> [Substring] {
            try requirePrograms([("conntrack", "conntrack")])
            return try topology.enforcing.run(["conntrack", "-L", "-p", name]).requireSuccess()
                .standardOutput.split(separator: "\n")
        }
    }

    private static func scene(
        _ placement: Placement, peers: String = "", _ body: (Scene) throws -> Void
    ) throws {
        try requireRoot()
        let topology =
            switch placement {
            case .local:
                try Topology.nodeAndPeers(
                    nodeAddresses: nodeAddresses, peerAddresses: endpointAddresses)
            case .gateway:
                try Topology.gateway(
                    nodeAddresses: nodeAddresses, peerAddresses: endpointAddresses)
            }
        try topology.use { topology in
            // What is refused is to fail within seconds.
            for namespace in [topology.node, topology.outside] {
                try namespace.setKernelParameters(["net/ipv4/tcp_syn_retries": 1])
            }
            let text = configuration(placement, peers: peers)
            try AgentFixture.with(text, in: topology.enforcing) { agent in
                let status = try agent.status()
                try #require(status.state == .inSync, "\(status)")
                try body(Scene(topology: topology, agent: agent))
            }
        }
    }

    private static func expectMediaBothWays(_ outcome: SIPCall.Outcome) {
        #expect(outcome.isCompleted, "the call should run to its end: \(outcome.log)")
        #expect(
            outcome.heardByCallee == SIPCall.mediaPackets,
            "all of the caller's RTP should arrive: \(outcome.log)")
        #expect(
            outcome.heardByCaller == SIPCall.mediaPackets,
            "all of the callee's RTP should arrive: \(outcome.log)")
    }

    private static func row(_ direction: Direction, _ name: String) -> String {
        "conferencing.\(direction == .inbound ? "in" : "out").\(name)"
    }

    // MARK: Through the gateway

    @Test(
        "an endpoint calls the node through the gateway, or the node an endpoint",
        arguments: Direction.allCases, SIPCall.Transport.allCases)
    func calls(_ direction: Direction, _ transport: SIPCall.Transport) throws {
        try Self.scene(.gateway) { scene in
            for family in AddressFamily.allCases {
                let before = try scene.counters()
                let node = try scene.node(family)
                let endpoint = try scene.endpoint(family)
                let isInbound = direction == .inbound
                let call = SIPCall(
                    caller: isInbound ? endpoint : node, callee: isInbound ? node : endpoint,
                    transport: transport, sourcePort: isInbound ? 1024 : 33_000)
                Self.expectMediaBothWays(try call.place())

                // A gateway's rows see the packets that begin a flow; the rest is established.
                let counted = try scene.counters().merging(before) { $0 - $1 }
                let signalling = Self.row(direction, transport == .tcp ? "sip" : "sip-tls")
                let media = Self.row(direction, "media")
                #expect(
                    Set(counted.filter { $0.value > 0 }.keys) == [signalling, media],
                    "\(family): the call should meet two rows: \(counted)")
                #expect(
                    counted[signalling] == 1, "\(family): one connection should open: \(counted)")
                #expect(
                    counted[media, default: 0] <= SIPCall.mediaPackets,
                    "\(family): RTP should be counted once: \(counted)")
            }
            #expect(
                try !scene.trackedFlows("udp").isEmpty,
                "a gateway should track the media that it forwards")
        }
    }

    @Test("an endpoint that `endpoints` does not name can't signal; the one it names can")
    func endpoints() throws {
        let peers = "peers: {endpoints: [192.0.2.7], media_endpoints: [192.0.2.7]}"
        try Self.scene(.gateway, peers: peers) { scene in
            let node = try scene.node(.ipv4)
            let refused = try SIPCall(
                caller: scene.endpoint("203.0.113.5"), callee: node, transport: .tcp,
                sourcePort: 1024
            ).place()
            #expect(!refused.isCompleted, "the stranger's signalling should time out")
            #expect(refused.heardByCallee == 0)
            let counted = try scene.counters()
            #expect(
                counted.keys.allSatisfy { $0.hasPrefix("drop.") },
                "no row should have met the stranger: \(counted)")
            let drops = try scene.drops()
            #expect(drops > 0, "the stranger's SYN should be refused and counted")

            let permitted = try SIPCall(
                caller: scene.endpoint("192.0.2.7"), callee: node, transport: .tcp,
                sourcePort: 1024
            ).place()
            Self.expectMediaBothWays(permitted)
            #expect(try scene.drops() == drops, "nothing of the permitted call should be refused")
        }
    }

    @Test("the node can't signal to an endpoint from another port than its signalling range")
    func signallingRange() throws {
        try Self.scene(.gateway) { scene in
            let outcome = try SIPCall(
                caller: scene.node(.ipv4), callee: scene.endpoint(.ipv4), transport: .tcp,
                sourcePort: 32_999
            ).place()
            #expect(!outcome.isCompleted, "signalling from 32999 should time out")
            let counted = try scene.counters()
            #expect(
                counted.keys.allSatisfy { $0.hasPrefix("drop.") },
                "no row should have met the node's SYN: \(counted)")
            #expect(try scene.drops() > 0, "the node's SYN should be refused and counted")
        }
    }

    @Test("`media_endpoints` that does not name the endpoint: signalling, but no media")
    func mediaEndpoints() throws {
        try Self.scene(.gateway, peers: "peers: {media_endpoints: [192.0.2.8]}") { scene in
            let outcome = try SIPCall(
                caller: scene.endpoint(.ipv4), callee: scene.node(.ipv4), transport: .tcp,
                sourcePort: 1024
            ).place()
            try Self.expectSignallingOnly(outcome, in: scene, row: "conferencing.in.sip")
        }
    }

    @Test(
        "a media port of the node beyond its range: signalling, but no media",
        arguments: zip(Direction.allCases, [39_999, 50_000] as [UInt16]))
    func mediaRange(_ direction: Direction, _ mediaPort: UInt16) throws {
        try Self.scene(.gateway) { scene in
            let node = try scene.node(.ipv4, mediaPort: mediaPort)
            let endpoint = try scene.endpoint(.ipv4)
            let isInbound = direction == .inbound
            let outcome = try SIPCall(
                caller: isInbound ? endpoint : node, callee: isInbound ? node : endpoint,
                transport: .tcp, sourcePort: isInbound ? 1024 : 39_999
            ).place()
            try Self.expectSignallingOnly(outcome, in: scene, row: Self.row(direction, "sip"))
        }
    }

    private static func expectSignallingOnly(
        _ outcome: SIPCall.Outcome, in scene: Scene, row: String
    ) throws {
        #expect(outcome.isCompleted, "signalling should run to its end: \(outcome.log)")
        #expect(outcome.heardByCallee == 0, "no RTP should arrive")
        #expect(outcome.heardByCaller == 0, "no RTP should come back")
        let counted = try scene.counters()
        #expect(counted[row] == 1, "the call should signal: \(counted)")
        #expect(
            try scene.drops() == SIPCall.mediaPackets,
            "every packet of RTP should be refused and counted: \(counted)")
    }

    // MARK: On the node

    @Test(
        "calls on the node itself: every packet of media counts, none is tracked",
        arguments: Direction.allCases)
    func local(_ direction: Direction) throws {
        try Self.scene(.local) { scene in
            let node = try scene.node(.ipv4)
            let endpoint = try scene.endpoint(.ipv4)
            let isInbound = direction == .inbound
            let outcome = try SIPCall(
                caller: isInbound ? endpoint : node, callee: isInbound ? node : endpoint,
                transport: .tcp, sourcePort: isInbound ? 1024 : 33_000
            ).place()
            Self.expectMediaBothWays(outcome)
            #expect(
                try scene.counters() == [
                    Self.row(direction, "sip"): 1,
                    "conferencing.in.media": SIPCall.mediaPackets,
                    "conferencing.out.media": SIPCall.mediaPackets,
                ], "one connection, and all RTP of both directions by its rows")
            #expect(try scene.trackedFlows("udp") == [], "media should take no tracked flow")
            #expect(
                try scene.trackedFlows("tcp").count == 1, "signalling should be a tracked flow")
        }
    }
}
