import Enforcement
import Foundation
import PortModel
import Reports
import Site
import Testing
import TestSupport

/// Established flows end when a generation no longer permits them, and only those.
@Suite("Revocation")
struct RevocationTests {
    private static let nodeAddresses = addresses("10.0.0.21", "2001:db8::21")
    private static let peerAddresses = addresses("192.0.2.7", "2001:db8:9::7")

    private static func addresses(_ texts: String...) -> [IPAddress] {
        texts.compactMap { IPAddress($0) }
    }

    /// What every generation permits stays; SSH, DNS and media are permitted, or for nobody who is
    /// there.
    private static func configuration(
        _ placement: Placement, isOpen: Bool, _ more: String = ""
    ) -> String {
        """
        placement: \(placement.rawValue)
        nodes:
          conf: {role: conferencing, address: [10.0.0.21, "2001:db8::21"]}
        host: {ping: true}
        features: {ssh: \(isOpen)}
        \(isOpen ? "" : "peers: {dns_servers: [192.0.2.53], media_endpoints: [192.0.2.99]}")
        \(more)
        """
    }

    private final class Scene {
        let topology: Topology
        let agent: AgentFixture
        let placement: Placement
        let inside: PacketProbe
        let outside: PacketProbe
        private var port: UInt16 = 20_000

        init(_ topology: Topology, _ agent: AgentFixture, _ placement: Placement) throws {
            self.topology = topology
            self.agent = agent
            self.placement = placement
            inside = try PacketProbe(in: topology.node)
            outside = try PacketProbe(in: topology.outside)
            try inside.listen(
                at: nodeAddresses.flatMap { node in
                    [22, 443].map { ProbeEndpoint(node, port: $0) }
                })
        }

        /// A connection from outside, over which data has passed.
        func open(to destination: ProbeEndpoint) throws -> Opened {
            port += 1
            let source = ProbeEndpoint(
                try #require(peerAddresses.first { $0.family == destination.address.family }),
                port: port)
            let (connection, outcome) = try outside.open(from: source, to: destination)
            let opened = Opened(
                connection: try #require(connection, "\(destination): \(outcome)"),
                source: source, destination: destination)
            try #require(try opened.connection.echo() == .established)
            return opened
        }

        /// Which of the packets arrive.
        func exchange(_ packets: [ProbePacket], inbound: Bool) throws -> Set<UInt32> {
            let (near, far) = (ProbeEndpoint(nodeAddresses[0]), ProbeEndpoint(peerAddresses[0]))
            return try PacketProbe.exchange(
                packets, from: inbound ? outside : inside, to: inbound ? inside : outside,
                sentinel: ProbePacket(
                    id: 1_000_000, .echoRequest, from: inbound ? far : near,
                    to: inbound ? near : far))
        }

        /// The tracked flows where rules are enforced, as an independent observer lists them.
        func entries() throws -> [Entry] {
            try ["ipv4", "ipv6"].flatMap { family in
                try topology.enforcing.run(["conntrack", "-L", "-f", family, "-o", "id"])
                    .requireSuccess().standardOutput.split(separator: "\n").map { Entry($0) }
            }
        }

        /// Configures both generations: the strict one is 1, the open one 2 and in force.
        func permitAll() throws {
            try agent.write(RevocationTests.configuration(placement, isOpen: true))
            try agent.waitForStatus("generation 2") { $0.generation == 2 }
        }

        /// Puts the strict generation in force; tells how many flows it says to have ended.
        func revoke() throws -> Int {
            let result = try agent.control("rollback", "1").requireSuccess()
            let words = result.standardOutput.split(whereSeparator: \.isWhitespace)
            guard let mark = words.firstIndex(of: "ended") else { return 0 }
            return try #require(Int(words[mark + 1]), "\(result.standardOutput)")
        }
    }

    private struct Opened {
        let connection: PacketProbe.Connection
        let source: ProbeEndpoint
        let destination: ProbeEndpoint
    }

    private struct Entry: Hashable {
        let id: Substring
        /// Of the original direction.
        let source: ProbeEndpoint?
        let destination: ProbeEndpoint?

        init(_ line: Substring) {
            func first(_ key: String) -> Substring {
                line.split(separator: " ").first { $0.hasPrefix(key) }?.dropFirst(key.count) ?? ""
            }
            func endpoint(_ address: String, _ port: String) -> ProbeEndpoint? {
                IPAddress(first(address)).map {
                    ProbeEndpoint($0, port: UInt16(first(port)) ?? 0)
                }
            }
            id = first("id=")
            source = endpoint("src=", "sport=")
            destination = endpoint("dst=", "dport=")
        }
    }

    private static func scene(
        _ placement: Placement, _ more: String = "", _ body: (Scene) throws -> Void
    ) throws {
        try requireRoot()
        let topology =
            switch placement {
            case .local:
                try Topology.nodeAndPeers(
                    nodeAddresses: nodeAddresses, peerAddresses: peerAddresses)
            case .gateway:
                try Topology.gateway(nodeAddresses: nodeAddresses, peerAddresses: peerAddresses)
            }
        try topology.use { topology in
            try AgentFixture.with(
                configuration(placement, isOpen: false, more), in: topology.enforcing
            ) { agent in try body(Scene(topology, agent, placement)) }
        }
    }

    @Test(
        "connections of a row that closes end, others keep their entries",
        arguments: Placement.allCases)
    func connections(placement: Placement) throws {
        try Self.scene(placement) { scene in
            try scene.permitAll()
            var closing = try Self.nodeAddresses.map {
                try scene.open(to: ProbeEndpoint($0, port: 22))
            }
            var staying = try Self.nodeAddresses.map {
                try scene.open(to: ProbeEndpoint($0, port: 443))
            }
            if placement == .gateway {
                // Destination NAT on the gateway: rules see the node's own address and port.
                try Nft.run(
                    in: scene.topology.enforcing,
                    """
                    table ip theirs {
                        chain prerouting {
                            type nat hook prerouting priority dstnat;
                            ip daddr 203.0.113.1 tcp dport 2222 dnat to 10.0.0.21:22
                            ip daddr 203.0.113.1 tcp dport 8443 dnat to 10.0.0.21:443
                        }
                    }
                    """)
                closing.append(try scene.open(to: "203.0.113.1:2222"))
                staying.append(try scene.open(to: "203.0.113.1:8443"))
            }
            let before = try scene.entries()
            func entry(_ opened: Opened, in entries: [Entry]) -> Entry? {
                entries.first {
                    $0.source == opened.source && $0.destination == opened.destination
                }
            }
            for opened in closing + staying { #expect(entry(opened, in: before) != nil) }

            #expect(try scene.revoke() == closing.count)
            let after = try scene.entries()
            for opened in staying {
                #expect(entry(opened, in: after) == entry(opened, in: before))
                #expect(try opened.connection.echo() == .established, "\(opened.destination)")
            }
            for opened in closing {
                #expect(entry(opened, in: after) == nil)
                #expect(
                    try opened.connection.echo(timeout: .milliseconds(300)) == .silent,
                    "\(opened.destination)")
            }

            // Segments from the middle of the connections, which connection tracking would take for
            // the start of new ones, in both directions.
            for (id, opened) in closing.enumerated() where opened.destination.port == 22 {
                let toNode = ProbePacket(
                    id: UInt32(id), .tcp(flags: 0x18), from: opened.source, to: opened.destination)
                #expect(try scene.exchange([toNode], inbound: true) == [])
                let toPeer = ProbePacket(
                    id: UInt32(id), .tcp(flags: 0x18), from: opened.destination, to: opened.source)
                #expect(try scene.exchange([toPeer], inbound: false) == [])
            }
            let last = try scene.entries()
            for opened in closing {
                #expect(entry(opened, in: last) == nil)
                #expect(
                    !last.contains {
                        $0.source == opened.destination && $0.destination == opened.source
                    })
            }
            for opened in staying {
                #expect(entry(opened, in: last) == entry(opened, in: before))
                #expect(try opened.connection.echo() == .established, "\(opened.destination)")
            }
        }
    }

    @Test("UDP answers and media end with their rows", arguments: Placement.allCases)
    func datagrams(placement: Placement) throws {
        try Self.scene(placement) { scene in
            try scene.permitAll()
            var outbound: [ProbePacket] = []
            var inbound: [ProbePacket] = []
            // A query and its answer; media either way; and NTP, which stays.
            for (index, (node, peer)) in zip(Self.nodeAddresses, Self.peerAddresses).enumerated() {
                for (kind, ports) in [(55_000, 53), (41_000, 24_000), (123, 123)].enumerated() {
                    let (near, far) = (
                        ProbeEndpoint(node, port: UInt16(ports.0)),
                        ProbeEndpoint(peer, port: UInt16(ports.1))
                    )
                    let id = UInt32(10 * index + kind)
                    outbound.append(ProbePacket(id: id, .udp, from: near, to: far))
                    inbound.append(ProbePacket(id: id, .udp, from: far, to: near))
                }
            }
            #expect(try scene.exchange(outbound, inbound: false).count == outbound.count)
            #expect(try scene.exchange(inbound, inbound: true).count == inbound.count)

            // On the node media has no entries.
            #expect(try scene.revoke() == (placement == .local ? 2 : 4))
            #expect(try scene.exchange(inbound, inbound: true) == [2, 12])
            #expect(try scene.exchange(outbound, inbound: false) == [2, 12])
        }
    }

    @Test("a flow that was expected ends with the one that announced it")
    func expected() throws {
        try Self.scene(.gateway) { scene in
            try scene.permitAll()
            // A connection back to port 2022 is then related to one to port 22, as helpers do it.
            try Nft.run(
                in: scene.topology.enforcing,
                """
                table ip theirs {
                    ct expectation a { protocol tcp; dport 2022; timeout 1m; size 9; l3proto ip; }
                    ct expectation b { protocol tcp; dport 2443; timeout 1m; size 9; l3proto ip; }
                    chain forward {
                        type filter hook forward priority -5;
                        ct state new tcp dport 22 ct expectation set "a"
                        ct state new tcp dport 443 ct expectation set "b"
                    }
                }
                """)
            try scene.outside.listen(at: ["192.0.2.7:2022", "192.0.2.7:2443"])
            func open(to destination: ProbeEndpoint) throws -> PacketProbe.Connection {
                // No row has this source port.
                let (connection, outcome) = try scene.inside.open(
                    from: "10.0.0.21:50000", to: destination)
                return try #require(connection, "\(destination): \(outcome)")
            }
            _ = try scene.open(to: "10.0.0.21:22")
            let closing = try open(to: "192.0.2.7:2022")
            _ = try scene.open(to: "10.0.0.21:443")
            let staying = try open(to: "192.0.2.7:2443")
            #expect(try scene.revoke() == 2)
            #expect(try closing.echo(timeout: .milliseconds(300)) == .silent)
            #expect(try staying.echo() == .established)
        }
    }

    @Test("among 20,000 flows exactly those that are not permitted end")
    func many() throws {
        try Self.scene(.local) { scene in
            try scene.permitAll()
            let lines = (0..<20_000).map {
                "-I -p tcp -t 600 --state ESTABLISHED -s 192.0.2.7 -d 10.0.0.21 --sport \(1024 + $0) --dport \($0 % 2 == 0 ? 22 : 443)\n"
            }
            let file = scene.agent.directory.appending(path: "flows")
            try Data(lines.joined().utf8).write(to: file)
            let enforcing = scene.topology.enforcing
            try enforcing.run(["conntrack", "-R", file.path], timeout: patience)
                .requireSuccess()
            let before = Set(try scene.entries().filter { $0.destination?.port == 443 })
            #expect(before.count == 10_000)
            let started = ContinuousClock.now
            #expect(try scene.revoke() == 10_000)
            print(
                "20,000 flows: rollback, judged and half of them ended, in \(ContinuousClock.now - started)"
            )
            let after = try scene.entries().filter { ($0.destination?.port ?? 0) > 0 }
            #expect(Set(after) == before)
        }
    }

    @Test("flows that came up while the tables were away end with the repair")
    func repair() throws {
        try Self.scene(.gateway) { scene in
            scene.agent.kill()
            try Nft.run(in: scene.topology.enforcing, "delete table inet pexip_fw_gateway")
            // Something that tracks connections must be there.
            try Nft.run(
                in: scene.topology.enforcing,
                "table inet theirs { chain c { type filter hook forward priority 5; ct state new; }; }"
            )
            let opened = try scene.open(to: ProbeEndpoint(Self.nodeAddresses[0], port: 22))
            let staying = try scene.open(to: ProbeEndpoint(Self.nodeAddresses[0], port: 443))
            try scene.agent.start()
            #expect(try opened.connection.echo(timeout: .milliseconds(300)) == .silent)
            #expect(try staying.connection.echo() == .established)
            #expect(scene.agent.log.contains("ended 1 established flow"))
        }
    }

    @Test("flows go on where the site wants them to")
    func switchedOff() throws {
        try Self.scene(.local, "guard: {revoke_established: false}") { scene in
            try scene.permitAll()
            let opened = try scene.open(to: ProbeEndpoint(Self.nodeAddresses[0], port: 22))
            #expect(try scene.revoke() == 0)
            #expect(try opened.connection.echo() == .established)
        }
    }

    /// The gateway's own connections to a node are not forwarded, so no rule is about them.
    @Test("the gateway's own connections stay")
    func ownConnections() throws {
        try Self.scene(.gateway) { scene in
            try scene.permitAll()
            let enforcing = scene.topology.enforcing
            try enforcing.configure(["address add 10.0.0.1/32 dev lo"])
            let probe = try PacketProbe(in: enforcing)
            let (connection, outcome) = try probe.open(from: "10.0.0.1", to: "10.0.0.21:22")
            let own = try #require(connection, "\(outcome)")
            let peer = try scene.open(to: "10.0.0.21:22")
            #expect(try scene.revoke() == 1)
            #expect(try own.echo() == .established)
            #expect(try peer.connection.echo(timeout: .milliseconds(300)) == .silent)
        }
    }

    /// To end so many takes seconds, in which nothing else may wait.
    @Test("a deleted table comes back while many flows are still being ended")
    func manyFlows() throws {
        let count = 50_000
        try Self.scene(.gateway) { scene in
            try scene.permitAll()
            let enforcing = scene.topology.enforcing
            let entries = scene.agent.directory.appending(path: "flows")
            let lines = (0..<count).map {
                "-I -p udp -s 192.0.2.\(1 + $0 / 40_000) -d 10.0.0.21 --sport \(20_000 + $0 % 40_000) --dport \(40_000 + $0 % 9_999) --timeout 3600\n"
            }
            try Data(lines.joined().utf8).write(to: entries)
            try enforcing.run(["conntrack", "-R", entries.path], timeout: .seconds(300))
                .requireSuccess()
            let rollback = try enforcing.spawn([
                try BuiltProducts.path(of: "pexip-fwctl"), "--socket", scene.agent.socket,
                "rollback", "1",
            ])
            try scene.agent.waitForStatus("generation 1", timeout: .seconds(100)) {
                $0.generation == 1
            }
            try enforcing.run(["nft", "delete", "table", "inet", "pexip_fw_gateway"])
                .requireSuccess()
            let isBack = try waitUntil(timeout: .seconds(100)) {
                try enforcing.run(["nft", "list", "tables"]).requireSuccess().standardOutput
                    .contains("pexip_fw_gateway")
            }
            #expect(isBack)
            #expect(rollback.isRunning, "the table came back when all flows had ended")
            #expect(
                rollback.wait(timeout: .seconds(300)) == .exited(0), "\(rollback.standardError)")
            #expect(
                rollback.standardOutput.contains("ended \(count) established flows"),
                "\(rollback.standardOutput)")
        }
    }
}
