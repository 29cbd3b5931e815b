import DeploymentGenerator
import Policy
import PortModel
import Ruleset
import Site
import Testing

@testable import Enforcement
@testable import Reports

/// A flow ends exactly where the policy refuses its first packet.
@Suite struct FlowJudgeTests {
    static let seeds: [UInt64] = Array(1...8)
    static let deploymentsPerSeed = 30
    static let flowsPerDeployment = 200

    // MARK: Generated flows

    /// A flow, and whether the reference permits it.
    private struct Case {
        let flow: Flow
        let isPermitted: Bool
    }

    /// How often something came up that a property must not be without.
    private struct Tally {
        var kept = 0
        var ended = 0
        var translated = 0
        var related = 0
        var local = 0

        var isRich: Bool {
            kept > 500 && ended > 500 && translated > 100 && related > 100 && local > 50
        }
    }

    @Test("local placement", arguments: seeds)
    func local(seed: UInt64) throws {
        var generator = DeploymentGenerator(seed: seed)
        var tally = Tally()
        for round in 0..<Self.deploymentsPerSeed {
            let deployment = generator.deployment()
            let node = generator.random.pick(deployment.nodes)
            let policy = Policy(of: node, in: deployment)
            let own = Set(node.allAddresses)
            func isPermitted(_ flow: Flow, _ here: Set<IPAddress>) -> Bool {
                let (source, target) = (flow.original.source, flow.original.destination)
                let direction: Direction
                if own.contains(source) {
                    if own.contains(target) || here.contains(target) { return true }
                    direction = .outbound
                } else if own.contains(flow.destination) {
                    if here.contains(source) { return true }
                    direction = .inbound
                } else {
                    return true
                }
                let arriving = Packet(direction, from: source, to: target, flow.arrivingTransport)
                let first = policy.decide(arriving)
                if first.reason == .unansweredPort { return false }
                let isExempt =
                    arriving.transport == .esp
                    || policy.permits.contains {
                        $0.protocol == .udp && $0.isStateless && !policy.tracksMedia
                            && $0.matches(arriving)
                    }
                if isExempt { return first.verdict == .accept }
                return Packet(direction, from: source, to: flow.destination, flow.transport)
                    .firsts.contains { policy.decide($0).verdict == .accept }
            }
            try check(
                seed, round, deployment, [policy], Ruleset(tables: [policy.compileLocal()]),
                &tally, &generator.random, isPermitted)
        }
        #expect(tally.isRich, "\(tally)")
    }

    @Test("gateway placement", arguments: seeds)
    func gateway(seed: UInt64) throws {
        var generator = DeploymentGenerator(seed: seed)
        var tally = Tally()
        for round in 0..<Self.deploymentsPerSeed {
            let deployment = generator.deployment(placement: .gateway)
            let enforced = deployment.nodes.filter { _ in generator.random.chance(75) }
            if enforced.isEmpty { continue }
            let policy = GatewayPolicy(of: enforced, in: deployment)
            func isPermitted(_ flow: Flow, _ here: Set<IPAddress>) -> Bool {
                let (source, destination) = (flow.original.source, flow.destination)
                if here.contains(source) || here.contains(destination) { return true }
                return Packet(.inbound, from: source, to: destination, flow.transport)
                    .firsts.contains { policy.decide($0).verdict == .accept }
            }
            try check(
                seed, round, deployment, policy.policies, Ruleset(tables: [policy.compile()]),
                &tally, &generator.random, isPermitted)
        }
        #expect(tally.isRich, "\(tally)")
    }

    private func check(
        _ seed: UInt64, _ round: Int, _ deployment: Deployment, _ policies: [Policy],
        _ ruleset: Ruleset, _ tally: inout Tally, _ random: inout SeededGenerator,
        _ isPermitted: (Flow, Set<IPAddress>) -> Bool
    ) throws {
        var packets = PacketGenerator(deployment, policies, seed: seed << 32 | UInt64(round))
        let here = Set((0..<2).map { _ in packets.packet().peerAddress })
        let judge = FlowJudge(
            Self.generation(
                ruleset, policies.map(\.node), mode: deployment.mode),
            hostAddresses: here)
        for id in 0..<Self.flowsPerDeployment {
            let flow = flow(UInt32(id), &packets, &random)
            var permitted = deployment.mode == .observe || isPermitted(flow, here)
            if !permitted, let master = flow.master {
                permitted = isPermitted(Flow(id: 0, original: master), here)
            }
            guard judge.refuses(flow) == !permitted else {
                Issue.record(
                    "seed \(seed), deployment \(round): \(flow) is \(permitted ? "" : "not ")permitted\n\(ruleset.tables[0].text)"
                )
                return
            }
            // What is not looked at must not need to end.
            if !permitted {
                #expect(
                    judge.addresses.contains(flow.original.source)
                        || judge.addresses.contains(flow.destination))
            }
            tally.kept += permitted ? 1 : 0
            tally.ended += permitted ? 0 : 1
            tally.translated += flow.reply == flow.original.reversed ? 0 : 1
            tally.related += flow.master == nil ? 0 : 1
            let ends = [flow.original.source, flow.original.destination, flow.destination]
            tally.local += ends.contains(where: here.contains) ? 1 : 0
        }
    }

    /// A flow whose rules see a generated packet, often translated, sometimes expected by another.
    private func flow(
        _ id: UInt32, _ packets: inout PacketGenerator, _ random: inout SeededGenerator
    ) -> Flow {
        let packet = packets.packet()
        let seen = Flow.Tuple(packet)
        var flow = Flow(id: id, original: seen)
        if random.chance(30) {
            // Destination NAT: to another address, another port, or both.
            let other = packets.packet()
            if other.family == packet.family {
                flow.original.destination = random.pick([other.destination, other.nodeAddress])
            }
            if case .ports(let source, _) = seen.detail, random.chance(50) {
                flow.original.detail = .ports(
                    source: source, destination: other.transport.ports?.destination ?? 9)
            }
        }
        if random.chance(20) {
            // Source NAT, of which the rules see nothing.
            flow.reply.destination = IPAddress(
                family: packet.family, value: packet.family == .ipv4 ? 0xc633_6401 : 1 << 120)
        }
        if random.chance(15) { flow.master = Flow.Tuple(packets.packet()) }
        return flow
    }

    private static func generation(
        _ ruleset: Ruleset, _ nodes: [Node], mode: Mode = .enforce
    ) -> Generation {
        Generation(
            number: 1, created: Timestamp(seconds: 0), origin: .command, configurationDigest: "",
            configuration: [], mode: mode, revokesEstablished: true,
            nodes: nodes.map {
                EnforcedNode(
                    name: $0.name, role: $0.role, addresses: $0.allAddresses, table: "", rows: 0)
            }, ruleset: ruleset)
    }

    // MARK: Chosen flows

    private static let here: Set<IPAddress> = [
        address("127.0.0.1"), address("::1"), address("10.0.0.21"), address("172.17.0.1"),
        address("10.0.0.1"),
    ]

    static func address(_ text: String) -> IPAddress {
        guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
        return address
    }

    private static func tuple(
        _ protocolNumber: UInt8, _ source: String, _ destination: String,
        _ detail: Flow.Detail = .none
    ) -> Flow.Tuple {
        Flow.Tuple(
            from: address(source), to: address(destination), protocolNumber: protocolNumber, detail)
    }

    private static func tcp(_ source: String, _ destination: String, _ port: UInt16) -> Flow.Tuple {
        tuple(6, source, destination, .ports(source: 60_000, destination: port))
    }

    private static func judge(_ settings: String, placement: Placement = .local) throws -> FlowJudge
    {
        let target = try #require(
            compile(
                """
                placement: \(placement.rawValue)
                nodes:
                  conf:
                    role: conferencing
                    address: [10.0.0.21, "2001:db8::21"]
                    secondary_address: 198.51.100.21
                \(settings)
                """
            ).target)
        return FlowJudge(
            Generation(
                number: 1, created: Timestamp(seconds: 0), origin: .command,
                configurationDigest: "", configuration: [], mode: target.mode,
                revokesEstablished: true, nodes: target.nodes, ruleset: target.ruleset),
            hostAddresses: placement == .local ? here : [address("10.0.0.1")])
    }

    @Test func localFlows() throws {
        let judge = try Self.judge("")
        func ends(_ original: Flow.Tuple, _ reply: Flow.Tuple? = nil) -> Bool {
            judge.refuses(Flow(id: 1, original: original, reply: reply))
        }
        // Inbound, at the primary and the secondary address.
        #expect(ends(Self.tcp("192.0.2.7", "10.0.0.21", 22)))
        #expect(!ends(Self.tcp("192.0.2.7", "10.0.0.21", 443)))
        #expect(ends(Self.tcp("192.0.2.7", "198.51.100.21", 22)))
        #expect(!ends(Self.tcp("192.0.2.7", "198.51.100.21", 5061)))
        #expect(ends(Self.tcp("192.0.2.7", "10.0.0.21", 5061)))
        #expect(ends(Self.tcp("2001:db8::9", "2001:db8::21", 22)))
        // Outbound.
        #expect(ends(Self.tcp("10.0.0.21", "192.0.2.7", 25)))
        #expect(!ends(Self.tcp("10.0.0.21", "192.0.2.7", 53)))
        // Within the host.
        #expect(!ends(Self.tcp("10.0.0.21", "10.0.0.21", 22)))
        #expect(!ends(Self.tcp("10.0.0.21", "198.51.100.21", 22)))
        #expect(!ends(Self.tcp("10.0.0.21", "127.0.0.53", 25)))
        #expect(!ends(Self.tcp("172.17.0.1", "10.0.0.21", 22)))
        #expect(!ends(Self.tcp("10.0.0.21", "172.17.0.1", 25)))
        // Others' flows that this host forwards, with its own address for their source or not, or
        // taken away from the node by destination NAT.
        let forwarded = Self.tcp("172.17.0.2", "192.0.2.7", 25)
        var reply = forwarded.reversed
        reply.destination = Self.address("10.0.0.21")
        #expect(!ends(forwarded, reply))
        let published = Self.tcp("192.0.2.7", "10.0.0.21", 22)
        reply = published.reversed
        reply.source = Self.address("172.17.0.2")
        #expect(!ends(published, reply))
        // Destination NAT from a permitted port to one that is not, and back.
        let redirected = Self.tcp("192.0.2.7", "10.0.0.21", 443)
        #expect(ends(redirected, Self.tcp("192.0.2.7", "10.0.0.21", 22).reversed))
        #expect(!ends(Self.tcp("192.0.2.7", "10.0.0.21", 22), redirected.reversed))
        // A host's address that is no node's is nobody's business here.
        #expect(!ends(Self.tcp("192.0.2.7", "172.17.0.1", 22)))
        // Protocols without ports, known and unknown.
        #expect(ends(Self.tuple(50, "192.0.2.7", "10.0.0.21")))
        #expect(ends(Self.tuple(47, "192.0.2.7", "10.0.0.21", .ports(source: 0, destination: 9))))
        #expect(
            ends(Self.tuple(132, "192.0.2.7", "10.0.0.21", .ports(source: 9, destination: 443))))
    }

    @Test func hostOptions() throws {
        let echo = Flow(
            id: 1,
            original: Self.tuple(1, "192.0.2.7", "10.0.0.21", .icmp(id: 7, type: 8, code: 0)))
        let echo6 = Flow(
            id: 2,
            original: Self.tuple(
                58, "2001:db8::9", "2001:db8::21", .icmp(id: 7, type: 128, code: 0)))
        let timestamp = Flow(
            id: 3,
            original: Self.tuple(1, "192.0.2.7", "10.0.0.21", .icmp(id: 7, type: 13, code: 0)))
        let dhcp = Flow(
            id: 4,
            original: Self.tuple(17, "10.0.0.21", "10.0.0.2", .ports(source: 68, destination: 67)))
        let all = [echo, echo6, timestamp, dhcp]
        let closed = try Self.judge("")
        #expect(all.filter(closed.refuses) == all)
        let open = try Self.judge("host: {ping: true, dhcp_client: true}")
        #expect(all.filter(open.refuses) == [timestamp])
        let gateway = try Self.judge("host: {ping: true}", placement: .gateway)
        #expect(all.filter(gateway.refuses) == [timestamp, dhcp])
    }

    @Test func observationRefusesNothing() throws {
        let flow = Flow(id: 1, original: Self.tcp("192.0.2.7", "10.0.0.21", 22))
        #expect(try Self.judge("").refuses(flow))
        #expect(try !Self.judge("mode: observe").refuses(flow))
        #expect(try !Self.judge("mode: observe", placement: .gateway).refuses(flow))
    }

    @Test func gatewayFlows() throws {
        let judge = try Self.judge("", placement: .gateway)
        func ends(_ original: Flow.Tuple, _ reply: Flow.Tuple? = nil) -> Bool {
            judge.refuses(Flow(id: 1, original: original, reply: reply))
        }
        #expect(ends(Self.tcp("192.0.2.7", "10.0.0.21", 22)))
        #expect(!ends(Self.tcp("192.0.2.7", "10.0.0.21", 443)))
        #expect(ends(Self.tcp("10.0.0.21", "192.0.2.7", 25)))
        // The gateway's own connections, and transit.
        #expect(!ends(Self.tcp("10.0.0.1", "10.0.0.21", 22)))
        #expect(!ends(Self.tcp("10.0.0.21", "10.0.0.1", 25)))
        #expect(!ends(Self.tcp("192.0.2.7", "192.0.2.9", 22)))
        // Destination NAT towards the node, and away from it.
        let published = Self.tcp("192.0.2.7", "203.0.113.1", 22)
        #expect(ends(published, Self.tcp("192.0.2.7", "10.0.0.21", 22).reversed))
        #expect(!ends(published, Self.tcp("192.0.2.7", "10.0.0.21", 443).reversed))
        #expect(
            !ends(
                Self.tcp("192.0.2.7", "10.0.0.21", 22),
                Self.tcp("192.0.2.7", "192.0.2.9", 22).reversed))
        // Source NAT of what the node sends.
        var reply = Self.tcp("10.0.0.21", "192.0.2.7", 25).reversed
        reply.destination = Self.address("10.0.0.1")
        #expect(ends(Self.tcp("10.0.0.21", "192.0.2.7", 25), reply))
    }

    @Test func whatAHelperExpectedStaysWithTheFlowThatAnnouncedIt() throws {
        let judge = try Self.judge("")
        let data = Self.tcp("192.0.2.7", "10.0.0.21", 2000)
        func ends(announcedBy master: Flow.Tuple?) -> Bool {
            judge.refuses(Flow(id: 1, original: data, master: master))
        }
        #expect(ends(announcedBy: nil))
        #expect(ends(announcedBy: Self.tcp("192.0.2.7", "10.0.0.21", 21)))
        #expect(!ends(announcedBy: Self.tcp("192.0.2.7", "10.0.0.21", 443)))
    }
}

extension Flow.Tuple {
    fileprivate init(_ packet: Packet) {
        let (number, detail): (UInt8, Flow.Detail) =
            switch packet.transport {
            case .tcp(let source, let destination):
                (6, .ports(source: source, destination: destination))
            case .udp(let source, let destination):
                (17, .ports(source: source, destination: destination))
            case .esp: (50, .none)
            case .icmp(let type):
                (packet.family == .ipv4 ? 1 : 58, .icmp(id: 1, type: type, code: 0))
            case .other(let number): (number, .none)
            }
        self.init(
            from: packet.source, to: packet.destination, protocolNumber: number, detail)
    }
}

extension Packet {
    /// The packet and, of TCP, the one that would be the first had the other end begun.
    fileprivate var firsts: [Packet] {
        guard case .tcp(let source, let destination) = transport else { return [self] }
        return [
            self,
            Packet(
                direction == .inbound ? .outbound : .inbound, from: self.destination,
                to: self.source, .tcp(source: destination, destination: source)),
        ]
    }
}
