import Configuration
import PortModel
import Site
import Testing

@testable import Display
@testable import Enforcement
@testable import Reports

@Suite struct ChangesPageTests {
    private static func target(_ text: String) throws -> Compilation.Target {
        let host = try #require(IPAddress("10.0.0.21"))
        return try #require(
            Compilation(
                LoadedConfiguration(parsing: [ConfigurationSource(path: "a.yaml", text: text)]),
                hostAddresses: [host]
            ).target)
    }

    private static func report(_ old: String?, _ new: String) throws -> ApplyReport {
        let new = try target(new).nodeRules
        let old = try old.map { try target($0).nodeRules }
        var report = ApplyReport(
            outcome: .wouldApply, generation: 1, changes: new.changes(from: old))
        report.describe(from: old, to: new, withTables: true)
        return report
    }

    private static func text(_ page: Page, width: Int? = nil) -> String {
        page.lines(width: width, isColoured: false).joined(separator: "\n")
    }

    private static let base = """
        peers: {ssh_clients: [10.1.0.0/16, 10.9.0.1]}
        nodes:
          a: {role: conferencing, address: 10.0.0.21}

        """
    private static let ssh = base + "features: {ssh: true}\n"

    @Test func rowsAndPeersOpenAndClose() throws {
        #expect(
            try Self.text(Self.report(Self.base, Self.ssh).changesPage) == """
                a
                  opened    conferencing.in.ssh: TCP <any> -> 22 from 10.1.0.0/16, 10.9.0.1
                """)
        #expect(
            try Self.text(Self.report(Self.ssh, Self.base).changesPage) == """
                a
                  closed    conferencing.in.ssh: TCP <any> -> 22 from 10.1.0.0/16, 10.9.0.1
                """)
        let other = Self.ssh.replacing("10.9.0.1", with: "10.8.0.0/16")
        #expect(
            try Self.text(Self.report(Self.ssh, other).changesPage) == """
                a
                  changed   conferencing.in.ssh: opened from 10.8.0.0/16; closed from 10.9.0.1
                """)
        let any = Self.ssh.replacing("[10.1.0.0/16, 10.9.0.1]", with: "any")
        #expect(
            try Self.text(Self.report(any, Self.ssh).changesPage) == """
                a
                  changed   conferencing.in.ssh: closed from all but 10.1.0.0/16, 10.9.0.1
                """)
        let observe = try Self.text(Self.report(Self.ssh, Self.ssh + "mode: observe\n").changesPage)
        #expect(observe.contains("  changed   drop.in: dropped becomes counted only\n"))
        let site =
            Self.base + """
                rules: [{name: x, nodes: all, direction: outbound, protocol: udp, destination_ports: 9}]

                """
        #expect(
            try Self.text(Self.report(site, site.replacing(": 9}", with: ": [7, 9]}")).changesPage)
                == """
                a
                  changed   site.x: UDP <any> -> 9 becomes UDP <any> -> 7,9
                """)
    }

    @Test func nodesThatChangeAlikeAreToldTogether() throws {
        let gateway = "placement: gateway\nnodes:\n"
        func node(_ number: Int) -> String {
            "  n\(number): {role: conferencing, address: 10.0.0.\(number)}\n"
        }
        let one = gateway + node(1)
        let four = gateway + (1...4).map(node).joined()
        let joined = try Self.report(one, four)
        let lines = Self.text(joined.changesPage).split(separator: "\n")
        #expect(lines.first == "n2, n3, n4 join (conferencing)")
        #expect(lines.contains("  opened    conferencing.in.sip: TCP <any> -> 5060 from any"))
        #expect(lines.count == 1 + joined.changes.count)
        #expect(joined.changes.allSatisfy { $0.nodes == ["n2", "n3", "n4"] })
        #expect(joined.planWords == "3 nodes join, \(3 * joined.changes.count) rows open")
        let left = try Self.report(four, one)
        #expect(Self.text(left.changesPage).hasPrefix("n2, n3, n4 leave (conferencing)\n  closed "))
        let moved = try Self.report(one, one.replacing("10.0.0.1}", with: "10.0.0.9}"))
        #expect(
            Self.text(moved.changesPage).hasPrefix(
                "n1 has other addresses (conferencing; 10.0.0.1 -> 10.0.0.9)"))
        #expect(Self.text(moved.changesPage).contains(": for other addresses of the node"))
    }

    @Test func tablesDifferLineByLine() throws {
        let report = try Self.report(
            Self.ssh, Self.ssh.replacing("10.9.0.1", with: "10.8.0.0/16") + "host: {ping: true}\n")
        let text = Self.text(report.tablesPage)
        #expect(text.hasPrefix("table inet pexip_fw_a\n  chain icmp_v4\n    + icmp type 8 accept"))
        #expect(
            text.contains(
                "  set peers.ssh_clients.v4\n    - element 10.9.0.1\n    + element 10.8.0.0/16"))
        #expect(!text.contains("10.1.0.0/16"))
        #expect(try Self.report(Self.ssh, Self.ssh).tablesPage == Page())
    }

    @Test func tablesOfOneNameInTwoFamiliesAreTwo() throws {
        var report = try Self.report(nil, Self.ssh)
        let text = try #require(report.tables?.first?.after)
        let other = text.replacing("table inet ", with: "table bridge ")
        report.tables = [TableChange(name: "pexip_fw_a", before: text, after: other)]
        let lines = Self.text(report.tablesPage).split(separator: "\n")
        let titles = lines.filter { $0.hasPrefix("table ") }
        #expect(titles == ["table inet pexip_fw_a", "table bridge pexip_fw_a"])
        let second = try #require(lines.firstIndex(of: "table bridge pexip_fw_a"))
        #expect(lines[..<second].allSatisfy { !$0.hasPrefix("    +") })
        #expect(lines[second...].allSatisfy { !$0.hasPrefix("    -") })
        #expect(2 * second == lines.count)
    }

    @Test func linesFitAScreen() throws {
        let report = try Self.report(
            nil,
            Self.ssh.replacing(
                "  a: {",
                with: "  a-node-with-a-rather-long-name-\(String(repeating: "x", count: 24)): {")
        )
        for page in [report.changesPage, report.tablesPage] {
            #expect(page.lines(width: 80, isColoured: false).allSatisfy { $0.count <= 80 })
        }
        #expect(report.tables?.count == 1)
    }
}
