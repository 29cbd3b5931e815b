import PortModel
import TestSupport
import Testing

@Suite struct ConnectionTests {
    @Test func handshakesAreEstablishedRefusedOrTimedOut() throws {
        try Fixture.gateway().use { topology in
            let node = try PacketProbe(in: topology.node)
            let peers = try PacketProbe(in: topology.outside)
            for family in AddressFamily.allCases {
                let (peer, address) = Fixture.pair(family)
                let open = ProbeEndpoint(address, port: 443)
                let filtered = ProbeEndpoint(address, port: 444)
                try node.listen(at: [open, filtered])
                try Nft.run(
                    in: topology.enforcing,
                    """
                    table inet harness {
                      chain forward { type filter hook forward priority 0; tcp dport 444 drop; }
                    }
                    """)
                let source = ProbeEndpoint(peer, port: 40_000)
                #expect(try peers.connect(from: source, to: open) == .established)
                // The same source port at once again.
                #expect(try peers.connect(from: source, to: open) == .established)
                #expect(
                    try peers.connect(from: source, to: ProbeEndpoint(address, port: 445))
                        == .refused)
                #expect(
                    try peers.connect(from: source, to: filtered, timeout: .milliseconds(100))
                        == .timedOut)
            }
        }
    }

    @Test func anEstablishedConnectionShowsWhenItIsCut() throws {
        try Fixture.nodeAndPeers().use { topology in
            let node = try PacketProbe(in: topology.node)
            let peers = try PacketProbe(in: topology.outside)
            try node.listen(at: ["10.0.0.1:443"])
            let opened = try peers.open(from: "192.0.2.1", to: "10.0.0.1:443")
            #expect(opened.outcome == .established)
            let connection = try #require(opened.connection)
            #expect(try connection.echo() == .established)
            try Nft.run(
                in: topology.node,
                """
                table inet harness {
                  chain input { type filter hook input priority 0; tcp dport 443 drop; }
                }
                """)
            #expect(try connection.echo(timeout: .milliseconds(100)) == .silent)
            try Nft.run(in: topology.node, "delete table inet harness")
            #expect(try connection.echo(timeout: .seconds(3)) == .established)
            try Nft.run(
                in: topology.node,
                """
                table inet harness {
                  chain input {
                    type filter hook input priority 0;
                    tcp dport 443 reject with tcp reset
                  }
                }
                """)
            #expect(try connection.echo() == .reset)
        }
    }
}
