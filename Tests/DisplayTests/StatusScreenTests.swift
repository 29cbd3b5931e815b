import PortModel
import Ruleset
import Site
import Testing

@testable import Display
@testable import Enforcement
@testable import Reports

@Suite struct StatusScreenTests {
    static let start = Timestamp(seconds: 1_800_000_000)
    static let now = Timestamp(seconds: start.seconds + 7_500)

    static func node(_ name: String, addresses: [String], policyClass: String? = nil)
        -> StatusReport.NodeStatus
    {
        StatusReport.NodeStatus(
            node: EnforcedNode(
                name: name, role: .conferencing, addresses: addresses.compactMap { IPAddress($0) },
                table: "pexip_fw_x", policyClass: policyClass, rows: 25),
            dropped: StatusReport.CounterReport(packets: 12, bytes: 840))
    }

    static func report(_ change: (inout StatusReport) -> Void = { _ in }) -> StatusReport {
        var report = StatusReport(
            state: .inSync, generation: 4, confirmedGeneration: 4, generationCreated: start,
            generationOrigin: .directory, changedFiles: ["/etc/pexip-fw.d/20-metrics.yaml"],
            mode: .enforce,
            nodes: [node("conf-lon-1", addresses: ["10.0.0.21", "2001:db8::21"])],
            counters: [
                "conferencing.in.sip": .init(packets: 1_000, bytes: 1_200_000),
                "drop.in": .init(packets: 7, bytes: 500),
                "drop.out": .init(packets: 5, bytes: 340), "nat.between-nodes": .init(),
            ], countersSince: start, warnings: [], shadows: [], diagnostics: [],
            drift: .init(count: 0, last: nil),
            agent: .init(version: "1.2.3", pid: 7, started: start))
        change(&report)
        return report
    }

    private static func text(_ report: StatusReport, width: Int? = 80) -> String {
        report.page(now: now).lines(width: width, isColoured: false).joined(separator: "\n")
    }

    @Test func inSync() {
        #expect(
            Self.text(Self.report()) == """
                pexip-fw 1.2.3: in sync: the kernel holds what the configuration says
                  generation    4, 2 h 5 min old (2027-01-15T08:00:00Z), by a change of
                                20-metrics.yaml
                  node          conf-lon-1 (conferencing): 25 rows enforced; 12 packets refused
                                10.0.0.21, 2001:db8::21
                  traffic       1,000 packets, 1.2 MB, matched rows
                                12 packets, 840 B, refused: drop.in 7, drop.out 5
                                since 2027-01-15T08:00:00Z (2 h 5 min)
                  drift         none since the agent started 2027-01-15T08:00:00Z (2 h 5 min)
                """)
    }

    @Test func pending() {
        let report = Self.report { report in
            report.state = .pendingConfirmation
            report.pending = .init(
                deadline: Timestamp(seconds: Self.now.seconds + 112), secondsLeft: 112, fallback: 3)
            report.confirmedGeneration = 3
            report.generationOrigin = .command
            report.countersSince = nil
        }
        #expect(
            Self.text(report) == """
                pexip-fw 1.2.3: PENDING CONFIRMATION: the kernel holds what the configuration
                says, until it is confirmed or taken back
                  confirm       1:52 left, then generation 3 comes back (2027-01-15T10:06:52Z)
                                -> pexip-fwctl confirm keeps it; pexip-fwctl rollback takes it
                                back
                  generation    4, 2 h 5 min old (2027-01-15T08:00:00Z), by apply, after a
                                change of 20-metrics.yaml; confirmed is 3
                  node          conf-lon-1 (conferencing): 25 rows enforced; 12 packets refused
                                10.0.0.21, 2001:db8::21
                  traffic       1,000 packets, 1.2 MB, matched rows
                                12 packets, 840 B, refused: drop.in 7, drop.out 5
                                since before the agent started, 2027-01-15T08:00:00Z (2 h 5 min)
                  drift         none since the agent started 2027-01-15T08:00:00Z (2 h 5 min)
                """)
    }

    @Test func driftNamesWhoseItIs() {
        let report = Self.report { report in
            report.drift = .init(
                count: 2,
                last: .init(
                    time: Timestamp(seconds: Self.now.seconds - 5), process: "nft flush ruleset",
                    pid: 4711, differences: ["table pexip_fw_x is missing"]))
        }
        let lines = Self.text(report).split(separator: "\n").suffix(3)
        #expect(
            lines == [
                "  drift         2 foreign changes, the last 5 s ago (2027-01-15T10:04:55Z)",
                "                by nft flush ruleset, pid 4711",
                "                table pexip_fw_x is missing",
            ])
    }

    @Test func aRollbackIsTold() {
        let report = Self.report { report in
            report.state = .pinned
            report.hold = .init(Hold(.rollback, against: ""))
            report.changedFiles = nil
        }
        let text = Self.text(report, width: nil)
        #expect(text.contains("by a change of the directory; put back by rollback"))
        #expect(text.contains("-> pexip-fwctl plan says what apply would change"))
    }

    @Test func classesOfAGatewayAreToldTogether() {
        let report = Self.report { report in
            report.nodes = [
                Self.node("a", addresses: ["10.0.0.1"], policyClass: "conferencing_1"),
                Self.node("b", addresses: ["10.0.0.2"], policyClass: "conferencing_2"),
            ]
            report.counters = [
                "drop.in.conferencing_1": .init(packets: 1, bytes: 1),
                "drop.in.conferencing_2": .init(packets: 2, bytes: 2),
                "drop.out.conferencing_1": .init(packets: 4, bytes: 4),
            ]
        }
        #expect(Self.text(report).contains("7 packets, 7 B, refused: drop.in 3, drop.out 4\n"))
    }

    /// All that may be there, as long as it may be.
    @Test(arguments: [40, 80, 132]) func noLineIsLongerThanTheScreen(_ width: Int) {
        let long = "conferencing-node-of-the-northern-datacentre-with-a-very-long-name-0001"
        let addresses = [
            "203.0.113.117", "2001:db8:ffff:eeee:dddd:cccc:bbbb:aaaa", "198.51.100.201",
        ]
        let location = SourceLocation(
            file: "/etc/pexip-fw.d/a-file-with-a-name-that-is-longer-than-a-line-of-a-screen.yaml",
            line: 1_234, column: 56)
        let report = Self.report { report in
            report.state = .degraded
            report.problem = String(repeating: "everything fails ", count: 10)
            report.mode = .observe
            report.pending = .init(deadline: Self.now, secondsLeft: 86_400, fallback: nil)
            report.hold = .init(Hold(.probe, against: "", explanation: long + long))
            report.nodes = (0..<12).map { _ in
                Self.node(long, addresses: addresses, policyClass: "conferencing_0123456789abcdef")
            }
            report.counters["drop.in.conferencing_0123456789abcdef"] = .init(
                packets: .max, bytes: .max)
            report.warnings = [long + " " + addresses.joined(separator: " ")]
            report.diagnostics = [.error, .warning].flatMap { severity in
                (0..<12).map { _ in Diagnostic(severity, at: location, "is wrong, wrong and wrong")
                }
            }
            report.drift = .init(
                count: .max,
                last: .init(time: Self.start, process: long, pid: .max, differences: [long]))
        }
        let lines = report.page(now: Self.now).lines(width: width, isColoured: false)
        #expect(lines.allSatisfy { $0.count <= width }, "\(lines)")
        // What is searched for stands on one line in a pipe.
        let piped = report.page(now: Self.now).lines(width: nil, isColoured: false)
        #expect(piped.contains { $0.contains(location.file + ":1234:56: error: is wrong") })
        #expect(piped.contains { $0.contains("and 4 more nodes") })
        // Colour adds sequences and no other text.
        let coloured = report.page(now: Self.now).lines(width: width, isColoured: true)
        #expect(coloured.map(Self.withoutSequences) == lines)
        #expect(coloured != lines)
    }

    private static func withoutSequences(_ line: String) -> String {
        line.replacing(#/\u{1b}\[[0-9;]*m/#, with: "")
    }

    @Test(arguments: StatusReport.State.allCases)
    func everyStateButTheGoodOneSaysWhatHelps(_ state: StatusReport.State) {
        let report = Self.report { $0.state = state }
        #expect(Self.text(report).contains("-> ") == (state != .inSync))
        #expect(Self.text(report).contains(state.name))
    }
}
