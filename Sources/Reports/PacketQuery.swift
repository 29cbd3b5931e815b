package import Policy
internal import PortModel
package import Ruleset
package import Site

/// A packet that somebody asks about: `tcp 192.0.2.7 10.0.0.21:443`.
package struct PacketQuery: Hashable, Sendable, Codable {
    /// The source port where none is named: one that clients commonly use.
    package static let commonSourcePort: UInt16 = 55000

    /// Bytes of a protocol or of an end of the packet, which are far shorter.
    private static let longest = 64

    /// `tcp`, `udp`, `esp`, `icmp` or a protocol's number, as it was written.
    package var `protocol`: String
    /// `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`, as it was written.
    package var source: String
    /// `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`, as it was written; TCP and UDP need its port.
    package var destination: String

    /// Takes any text; ``packet(for:in:)`` judges it.
    package init(protocol: String, source: String, destination: String) {
        self.protocol = `protocol`
        self.source = source
        self.destination = destination
    }

    /// Why a query can't be understood, and what would be.
    package struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
        /// One sentence, without a full stop, that quotes the query.
        package let description: String
    }

    /// The packet, as the first of a new flow.
    ///
    /// - Parameters:
    ///   - nodes: the nodes whose ends of it are meant.
    ///   - placement: says whether the packet is forwarded, or a host's own.
    /// - Throws: ``Problem`` for a query that no packet fits, with words that would fit.
    package func packet(
        for nodes: [EnforcedNode], in placement: Placement
    ) throws(Problem) -> Packet {
        for (text, what) in [
            (`protocol`, "the protocol"), (source, "the source"), (destination, "the destination"),
        ] where text.utf8.count > Self.longest {
            throw Problem(
                description:
                    "\(what) has more than \(Self.longest) characters: write tcp, udp, esp, icmp or a number, and ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT"
            )
        }
        let from = try Self.endpoint(source)
        let to = try Self.endpoint(destination)
        guard from.address.family == to.address.family else {
            throw Problem(description: "\(source) and \(destination) are of different families")
        }
        let transport = try transport(from.port, to.port, from.address.family)
        func isNode(_ address: IPAddress) -> Bool {
            nodes.contains { $0.addresses.contains(address) }
        }
        let isForwarded = placement.facts.judgesForwarded
        guard isForwarded || isNode(from.address) || isNode(to.address) else {
            let known = nodes.flatMap(\.addresses).map(\.description).joined(separator: ", ")
            throw Problem(
                description:
                    "neither \(from.address) nor \(to.address) is an address of the node (\(known))"
            )
        }
        // A host's packets to its own addresses never leave it.
        let isLoopback =
            !isForwarded
            && nodes.contains {
                $0.addresses.contains(from.address) && $0.addresses.contains(to.address)
            }
        return Packet(
            isNode(to.address) ? .inbound : .outbound, from: from.address, to: to.address,
            transport, isLoopback: isLoopback)
    }

    /// Names of protocols by the numbers that people may write for them.
    private static let names: [UInt8: String] = [
        1: "icmp", 6: "tcp", 17: "udp", 50: "esp", 58: "icmp",
    ]

    private func transport(
        _ source: UInt16?, _ destination: UInt16?, _ family: AddressFamily
    ) throws(Problem) -> Transport {
        let number = UInt8(`protocol`)
        let name = number.flatMap { Self.names[$0] } ?? `protocol`.lowercased()
        switch name {
        case "tcp", "udp":
            guard let destination else {
                throw Problem(
                    description:
                        "\(`protocol`) needs the destination's port, as in 10.0.0.21:443 or [2001:db8::21]:443"
                )
            }
            let source = source ?? Self.commonSourcePort
            return name == "tcp"
                ? .tcp(source: source, destination: destination)
                : .udp(source: source, destination: destination)
        case "esp":
            try refusePorts(source, destination)
            return .esp
        case "icmp", "icmpv6", "ping":
            try refusePorts(source, destination)
            return .icmp(
                type: family == .ipv4 ? ICMPTypes.echoRequest4 : ICMPTypes.echoRequest6)
        default:
            guard let number else {
                throw Problem(
                    description:
                        "\(`protocol`) is no protocol: write tcp, udp, esp, icmp or a protocol's number"
                )
            }
            try refusePorts(source, destination)
            return .other(number)
        }
    }

    /// For protocols other than TCP and UDP: a port was meant for another one.
    private func refusePorts(_ source: UInt16?, _ destination: UInt16?) throws(Problem) {
        guard let port = source ?? destination else { return }
        throw Problem(
            description:
                "only tcp and udp have ports: leave out :\(port), or write tcp or udp for \(`protocol`)"
        )
    }

    /// `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`.
    private static func endpoint(
        _ text: String
    ) throws(Problem) -> (address: IPAddress, port: UInt16?) {
        if let address = IPAddress(text) { return (try unmapped(address, text), nil) }
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")),
            let port = UInt16(text[text.utf8.index(after: colon)...])
        else {
            throw Problem(
                description:
                    "\(text) is no address: write 10.0.0.21, 10.0.0.21:443 or [2001:db8::21]:443")
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard let address = IPAddress(host) else {
            throw Problem(description: "\(host) is no IPv4 or IPv6 address")
        }
        return (try unmapped(address, text, ":\(port)"), port)
    }

    /// - Parameter port: the text behind the address, for the error.
    private static func unmapped(
        _ address: IPAddress, _ text: String, _ port: String = ""
    ) throws(Problem) -> IPAddress {
        guard let mapped = address.mapped else { return address }
        throw Problem(
            description:
                "\(text) has an IPv4-mapped address, which no packet has: write \(mapped)\(port)")
    }
}

/// The answer to a ``PacketQuery``: why the packet passes or not, with what the documentation says
/// of the rows.
package struct ExplainReport: Hashable, Sendable, Codable {
    /// By the compiled rules; other tables are in ``crossings``.
    package var explanation: Explanation
    /// The rows that permit the packet or came closest, by id, as the documentation prints them.
    package var rows: [String: RowText]
    /// Rows that would permit it if their feature were on.
    package var inactive: [String]
    /// Why these can't be told; nil where they are.
    package var incomplete: String?
    /// The values of the applied rules' counters, by id; empty without an agent.
    package var counters: [String: StatusReport.CounterReport]
    /// Chains of other tables that may keep the packet from passing although it is permitted; empty
    /// for a refusal, and without an agent.
    package var crossings: [Crossing]

    /// A chain of another table that the packet comes by, or those that answer it.
    package struct Crossing: Hashable, Sendable, Codable {
        /// The chain, which ``Shadow/cuts``.
        package var shadow: Shadow
        /// Whether the packet comes by the chain.
        package var packet: Bool
        /// Whether packets that answer it do.
        package var answers: Bool
    }

    /// A row as the documentation prints it.
    package struct RowText: Hashable, Sendable, Codable {
        /// The row's cells, in one line.
        package var line: String
        /// Each with its mark, as the documentation prints it below the table.
        package var footnotes: [String]
    }

    /// Explains a packet by a ruleset.
    ///
    /// - Parameters:
    ///   - nodes: the nodes that the ruleset enforces.
    ///   - deployment: what the ruleset was compiled from; where that can't be read any more, no row
    ///     can be named as inactive.
    ///   - shadows: what other tables on this host hold.
    package init(
        _ packet: Packet, by ruleset: Ruleset, nodes: [EnforcedNode],
        deployment: Result<Deployment, RefusedFiles>,
        counters: [String: StatusReport.CounterReport] = [:], shadows: [Shadow] = []
    ) {
        let deployment = deployment.known(orWhy: &incomplete)
        explanation = ruleset.explain(packet)
        inactive =
            explanation.verdict == .drop
            ? deployment?.inactiveRows(
                for: packet, of: nodes, in: ruleset.placement) ?? [] : []
        let named = Set(explanation.permits + explanation.nearest.map(\.row) + inactive)
        let profile = deployment?.profile ?? .standard
        rows = [:]
        for row in profile.rows where named.contains(row.id) {
            rows[row.id] = RowText(row, profile)
        }
        let counted = Set(explanation.rules.compactMap(\.counter))
        self.counters = counters.filter { counted.contains($0.key) }
        crossings =
            explanation.verdict == .drop
            ? [] : shadows.compactMap { Crossing($0, packet, in: ruleset.placement) }
    }
}

extension ExplainReport.Crossing {
    /// nil for a chain that keeps no packet from passing, or that none of these comes by.
    fileprivate init?(_ shadow: Shadow, _ packet: Packet, in placement: Placement) {
        let met = shadow.isMet(by: packet, in: placement)
        guard shadow.cuts, met.packet || met.answers else { return nil }
        self.init(shadow: shadow, packet: met.packet, answers: met.answers)
    }

    /// For an administrator: the chain, who comes by it, and what that may mean.
    package var words: String {
        let who =
            switch (packet, answers) {
            case (true, true): "the packet and its answers come by"
            case (true, false): "the packet comes by"
            case (false, _): "its answers come by"
            }
        return "\(shadow.place), which \(who), \(shadow.danger)"
    }
}

extension Result<Deployment, RefusedFiles> {
    /// The deployment; or nil, and what a report can't tell without it.
    func known(orWhy incomplete: inout String?) -> Deployment? {
        switch self {
        case .success(let deployment):
            return deployment
        case .failure(let refused):
            incomplete = "rows whose feature is off are not told: \(refused)"
            return nil
        }
    }
}

extension ExplainReport.RowText {
    fileprivate init(_ row: Row, _ profile: Profile) {
        line = profile.documentedLine(of: row)
        footnotes = row.footnotes.compactMap { profile.footnote($0)?.line }
    }
}

extension Deployment {
    /// Rows that would permit a packet if their feature were on for its node, at each end that no
    /// row permits it.
    fileprivate func inactiveRows(
        for packet: Packet, of enforced: [EnforcedNode], in placement: Placement
    ) -> [String] {
        let directions =
            placement.facts.judgesForwarded ? Direction.allCases : [packet.direction]
        return directions.flatMap { direction -> [String] in
            var packet = packet
            packet.direction = direction
            guard
                let name = enforced.first(where: { $0.addresses.contains(packet.nodeAddress) })?
                    .name,
                let node = node(named: name),
                !node.permits(in: self).contains(where: { $0.matches(packet) })
            else { return [] }
            var withAll = node
            withAll.features = Set(Feature.allCases)
            var ids: [String] = []
            for permit in withAll.permits(in: self)
            where permit.matches(packet) && !ids.contains(permit.id) {
                ids.append(permit.id)
            }
            return ids
        }
    }
}
