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
    /// What a variant takes in a round is divided into this many slices, in which the variants take
    /// turns: what slows the machine down for milliseconds meets all of them, and one slice that
    /// something interrupted does not count, since medians do.
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

    /// Sockets of one variant that are ready for its packets.
    private struct Stream {
        /// Kept, so that what is sent has where to go.
        let receivers: [Socket]
        /// Sends a slice, and returns nanoseconds a packet, from the sender's call to the receiver's
        /// socket.
        let send: (_ slice: Int) throws -> Double
    }

    private func stream(
        _ variant: Variant, _ traffic: Traffic, _ family: AddressFamily, round: Int
    ) throws -> Stream {
        let node = Rules.nodeAddresses[family]!
        let peer = Rules.peerAddresses[family]!
        switch traffic {
        case .newFlows, .establishedMany, .oneWayMany:
            return try streamOfMany(variant, traffic, from: peer, to: node)
        case .established, .oneWay, .denied: break
        }
        let port = traffic == .denied ? Rules.deniedPort : Rules.mediaPort
        // A flow of its own for each round and kind.
        let peerPort = UInt16(41_000 + 10 * round) + (traffic == .established ? 0 : 1)
        let receiver = try Socket.udp(in: variant.node, at: node, port: port)
        let sender = try Socket.udp(in: variant.peer, at: peer, port: peerPort)
        if traffic == .established { try receiver.send(to: peer, port: peerPort) }
        try sender.connect(to: node, port: port)
        return Stream(receivers: [receiver]) { _ in
            let time = pexip_flood(sender.descriptor, Self.mediaLength, Self.packets)
            return Double(try check("send", time)) / Double(Self.packets)
        }
    }

    private func streamOfMany(
        _ variant: Variant, _ traffic: Traffic, from peer: IPAddress, to node: IPAddress
    ) throws -> Stream {
        try variant.topology.enforcing.inside {
            _ = try check("flush connection tracking", pexip_flush_conntrack())
        }
        let receivers = try (0..<2).map {
            try Socket.udp(in: variant.node, at: node, port: Rules.mediaPort + UInt16($0))
        }
        let sender = try Socket.rawUDP(in: variant.peer, from: peer)
        func flood(_ first: Int) throws -> Int64 {
            try check(
                "send",
                pexip_flood_new_flows(
                    sender.descriptor, node.socketFamily, node.networkBytes, Rules.mediaPort,
                    Self.mediaLength + 8, UInt32(first), Self.packets))
        }
        if traffic == .establishedMany {
            for flow in 0..<Self.manyFlows {
                try receivers[0].send(to: peer, port: UInt16(PEXIP_FIRST_FLOW_PORT) + UInt16(flow))
            }
        }
        let flows = traffic == .newFlows ? Int.max : Self.manyFlows
        if traffic != .newFlows {
            for first in stride(from: 0, to: flows, by: Self.packets) { _ = try flood(first) }
        }
        return Stream(receivers: receivers) {
            Double(try flood($0 * Self.packets % flows)) / Double(Self.packets)
        }
    }

    /// One round: nanoseconds a packet for each variant, by slice.
    private func turns(
        _ variants: [Variant], _ traffic: Traffic, _ family: AddressFamily, round: Int
    ) throws -> [[Double]] {
        let streams = try variants.map { try stream($0, traffic, family, round: round) }
        return try withExtendedLifetime(streams) {
            try inTurn(rounds: Self.slices, variants: variants.count) { try streams[$0].send($1) }
        }
    }

    // MARK: On a node

    /// Namespaces of a node without rules, with the least there is, and with ours.
    func local(_ alternatives: [any Alternative]) throws -> [Row] {
        let ours = try Rules.compile(["10-site.yaml": Rules.local()])
        var scripts = [
            ("no rules", ""), ("no rules again", ""),
            ("ct state", Rules.onlyConnectionTracking("input")),
            ("exemption alone", Rules.onlyExemption), ("pexip-fw", Rules.script(ours)),
            ("raw drop", Rules.rawDrop),
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
                // Each alternative goes by turns with no rules alone: what others would have tracked
                // meanwhile would fill the table that all namespaces share.
                var aboveNone = [[Double]](repeating: [], count: variants.count)
                var none: [Double] = []
                for round in 0..<rounds {
                    let own = try turns(Array(variants[0...4]), traffic, family, round: round)
                    none.append(own[0].median)
                    for index in 1...4 { aboveNone[index].append(own[index].medianAbove(own[0])) }
                    for (index, alternative) in zip(6..., alternatives)
                    where alternative.families.contains(family) {
                        let pair = try turns(
                            [variants[0], variants[index]], traffic, family, round: round)
                        aboveNone[index].append(pair[1].medianAbove(pair[0]))
                    }
                }
                let bare = aboveNone[2]
                func row(_ index: Int, _ name: String, target: Double?) -> Row {
                    let own = aboveNone[index]
                    return Row(
                        "\(words), \(label), local: \(name), above no rules ÷ bare ct state",
                        target: target, zip(own, bare).map { $0 / $1 },
                        "\(own.median.asTime) ÷ \(bare.median.asTime) above \(none.median.asTime)"
                    )
                }
                rows.append(row(4, "pexip-fw", target: 0.75))
                rows.append(row(1, "nothing, the noise", target: nil))
                rows.append(row(3, "two chains that exempt everything, the floor", target: nil))
                for (index, alternative) in zip(6..., alternatives)
                where alternative.families.contains(family) {
                    rows.append(row(index, alternative.name, target: nil))
                }
                rows.suffix(3 + alternatives.count { $0.families.contains(family) })
                    .forEach(progress)
            }
            rows.append(
                try ratio(
                    of: variants[4], to: variants[5], .denied, family, target: 1.3,
                    "denied UDP, \(label), local: total ÷ a drop in raw"))
            rows.append(try handshakes(variants[2], variants[4], family, label))
            progress(rows[rows.count - 1])
            rows.append(try entries(variants[4], family, label))
            progress(rows[rows.count - 1])
        }
        return rows
    }

    /// What the packets of one variant take, divided by what those of another do.
    private func ratio(
        of own: Variant, to other: Variant, _ traffic: Traffic, _ family: AddressFamily,
        target: Double, _ what: String
    ) throws -> Row {
        var times: [[Double]] = [[], []]
        var ratios: [Double] = []
        for round in 0..<rounds {
            let turns = try turns([own, other], traffic, family, round: round)
            ratios.append(zip(turns[0], turns[1]).map { $0 / $1 }.median)
            for index in 0...1 { times[index].append(turns[index].median) }
        }
        let row = Row(
            what, target: target, ratios,
            "\(times[0].median.asTime) ÷ \(times[1].median.asTime)")
        progress(row)
        return row
    }

    private func handshakes(
        _ bare: Variant, _ ours: Variant, _ family: AddressFamily, _ label: String
    ) throws -> Row {
        let node = Rules.nodeAddresses[family]!
        let peer = Rules.peerAddresses[family]!
        let listeners = try [bare, ours].map {
            try Socket.listening(in: $0.node, at: node, port: Rules.servicePort)
        }
        var times: [[Double]] = [[], []]
        var ratios: [Double] = []
        for _ in 0..<rounds {
            let turns = try inTurn(rounds: Self.slices, variants: 2) { index, _ in
                try listeners[index].handshakes(
                    from: peer, in: [bare, ours][index].peer, to: node, port: Rules.servicePort,
                    count: 40)
            }
            ratios.append(zip(turns[1], turns[0]).map { $0 / $1 }.median)
            for index in 0...1 { times[index].append(turns[index].median) }
        }
        return Row(
            "TCP connect to a permitted service, \(label), local ÷ bare ct state", target: 1.05,
            ratios, "\(times[1].median.asTime) ÷ \(times[0].median.asTime)")
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
                rows.append(
                    try ratio(
                        of: variants[1], to: variants[0], traffic, family, target: target,
                        "\(words), \(family == .ipv4 ? "IPv4" : "IPv6"), gateway with 1,000 nodes ÷ "
                            + "bare ct state"))
            }
        }
        return rows
    }
}

/// Runs what can only fail in a way that the measured values do not depend on, and says so.
func leavingBehind(_ body: () throws -> Void) {
    do { try body() } catch { print("left behind: \(error)") }
}
