import PortModel
import Ruleset
import Site
import Testing

@testable import Enforcement
@testable import Reports

@Suite struct MeshSurveyTests {
    static let now = Timestamp(seconds: 1_800_000_000)
    static let a = IPAddress("10.0.0.1")!
    static let b = IPAddress("10.0.0.2")!
    static let b6 = IPAddress("2001:db8::2")!
    static let a6 = IPAddress("2001:db8::1")!
    static let secondary = IPAddress("198.51.100.2")!
    static let stranger = IPAddress("203.0.113.9")!

    /// A note: in which set, from where to where, and how many seconds ago.
    typealias Noted = (NoteSet, IPAddress, IPAddress, Int)

    static func generation(_ configuration: String, enforcing names: [String]) -> Generation {
        Generation(
            number: 1, created: now, origin: .start, configurationDigest: "",
            configuration: [ConfigurationText(path: "site.yaml", text: configuration)],
            mode: .enforce, revokesEstablished: true,
            nodes: names.map {
                EnforcedNode(
                    name: $0, role: .conferencing, addresses: [], table: "pexip_fw_x", rows: 1)
            }, ruleset: Ruleset(tables: []))
    }

    static func tables(_ notes: [Noted], more: [ObservedSet] = []) -> [ObservedTable] {
        var noted: [NoteSet: [AddressPair: Int]] = [.ike: [:], .esp: [:]]
        for (set, from, to, age) in notes {
            noted[set, default: [:]][AddressPair(from: from, to: to)] = age
        }
        let sets = noted.map { set, pairs in
            ObservedSet(
                name: set.name(.ipv4),
                set: NamedSet(
                    name: set.name(.ipv4), family: .ipv4, kind: set.kind, addresses: AddressSet()),
                noted: pairs)
        }
        return [ObservedTable(TableID(.inet, "pexip_fw_x"), sets: sets + more)]
    }

    static let local = """
        nodes:
          a: {role: conferencing, address: [10.0.0.1, "2001:db8::1"]}
          b:
            role: conferencing
            address: [10.0.0.2, "2001:db8::2"]
            secondary_address: 198.51.100.2
        """
    static let gateway = "placement: gateway\n" + local

    static func report(
        _ notes: [Noted], configuration: String = local, enforcing names: [String] = ["a"],
        query: MeshQuery = MeshQuery(), route: RouteFinder = { _ in "eth0" }
    ) throws -> MeshReport {
        let generation = generation(configuration, enforcing: names)
        let facts = MeshFacts(
            generation: generation, deployment: generation.deployment, tables: tables(notes),
            notedSince: nil, now: now)
        return try MeshSurvey(facts, route: route).report(query)
    }

    static let everyWay: [Noted] = [
        (.ike, a, b, 3_000), (.ike, b, a, 3_000), (.esp, a, b, 1), (.esp, b, a, 2),
    ]

    @Test(
        arguments: [
            ([], .silent),
            (everyWay, .up),
            // The mesh was up before anything was noted.
            ([(.esp, a, b, 1), (.esp, b, a, 600)], .up),
            ([(.esp, a, b, 1), (.esp, b, a, 601)], .espOneWay),
            ([(.esp, a, b, 1)], .espOneWay), ([(.esp, b, a, 9_999)], .espOneWay),
            ([(.esp, a, b, 999), (.esp, b, a, 998)], .idle),
            ([(.ike, a, b, 1), (.ike, b, a, 1)], .espMissing),
            ([(.ike, a, b, 1_000), (.ike, b, a, 1_000)], .espMissing),
            // It was up, and now IKE alone passes.
            (
                [(.ike, a, b, 1), (.ike, b, a, 1), (.esp, a, b, 700), (.esp, b, a, 700)],
                .espMissing
            ),
            ([(.ike, a, b, 1)], .ikeOneWay), ([(.ike, b, a, 5_000)], .ikeOneWay),
            // The other end is gone.
            ([(.ike, a, b, 1), (.ike, b, a, 900), (.esp, a, b, 700)], .ikeOneWay),
            // IPsec with somebody else.
            ([(.ike, a, b, 1), (.strayIKE, stranger, a, 1)], .natSuspected),
            ([(.strayESP, a, stranger, 1)], .natSuspected),
            ([(.ike, a, b, 1), (.strayIKE, stranger, a, 700)], .ikeOneWay),
            ([(.ike, a, b, 1), (.ike, b, a, 1), (.strayIKE, stranger, a, 1)], .espMissing),
            (everyWay + [(.strayIKE, stranger, a, 1)], .up),
            ([(.esp, a, b, 999), (.esp, b, a, 998), (.strayIKE, stranger, a, 1)], .idle),
            // IPsec says so itself.
            ([(.ike, a, b, 1), (.strayTraversal, a, b, 1)], .translated),
            ([(.ike, a, b, 1), (.strayIKE, b, a, 1)], .translated),
            (everyWay + [(.strayTraversal, a, b, 1)], .up),
            // This host does it.
            (everyWay + [(.translated, a, b, 1)], .translated),
            (everyWay + [(.translated, a, b, 700)], .up),
        ] as [([Noted], MeshReport.State)])
    func states(_ notes: [Noted], _ state: MeshReport.State) throws {
        for configuration in [Self.local, Self.gateway] {
            let route: RouteFinder = { $0 == Self.a || $0 == Self.a6 ? "eth1" : "eth0" }
            let report = try Self.report(notes, configuration: configuration, route: route)
            #expect(report.pairs.map(\.state) == [state])
            #expect(report.counts == [state.rawValue: 1])
            #expect(report.hasBroken == state.isBroken)
        }
    }

    @Test func routes() throws {
        let noWay: RouteFinder = { _ in nil }
        #expect(try Self.report([], route: noWay).pairs.map(\.state) == [.noRoute])
        // Policy routing may know better than a look at one table.
        #expect(try Self.report(Self.everyWay, route: noWay).pairs.map(\.state) == [.up])
        let local = try #require(try Self.report([]).pairs.first)
        #expect(local.routes == [.init(address: Self.b, interface: "eth0")])
        let gateway = try #require(
            try Self.report([], configuration: Self.gateway, enforcing: ["b"]).pairs.first)
        #expect(gateway.routes.map(\.address) == [Self.b, Self.a])
        #expect(gateway.state == .elsewhere)
    }

    @Test func theFamilyThatIsSpokenIsTold() throws {
        let notes: [Noted] = [(.esp, Self.a6, Self.b6, 1), (.esp, Self.b6, Self.a6, 1)]
        let generation = Self.generation(Self.local, enforcing: ["b"])
        let facts = MeshFacts(
            generation: generation, deployment: generation.deployment,
            tables: Self.tables(
                [],
                more: [
                    ObservedSet(
                        name: NoteSet.esp.name(.ipv6), set: nil,
                        noted: Dictionary(
                            uniqueKeysWithValues: notes.map {
                                (AddressPair(from: $0.1, to: $0.2), $0.3)
                            }))
                ]), notedSince: nil, now: Self.now)
        let report = try MeshSurvey(facts, route: { _ in "eth0" }).report(MeshQuery())
        // The enforced one comes first.
        let pair = try #require(report.pairs.first)
        #expect(report.pairs.count == 1)
        #expect((pair.first, pair.second) == ("b", "a"))
        #expect((pair.firstAddress, pair.secondAddress) == (Self.b6, Self.a6))
        #expect(pair.state == .up)
    }

    @Test func evidenceIsTold() throws {
        let report = try Self.report([
            (.ike, Self.a, Self.b, 5), (.strayESP, Self.secondary, Self.a, 4),
            (.strayTraversal, Self.stranger, Self.a, 3),
        ])
        let pair = try #require(report.pairs.first)
        #expect(pair.evidence.map(\.kind) == [.secondaryAddress, .stranger])
        #expect(pair.evidence.map(\.from) == [Self.secondary, Self.stranger])
        #expect(report.strangers.map(\.kind) == [.traversal])
        #expect(report.strangers.map(\.node) == ["a"])
        #expect(pair.ike.forth == Timestamp(seconds: Self.now.seconds - 5))
        #expect(pair.ike.back == nil)
    }

    /// Of a large mesh those that are broken are told, and how many the others are.
    @Test func aThousandNodes() throws {
        let configuration =
            "placement: gateway\nnodes:\n"
            + (0..<1_000).map {
                "  n\($0): {role: conferencing, address: 10.1.\($0 >> 8).\($0 & 255)}\n"
            }.joined()
        @Sendable func address(_ index: Int) -> IPAddress {
            IPAddress(family: .ipv4, value: 0x0a01_0000 + UInt128(index))
        }
        var notes: [Noted] = []
        for other in 1..<400 {
            notes.append((.esp, address(0), address(other), 1))
            if other > 150 { notes.append((.esp, address(other), address(0), 1)) }
        }
        let enforced = ["n0", "n1"]
        let report = try Self.report(notes, configuration: configuration, enforcing: enforced) {
            $0 < address(500) ? "eth0" : "eth1"
        }
        #expect(report.total == 999 + 998)
        #expect(report.counts["up"] == 249)
        #expect(report.counts["esp-one-way"] == 150)
        #expect(report.pairs.count == MeshQuery.shownPairs)
        #expect(report.pairs.allSatisfy { $0.state == .espOneWay })
        #expect(report.omitted == report.total - report.pairs.count)
        let all = try Self.report(
            notes, configuration: configuration, enforcing: enforced, query: MeshQuery(all: true)
        ) { _ in "eth0" }
        #expect((all.pairs.count, all.omitted) == (1_997, 0))
        #expect(all.pairs.last?.state == .up)
        let one = try Self.report(
            notes, configuration: configuration, enforcing: enforced,
            query: MeshQuery(node: "n999")
        ) { _ in "eth0" }
        #expect(one.pairs.map(\.second) == ["n999", "n999"])
    }

    /// There are fifty million pairs of them.
    @Test(.timeLimit(.minutes(1))) func tenThousandNodes() throws {
        let nodes = (0..<10_000).map { index in
            Node(
                name: "n\(index)", role: .conferencing,
                addresses: [IPAddress(family: .ipv4, value: 0x0a01_0000 + UInt128(index))])
        }
        let deployment = Deployment(placement: .gateway, nodes: nodes)
        let generation = Self.generation("", enforcing: nodes.map(\.name))
        let first = nodes[0].addresses[0]
        let facts = MeshFacts(
            generation: generation, deployment: .success(deployment),
            tables: Self.tables([
                (.esp, first, nodes[1].addresses[0], 1), (.esp, nodes[1].addresses[0], first, 1),
                (.strayESP, first, Self.stranger, 1),
            ]), notedSince: nil, now: Self.now)
        let survey = try MeshSurvey(facts) { $0.value & 1 == 0 ? "eth0" : "eth1" }
        let report = try survey.report(MeshQuery())
        #expect(
            report.counts == [
                "up": 1, "silent": 25_000_000 - 1, "elsewhere": 2 * (5_000 * 4_999 / 2),
            ])
        #expect(report.pairs.count == MeshQuery.shownPairs)
        #expect(report.pairs.allSatisfy { $0.state == .silent })
        let all = try survey.report(MeshQuery(all: true))
        #expect(all.pairs.count == MeshQuery.mostPairs)
        let one = try survey.report(MeshQuery(node: "n1"))
        #expect(one.counts == ["up": 1, "silent": 4_999, "elsewhere": 4_999])
    }

    /// Management Nodes have no rows for each other.
    @Test func pairsAreThoseThatRowsLeadBetween() throws {
        let configuration = """
            placement: gateway
            nodes:
              m1: {role: management, address: 10.0.0.1}
              m2: {role: management, address: 10.0.0.2}
              c: {role: conferencing, address: 10.0.0.3}
              six: {role: conferencing, address: "2001:db8::4"}
            """
        let report = try Self.report(
            [], configuration: configuration, enforcing: ["m1", "m2", "c", "six"])
        #expect(report.pairs.map { "\($0.first) \($0.second)" } == ["c m1", "c m2"])
    }

    @Test func whatCannotBeTold() {
        let generation = Self.generation(Self.local, enforcing: ["a"])
        let facts = MeshFacts(
            generation: generation, deployment: generation.deployment,
            tables: [ObservedTable(TableID(.inet, "pexip_fw_x"))], notedSince: nil, now: Self.now)
        #expect(throws: MeshProblem.self) { try MeshSurvey(facts) { _ in nil } }
        #expect(throws: MeshProblem.self) {
            try Self.report([], query: MeshQuery(node: "nobody"))
        }
        #expect(throws: MeshProblem.self) {
            try Self.report([]) { _ in throw MeshProblem(description: "netlink") }
        }
    }
}
