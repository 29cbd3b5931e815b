import PortModel
import TestSupport
import Testing

@Suite struct ExchangeTests {
    @Test(arguments: [Link.Neighbors.permanent, .discovered])
    func everyKindArrivesWithoutRules(neighbors: Link.Neighbors) throws {
        try Fixture.nodeAndPeers(neighbors: neighbors).use { topology in
            let node = try PacketProbe(in: topology.node)
            let peers = try PacketProbe(in: topology.outside)
            for outward in [false, true] {
                let packets = Fixture.everyKind(outward: outward)
                let seen = try PacketProbe.trace(
                    packets, from: outward ? node : peers, to: outward ? peers : node,
                    sentinel: Fixture.sentinel(.ipv6, outward: outward))
                #expect(Set(packets.map(\.id)).subtracting(seen.arrived.keys) == [])
                #expect(seen.refused == [])
                for packet in packets {
                    let arrival = try #require(seen.arrived[packet.id])
                    #expect(arrival.source == packet.source.address)
                    #expect(arrival.destination == packet.destination.address)
                    #expect(arrival.length >= packet.payloadLength)
                }
            }
            // The kernels, which checked every TCP, UDP and ICMP checksum, agree with ours.
            for namespace in [topology.node, topology.outside] {
                #expect(
                    try Fixture.checksumErrors(in: namespace) == ["0", "0", "0", "0", "0", "0"])
            }
        }
    }

    @Test func everyKindIsForwardedByAGateway() throws {
        try Fixture.gateway().use { topology in
            let node = try PacketProbe(in: topology.node)
            let peers = try PacketProbe(in: topology.outside)
            let packets = Fixture.everyKind()
            let seen = try PacketProbe.trace(
                packets, from: peers, to: node, sentinel: Fixture.sentinel(.ipv4))
            #expect(Set(packets.map(\.id)).subtracting(seen.arrived.keys) == [])
            #expect(seen.arrived.values.allSatisfy { $0.hopLimit == 63 })
        }
    }

    /// Which packets of ``Fixture/everyKind(outward:)`` a rule is about, and the rule.
    static let drops: [(rule: String, content: @Sendable (ProbePacket) -> Bool)] = [
        ("udp dport 50000 drop", { $0.content == .udp }),
        ("udp sport 40000 drop", { $0.content == .udp }),
        ("udp dport 50001 drop", { _ in false }),
        ("tcp flags syn / syn,ack drop", { $0.content == .tcp }),
        ("tcp dport 50000 drop", { [.tcp, .tcp(flags: 0x10)].contains($0.content) }),
        ("meta l4proto esp drop", { $0.content == .esp }),
        ("icmp type echo-request drop", { $0.content == .echoRequest && $0.isIPv4 }),
        ("icmpv6 type echo-reply drop", { $0.content == .echoReply && !$0.isIPv4 }),
        (
            "icmp type destination-unreachable icmp code frag-needed drop",
            { $0.isICMPError(3, 4) }
        ),
        ("icmpv6 type packet-too-big drop", { $0.isICMPError(2, 0) }),
        ("meta l4proto 132 drop", { $0.content == .other(132) }),
        (
            "meta nfproto ipv6 meta l4proto udp udp dport 50000 drop",
            { $0.content == .udp && !$0.isIPv4 }
        ),
        ("ip saddr 192.0.2.1 udp sport != 9 drop", { $0.content == .udp && $0.isIPv4 }),
    ]

    @Test func exactlyTheDroppedPacketsAreMissing() throws {
        try Fixture.gateway().use { topology in
            let node = try PacketProbe(in: topology.node)
            let peers = try PacketProbe(in: topology.outside)
            let packets = Fixture.everyKind()
            let all = Set(packets.map(\.id))
            for (hook, namespace) in [
                ("input", topology.node), ("forward", topology.enforcing),
                ("output", topology.outside),
            ] {
                for (rule, matches) in Self.drops {
                    try Nft.run(
                        in: namespace,
                        """
                        table inet harness {
                          chain filter { type filter hook \(hook) priority 0; \(rule); }
                        }
                        """)
                    let seen = try PacketProbe.trace(
                        packets, from: peers, to: node, sentinel: Fixture.sentinel(.ipv4))
                    let expected = Set(packets.filter(matches).map(\.id))
                    let missing = all.subtracting(seen.arrived.keys)
                    #expect(missing == expected, "\(hook): \(rule)")
                    #expect(seen.refused == (hook == "output" ? expected : []), "\(hook): \(rule)")
                    try Nft.run(in: namespace, "delete table inet harness")
                }
            }
        }
    }

    @Test func aTrackedReplyPassesUntilTrackingIsFlushed() throws {
        try Fixture.nodeAndPeers().use { topology in
            let node = try PacketProbe(in: topology.node)
            let peers = try PacketProbe(in: topology.outside)
            try Nft.run(
                in: topology.node,
                """
                table inet harness {
                  chain input {
                    type filter hook input priority 0; policy drop;
                    udp dport 9 accept
                    ct state established,related accept
                  }
                }
                """)
            func request(_ id: UInt32) -> ProbePacket {
                ProbePacket(id: id, .udp, from: "10.0.0.1:5000", to: "192.0.2.1:53")
            }
            let quoted = ProbePacket.Quoted(.udp, from: "10.0.0.1:5000", to: "192.0.2.1:53")
            let answers = [
                ProbePacket(id: 1, .udp, from: "192.0.2.1:53", to: "10.0.0.1:5000"),
                ProbePacket(id: 2, .udp, from: "203.0.113.9:53", to: "10.0.0.1:5000"),
                ProbePacket(
                    id: 3, .tooBig(mtu: 1_400, about: quoted), from: "203.0.113.9",
                    to: "10.0.0.1"),
                ProbePacket(
                    id: 4,
                    .tooBig(
                        mtu: 1_400, about: .init(.udp, from: "10.0.0.1:5001", to: "192.0.2.1:53")),
                    from: "203.0.113.9", to: "10.0.0.1"),
            ]
            func arrivals() throws -> Set<UInt32> {
                try PacketProbe.exchange(
                    answers, from: peers, to: node, sentinel: Fixture.sentinel(.ipv4))
            }
            // ICMP errors of the peers' kernel would be related too.
            try Nft.run(
                in: topology.outside,
                """
                table inet harness {
                  chain output {
                    type filter hook output priority 0;
                    icmp type destination-unreachable icmp code port-unreachable drop
                  }
                }
                """)
            #expect(try arrivals() == [])
            #expect(
                try PacketProbe.exchange(
                    [request(1)], from: node, to: peers,
                    sentinel: Fixture.sentinel(.ipv4, outward: true)) == [1])
            #expect(try arrivals() == [1, 3])
            try node.flushConnectionTracking()
            #expect(try arrivals() == [])
        }
    }

    @Test func aTranslatedPacketIsRecognised() throws {
        try Fixture.nodeAndPeers().use { topology in
            let node = try PacketProbe(in: topology.node)
            let peers = try PacketProbe(in: topology.outside)
            try Nft.run(
                in: topology.node,
                """
                table ip harness {
                  chain prerouting {
                    type nat hook prerouting priority -100;
                    udp dport 7000 dnat to 10.0.0.1:8000
                  }
                }
                """)
            let seen = try PacketProbe.trace(
                [ProbePacket(id: 7, .udp, from: "192.0.2.1:6000", to: "10.0.0.77:7000")],
                from: peers, to: node, sentinel: Fixture.sentinel(.ipv4))
            #expect(seen.arrived[7]?.destination == Fixture.pair(.ipv4).node)
        }
    }

    @Test func largeDatagramsReallyTravelAsFragments() throws {
        try Fixture.gateway(outerMTU: 1_280).use { topology in
            let node = try PacketProbe(in: topology.node)
            let peers = try PacketProbe(in: topology.outside)
            // Before reassembly, for nothing here tracks connections.
            try Nft.run(
                in: topology.enforcing,
                """
                table inet harness {
                  counter fragments4 {}
                  counter fragments6 {}
                  chain forward {
                    type filter hook forward priority 0;
                    ip frag-off & 0x3fff != 0 counter name fragments4
                    exthdr frag exists counter name fragments6
                  }
                }
                """)
            let packets = AddressFamily.allCases.enumerated().map { index, family in
                let (peer, node) = Fixture.pair(family)
                return ProbePacket(
                    id: UInt32(index), .udp, from: ProbeEndpoint(peer, port: 40_000),
                    to: ProbeEndpoint(node, port: 50_000), payloadLength: 5_000)
            }
            let arrived = try PacketProbe.exchange(
                packets, from: peers, to: node, sentinel: Fixture.sentinel(.ipv4))
            #expect(arrived == [0, 1])
            // 5,008 bytes in pieces of at most 1,256 and 1,232.
            let ruleset = try Nft.ruleset(in: topology.enforcing)
            #expect(ruleset.matches(of: /packets 4 bytes/).count == 1, "\(ruleset)")
            #expect(ruleset.matches(of: /packets 5 bytes/).count == 1, "\(ruleset)")
        }
    }

    @Test func aBatchOfTwoThousandArrivesWhole() throws {
        try Fixture.nodeAndPeers().use { topology in
            let node = try PacketProbe(in: topology.node)
            let peers = try PacketProbe(in: topology.outside)
            let kinds: [ProbePacket.Content] = [.tcp, .udp, .esp, .echoRequest]
            let packets = (0..<2_000).map { index in
                let (peer, node) = Fixture.pair(AddressFamily.allCases[index % 2])
                return ProbePacket(
                    id: UInt32(index), kinds[index % 4],
                    from: ProbeEndpoint(peer, port: UInt16(10_000 + index)),
                    to: ProbeEndpoint(node, port: UInt16(50_000 - index)))
            }
            let arrived = try PacketProbe.exchange(
                packets, from: peers, to: node, sentinel: Fixture.sentinel(.ipv4))
            #expect(arrived.count == packets.count)
        }
    }

    @Test func aMissingSentinelIsAnErrorAndNotAnOutcome() throws {
        try Fixture.nodeAndPeers().use { topology in
            let node = try PacketProbe(in: topology.node)
            let peers = try PacketProbe(in: topology.outside)
            try Nft.run(
                in: topology.node,
                """
                table inet harness {
                  chain input { type filter hook input priority 0; udp dport 9 drop; }
                }
                """)
            #expect(throws: TestSupportError.self) {
                try PacketProbe.exchange(
                    Fixture.everyKind(), from: peers, to: node, sentinel: Fixture.sentinel(.ipv4),
                    timeout: .milliseconds(200))
            }
        }
    }

    @Test func aPacketWithoutARouteIsAnErrorAndNotAnOutcome() throws {
        try NetworkNamespace.with { namespace in
            let probe = try PacketProbe(in: namespace)
            let packet = ProbePacket(id: 1, .udp, from: "127.0.0.1:1", to: "192.0.2.1:1")
            let sentinel = ProbePacket(id: 0, .udp, from: "127.0.0.1:9", to: "127.0.0.1:9")
            #expect(throws: TestSupportError.self) {
                try PacketProbe.exchange([packet], from: probe, to: probe, sentinel: sentinel)
            }
        }
    }

    @Test func aHostCanSendToItself() throws {
        try NetworkNamespace.with { namespace in
            let probe = try PacketProbe(in: namespace)
            let packets = [ProbePacket.Content.tcp, .udp, .esp, .echoRequest].enumerated().map {
                ProbePacket(id: UInt32($0), $1, from: "[::1]:1000", to: "[::1]:2000")
            }
            let sentinel = ProbePacket(id: 0, .udp, from: "127.0.0.1:9", to: "127.0.0.1:9")
            #expect(
                try PacketProbe.exchange(packets, from: probe, to: probe, sentinel: sentinel)
                    == [0, 1, 2, 3])
        }
    }
}

extension ProbePacket {
    fileprivate var isIPv4: Bool { source.address.family == .ipv4 }

    fileprivate func isICMPError(_ type: UInt8, _ code: UInt8) -> Bool {
        guard case .icmpError(type, code, _, _) = content else { return false }
        return true
    }
}
