import Policy
import PortModel
import Site

import Testing

@testable import Display
@testable import Enforcement
@testable import Reports
@testable import Ruleset

@Suite struct DropsPageTests {
    private static let now = Timestamp(seconds: 1_800_000_000)

    private static func address(_ text: String) -> IPAddress {
        guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
        return address
    }

    private static func talker(
        _ samples: UInt64, excess: UInt64 = 0, row: String? = "conferencing.in.sip-tls"
    ) -> DropsReport.Talker {
        DropsReport.Talker(
            counter: "drop.in", direction: .inbound, node: "conf-lon-1", protocol: "tcp",
            source: address("192.0.2.7"), sourcePort: 55_000, destination: address("10.0.0.21"),
            destinationPort: 5061, icmpType: nil, isFragment: false, samples: samples,
            excess: excess, first: Timestamp(seconds: now.seconds - 500),
            last: Timestamp(seconds: now.seconds - 4), verdict: .drop,
            reason: "no inbound row permits it", permits: [],
            nearest: row.map {
                [
                    Explanation.NearMiss(
                        row: $0,
                        differences: ["the source 192.0.2.7 is not in s (10.1.0.0/16)", "b"])
                ]
            } ?? [], inactive: [])
    }

    private static func report(_ talkers: [DropsReport.Talker] = []) -> DropsReport {
        var report = DropsReport(
            RefusalRecord(since: Timestamp(seconds: now.seconds - 600)), problem: nil, in: nil)
        report.sampling = .init(group: 5001, rate: 20)
        report.mode = .enforce
        report.samples = 1_234
        report.talkers = talkers
        return report
    }

    private static func text(_ report: DropsReport, width: Int? = nil) -> String {
        report.page(now: now).lines(width: width, isColoured: false).joined(separator: "\n")
    }

    @Test func mostFirstEachWithTheNearestRow() {
        #expect(
            Self.text(Self.report([Self.talker(1_200), Self.talker(34, excess: 30, row: nil)]))
                == """
                1,234 samples of refused packets since 2027-01-15T07:50:00Z (10 min)
                at most 20 a second by each rule that refuses: pexip-fwctl show counters tells how many were refused
                    1,200  TCP 5061 from 192.0.2.7 to conf-lon-1 (10.0.0.21), 4 s ago
                           drop.in: no inbound row permits it
                  nearest  conferencing.in.sip-tls, but the source 192.0.2.7 is not in s (10.1.0.0/16), and b
                     4-34  TCP 5061 from 192.0.2.7 to conf-lon-1 (10.0.0.21), 4 s ago
                           drop.in: no inbound row permits it
                """)
    }

    @Test func fitsATerminal() {
        var long = Self.talker(18_446_744_073_709_551_615, excess: 18_446_744_073_709_551_614)
        long.node = String(repeating: "n", count: 63)
        let lines = Self.report([Self.talker(1), long]).page(now: Self.now)
            .lines(width: 80, isColoured: false)
        #expect(lines.allSatisfy { $0.count <= 80 })
    }

    @Test func saysHowToSwitchItOn() {
        let off = DropsReport(nil, problem: nil, in: nil)
        #expect(
            Self.text(off)
                == "refusals are not sampled: write refusals: {sample: true} into a .yaml file of the configuration"
        )
        // What was heard before is still told.
        var ended = Self.report([Self.talker(1)])
        ended.sampling = nil
        #expect(Self.text(ended).contains("refusals are not sampled: write"))
        #expect(Self.text(ended).contains("TCP 5061 from 192.0.2.7"))
    }

    @Test func saysWhatKeepsItFromHearing() {
        var report = DropsReport(nil, problem: "nflog group 5001 is taken", in: nil)
        report.sampling = .init(group: 5001, rate: 20)
        #expect(
            Self.text(report) == """
                problem  nflog group 5001 is taken
                no sample was heard yet
                """)
        var lossy = Self.report()
        lossy.lost = 7
        lossy.unreadable = 1
        lossy.mode = .observe
        let text = Self.text(lossy)
        #expect(text.contains("7 more samples lost: the agent did not read in time"))
        #expect(text.contains("1 message of somebody else's rules came by the same group"))
        #expect(text.contains("of packets that would be refused since"))
    }

    @Test func saysWhatWouldPassByNow() {
        var permitted = Self.talker(1, row: nil)
        permitted.verdict = .accept
        permitted.permits = ["conferencing.in.sip-tls"]
        #expect(
            Self.text(Self.report([permitted])).contains("would pass now: conferencing.in.sip-tls"))
        var off = Self.talker(1)
        off.inactive = ["conferencing.in.ssh"]
        #expect(
            Self.text(Self.report([off])).contains(
                "off      conferencing.in.ssh would permit it, but its feature is off"))
    }

    @Test(
        arguments: [
            (
                "udp", 53, nil, false, Direction.outbound,
                "UDP 53 from conf-lon-1 (192.0.2.7) to 10.0.0.21"
            ),
            ("esp", nil, nil, false, .inbound, "ESP from 192.0.2.7 to conf-lon-1 (10.0.0.21)"),
            (
                "icmp", nil, 8, false, .inbound,
                "ICMP type 8 from 192.0.2.7 to conf-lon-1 (10.0.0.21)"
            ),
            ("icmpv6", nil, 128, false, .inbound, "ICMPv6 type 128 from 192.0.2.7"),
            ("47", nil, nil, false, .inbound, "protocol 47 from 192.0.2.7"),
            ("udp", nil, nil, true, .inbound, "UDP fragment from 192.0.2.7"),
        ] as [(String, UInt16?, UInt8?, Bool, Direction, String)])
    func traffic(
        _ name: String, _ port: UInt16?, _ type: UInt8?, _ isFragment: Bool, _ direction: Direction,
        _ expected: String
    ) {
        var talker = Self.talker(1)
        talker.protocol = name
        talker.destinationPort = port
        talker.icmpType = type
        talker.isFragment = isFragment
        talker.direction = direction
        #expect(Self.text(Self.report([talker])).contains("  1  \(expected)"))
    }

    @Test func moreThanAreShown() {
        var report = Self.report([Self.talker(1)])
        report.more = 980
        #expect(Self.text(report).hasSuffix("\nand 980 more talkers: see --limit and --json"))
    }
}

@Suite struct CountersPageTests {
    private static let now = Timestamp(seconds: 1_800_000_000)

    private static func report() -> CountersReport {
        var report = CountersReport(
            StatusReport(
                state: .inSync, nodes: [], counters: [:], warnings: [], shadows: [],
                diagnostics: [], drift: .init(count: 0),
                agent: .init(version: "1", pid: 1, started: now)), of: nil)
        report.generation = 3
        report.counters = [
            .init(
                name: "conferencing.in.ssh", kind: .row, classes: [], packets: 1_234, bytes: 98_765),
            .init(name: "drop.in", kind: .refusal, classes: [], packets: 1, bytes: 60),
        ]
        return report
    }

    private static func text(_ page: Page) -> String {
        page.lines(width: nil, isColoured: false).joined(separator: "\n")
    }

    @Test func countersByKind() {
        #expect(
            Self.text(Self.report().page(now: Self.now)) == """
                generation 3, since before the agent started
                permitted, by row
                  conferencing.in.ssh  1,234 packets, 98 kB
                refused, by reason
                  drop.in  1 packet, 60 B
                """)
        var since = Self.report()
        since.since = Timestamp(seconds: Self.now.seconds - 60)
        #expect(
            Self.text(since.page(now: Self.now)).hasPrefix(
                "generation 3, since 2027-01-15T07:59:00Z (1 min)\n"))
        since.generation = nil
        #expect(Self.text(since.page(now: Self.now)) == "nothing is enforced")
    }

    @Test func nodesOfAGateway() throws {
        let address = try #require(IPAddress("10.0.0.21"))
        var node = EnforcedNode(
            name: "a", role: .conferencing, addresses: [address], table: "pexip_fw_gateway",
            policyClass: "conferencing_0", rows: 25)
        var report = Self.report()
        report.nodes = [.init(node: node, dropped: .init(packets: 7, bytes: 420))]
        #expect(
            Self.text(report.page(now: Self.now)).hasSuffix(
                """

                refused, by node
                  a  7 packets, 420 B, class conferencing_0
                """))
        #expect(
            Self.text(NodesReport(report.nodes).page) == """
                a (conferencing): 25 rows; 7 packets refused
                  addresses  10.0.0.21
                  table      pexip_fw_gateway, class conferencing_0
                """)
        node.policyClass = nil
        report.nodes[0].node = node
        #expect(!Self.text(report.page(now: Self.now)).contains("by node"))
        #expect(Self.text(NodesReport([]).page) == "no node is enforced")
    }
}
