import Auditing
import Display
import Foundation
import KernelFake
import Metrics
import Policy
import PortModel
import Ruleset
import Site
import Testing

@testable import Enforcement
@testable import Reports

/// Nothing but `Names.swift` reads the names of chains, sets, counters and comments: they may be
/// called anything.
@Suite struct RenamingTests {
    /// Other names, in which nothing is left of the purposes' own but their order.
    private enum Renamed {
        private static let prefix = "z9z_"

        static let naming = Naming(
            name: { id in prefix + id.utf8.map { String($0, radix: 16) }.joined() },
            id: { $0.wholeMatch(of: pattern).flatMap(id) ?? $0 })

        nonisolated(unsafe) static let pattern = /z9z_((?:[0-9a-f]{2})+)/

        private static func id(_ match: Regex<(Substring, Substring)>.Match) -> String? {
            let digits = Array(match.1.utf8)
            let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
                UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
            }
            return String(validating: bytes, as: UTF8.self)
        }

        static func isName(_ name: String) -> Bool { name.hasPrefix(prefix) }

        /// The text as it would be with the purposes' own names, without what no run has twice: digests
        /// of such names, and when generations were made.
        static func undone(in text: String) -> String {
            text.replacing(pattern) { id($0) ?? "" }
                .replacing(/[0-9a-f]{64}/, with: "…")
                .replacing(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/, with: "…")
                .replacing(/\d+ days( \d+ h)?/, with: "… days")
                .replacing(/created_timestamp_seconds \d+/, with: "created_timestamp_seconds …")
        }
    }

    // MARK: Sites

    struct Site: Sendable, CustomTestStringConvertible {
        let name: String
        /// Put in force one after another.
        let configurations: [String]
        let packets: [Packet]

        var testDescription: String { name }
    }

    private static func address(_ text: String) -> IPAddress {
        IPAddress(text) ?? IPAddress(family: .ipv4, value: 0)
    }

    static let sites = [
        Site(
            name: "on the node",
            configurations: [
                """
                nodes:
                  conf: {role: conferencing, address: [10.0.0.21, "2001:db8::21"]}
                  other: {role: conferencing, address: [10.0.0.22, "2001:db8::22"]}
                  mgmt: {role: management, address: 10.0.0.10}
                features: {ssh: true}
                peers: {ssh_clients: [10.9.0.0/24], dns_servers: [10.0.0.2]}
                refusals: {sample: true, group: 7, rate: 3}
                host: {ping: true}
                """,
                """
                nodes:
                  conf: {role: conferencing, address: [10.0.0.21, "2001:db8::21"]}
                  other: {role: conferencing, address: [10.0.0.22, "2001:db8::22"]}
                  mgmt: {role: management, address: 10.0.0.10}
                features: {ssh: true, snmp: true}
                peers: {ssh_clients: [10.9.1.0/24]}
                refusals: {sample: true, group: 7, rate: 3}
                host: {dhcp_client: true}
                rules:
                  - name: node-exporter
                    nodes: all
                    direction: inbound
                    protocol: tcp
                    destination_ports: 9100
                    peers: [10.1.0.0/16]
                """,
                """
                mode: observe
                nodes:
                  conf: {role: conferencing, address: 10.0.0.21, secondary_address: 198.51.100.21}
                  mgmt: {role: management, address: 10.0.0.10}
                """,
            ],
            packets: packets(
                to: "10.0.0.21", from: "10.0.0.21", ends: ["10.9.0.7", "10.0.0.22"])),
        Site(
            name: "on a gateway",
            configurations: [
                """
                placement: gateway
                nodes:
                  a: {role: conferencing, address: 10.0.0.21, secondary_address: 198.51.100.21}
                  b: {role: conferencing, address: [10.0.0.22, "2001:db8::22"]}
                  c: {role: conferencing, address: 10.0.0.23, features: {ssh: true}}
                  mgmt: {role: management, address: 10.0.0.10}
                peers: {ssh_clients: [10.9.0.0/24]}
                refusals: {sample: true, group: 7, rate: 3}
                """,
                """
                placement: gateway
                nodes:
                  a: {role: conferencing, address: 10.0.0.21, secondary_address: 198.51.100.21}
                  b:
                    role: conferencing
                    address: [10.0.0.22, "2001:db8::22"]
                    features: {ssh: true}
                  c:
                    role: conferencing
                    address: 10.0.0.23
                    features: {ssh: true}
                    peers: {ssh_clients: [10.8.0.0/24]}
                  mgmt: {role: management, address: 10.0.0.10}
                peers: {ssh_clients: [10.9.0.0/24]}
                host: {ping: true}
                """,
                """
                placement: gateway
                mode: observe
                nodes:
                  a: {role: conferencing, address: 10.0.0.24}
                  mgmt: {role: management, address: 10.0.0.10}
                enforce: [a]
                """,
            ],
            packets: packets(
                to: "10.0.0.22", from: "10.0.0.23", ends: ["10.9.0.7", "10.0.0.21"])),
    ]

    private static func packets(to: String, from: String, ends: [String]) -> [Packet] {
        let transports: [Transport] = [
            .tcp(source: 40_000, destination: 22), .tcp(source: 40_000, destination: 443),
            .tcp(source: 40_000, destination: 9_100), .udp(source: 500, destination: 500),
            .udp(source: 50_000, destination: 45_000), .udp(source: 4_500, destination: 4_500),
            .udp(source: 9, destination: 9), .esp, .icmp(type: 3), .icmp(type: 8), .other(2),
        ]
        return ends.map(address).flatMap { end in
            transports.flatMap { transport in
                [ConnectionState.new, .established, .invalid].flatMap { connection in
                    [
                        Packet(
                            .inbound, from: end, to: address(to), transport,
                            connection: connection),
                        Packet(
                            .outbound, from: address(from), to: end, transport,
                            connection: connection),
                    ]
                }
            }
        }
    }

    // MARK: Reports

    /// What a site says while its configurations come into force one after another, by a title.
    private static func reports(_ site: Site) async throws -> [(title: String, text: String)] {
        var reports: [(title: String, text: String)] = []
        func add(_ title: String, _ text: String) { reports.append((title, text)) }
        func add(_ title: String, _ page: Page) {
            add(title, page.lines(width: nil, isColoured: false).joined(separator: "\n"))
        }
        func add(_ title: String, json: some Encodable) throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            add(title, String(decoding: try encoder.encode(json), as: UTF8.self))
        }
        let directory = try TemporaryDirectory()
        let clock = ManualClock()
        var bench = try Bench(directory, clock: clock, adopts: true)
        await bench.reconciler.start(emptyConfiguration)
        let request = Reconciler.ApplyRequest(wantsTables: true)
        for (number, text) in site.configurations.enumerated() {
            let compilation = compile(text)
            let target = try #require(compilation.target, "\(compilation.diagnostics)")
            let title = "configuration \(number + 1): "
            let plan = try await bench.reconciler.inspector.plan(compilation, request)
            try add(title + "plan", json: plan)
            add(title + "plan", plan.changesPage)
            add(title + "plan", plan.tablesPage)
            let report = await bench.reconciler.applied(compilation, request)
            try add(title + "apply", json: report)
            add(title + "apply", report.changesPage)
            #expect(report.outcome == .applied, "\(report)")
            await bench.reconciler.flowsEnded()

            // Packets count; somebody takes rules away.
            await bench.kernel.tamper { tables in
                for table in tables.tables.keys {
                    for (index, counter) in (tables.tables[table]?.counters.keys.sorted() ?? [])
                        .enumerated()
                    {
                        tables.tables[table]?.counters[counter] = CounterValue(
                            packets: UInt64(index + 1), bytes: UInt64(100 * index))
                    }
                    let base = tables.tables[table]?.chains.filter { $0.value.rules.count > 1 }
                    for chain in base?.keys.sorted() ?? [] {
                        tables.tables[table]?.chains[chain]?.rules.removeLast()
                        tables.tables[table]?.chains[chain]?.handles.removeLast()
                    }
                }
            }
            _ = await bench.reconciler.repair(after: nil)

            let inspector = bench.reconciler.inspector
            let status = await inspector.status()
            #expect(status.drift.count > 0)
            try add(title + "status", json: status)
            add(title + "status", status.page(now: clock.now))
            let generation = try #require(inspector.overview.generation)
            #expect(
                generation.ruleset.tables.allSatisfy { table in
                    (table.counters + table.sets.map(\.name) + table.chains.map(\.name)).allSatisfy
                    { Renamed.isName($0) == (Naming.other.get() != nil) }
                })
            let counters = CountersReport(status, of: generation)
            try add(title + "counters", json: counters)
            add(title + "counters", counters.page(now: clock.now))
            for node in target.nodes {
                try add(
                    title + "counters of \(node.name)",
                    json: CountersReport(status, of: generation, node: node.name))
            }
            add(title + "metrics", await inspector.metrics().text(as: .openMetrics))
            for table in generation.stamped.tables { add(title + "rules", table.text) }
            try add(
                title + "ports",
                json: PortsReport(
                    of: target.deployment.groups(named: target.nodes.map(\.name)),
                    in: target.deployment))

            var record = RefusalRecord(since: clock.now)
            for (index, packet) in site.packets.enumerated() {
                let title = title + "explain \(packet)"
                let report = ExplainReport(
                    packet, by: generation.ruleset, nodes: target.nodes,
                    deployment: .success(target.deployment), counters: status.counters)
                try add(title, json: report)
                for counter in generation.ruleset.tables.flatMap(\.counters) {
                    guard
                        let refused = RefusedPacket(
                            counter: counter, from: packet.source, to: packet.destination,
                            protocolNumber: packet.transport.ipProtocol?.rawValue ?? 1,
                            packet.transport)
                    else { continue }
                    if index % 7 == 0 { record.add(refused, at: clock.now) }
                }
            }
            let drops = DropsReport(
                record, problem: nil, in: generation, atMost: DropsReport.mostTalkers)
            try add(title + "drops", json: drops)
            add(title + "drops", drops.page(now: clock.now))

            let mesh = try MeshSurvey(
                MeshFacts(
                    generation: generation, deployment: .success(target.deployment),
                    tables: noted(
                        in: await bench.kernel.state.observed, between: target.deployment),
                    notedSince: nil, now: clock.now)
            ) { _ in "eth0" }.report(MeshQuery())
            try add(title + "mesh", json: mesh)

            let rules = RulesReport(generation.stamped.tables).tables
            let subject = AuditSubject(
                host: "fw-1", kernel: "6.12.0", time: clock.now, version: "1",
                origin: .directory("/etc/pexip-fw.d"), files: [],
                configurationDigest: compilation.configurationDigest, diagnostics: [],
                deployment: target.deployment,
                coverage: .enforcedHere(
                    target.nodes.compactMap { target.deployment.node(named: $0.name) }),
                tables: target.ruleset.tables, tableDigests: target.ruleset.digests,
                agent: .answered(status, tables: .success(rules), plan: plan))
            // As Markdown writes names.
            add(
                title + "audit",
                MarkdownPage.text(subject.report).replacing("\\_", with: "_"))

            // From what is stored, too.
            if number == 0 {
                bench = try bench.restarted()
                await bench.reconciler.start(compilation)
                try add(title + "started again", json: await bench.reconciler.inspector.status())
            }
        }
        return reports
    }

    /// The tables as if every pair of nodes had noted its packets in every set for that.
    private static func noted(
        in tables: [ObservedTable], between deployment: Deployment
    ) -> [ObservedTable] {
        let addresses = deployment.nodes.flatMap(\.addresses)
        return tables.map { table in
            var table = table
            let names = table.sets.map(\.name).sorted()
            for index in table.sets.indices {
                guard let set = table.sets[index].set, set.kind.noteLimits != nil else { continue }
                let age = names.firstIndex(of: set.name) ?? 0
                for one in addresses where one.family == set.family {
                    for other in addresses where other.family == set.family && other != one {
                        table.sets[index].noted[AddressPair(from: one, to: other)] = age
                    }
                }
            }
            return table
        }
    }

    @Test(arguments: sites) func reportsStayWhateverObjectsAreCalled(_ site: Site) async throws {
        let plain = try await Self.reports(site)
        let renamed = try await Naming.other.withValue(Renamed.naming) {
            try await Self.reports(site)
        }
        #expect(plain.map(\.title) == renamed.map(\.title))
        for (plain, renamed) in zip(plain, renamed) {
            let expected = Renamed.undone(in: plain.text).split(separator: "\n")
            let found = Renamed.undone(in: renamed.text).split(separator: "\n")
            if expected == found { continue }
            let difference = zip(expected, found).first { $0 != $1 }
            Issue.record(
                "\(plain.title): \(difference.map { "\($0)\n\($1)" } ?? "lines are missing")")
        }
    }

    @Test func everyPurposeHasOneName() throws {
        var rules = 0
        for site in Self.sites {
            for text in site.configurations {
                let target = try #require(compile(text).target)
                for table in target.ruleset.adopting.tables {
                    for name in table.counters {
                        #expect(CounterPurpose(name: name).name == name)
                    }
                    for set in table.sets {
                        #expect(set.purpose.name(set.family) == set.name)
                        if case .other = set.purpose { Issue.record("\(set.name) has no purpose") }
                    }
                    for chain in table.chains {
                        #expect(chain.purpose.name == chain.name)
                        if case .other = chain.purpose {
                            Issue.record("\(chain.name) has no purpose")
                        }
                    }
                    for rule in table.chains.flatMap(\.rules) {
                        #expect(rule.purpose?.name == rule.comment)
                        rules += 1
                    }
                }
            }
        }
        #expect(rules > 500)
    }
}
