import Control
import Foundation
import JSONValue
import PortModel
import TestSupport
import Testing

/// What an update does to traffic: packets of permitted and of refused flows go on all the time
/// while the agent changes its rules, and each one is counted.
///
/// `PEXIP_FW_ENDURANCE=full` makes 1,000 updates of each kind in each placement, otherwise 30 (10 of
/// the largest sets); `PEXIP_FW_HITLESS_UPDATES` makes as many as it says. Packets of both families
/// go on at once.
/// `PEXIP_FW_HITLESS_KINDS` takes some kinds only. Where `PEXIP_FW_HITLESS_REPORT` names a file, a
/// line of JSON is appended for each.
@Suite("Hitless", .serialized)
struct HitlessTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let isFull = environment["PEXIP_FW_ENDURANCE"] == "full"

    private static let times = environment["PEXIP_FW_HITLESS_UPDATES"].flatMap { Int($0) }

    /// Those to try.
    private static let kinds = Kind.allCases.filter { kind in
        guard let chosen = environment["PEXIP_FW_HITLESS_KINDS"] else { return true }
        return chosen.split(separator: ",").contains { $0 == kind.rawValue }
    }

    enum Placement: String, CaseIterable, Sendable { case local, gateway }

    /// Where an update comes from.
    enum Kind: String, CaseIterable, Sendable {
        /// None at all: what the measuring itself loses.
        case none
        case apply, rollback, repair, features, mode
        /// Peers' interval sets: other elements, 10,000 other elements, a set where there was none.
        case peers, manyPeers = "many-peers", narrowing
        /// A node joins and leaves: elements of hash sets.
        case nodes
        /// A node changes its class.
        case classes
        case ports
        /// Refusals are sampled, and are not.
        case sampling
        /// The enforced node has another name, and in local placement its table.
        case renaming
        /// A table of another layout, as an older version may have left it, is changed at start:
        /// its hooks' priorities, the types of its sets, both.
        case layout
    }

    // MARK: Configurations

    private static func configuration(_ kind: Kind, _ placement: Placement, _ variant: Int)
        -> String
    {
        let isOther = variant == 1
        func other(_ kinds: Kind...) -> Bool { isOther && kinds.contains(kind) }
        // Always with the peers that the permitted packets come from.
        var snmp = ["192.0.2.0/24", "2001:db8:7::/48"]
        if other(.peers, .apply, .rollback) {
            snmp = ["192.0.2.0/25", "10.7.0.0/16", "2001:db8:7::/64", "2001:db8:8::/48"]
        }
        if kind == .manyPeers {
            snmp += (0..<10_000).map {
                "10.\(100 + 50 * variant + $0 / 256 / 8 * 2).\($0 / 8 % 256).\($0 % 8 * 32)/28"
            }
        }
        let media =
            other(.narrowing) ? "\n  media_endpoints: [192.0.2.0/24, \"2001:db8:7::/48\"]" : ""
        let ports =
            other(.ports)
            ? "{ephemeral: 56000-65535, signaling: 34000-38999, media: 40100-48999}"
            : "{media: 40000-49999}"
        let joined = other(.nodes) ? "\n  conf-3: {role: conferencing, address: 10.0.0.23}" : ""
        let node = other(.renaming) ? "conf-a" : "conf-1"
        let own = other(.classes) ? ", features: {ssh: true}" : ""
        let quoted = snmp.map { "\"\($0)\"" }.joined(separator: ", ")
        return """
            placement: \(placement)
            enforce: \(placement == .local ? "[\(node)]" : "auto")
            mode: \(other(.mode) ? "observe" : "enforce")
            refusals: {sample: \(other(.sampling))}
            features: {snmp: true, sip_udp: \(other(.features, .apply, .rollback)), syslog: \(other(.features))}
            ports: \(ports)
            peers:
              snmp_servers: [\(quoted)]\(media)
            nodes:
              \(node): {role: conferencing, address: [10.0.0.21, "2001:db8::21"]\(own)}
              conf-2: {role: conferencing, address: 10.0.0.22}\(joined)
            """
    }

    // MARK: Packets

    private static func endpoint(_ text: String) -> ProbeEndpoint {
        ProbeEndpoint(stringLiteral: text)
    }

    private static func flows(_ kind: Kind) -> [PacketStream.Flow] {
        AddressFamily.allCases.flatMap { flows($0, kind) }
    }

    /// By media's rule, by a rule with a set, as an established flow, and what is refused: by the
    /// set, and since there is no rule.
    private static func flows(_ family: AddressFamily, _ kind: Kind) -> [PacketStream.Flow] {
        let (node, peer, stranger) =
            family == .ipv4
            ? ("10.0.0.21", "192.0.2.7", "198.51.100.9")
            : ("[2001:db8::21]", "[2001:db8:7::7]", "[2001:db8:ffff::9]")
        var flows = [
            PacketStream.Flow(
                .udp, from: endpoint("\(peer):50000"), to: endpoint("\(node):45000"),
                isAllowed: true),
            PacketStream.Flow(
                .udp, from: endpoint("\(peer):50000"), to: endpoint("\(node):161"),
                isAllowed: true),
            PacketStream.Flow(
                .udp, from: endpoint("\(peer):49000"), sourcePorts: 1,
                to: endpoint("\(node):161"), .answered, isAllowed: true),
        ]
        // What is observed passes.
        if kind == .mode { return flows }
        flows += [
            PacketStream.Flow(
                .udp, from: endpoint("\(stranger):50000"), to: endpoint("\(node):161"),
                isAllowed: false),
            PacketStream.Flow(
                .tcp, from: endpoint("\(peer):50000"), to: endpoint("\(node):23"),
                isAllowed: false),
        ]
        return flows
    }

    /// What became of the packets of one family.
    private struct Tally: Encodable {
        var sentAllowed = 0
        var lost = 0
        var sentDenied = 0
        var leaked = 0
        /// The most packets of an allowed flow that were lost one after the other.
        var longestGap = 0

        mutating func add(_ count: PacketStream.Count) {
            if count.flow.isAllowed {
                sentAllowed += count.sent
                lost += count.sent - count.arrived
                longestGap = max(longestGap, count.longestGap)
            } else {
                sentDenied += count.sent
                leaked += count.arrived
            }
        }
    }

    /// A line of the report.
    private struct Outcome: Encodable {
        var kind: String
        var placement: String
        var updates: Int
        var ipv4 = Tally()
        var ipv6 = Tally()

        mutating func add(_ counts: [PacketStream.Count]) {
            for count in counts {
                switch count.flow.source.address.family {
                case .ipv4: ipv4.add(count)
                case .ipv6: ipv6.add(count)
                }
            }
        }

        func report() throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            let line = try encoder.encode(self) + Data("\n".utf8)
            print(String(decoding: line, as: UTF8.self), terminator: "")
            guard let path = HitlessTests.environment["PEXIP_FW_HITLESS_REPORT"] else { return }
            if !FileManager.default.fileExists(atPath: path) {
                try Data().write(to: URL(filePath: path))
            }
            let file = try FileHandle(forWritingTo: URL(filePath: path))
            try file.seekToEnd()
            try file.write(contentsOf: line)
            try file.close()
        }
    }

    // MARK: Updates

    private static func tableName(_ placement: Placement) -> String {
        placement == .local ? "pexip_fw_conf_1" : "pexip_fw_gateway"
    }

    /// Calls the agent, which must do it.
    private static func change(
        _ client: VarlinkClient, _ method: String, to outcome: Set<String>
    ) throws {
        let answer = try client.call("\(PexipFirewallInterface.name).\(method)")
        guard let got = answer["report"]?["outcome"]?.string, outcome.contains(got) else {
            throw TestSupportError("\(method): \(answer)")
        }
    }

    /// Makes the updates of one kind, and counts what the stream tells of them.
    private static func update(
        _ kind: Kind, _ placement: Placement, _ agent: AgentFixture, _ stream: PacketStream,
        times: Int, _ outcome: inout Outcome
    ) throws {
        let texts = [0, 1].map { configuration(kind, placement, $0) }
        let client = try VarlinkClient(path: agent.socket)
        let namespace = agent.namespace
        switch kind {
        case .none:
            outcome.add(try stream.counts { usleep(UInt32(times) * 10_000) })
        case .repair:
            let table = tableName(placement)
            let chain = placement == .local ? "input" : "forward"
            outcome.add(
                try stream.counts {
                    for number in 0..<times {
                        // Each another one, since the same again and again is a fight.
                        try Nft.run(
                            in: namespace,
                            "insert rule inet \(table) \(chain) udp dport \(1 + number) counter")
                        let isRepaired = try waitUntil {
                            try !namespace.run(["nft", "list", "chain", "inet", table, chain])
                                .requireSuccess().standardOutput.contains(" counter packets ")
                        }
                        guard isRepaired else { throw TestSupportError("not repaired: \(number)") }
                    }
                })
        case .rollback:
            outcome.add(
                try stream.counts {
                    // The generation before is another one each time, and so is what comes next.
                    let third = texts[0].replacing("syslog: false", with: "syslog: true")
                    for number in 1...times / 2 {
                        try agent.write([texts[0], texts[1], third][number % 3])
                        // The file's own change may have been first.
                        try change(client, "Apply", to: ["applied", "unchanged"])
                        try change(client, "Rollback", to: ["applied"])
                    }
                })
        case .layout:
            let table = tableName(placement)
            for number in 0..<times {
                try agent.stop()
                let text = try rules(of: table, in: namespace)
                let older = OlderLayout.allCases[number % OlderLayout.allCases.count].of(text)
                try Nft.run(in: namespace, "delete table inet \(table)\n\(older)")
                outcome.add(try stream.counts { try agent.start() })
                let now = try rules(of: table, in: namespace)
                guard !OlderLayout.marks.contains(where: now.contains) else {
                    throw TestSupportError("the layout is still the older one: \(now)")
                }
            }
        default:
            outcome.add(
                try stream.counts {
                    for number in 1...times {
                        try agent.write(texts[number % 2])
                        // By the directory's change, where that came first.
                        try change(client, "Apply", to: ["applied", "unchanged"])
                    }
                })
        }
    }

    /// A table as it is, but hooked at other priorities, with sets of other types, or both.
    private enum OlderLayout: CaseIterable {
        case hooks, sets, both

        /// What a listing has of it.
        static let marks = ["priority filter + 1", "priority raw - 1", "flags interval,timeout"]

        func of(_ table: String) -> String {
            var table = table
            if self != .sets {
                table = table.replacing("priority filter;", with: "priority 1;")
                    .replacing("priority raw;", with: "priority -301;")
            }
            if self != .hooks {
                table = table.replacing("flags interval", with: "flags interval,timeout")
                for type in ["ipv4_addr", "ipv6_addr"] {
                    table = table.replacing(
                        "type \(type)\n\t\telements",
                        with: "type \(type)\n\t\tflags timeout\n\t\telements")
                }
            }
            return table
        }
    }

    private static func rules(
        of table: String, in namespace: NetworkNamespace
    ) throws -> String {
        try namespace.run(["nft", "-s", "list", "table", "inet", table]).requireSuccess()
            .standardOutput
    }

    private static func totals(
        _ kind: Kind, _ placement: Placement, times: Int,
        as name: String? = nil,
        _ body: (AgentFixture, PacketStream, inout Outcome) throws -> Void
    ) throws -> [Tally] {
        let flows = flows(kind)
        let nodes = ["10.0.0.21", "2001:db8::21"].compactMap(IPAddress.init)
        let peers = ["192.0.2.7", "2001:db8:7::7"].compactMap(IPAddress.init)
        let topology =
            try placement == .local
            ? Topology.nodeAndPeers(nodeAddresses: nodes, peerAddresses: peers)
            : Topology.gateway(nodeAddresses: nodes, peerAddresses: peers)
        return try topology.use { topology in
            var outcome = Outcome(
                kind: name ?? kind.rawValue, placement: placement.rawValue,
                updates: kind == .none ? 0 : times)
            try AgentFixture.with(
                configuration(kind, placement, 0), in: topology.enforcing
            ) { agent in
                let stream = try PacketStream(between: topology.outside, and: topology.node, flows)
                defer { stream.close() }
                try body(agent, stream, &outcome)
            }
            try outcome.report()
            let tallies = [outcome.ipv4, outcome.ipv6]
            for tally in tallies { #expect(tally.sentAllowed > 1_000) }
            return tallies
        }
    }

    @Test("no update of a node's own rules loses or lets through a packet", arguments: kinds)
    func local(_ kind: Kind) throws { try updates(kind, .local) }

    @Test("no update of a gateway's rules loses or lets through a packet", arguments: kinds)
    func gateway(_ kind: Kind) throws { try updates(kind, .gateway) }

    private func updates(_ kind: Kind, _ placement: Placement) throws {
        try requireRoot()
        let times = Self.times ?? (Self.isFull ? 1_000 : kind == .manyPeers ? 10 : 30)
        let tallies = try Self.totals(kind, placement, times: times) {
            try Self.update(kind, placement, $0, $1, times: times, &$2)
        }
        for (family, tally) in zip(AddressFamily.allCases, tallies) {
            #expect(tally.lost == 0, "allowed packets lost (\(family))")
            #expect(tally.leaked == 0, "denied packets let through (\(family))")
        }
    }

    /// What others do, and we must not: the table goes and comes back in two transactions. Were
    /// nothing seen of it, the tests above would prove nothing.
    @Test(
        "a table that is deleted and loaded again lets packets through",
        arguments: Placement.allCases)
    func control(_ placement: Placement) throws {
        try requireRoot()
        let times = 10
        let tallies = try Self.totals(.none, placement, times: times, as: "control") {
            agent, stream, outcome in
            let namespace = agent.namespace
            let table = Self.tableName(placement)
            let text = try Self.rules(of: table, in: namespace)
            try agent.stop()
            outcome.add(
                try stream.counts {
                    for _ in 0..<times {
                        try Nft.run(in: namespace, "delete table inet \(table)")
                        try Nft.run(in: namespace, text)
                    }
                })
            try agent.start()
        }
        for tally in tallies { #expect(tally.leaked > 0) }
    }
}
