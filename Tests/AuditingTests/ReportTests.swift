import PortModel
import Ruleset
import Site
import Testing

@testable import Auditing
@testable import Enforcement
@testable import Reports

@Suite("Report")
struct ReportTests {
    private static func section(
        _ document: Document, _ anchor: String
    ) throws -> Document.Section {
        try #require(document.sections.first { $0.anchor == anchor })
    }

    private static func facts(_ document: Document) throws -> [String: String] {
        try section(document, "summary").blocks.reduce(into: [:]) { facts, block in
            guard case .facts(let list) = block else { return }
            for fact in list { facts[fact.name] = fact.value.text }
        }
    }

    private static func grids(_ document: Document, _ anchor: String) throws -> [Document.Grid] {
        try section(document, anchor).blocks.compactMap {
            if case .table(let grid) = $0 { grid } else { nil }
        }
    }

    private static func alerts(_ document: Document) throws -> [String] {
        try section(document, "summary").blocks.compactMap {
            if case .alert(_, let words) = $0 { words.text } else { nil }
        }
    }

    /// The cells of the first row about `key`.
    private static func row(
        _ document: Document, _ anchor: String, _ key: String
    ) throws -> [String] {
        try #require(
            grids(document, anchor).flatMap(\.rows).first { $0.cells[0].text == key }
        ).cells.map(\.text)
    }

    @Test("without the agent it says so, and what the files say")
    func silentAgent() throws {
        let report = try Subjects.subject(Subjects.office, node: "conf-lon-1").report
        #expect(try Self.alerts(report).first?.contains("The agent did not answer") == true)
        let facts = try Self.facts(report)
        #expect(facts["State"] == "not known: the agent did not answer")
        #expect(facts["Nodes"] == "1 of 3 nodes of the deployment, which this host enforces")
        #expect(
            facts["Rows"]
                == "of 48 documented rows 27 are open, 3 are off and 18 are of roles without a node here; 1 rule of the site's own"
        )
        #expect(
            try Self.row(report, "rows", "conferencing.in.ssh") == [
                "conferencing.in.ssh", "TCP <any> 22 SSH * SSH client",
                "TCP any → 22, primary address", "SSH client only these: 10.1.0.0/16",
                "configured", "not known",
            ])
        #expect(
            try Self.row(report, "rows", "conferencing.in.sip-udp")[4]
                == "off: features.sip_udp is off")
        #expect(
            try Self.row(report, "rows", "management.in.https") == [
                "management.in.https", "TCP <any> 443 HTTPS Web browser / API interface",
                "no such node here",
            ])
    }

    @Test("with the agent it compares with what is in force, and counts")
    func inForce() throws {
        let subject = Subjects.answered(
            try Subjects.subject(Subjects.office, node: "conf-lon-1"))
        #expect(subject.agreement == .same)
        let report = subject.report
        #expect(try Self.alerts(report).isEmpty)
        let facts = try Self.facts(report)
        #expect(
            facts["Generation"]
                == "4, of 2027-01-15T08:00:00Z, by a change of 20-metrics.yaml")
        #expect(facts["In force"]?.hasPrefix("as configured") == true)
        let cells = try Self.row(report, "rows", "site.node-exporter")
        #expect(cells[4...] == ["enforced", "4 packets 240 B"])
        let line = try #require(
            try Self.grids(report, "rows").flatMap(\.rows).first {
                $0.cells[0].text == "site.node-exporter"
            })
        #expect(
            line.code == [
                "input_tcp: tcp dport 9100 ip saddr @site.node-exporter.v4 counter name \"site.node-exporter\" accept comment \"site.node-exporter\""
            ])
        let ways = [("tcp", 6), ("udp", 17)].flatMap { name, number in
            ["ip daddr 10.0.0.21", "ip daddr 198.51.100.21", "ip6 daddr 2001:db8::21"].map {
                "input: meta l4proto \(number) \($0) jump input_\(name) comment \"\(name)\""
            }
        }
        #expect(try Self.section(report, "rows").blocks.contains(.code(ways)))
        #expect(try Self.row(report, "refused", "drop.in") == ["drop.in", "1,234", "98 kB"])
    }

    @Test("what is in force is not what the files say: that comes first, and no row claims more")
    func different() throws {
        var subject = Subjects.answered(
            try Subjects.subject(Subjects.office, node: "conf-lon-1"))
        subject.tables = try Subjects.subject(
            Subjects.office.replacing("9100", with: "9101"), node: "conf-lon-1"
        ).tables
        #expect(subject.agreement == .different(["pexip_fw_conf_lon_1"]))
        let report = subject.report
        #expect(try Self.alerts(report).first?.hasPrefix("The rules in force differ") == true)
        #expect(
            try Self.row(report, "rows", "site.node-exporter")[4...] == ["configured", "not known"])
    }

    @Test("no row is called enforced where the kernel may hold something else")
    func degraded() throws {
        let subject = Subjects.answered(
            try Subjects.subject(Subjects.office, node: "conf-lon-1")
        ) {
            $0.state = .degraded
            $0.problem = "the kernel can't be read"
        }
        let report = subject.report
        #expect(try Self.alerts(report) == ["Problem: the kernel can't be read"])
        #expect(try Self.facts(report)["In force"]?.hasPrefix("not compared") == true)
        #expect(
            try Self.row(report, "rows", "conferencing.in.sip")[4...] == [
                "configured", "not known",
            ])
    }

    @Test("every deviation from the documented defaults, what opens first")
    func deviations() throws {
        let report = try Subjects.subject(Subjects.office, node: "conf-lon-1").report
        let rows = try Self.grids(report, "deviations")[0].rows.map { $0.cells.map(\.text) }
        #expect(
            rows.map { Array($0[..<2]) } == [
                ["host.ping", "opens more"], ["features.ssh", "opens more"],
                ["features.snmp", "opens more"], ["rules: node-exporter", "opens more"],
                ["peers.ssh_clients", "closes more"], ["peers.dns_servers", "closes more"],
                ["ports.media", "changes"],
            ])
        #expect(
            rows[1] == [
                "features.ssh", "opens more",
                "* Only required if you want to allow administrative access via this port.", "on",
                "conferencing.in.ssh", "all",
            ])
        #expect(rows[3][3] == "inbound TCP any → 9100 from 10.1.0.0/16")
        #expect(
            rows[6][2...5] == [
                "40000–49999", "42000–42999",
                "conferencing.in.media, conferencing.out.media, conferencing.out.rtmp, conferencing.out.stun-turn",
                "all",
            ])
    }

    @Test("observation, other nodes, NAT and flows that may go on are deviations of the whole")
    func generalDeviations() throws {
        let configuration = """
            mode: observe
            guard: {revoke_established: false}
            enforce: [a]
            placement: gateway
            transports: {syslog: tcp}
            features: {syslog: true}
            nodes:
              a: {role: management, address: 10.0.0.1}
              b: {role: conferencing, address: 10.0.0.2}
            """
        let subject = Subjects.answered(try Subjects.subject(configuration)) {
            $0.counters["nat.between-nodes"] = .init(packets: 3, bytes: 180)
        }
        let report = subject.report
        let rows = try Self.grids(report, "deviations")[0].rows.map { $0.cells.map(\.text) }
        #expect(
            rows.map { $0[0] } == [
                "mode", "enforce", "guard.revoke_established", "features.syslog",
                "NAT between nodes", "transports.syslog",
            ])
        #expect(rows[1][3] == "1 of 2 nodes are not enforced by this host")
        #expect(rows[4][3] == "3 packets between nodes were translated")
        #expect(try Self.row(report, "rows", "management.in.https")[4] == "observed")
        #expect(
            try Self.section(report, "deployment").blocks.contains(
                .heading("Other nodes of the deployment", anchor: "nodes-others")))
    }

    @Test("other firewalls, foreign changes, and what waits or was taken back")
    func host() throws {
        let subject = Subjects.answered(
            try Subjects.subject(Subjects.office, node: "conf-lon-1")
        ) {
            $0.state = .pendingConfirmation
            $0.pending = .init(deadline: Subjects.start, secondsLeft: 60, fallback: 3)
            $0.shadows = [
                .init(
                    family: .inet, table: "firewalld", chain: "filter_INPUT", hook: .input,
                    priority: 10, policy: .accept, why: [.reject], within: ["filter_INPUT"],
                    owner: .firewalld)
            ]
            $0.drift = .init(
                count: 2,
                last: .init(
                    time: Subjects.start, process: "nft flush ruleset", pid: 77,
                    differences: ["table pexip_fw_x is missing"]))
        }
        let report = subject.report
        #expect(
            try Self.alerts(report) == [
                "The generation in force waits for confirmation: without it, generation 3 comes back at 2027-01-15T08:00:00Z."
            ])
        #expect(
            try Self.row(report, "host", "inet firewalld") == [
                "inet firewalld", "filter_INPUT", "input, priority 10", "reject in filter_INPUT",
                "firewalld",
            ])
        let text = MarkdownPage.text(report)
        #expect(text.contains("made by `nft flush ruleset` (pid 77):\n\n- table pexip"))
    }

    @Test("every documented row is told for every group, and each diagram once")
    func complete() throws {
        let subject = Subjects.answered(try Subjects.subject(Subjects.gateway(250)))
        let report = subject.report
        let grids = try Self.grids(report, "rows")
        // mgmt; conferencing: with and without a secondary address, and with SIP over UDP.
        #expect(grids.count == 8)
        let ids = grids.flatMap(\.rows).map { $0.cells[0].text }
        for row in subject.deployment.profile.rows {
            #expect(ids.count { $0 == row.id } == (row.role == .management ? 1 : 3))
        }
        let diagrams = try Self.section(report, "diagrams").blocks
        #expect(diagrams.count == 8)
        for row in grids.flatMap(\.rows) where row.cells[4].text == "enforced" {
            #expect(!row.code.isEmpty, "\(row.cells[0].text)")
        }
        // Every node is named.
        let nodes = try Self.section(report, "deployment").blocks.flatMap { block in
            if case .columns(let items) = block { items } else { [] as [Words] }
        }
        #expect(nodes.count == 250)
    }

    @Test("a page for 1,000 nodes stays small")
    func thousandNodes() throws {
        let subject = Subjects.answered(try Subjects.subject(Subjects.gateway(1_000)))
        let clock = ContinuousClock()
        var page = ""
        let time = clock.measure { page = HTMLPage.text(subject.report) }
        #expect(page.utf8.count < 500_000)
        // Well under a second unoptimised; what looks at all tables for each row takes much longer.
        #expect(time < .seconds(10))
    }

    @Test("what others wrote is text, in HTML and in Markdown")
    func escaping() throws {
        let report = try Subjects.nastySubject().report
        let page = HTMLPage.text(report)
        #expect(!page.contains("<script"))
        #expect(!page.contains("<img"))
        #expect(!page.contains("\u{202e}"))
        #expect(page.contains("&lt;script&gt;"))
        let markdown = MarkdownPage.text(report)
        var isFenced = false
        for line in markdown.split(separator: "\n") {
            if line.hasPrefix("```") { isFenced.toggle() }
            if isFenced { continue }
            #expect(!line.contains("<script") && !line.contains("<img"), "\(line)")
            #expect(!line.contains("[a](java"), "\(line)")
        }
        #expect(!isFenced)
        #expect(!markdown.contains("\u{7}"))
    }
}
