import CPacket
import Foundation
import PortModel
import TestSupport

/// What the rules cost a packet: the same packets sent through namespaces that differ in their rules
/// alone.
struct PacketPath {
    var rounds: Int
    /// How long a media packet's UDP payload is: 20 ms of G.711 in RTP, in bytes.
    private static let mediaLength = 172
    /// A visit is this many slices, of which the median counts: a slice that something interrupted
    /// does not.
    private static let slices = 25
    private static let packets = 2_000
    /// How many flows a busy node carries: some 800 calls, at 12 ports each (RTP and RTCP of three
    /// media, and what ICE probes). Their entries no longer stay in a processor's first caches.
    private static let manyFlows = 10_000

    /// A topology with rules.
    struct Variant {
        let name: String
        let topology: Topology

        var node: NetworkNamespace { topology.node }
        var peer: NetworkNamespace { topology.outside }
    }

    enum Traffic: Equatable {
        /// Both ends have sent.
        case established
        /// The receiver never answers: connection tracking sees new packets only.
        case oneWay
        /// The same of many flows in turn.
        case establishedMany, oneWayMany
        case denied
        /// Every packet is a new flow.
        case newFlows
    }

    /// One visit: nanoseconds a packet, from the sender's call to the receiver's socket.
    func visit(
        _ variant: Variant, _ traffic: Traffic, _ family: AddressFamily, round: Int
    ) throws -> Double {
        let node = Rules.nodeAddresses[family]!
        let peer = Rules.peerAddresses[family]!
        switch traffic {
        case .newFlows, .establishedMany, .oneWayMany:
            return try visitMany(variant, traffic, from: peer, to: node)
        case .established, .oneWay, .denied: break
        }
        let port = traffic == .denied ? Rules.deniedPort : Rules.mediaPort
        // A flow of its own for each visit and kind.
        let peerPort = UInt16(41_000 + 10 * round) + (traffic == .established ? 0 : 1)
        let receiver = try Socket.udp(in: variant.node, at: node, port: port)
        let sender = try Socket.udp(in: variant.peer, at: peer, port: peerPort)
        if traffic == .established { try receiver.send(to: peer, port: peerPort) }
        try sender.connect(to: node, port: port)
        return try withExtendedLifetime(receiver) {
            try slices { _ in
                pexip_flood(sender.descriptor, Self.mediaLength, Self.packets)
            }
        }
    }

    private func visitMany(
        _ variant: Variant, _ traffic: Traffic, from peer: IPAddress, to node: IPAddress
    ) throws -> Double {
        try variant.topology.enforcing.inside {
            _ = try check("flush connection tracking", pexip_flush_conntrack())
        }
        let receivers = try (0..<2).map {
            try Socket.udp(in: variant.node, at: node, port: Rules.mediaPort + UInt16($0))
        }
        let sender = try Socket.rawUDP(in: variant.peer, from: peer)
        func flood(_ first: Int) -> Int64 {
            pexip_flood_new_flows(
                sender.descriptor, node.socketFamily, node.networkBytes, Rules.mediaPort,
                Self.mediaLength + 8, UInt32(first), Self.packets)
        }
        if traffic == .establishedMany {
            for flow in 0..<Self.manyFlows {
                try receivers[0].send(to: peer, port: UInt16(PEXIP_FIRST_FLOW_PORT) + UInt16(flow))
            }
        }
        let flows = traffic == .newFlows ? Int.max : Self.manyFlows
        if traffic != .newFlows {
            for first in stride(from: 0, to: flows, by: Self.packets) {
                _ = try check("send", flood(first))
            }
        }
        return try withExtendedLifetime(receivers) {
            try slices { flood($0 * Self.packets % flows) }
        }
    }

    private func slices(_ flood: (Int) -> Int64) throws -> Double {
        var times: [Double] = []
        for slice in 0..<Self.slices {
            times.append(Double(try check("send", flood(slice))) / Double(Self.packets))
        }
        return times.median
    }

    // MARK: On a node

    /// Namespaces of a node without rules, with the least there is, and with ours.
    func local(_ alternatives: [any Alternative]) throws -> [Row] {
        let ours = try Rules.compile(["10-site.yaml": Rules.local()])
        var scripts = [
            ("no rules", ""), ("no rules again", ""),
            ("ct state", Rules.onlyConnectionTracking("input")), ("raw drop", Rules.rawDrop),
            ("pexip-fw", Rules.script(ours)), ("exemption alone", Rules.onlyExemption),
        ]
        scripts += alternatives.map { ($0.name, "") }
        var variants: [Variant] = []
        defer { variants.forEach { variant in leavingBehind { try variant.topology.close() } } }
        for (name, script) in scripts {
            let topology = try Topology.nodeAndPeers(
                nodeAddresses: Array(Rules.nodeAddresses.values),
                peerAddresses: Array(Rules.peerAddresses.values))
            variants.append(Variant(name: name, topology: topology))
            if !script.isEmpty { try Nft.run(in: topology.node, script) }
        }
        for (alternative, variant) in zip(alternatives, variants.suffix(alternatives.count)) {
            try alternative.start(in: variant.node)
        }

        var rows: [Row] = []
        for family in AddressFamily.allCases {
            let label = family == .ipv4 ? "IPv4" : "IPv6"
            for (traffic, words) in [
                (Traffic.established, "established UDP media, 1 flow"),
                (.establishedMany, "established UDP media, 10,000 flows"),
                (.oneWay, "one-way UDP media, 1 flow"),
                (.oneWayMany, "one-way UDP media, 10,000 flows"),
            ] {
                let times = try inTurn(rounds: rounds, variants: variants.count) {
                    try visit(variants[$0], traffic, family, round: $1)
                }
                func aboveNone(_ index: Int) -> [Double] {
                    zip(times[index], times[0]).map { $0 - $1 }
                }
                let bare = aboveNone(2)
                func row(_ index: Int, _ name: String, target: Double?) -> Row {
                    let own = aboveNone(index)
                    return Row(
                        "\(words), \(label), local: \(name), above no rules ÷ bare ct state",
                        target: target, zip(own, bare).map { $0 / $1 },
                        "\(own.median.asTime) ÷ \(bare.median.asTime) above \(times[0].median.asTime)"
                    )
                }
                rows.append(row(4, "pexip-fw", target: 0.75))
                rows.append(row(1, "nothing, the noise", target: nil))
                rows.append(row(5, "two chains that exempt everything, the floor", target: nil))
                for (index, alternative) in alternatives.enumerated()
                where alternative.families.contains(family) {
                    rows.append(row(6 + index, alternative.name, target: nil))
                }
                rows.suffix(3 + alternatives.count { $0.families.contains(family) })
                    .forEach(progress)
            }
            let denied = try inTurn(rounds: rounds, variants: 2) {
                try visit(variants[$0 == 0 ? 3 : 4], .denied, family, round: $1)
            }
            rows.append(
                Row(
                    "denied UDP, \(label), local: total ÷ a drop in raw", target: 1.3,
                    zip(denied[1], denied[0]).map { $0 / $1 },
                    "\(denied[1].median.asTime) ÷ \(denied[0].median.asTime)"))
            progress(rows[rows.count - 1])
            rows.append(try handshakes(variants[2], variants[4], family, label))
            progress(rows[rows.count - 1])
            rows.append(try entries(variants[4], family, label))
            progress(rows[rows.count - 1])
        }
        return rows
    }

    private func handshakes(
        _ bare: Variant, _ ours: Variant, _ family: AddressFamily, _ label: String
    ) throws -> Row {
        let node = Rules.nodeAddresses[family]!
        let peer = Rules.peerAddresses[family]!
        let listeners = try [bare, ours].map {
            try Socket.listening(in: $0.node, at: node, port: Rules.servicePort)
        }
        let times = try inTurn(rounds: rounds, variants: 2) { index, _ in
            try listeners[index].handshakes(
                from: peer, in: [bare, ours][index].peer, to: node, port: Rules.servicePort,
                count: 1_000)
        }
        return Row(
            "TCP connect to a permitted service, \(label), local ÷ bare ct state", target: 1.05,
            zip(times[1], times[0]).map { $0 / $1 },
            "\(times[1].median.asTime) ÷ \(times[0].median.asTime)")
    }

    private func entries(_ ours: Variant, _ family: AddressFamily, _ label: String) throws -> Row {
        try ours.node.inside {
            _ = try check("flush connection tracking", pexip_flush_conntrack())
        }
        let node = Rules.nodeAddresses[family]!
        let sender = try Socket.rawUDP(in: ours.peer, from: Rules.peerAddresses[family]!)
        _ = try check(
            "send",
            pexip_flood_new_flows(
                sender.descriptor, node.socketFamily, node.networkBytes, Rules.mediaPort,
                Self.mediaLength + 8, 0, 90_000))
        let count = try ours.node.run(["cat", "/proc/sys/net/netfilter/nf_conntrack_count"])
            .requireSuccess().standardOutput
        guard let entries = Double(count.filter { $0.isNumber }) else {
            throw BenchmarkError("nf_conntrack_count: \(count)")
        }
        return Row(
            "connection tracking entries after 90,000 new media flows, \(label), local", target: 0,
            [entries])
    }

    // MARK: On a gateway

    /// Namespaces of a gateway before 1,000 nodes.
    func gateway() throws -> [Row] {
        let ours = try Rules.compile(Rules.gateway(1_000))
        var variants: [Variant] = []
        defer { variants.forEach { variant in leavingBehind { try variant.topology.close() } } }
        for (name, script) in [
            ("ct state", Rules.onlyConnectionTracking("forward")), ("pexip-fw", Rules.script(ours)),
        ] {
            let topology = try Topology.gateway(
                nodeAddresses: Array(Rules.nodeAddresses.values),
                peerAddresses: Array(Rules.peerAddresses.values))
            variants.append(Variant(name: name, topology: topology))
            try Nft.run(in: topology.enforcing, script)
        }
        var rows: [Row] = []
        for family in AddressFamily.allCases {
            for (traffic, words, target) in [
                (Traffic.established, "established flow", 1.05), (.newFlows, "new flow", 1.2),
            ] {
                let times = try inTurn(rounds: rounds, variants: 2) {
                    try visit(variants[$0], traffic, family, round: $1)
                }
                rows.append(
                    Row(
                        "\(words), \(family == .ipv4 ? "IPv4" : "IPv6"), gateway with 1,000 nodes ÷ "
                            + "bare ct state", target: target,
                        zip(times[1], times[0]).map { $0 / $1 },
                        "\(times[1].median.asTime) ÷ \(times[0].median.asTime)"))
                progress(rows[rows.count - 1])
            }
        }
        return rows
    }
}

/// Runs what can only fail in a way that the measured values do not depend on, and says so.
func leavingBehind(_ body: () throws -> Void) {
    do { try body() } catch { print("left behind: \(error)") }
}
