import Enforcement
import Foundation
import Policy
import PortModel
import Reports
import Ruleset
import TestSupport
import Testing

/// A thousand nodes behind one gateway, and what it costs when one joins and one leaves.
@Suite("Scale")
struct ScaleTests {
    /// The nodes of one file: a name and the lines that configure it.
    private struct Site {
        let file: String
        var nodes: [(name: String, text: String)]

        var text: String {
            "nodes:\n" + nodes.map { "  \($0.name): {\($0.text)}\n" }.joined()
        }
    }

    private static let nodes = 1_000

    /// One Management Node and 999 Conferencing Nodes: IPv4 alone and with IPv6, single- and
    /// dual-homed, and a few with ports, features and peers of their own.
    private static let sites: [Site] = {
        var sites = [
            Site(
                file: "10-management.yaml",
                nodes: [
                    ("mgmt", #"role: management, address: [10.0.0.10, "2001:db8::10"]"#)
                ])
        ]
        for site in 1...9 {
            sites.append(
                Site(
                    file: "\(20 + site)-site.yaml",
                    nodes: (1...111).map { ("conf-\(site)-\($0)", conferencing(site, $0)) }))
        }
        return sites
    }()

    private static func conferencing(_ site: Int, _ number: Int) -> String {
        var text = "role: conferencing"
        let isDualStack = number % 2 == 0
        text += ", address: [10.1.\(site).\(number)"
        text += isDualStack ? ", \"2001:db8:1:\(site)::\(number)\"]" : "]"
        if number % 3 == 0 { text += ", secondary_address: 10.2.\(site).\(number)" }
        if number == 110 { text += ", features: {ssh: true}" }
        if number == 111 { text += ", peers: {endpoints: [192.0.2.0/24]}" }
        return text
    }

    /// Dual-homed and dual-stack, with a policy that it shares with 161 others.
    private static let sample = "conf-5-6"
    private static let leaving = "conf-7-8"
    private static let joining = "conf-7-200"

    private static let outside = address("192.0.2.7")
    private static let staying = address("10.1.5.6")
    private static let leavingAddress = address("10.1.7.8")
    private static let joiningAddress = address("10.1.7.200")

    private static func address(_ text: String) -> IPAddress {
        guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
        return address
    }

    private static func timed<Success>(
        _ what: String, _ body: () throws -> Success
    ) rethrows -> Success {
        let started = ContinuousClock.now
        let result = try body()
        print("\(nodes) nodes: \(what) in \(ContinuousClock.now - started)")
        return result
    }

    @Test("1,000 nodes: applied and explained; one joins, one leaves, and only elements change")
    func thousandNodes() throws {
        try requireRoot()
        #expect(Self.sites.reduce(0) { $0 + $1.nodes.count } == Self.nodes)
        let topology = try Topology.gateway(
            nodeAddresses: [Self.staying, Self.leavingAddress, Self.joiningAddress],
            peerAddresses: [Self.outside])
        try topology.use { topology in
            let agent = try AgentFixture(
                in: topology.enforcing,
                configuration: "placement: gateway\npeers: {ssh_clients: [192.0.2.0/24]}\n")
            for site in Self.sites { try agent.write(site.text, as: site.file) }
            do {
                try Self.tryOut(agent, topology)
                try agent.stop()
            } catch {
                throw TestSupportError("\(error)\nThe agent logged:\n\(agent.log)")
            }
        }
    }

    private static func tryOut(_ agent: AgentFixture, _ topology: Topology) throws {
        try timed("loaded, compiled, applied and verified, and the agent answered") {
            try agent.start()
        }
        let status = try timed("status answered") { try agent.status() }
        #expect(status.state == .inSync, "\(status.state): \(status.diagnostics)")
        #expect(status.nodes.count == nodes)
        try explain(agent)
        try mesh(agent)
        let metrics = try timed("metrics answered") {
            try agent.control("metrics").requireSuccess().standardOutput
        }
        print("\(nodes) nodes: metrics of \(metrics.utf8.count) bytes")
        #expect(metrics.utf8.count < 500_000)

        let sender = try PacketProbe(in: topology.outside)
        let receiver = try PacketProbe(in: topology.node)
        /// Sends RTMP, which no row opens inbound, to the three nodes, and returns who got it.
        func arrivals() throws -> [IPAddress] {
            let targets = [staying, leavingAddress, joiningAddress]
            let packets = targets.enumerated().map { index, target in
                ProbePacket(
                    id: UInt32(index + 1), .tcp, from: ProbeEndpoint(outside, port: 50_000),
                    to: ProbeEndpoint(target, port: 1935))
            }
            let arrived = try PacketProbe.exchange(
                packets, from: sender, to: receiver,
                sentinel: ProbePacket(
                    id: 9, .tcp, from: ProbeEndpoint(outside, port: 50_001),
                    to: ProbeEndpoint(staying, port: 443)))
            for namespace in [sender, receiver, try PacketProbe(in: topology.enforcing)] {
                try namespace.flushConnectionTracking()
            }
            return targets.enumerated().filter { arrived.contains(UInt32($0.offset + 1)) }
                .map(\.element)
        }
        #expect(
            try arrivals() == [joiningAddress], "only what is no node yet should be transit")
        #expect(try drops(agent, of: sample) == 1)
        #expect(try drops(agent, of: leaving) == 1)
        #expect(
            try agent.control("metrics").standardOutput.contains(
                "pexip_fw_node_refused_packets_total{node=\"\(sample)\"} 1\n"))

        try agent.waitForAdoptionsEnd()
        let before = try Rules(in: topology.enforcing)
        let monitor = try topology.enforcing.spawn(["nft", "monitor"])
        try awaitMonitor(monitor, in: topology.enforcing)
        let site = try #require(sites.first { $0.nodes.contains { $0.name == leaving } })
        var changed = site
        changed.nodes.removeAll { $0.name == leaving }
        changed.nodes.append((joining, "role: conferencing, address: \(joiningAddress)"))
        try timed("one joined and one left") {
            try agent.write(changed.text, as: site.file)
            try agent.waitForStatus("generation 2") { $0.generation == 2 }
        }

        let after = try Rules(in: topology.enforcing)
        #expect(before.handles.count > 100)
        #expect(
            after.handles == before.handles,
            "every chain should keep its rules and their handles but the stamp's")
        #expect(after.stamp != before.stamp, "the stamp should be new")
        try expectElementsOnly(monitor)

        #expect(
            try drops(agent, of: sample) == 1, "the other nodes' drops should still be counted")
        #expect(try drops(agent, of: joining) == 0)
        #expect(
            try arrivals() == [leavingAddress],
            "the one that left should be transit, the one that joined should be enforced")
        #expect(try drops(agent, of: sample) == 2)
        #expect(try drops(agent, of: joining) == 1)
        #expect(try agent.status().nodes.count == nodes)
    }

    /// Half a million pairs take no more than a page.
    private static func mesh(_ agent: AgentFixture) throws {
        let shown = try timed("mesh answered") { try agent.control("mesh") }
        #expect(shown.standardOutput.contains(" pairs of nodes"), "\(shown)")
        #expect(shown.standardOutput.split(separator: "\n").count < 250)
        // In a debug build beside other tests they take more than ten seconds.
        let all = try timed("mesh told the first of all pairs") {
            try agent.control("mesh", "--all", "--json", timeout: patience)
        }
        let report = try JSONDecoder().decode(
            MeshReport.self, from: Data(all.standardOutput.utf8))
        #expect(report.pairs.count == 10_000)
        #expect(report.total == report.pairs.count + report.omitted)
        #expect(report.total > nodes * (nodes - 2) / 2)
    }

    private static func explain(_ agent: AgentFixture) throws {
        let permitted = try timed("explain answered") {
            try agent.control("explain", "tcp", "192.0.2.7", "10.2.5.6:5060", "--json")
        }
        #expect(permitted.status == .exited(0), "\(permitted)")
        let refused = try agent.control("explain", "tcp", "192.0.2.7", "10.1.5.6:5060", "--json")
        #expect(
            refused.status == .exited(2), "SIP belongs to the secondary address: \(refused)")
        for (result, verdict) in [(permitted, Decision.Verdict.accept), (refused, .drop)] {
            let report = try JSONDecoder().decode(
                ExplainReport.self, from: Data(result.standardOutput.utf8))
            #expect(report.explanation.verdict == verdict, "\(result)")
            #expect(report.rows["conferencing.in.sip"] != nil, "\(result)")
        }
        let shown = try timed("show ports answered") {
            try agent.control("show", "ports", "--node", sample, "--json").requireSuccess()
        }
        let report = try JSONDecoder().decode(
            PortsReport.self, from: Data(shown.standardOutput.utf8))
        #expect(report.tables.map(\.nodes) == [[sample], [sample]])
        let sip = report.tables[0].lines.first { $0.id == "conferencing.in.sip" }
        #expect(
            sip?.nodeAddresses.first == ["10.2.5.6", "2001:db8:1:5::6"],
            "\(String(describing: sip))")
    }

    /// What was refused to and from the node.
    private static func drops(_ agent: AgentFixture, of node: String) throws -> UInt64? {
        try agent.status().nodes.first { $0.node.name == node }?.dropped.packets
    }

    // MARK: The kernel's own account

    /// The rules as `nft` lists them, each with its handle, without sets' elements.
    private struct Rules {
        /// By chain.
        let handles: [String]
        let stamp: [String]

        init(in namespace: NetworkNamespace) throws {
            let text = try ScaleTests.timed("rules listed") {
                try namespace.run([
                    "nft", "-a", "-s", "-t", "list", "table", "inet", GatewayPolicy.tableName,
                ]).requireSuccess().standardOutput
            }
            var chain = ""
            var handles: [String] = []
            var stamp: [String] = []
            for line in text.split(separator: "\n") {
                // Objects of the table are indented once, what they hold twice.
                if line.hasPrefix("\tchain ") {
                    chain = line.split(separator: " ")[1].description
                } else if line.hasPrefix("\t"), !line.hasPrefix("\t\t"), line != "\t}" {
                    chain = ""
                }
                if chain == Stamp.chainName {
                    stamp.append(String(line))
                } else {
                    handles.append("\(chain): \(line)")
                }
            }
            self.handles = handles
            self.stamp = stamp
        }
    }

    /// Makes something that the monitor sees, so that it misses nothing afterwards.
    private static func awaitMonitor(
        _ monitor: ChildProcess, in namespace: NetworkNamespace
    ) throws {
        let listens = try waitUntil {
            guard monitor.isRunning else { return true }
            try Nft.run(in: namespace, "add table inet seen\ndelete table inet seen")
            return monitor.standardOutput.contains("table inet seen")
        }
        guard listens, monitor.isRunning else {
            throw TestSupportError("nft monitor sees nothing: \(monitor.standardError)")
        }
    }

    /// What was announced of our table: elements that came and went, and the new stamp.
    private static func expectElementsOnly(_ monitor: ChildProcess) throws {
        func lines() -> [String] {
            monitor.standardOutput.split(separator: "\n").map(String.init)
                .filter { $0.contains(" inet \(GatewayPolicy.tableName)") }
        }
        let stamp = " inet \(GatewayPolicy.tableName) \(Stamp.chainName) "
        let came = waitUntil {
            lines().contains { $0.hasPrefix("add rule\(stamp)") }
        }
        _ = monitor.terminate()
        try #require(came, "the new stamp should be announced: \(monitor.standardOutput)")
        var elements = 0
        for line in lines() {
            if line.hasPrefix("add element ") || line.hasPrefix("delete element ") {
                elements += 1
            } else {
                #expect(
                    ["add rule", "delete rule"].contains { line.hasPrefix($0 + stamp) },
                    "no more than elements and the stamp should change: \(line)")
            }
        }
        #expect(elements > 0)
        print("\(nodes) nodes: \(elements) elements changed for one that joined and one that left")
    }
}
