package import Policy
package import PortModel
package import Ruleset
package import Site

/// The talkers that are refused most: the answer of the control protocol's `Drops`. All numbers are
/// of samples.
package struct DropsReport: Hashable, Sendable, Codable {
    /// The most talkers that are told and explained at once.
    package static let mostTalkers = 100
    /// How many talkers are told where nobody says.
    package static let usualTalkers = 20

    /// nil where the rules in force do not sample, and where nothing is in force.
    package var sampling: SamplingReport?
    /// Whether refused packets are dropped or only counted; nil while nothing is in force.
    package var mode: Mode?
    /// Why samples are not heard, and what to do; nil where they are.
    package var problem: String?
    /// Why rows that are off are not told; nil where they are, and where nobody is refused.
    package var incomplete: String?
    /// Since when; nil where nothing was ever heard.
    package var since: Timestamp?
    /// Heard since ``since``, of all talkers, told here or not.
    package var samples: UInt64
    /// Samples that the kernel could not hand over, because they were not read in time.
    package var lost: UInt64
    /// Messages of the group that are no samples of these rules.
    package var unreadable: UInt64
    /// Those with the most samples first.
    package var talkers: [Talker]
    /// How many more are known.
    package var more: Int

    /// How the rules in force sample.
    package struct SamplingReport: Hashable, Sendable, Codable {
        /// The group of nflog by which samples come.
        package var group: UInt16
        /// Samples a second by each rule that refuses, at most.
        package var rate: UInt32
    }

    /// Samples that have their refusal, both ends, the protocol and the destination's port in
    /// common.
    package struct Talker: Hashable, Sendable, Codable {
        /// The counter of the refusals, which counts all of them.
        package var counter: String
        /// As the node sees the packets.
        package var direction: Direction
        /// The node at whose end it is refused; nil where it is enforced no more.
        package var node: String?
        /// `tcp`, `udp`, `esp`, `icmp`, `icmpv6`, or a number.
        package var `protocol`: String
        /// As the rule that refused saw it.
        package var source: IPAddress
        /// Of the last sample; nil for protocols without ports, and for fragments.
        package var sourcePort: UInt16?
        /// As the rule that refused saw it, of the same family.
        package var destination: IPAddress
        /// nil for protocols without ports, and for fragments.
        package var destinationPort: UInt16?
        /// Of ICMP and ICMPv6; nil for others, and for fragments.
        package var icmpType: UInt8?
        /// The last sample is of a fragment that is not the first, which has no ports.
        package var isFragment: Bool
        /// With at most ``excess`` that are not the talker's own.
        package var samples: UInt64
        /// So many of these, at most, were somebody else's.
        package var excess: UInt64
        /// When the entry was made, with its first sample.
        package var first: Timestamp
        /// When the last sample came.
        package var last: Timestamp
        /// The verdict of the rules in force on the last sample's packet; nil where they can't be
        /// asked.
        package var verdict: Decision.Verdict?
        /// In words: of the rules in force where they can be asked, otherwise of the refusal
        /// itself.
        package var reason: String
        /// Rows that permit it now.
        package var permits: [String]
        /// Rows that come closest, the closest first.
        package var nearest: [Explanation.NearMiss]
        /// Rows that would permit it if their feature were on.
        package var inactive: [String]
    }
}

extension DropsReport {
    /// - Parameters:
    ///   - record: what was heard; nil where nothing ever was.
    ///   - generation: in force now, by which refusals are explained.
    ///   - source: what it was compiled from; asked for where there is something to explain.
    ///   - node: only what is refused to and from this one.
    ///   - limit: how many talkers are told.
    package init(
        _ record: RefusalRecord?, problem: String?, in generation: Generation?,
        from source: (Generation) -> Result<Deployment, RefusedFiles>,
        node: String? = nil, atMost limit: Int = usualTalkers
    ) {
        sampling = generation?.ruleset.sampling.map {
            SamplingReport(group: $0.group, rate: $0.rate)
        }
        mode = generation?.mode
        self.problem = problem
        since = record?.since
        samples = record?.samples ?? 0
        lost = record?.lost ?? 0
        unreadable = record?.unreadable ?? 0
        let nodes = generation?.nodes ?? []
        var entries = record?.talkers.entries ?? []
        if let node { entries.removeAll { $0.node(among: nodes)?.name != node } }
        // Parsed once for all of them.
        let deployment = entries.isEmpty ? nil : generation.map(source)
        _ = deployment?.known(orWhy: &incomplete)
        talkers = entries.prefix(limit).map { entry in
            var talker = Talker(entry, of: entry.node(among: nodes))
            if let generation, let deployment, let packet = entry.newest.packet {
                talker.explain(
                    by: ExplainReport(
                        packet, by: generation.ruleset, nodes: nodes, deployment: deployment))
            }
            return talker
        }
        more = entries.count - talkers.count
    }
}

extension DropsReport.Talker {
    /// The talker, not yet explained.
    fileprivate init(_ entry: TopTalkers.Entry, of node: EnforcedNode?) {
        let packet = entry.newest
        counter = packet.counter
        direction = packet.direction
        self.node = node?.name
        `protocol` = packet.protocolName
        source = packet.source
        sourcePort = packet.transport?.ports?.source
        destination = packet.destination
        destinationPort = packet.transport?.ports?.destination
        if case .icmp(let type) = packet.transport { icmpType = type }
        isFragment = packet.transport == nil
        samples = entry.samples
        excess = entry.excess
        first = entry.first
        last = entry.last
        reason = packet.refusal.words
        permits = []
        nearest = []
        inactive = []
    }

    fileprivate mutating func explain(by report: ExplainReport) {
        verdict = report.explanation.verdict
        reason = report.explanation.reason
        permits = report.explanation.permits
        // A row that lacks nothing is not why it is refused.
        nearest = report.explanation.nearest.filter { !$0.differences.isEmpty }
        inactive = report.inactive
    }
}

extension TopTalkers.Entry {
    /// The node at whose end the packets are refused.
    fileprivate func node(among nodes: [EnforcedNode]) -> EnforcedNode? {
        let end = newest.direction == .inbound ? newest.destination : newest.source
        // In local placement all packets are the node's, those to a broadcast address too.
        return nodes.first { $0.policyClass == nil || $0.addresses.contains(end) }
    }
}

extension RefusedPacket {
    /// As the rules saw it; nil where not enough is known of it.
    fileprivate var packet: Packet? {
        transport.map {
            Packet(
                direction, from: source, to: destination, $0,
                connection: refusal == .invalid ? .invalid : .new)
        }
    }

    fileprivate var protocolName: String {
        if let known = IPProtocol(rawValue: protocolNumber) { return known.name }
        return switch (source.family, protocolNumber) {
        case (.ipv4, 1): "icmp"
        case (.ipv6, 58): "icmpv6"
        default: "\(protocolNumber)"
        }
    }
}
