import PortModel
import Testing

@testable import Display
@testable import Reports

@Suite struct PortTableTextTests {
    private static func line(
        peers: PeerList? = nil, footnotes: [String] = [], inactive: String? = nil,
        description: String = "HTTPS"
    ) -> PortsReport.Line {
        PortsReport.Line(
            id: "conferencing.in.https", protocol: "TCP", sourcePort: "<any>",
            destinationPort: "443", description: description, device: "Web browser",
            nodeAddresses: PeerList(AddressSet()), peers: peers, footnotes: footnotes,
            inactive: inactive)
    }

    private static func peers(_ count: Int) -> PeerList {
        var peers = PeerList(AddressSet())
        peers.first = (1...4).prefix(count).map { "10.0.\($0).0/24" }
        peers.count = count
        return peers
    }

    private static func table(_ nodes: [String], _ lines: [PortsReport.Line]) -> PortsReport.Table {
        PortsReport.Table(nodes: nodes, role: .conferencing, direction: .inbound, lines: lines)
    }

    @Test func aLineForEachRow() {
        let lines = [
            Self.line(footnotes: ["*", "†"]), Self.line(peers: Self.peers(3)),
            Self.line(peers: Self.peers(4)), Self.line(inactive: "its feature is off"),
        ]
        #expect(
            PortsReport([Self.table(["conf-1", "conf-2"], lines)]).text == """
                conf-1, conf-2 (conferencing), inbound
                  Protocol  Source-Port  Dest-Port  Description  Peers
                  TCP       <any>        443        HTTPS * †    any
                  TCP       <any>        443        HTTPS        10.0.1.0/24, 10.0.2.0/24, 10.0.3.0/24
                  TCP       <any>        443        HTTPS        10.0.1.0/24, 10.0.2.0/24, 10.0.3.0/24 … 4 in all
                  TCP       <any>        443        HTTPS        not enforced: its feature is off

                """)
    }

    @Test func tablesStandApart() {
        let tables = [
            Self.table(["a"], []), Self.table(["a", "b", "c", "d", "e", "f\n"], []),
        ]
        #expect(
            PortsReport(tables).text == """
                a (conferencing), inbound
                  Protocol  Source-Port  Dest-Port  Description  Peers

                a, b, c, d and 2 more (conferencing), inbound
                  Protocol  Source-Port  Dest-Port  Description  Peers

                """)
        #expect(PortsReport([]).text == "\n")
    }

    @Test func noWordEndsALine() {
        let text = PortsReport([Self.table(["a\n"], [Self.line(description: "x\ny")])]).text
        #expect(
            text == """
                a\\n (conferencing), inbound
                  Protocol  Source-Port  Dest-Port  Description  Peers
                  TCP       <any>        443        x\\ny         any

                """)
    }
}
