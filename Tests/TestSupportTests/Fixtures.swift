import PortModel
import TestSupport

/// The addresses that the harness is tried with.
enum Fixture {
    static let nodeEndpoints: [ProbeEndpoint] = ["10.0.0.1", "2001:db8::1"]
    static let peerEndpoints: [ProbeEndpoint] = [
        "192.0.2.1", "203.0.113.9", "2001:db8:1::1", "2001:db8:2::9",
    ]

    static func nodeAndPeers(
        mtu: Int = 1500, neighbors: Link.Neighbors = .permanent
    ) throws -> Topology {
        try .nodeAndPeers(
            nodeAddresses: nodeEndpoints.map(\.address),
            peerAddresses: peerEndpoints.map(\.address),
            mtu: mtu, neighbors: neighbors)
    }

    static func gateway(outerMTU: Int? = nil) throws -> Topology {
        try .gateway(
            nodeAddresses: nodeEndpoints.map(\.address),
            peerAddresses: peerEndpoints.map(\.address),
            outerMTU: outerMTU)
    }

    /// The peer's and the node's address of a family.
    static func pair(_ family: AddressFamily) -> (peer: IPAddress, node: IPAddress) {
        family == .ipv4
            ? (peerEndpoints[0].address, nodeEndpoints[0].address)
            : (peerEndpoints[2].address, nodeEndpoints[1].address)
    }

    /// A packet that no ruleset of these tests drops.
    static func sentinel(_ family: AddressFamily, outward: Bool = false) -> ProbePacket {
        let (peer, node) = pair(family)
        let (source, destination) = outward ? (node, peer) : (peer, node)
        return ProbePacket(
            id: .max, .udp, from: ProbeEndpoint(source, port: 9),
            to: ProbeEndpoint(destination, port: 9))
    }

    /// The kernel's counts of wrong checksums: of ICMP, TCP, UDP and UDP-Lite over IPv4, and of
    /// ICMP and UDP over IPv6. TCP's is of both families.
    static func checksumErrors(in namespace: NetworkNamespace) throws -> [String] {
        let script = """
            awk '$1 ~ /:$/ {
                    if (names[$1] == "") { names[$1] = $0 } else {
                        count = split(names[$1], columns)
                        for (i = 2; i <= count; i++) if (columns[i] == "InCsumErrors") print $i
                    }
                }' /proc/net/snmp
            awk '$1 == "Icmp6InCsumErrors" || $1 == "Udp6InCsumErrors" { print $2 }' /proc/net/snmp6
            """
        let counts = try namespace.run(["sh", "-e", "-c", script]).requireSuccess()
        return counts.standardOutput.split(separator: "\n").map(String.init)
    }

    /// One packet of every kind, in both families, numbered from 1.
    static func everyKind(outward: Bool = false) -> [ProbePacket] {
        var packets: [ProbePacket] = []
        for family in AddressFamily.allCases {
            let (peer, node) = pair(family)
            let (from, to) = outward ? (node, peer) : (peer, node)
            let source = ProbeEndpoint(from, port: 40_000)
            let destination = ProbeEndpoint(to, port: 50_000)
            let quoted = ProbePacket.Quoted(.udp, from: destination, to: source)
            let contents: [(ProbePacket.Content, Int)] = [
                (.tcp, 4), (.tcp(flags: 0x10), 4), (.udp, 4), (.udp, 1_200), (.udp, 5_000),
                (.udp, 60_000), (.esp, 64), (.esp, 3_000), (.echoRequest, 56), (.echoReply, 3_000),
                (.tooBig(mtu: 1_400, about: quoted), 0), (.portUnreachable(about: quoted), 0),
                (
                    .tooBig(
                        mtu: 1_400, about: .init(.esp, from: destination, to: source)), 0
                ),
                (
                    .tooBig(
                        mtu: 1_400, about: .init(.tcp, from: destination, to: source)), 0
                ),
                (.other(132), 40), (.other(47), 40),
            ]
            for (content, length) in contents {
                packets.append(
                    ProbePacket(
                        id: UInt32(packets.count + 1), content, from: source, to: destination,
                        payloadLength: length))
            }
        }
        return packets
    }
}
