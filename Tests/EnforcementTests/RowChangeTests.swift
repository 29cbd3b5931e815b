import Foundation
import Ruleset
import Testing

@testable import Enforcement

@Suite struct RowChangeTests {
    static func changes(
        _ old: String, _ new: String
    ) throws -> [RowChange] {
        let node = "nodes: {conf: {role: conferencing, address: 10.0.0.21}}\n"
        let before = try #require(compile(node + old).target?.ruleset)
        let after = try #require(compile(node + new).target?.ruleset)
        return after.changes(from: before)
    }

    static func change(_ kind: RowChange.Kind, _ row: String) -> RowChange {
        RowChange(kind: kind, table: "pexip_fw_conf", row: row)
    }

    static let ssh = "features: {ssh: true}\n"
    static let peers = ssh + "peers: {ssh_clients: [10.9.0.1]}\n"
    static let site = """
        rules: [{name: x, nodes: all, direction: inbound, protocol: tcp, destination_ports: 9100}]

        """

    @Test(arguments: [
        ("", ssh, [change(.opened, "conferencing.in.ssh")]),
        (ssh, "", [change(.closed, "conferencing.in.ssh")]),
        (ssh, peers, [change(.changed, "conferencing.in.ssh")]),
        (peers, peers.replacing("9.0.1", with: "9.0.2"), [change(.changed, "conferencing.in.ssh")]),
        ("", site, [change(.opened, "site.x")]),
        (site, site.replacing("9100", with: "9101"), [change(.changed, "site.x")]),
        ("", "host: {ping: false}\n", []),
        ("", "host: {ping: true}\n", [change(.opened, "host.ping")]),
        (
            "", "mode: observe\n",
            [
                change(.changed, "drop.in"), change(.changed, "drop.in.invalid"),
                change(.changed, "drop.out"),
            ]
        ),
        ("", "", []),
    ])
    func saysWhatChangesForPackets(_ old: String, _ new: String, _ expected: [RowChange]) throws {
        #expect(try Self.changes(old, new) == expected)
    }

    @Test func fromNothingEveryRowOpensAndNoRefusalIsNamed() throws {
        let ruleset = try #require(configuration(1).target?.ruleset)
        let changes = ruleset.changes(from: nil)
        #expect(!changes.isEmpty)
        #expect(changes.allSatisfy { $0.kind == .opened && !$0.row.hasPrefix("drop.") })
        #expect(ruleset.changes(from: ruleset) == [])
    }
}
