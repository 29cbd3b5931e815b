import Enforcement
import Foundation
import Policy
import PortModel
import Reports
import Ruleset
import Site
import Testing
import TestSupport

/// `show drops` and `show counters` of a real agent, by real packets.
@Suite("Drops", .serialized)
struct DropTests {
    private static func configuration(_ placement: Placement, _ more: String) -> String {
        """
        placement: \(placement.rawValue)
        features: {ssh: true}
        peers: {ssh_clients: [10.1.0.0/16]}
        nodes:
          conf: {role: conferencing, address: [10.0.0.21, "2001:db8::21"]}
          other: {role: conferencing, address: 10.0.0.22}
        \(more)
        """
    }

    private static func addresses(_ texts: String...) -> [IPAddress] {
        texts.compactMap { IPAddress($0) }
    }

    private static let nodes = addresses("10.0.0.21", "2001:db8::21")
    private static let peers = addresses("192.0.2.7", "2001:db8:9::7", "10.1.0.9", "10.0.0.22")

    private struct Scene {
        let topology: Topology
        let agent: AgentFixture
        let inside: PacketProbe
        let outside: PacketProbe

        func send(_ packets: [ProbePacket], inbound: Bool) throws {
            let node: ProbeEndpoint = "10.0.0.21:45000"
            let peer: ProbeEndpoint = "192.0.2.7:9"
            _ = try PacketProbe.exchange(
                packets, from: inbound ? outside : inside, to: inbound ? inside : outside,
                sentinel: ProbePacket(
                    id: 1_000_000, .udp, from: inbound ? peer : node, to: inbound ? node : peer))
        }

        func send(
            _ content: ProbePacket.Content, from source: ProbeEndpoint,
            to destination: ProbeEndpoint, inbound: Bool = true, length: Int = 4
        ) throws {
            try send(
                [
                    ProbePacket(
                        id: 1, content, from: source, to: destination, payloadLength: length)
                ], inbound: inbound)
        }

        func drops(_ arguments: String...) throws -> DropsReport {
            let program = try BuiltProducts.path(of: "pexip-fwctl")
            let result = try agent.namespace.run(
                [program, "show", "drops", "--json", "--socket", agent.socket] + arguments
            ).requireSuccess()
            return try JSONDecoder().decode(
                DropsReport.self, from: Data(result.standardOutput.utf8))
        }

        /// The kernel hands samples over a second late at most.
        @discardableResult func waitForDrops(
            _ isWanted: (DropsReport) -> Bool
        ) throws -> DropsReport {
            var last = try drops()
            let came = try waitUntil {
                last = try drops()
                return isWanted(last)
            }
            guard came else { throw TestSupportError("no such drops came, but \(last)") }
            return last
        }

        /// The groups of nflog that are bound, by the kernel's own list.
        func boundGroups() throws -> [String] {
            try agent.namespace.run(["cat", "/proc/net/netfilter/nfnetlink_log"]).requireSuccess()
                .standardOutput.split(separator: "\n").compactMap {
                    $0.split(separator: " ").first.map(String.init)
                }
        }
    }

    private static func scene(
        _ placement: Placement, _ more: String = "refusals: {sample: true}",
        _ body: (Scene) throws -> Void
    ) throws {
        try requireRoot()
        let topology =
            switch placement {
            case .local: try Topology.nodeAndPeers(nodeAddresses: nodes, peerAddresses: peers)
            case .gateway: try Topology.gateway(nodeAddresses: nodes, peerAddresses: peers)
            }
        try topology.use { topology in
            try AgentFixture.with(configuration(placement, more), in: topology.enforcing) { agent in
                try #require(try agent.status().state == .inSync)
                try body(
                    Scene(
                        topology: topology, agent: agent,
                        inside: PacketProbe(in: topology.node),
                        outside: PacketProbe(in: topology.outside)))
            }
        }
    }

    @Test(
        "refusals of every kind are told with the row that comes closest",
        arguments: [Placement.local, .gateway], ["enforce", "observe"])
    func kinds(placement: Placement, mode: String) throws {
        try Self.scene(placement, "refusals: {sample: true}\nmode: \(mode)") { scene in
            #expect(try scene.boundGroups() == ["5001"])
            for _ in 1...3 {
                try scene.send(.tcp, from: "192.0.2.7:55000", to: "10.0.0.21:22")
            }
            try scene.send(.udp, from: "192.0.2.7:4000", to: "10.0.0.21:7777")
            try scene.send(.esp, from: "192.0.2.7", to: "10.0.0.21")
            try scene.send(.echoRequest, from: "2001:db8:9::7", to: "2001:db8::21")
            try scene.send(.tcp, from: "[2001:db8:9::7]:55000", to: "[2001:db8::21]:22")
            // Reassembled where connections are tracked, and a fragment where they are not.
            try scene.send(.tcp, from: "192.0.2.7:55000", to: "10.0.0.21:23", length: 4_000)
            try scene.send(.udp, from: "10.0.0.21:54999", to: "192.0.2.7:53", inbound: false)
            try scene.send(.other(47), from: "10.0.0.21", to: "192.0.2.7", inbound: false)
            let report = try scene.waitForDrops { $0.samples >= 10 }
            #expect(report.mode?.rawValue == mode)
            #expect(report.lost == 0 && report.unreadable == 0 && report.problem == nil)
            #expect(report.talkers.allSatisfy { $0.node == "conf" })
            func talker(_ name: String, _ source: String, _ port: UInt16?) throws
                -> DropsReport.Talker
            {
                try #require(
                    report.talkers.first {
                        $0.protocol == name && $0.source.description == source
                            && $0.destinationPort == port
                    }, "\(name) \(source): \(report)")
            }
            let ssh = try talker("tcp", "192.0.2.7", 22)
            #expect(ssh.samples == 3)
            #expect(ssh == report.talkers.first)
            #expect(ssh.nearest.first?.row == "conferencing.in.ssh")
            #expect(ssh.sourcePort == 55_000)
            #expect(try talker("tcp", "2001:db8:9::7", 22).nearest.first != nil)
            #expect(try talker("tcp", "192.0.2.7", 23).verdict == .drop)
            #expect(try talker("udp", "192.0.2.7", 7777).nearest.first?.row != nil)
            #expect(try talker("esp", "192.0.2.7", nil).nearest.first?.row == "conferencing.in.esp")
            #expect(try talker("icmpv6", "2001:db8:9::7", nil).icmpType == 128)
            #expect(try talker("47", "10.0.0.21", nil).direction == .outbound)
            let dns = try talker("udp", "10.0.0.21", 53)
            #expect(dns.direction == .outbound)
            #expect(dns.nearest.first?.row == "conferencing.out.dns")
            #expect(
                dns.nearest.first?.differences == ["the source port 54999 is not 55000-65535"])

            let text = try scene.agent.control("show", "drops").requireSuccess().standardOutput
            #expect(text.contains("TCP 22 from 192.0.2.7 to conf (10.0.0.21)"))
            #expect(
                text.contains(
                    "conferencing.in.ssh, but the source 192.0.2.7 is not in "), "\(text)")
            #expect(try scene.drops("--node", "conf", "--limit", "1").talkers == [ssh])
            #expect(try scene.drops("--limit", "1").more == report.talkers.count - 1)
            let unknown = try scene.agent.control("show", "drops", "--node", "nobody")
            #expect(unknown.status == .exited(1))
            #expect(unknown.standardError.contains("nobody is not enforced here"))

            // What counters count is exact, and both tell the same story here.
            let counters = try scene.agent.control("show", "counters", "--json").requireSuccess()
            let told = try JSONDecoder().decode(
                CountersReport.self, from: Data(counters.standardOutput.utf8))
            let refused = told.counters.filter { $0.kind == .refusal }.reduce(0) { $0 + $1.packets }
            #expect(refused == report.samples)
            #expect(told.counters.contains { $0.name == "conferencing.in.media" && $0.packets > 0 })
            let nodes = try scene.agent.control("show", "nodes").requireSuccess().standardOutput
            #expect(nodes.contains("conf (conferencing): 25 rows"))
        }
    }

    @Test("nothing is sampled by default: no rule, no socket; switched on and off in place")
    func switched() throws {
        try Self.scene(.local, "") { scene in
            let agent = scene.agent
            #expect(try !agent.rulesInKernel().contains("log "))
            #expect(try scene.boundGroups().isEmpty)
            let text = try agent.control("show", "drops").requireSuccess().standardOutput
            #expect(text.hasPrefix("refusals are not sampled: write refusals: {sample: true}"))
            try scene.send(.tcp, from: "192.0.2.7:55000", to: "10.0.0.21:22")
            for round in 1...3 {
                try agent.write("refusals: {sample: true, group: 77}", as: "50-drops.yaml")
                #expect(try waitUntil { try scene.boundGroups() == ["77"] })
                try scene.send(.tcp, from: "192.0.2.7:55000", to: "10.0.0.21:22")
                try scene.waitForDrops { $0.samples == UInt64(round) }
                try agent.remove("50-drops.yaml")
                #expect(try waitUntil { try scene.boundGroups() == [] })
                #expect(try !agent.rulesInKernel().contains("log "))
            }
            // The counters went on all the time.
            #expect(try agent.status().counters["drop.in"]?.packets == 4)
            #expect(try agent.status().drift.count == 0)
            // Rolled back to a generation that samples, and flushed.
            try agent.control("rollback", "2").requireSuccess()
            #expect(try waitUntil { try scene.boundGroups() == ["77"] })
            try agent.control("flush").requireSuccess()
            #expect(try waitUntil { try scene.boundGroups() == [] })
        }
    }

    @Test("a group that another program has is told, the rules stay, and it heals by itself")
    func taken() throws {
        try Self.scene(.local, "") { scene in
            let agent = scene.agent
            let holder = try agent.namespace.spawn(["python3", "-c", Self.holder])
            #expect(try waitUntil { try scene.boundGroups() == ["5001"] })
            try agent.write("refusals: {sample: true}", as: "50-drops.yaml")
            try agent.waitForStatus("a warning") { status in
                status.state == .inSync
                    && status.warnings.contains {
                        $0.contains(
                            "refusals are not sampled: nflog group 5001 is another program's")
                    }
            }
            #expect(try agent.rulesInKernel().contains("group 5001"))
            #expect(try agent.control("status").standardOutput.contains("refusals.group"))
            #expect(try scene.drops().problem?.contains("another program's") == true)
            try scene.send(.tcp, from: "192.0.2.7:55000", to: "10.0.0.21:22")
            #expect(try agent.status().counters["drop.in"]?.packets == 1)
            // Once, however often it is tried again.
            #expect(agent.log.ranges(of: "refusals are not sampled").count == 1)

            // Another number helps at once.
            try agent.write("refusals: {sample: true, group: 78}", as: "50-drops.yaml")
            try agent.waitForStatus("no warning") { $0.warnings.isEmpty }
            try agent.write("refusals: {sample: true}", as: "50-drops.yaml")
            try agent.waitForStatus("a warning") { !$0.warnings.isEmpty }
            holder.kill()
            try agent.waitForStatus("no warning") { $0.warnings.isEmpty }
            try scene.send(.tcp, from: "192.0.2.7:55001", to: "10.0.0.21:22")
            try scene.waitForDrops { $0.samples == 1 && $0.problem == nil }
        }
    }

    /// Binds group 5001 and sleeps: `struct nfgenmsg` with the group in network order, and
    /// `NFULA_CFG_CMD` with `NFULNL_CFG_CMD_BIND`.
    private static let holder = """
        import socket, struct, time
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        s.bind((0, 0))
        body = struct.pack(">BBH", 0, 0, 5001) + struct.pack("=HHBxxx", 5, 1, 1)
        s.send(struct.pack("=IHHII", 16 + len(body), 4 << 8 | 1, 5, 1, 0) + body)
        time.sleep(600)
        """

    @Test("an agent that is killed and started again goes on, and the rules never wait for it")
    func restarted() throws {
        try Self.scene(.local) { scene in
            let agent = scene.agent
            try scene.send(.tcp, from: "192.0.2.7:55000", to: "10.0.0.21:22")
            try scene.waitForDrops { $0.samples == 1 }
            let rules = try agent.rulesInKernel()
            agent.kill()
            #expect(try waitUntil { try scene.boundGroups() == [] })
            for port in UInt16(1)...50 {
                try scene.send(
                    .tcp, from: ProbeEndpoint(Self.peers[0], port: 50_000 + port),
                    to: "10.0.0.21:22")
            }
            try agent.start()
            #expect(try agent.rulesInKernel() == rules)
            #expect(try agent.status().warnings.isEmpty)
            #expect(try scene.boundGroups() == ["5001"])
            try scene.send(.tcp, from: "192.0.2.7:55002", to: "10.0.0.21:22")
            // Of what came meanwhile nothing is kept anywhere.
            #expect(try scene.waitForDrops { $0.samples > 0 }.samples == 1)
            #expect(try agent.status().counters["drop.in"]?.packets == 52)
            // Who was the listener is not needed by the rules, nor are its processes left.
            let pid = try #require(agent.process?.pid)
            let keeper = try #require(try ProcessTree.children(of: pid).first)
            #expect(
                try waitUntil {
                    try ProcessTree.children(of: keeper).count == 1
                })
        }
    }

    @Test("a flood costs neither memory nor a line of the log, and who talks most stays known")
    func flood() throws {
        try Self.scene(.local, "refusals: {sample: true, rate: 1000}") { scene in
            let agent = scene.agent
            let pid = try #require(agent.process?.pid)
            func memory() throws -> Int {
                let text = try ProcessTree.status("VmRSS", of: pid)
                return try #require(Int(text.split(separator: " ")[0]))
            }
            func flood(_ rounds: Range<Int>) throws {
                // From everywhere to everywhere, and one talker among them again and again.
                for round in rounds {
                    let packets = (0..<UInt32(5_000)).map { number -> ProbePacket in
                        let isTalker = number % 10 == 0
                        return ProbePacket(
                            id: number + 1, .udp,
                            from: ProbeEndpoint(
                                Self.peers[0],
                                port: isTalker ? 4_000 : UInt16(10_000 + Int(number))),
                            to: ProbeEndpoint(
                                Self.nodes[0],
                                port: isTalker
                                    ? 7_777 : UInt16(10_000 + (Int(number) * 7 + round) % 20_000)))
                    }
                    try scene.send(packets, inbound: true)
                }
            }
            try flood(0..<2)
            let before = try memory()
            let log = agent.log.count
            try flood(2..<20)
            let report = try scene.waitForDrops { $0.samples > 2_000 }
            #expect(report.talkers.first?.destinationPort == 7_777)
            #expect(report.talkers.count + report.more <= 1_000)
            let refused = try agent.status().counters["drop.in.unanswered"]?.packets ?? 0
            #expect(refused == 100_000)
            #expect(report.samples < refused)
            // KiB.
            #expect(try memory() - before < 4_096)
            #expect(agent.log.count == log, "\(agent.log.suffix(2_000))")
            print(
                "flood: \(refused) refused, \(report.samples) sampled, \(report.lost) lost, \(try memory() - before) KiB"
            )
        }
    }
}
