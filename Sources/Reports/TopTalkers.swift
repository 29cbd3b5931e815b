internal import Policy
package import PortModel
package import Ruleset

/// Those who are refused most, in bounded memory however many there are: the space-saving algorithm
/// (Metwally, Agrawal and El Abbadi, 2005).
///
/// Whoever has more than one in ``capacity`` of all samples is certainly among the entries. A new
/// talker takes the place of one with the fewest samples, and their number: what it has too many by
/// that at most is its ``Entry/excess``.
package struct TopTalkers: Sendable {
    /// In entries; with fewer talkers than this every count is exact.
    package static let capacity = 1_000

    /// Everything that samples of one talker have in common.
    package struct Talker: Hashable, Sendable {
        /// The rule that refused, by its counter.
        package let refusal: Refusal
        /// As the rule that refused saw it.
        package let source: IPAddress
        /// As the rule that refused saw it, of the same family.
        package let destination: IPAddress
        /// The IP protocol number, whatever extension headers come before it.
        package let protocolNumber: UInt8
        /// The destination's port, or the type of ICMP; nil for other protocols and for fragments.
        package let detail: UInt16?

        init(_ packet: RefusedPacket) {
            refusal = packet.refusal
            source = packet.source
            destination = packet.destination
            protocolNumber = packet.protocolNumber
            detail =
                switch packet.transport {
                case .tcp(_, let port), .udp(_, let port): port
                case .icmp(let type): UInt16(type)
                case .esp, .other, nil: nil
                }
        }
    }

    /// A talker with its count.
    package struct Entry: Hashable, Sendable {
        package fileprivate(set) var talker: Talker
        package fileprivate(set) var samples: UInt64
        /// So many of the samples, at most, were somebody else's.
        package fileprivate(set) var excess: UInt64
        package fileprivate(set) var first: Timestamp
        package fileprivate(set) var last: Timestamp
        /// The packet of the last sample, with its source port.
        package fileprivate(set) var newest: RefusedPacket
    }

    /// Those with the most samples first.
    package private(set) var entries: [Entry] = []
    private var places: [Talker: Int] = [:]
    /// The first place of the entries with a number of samples.
    private var firstPlaces: [UInt64: Int] = [:]

    /// Without entries.
    package init() {}

    /// Takes the same time however many entries there are.
    package mutating func add(_ packet: RefusedPacket, at time: Timestamp) {
        let talker = Talker(packet)
        let place = places[talker] ?? enter(talker, packet, time)
        let counted = count(place)
        entries[counted].last = time
        entries[counted].newest = packet
    }

    /// Gives a new talker the last place.
    private mutating func enter(
        _ talker: Talker, _ packet: RefusedPacket, _ time: Timestamp
    ) -> Int {
        var fewest: UInt64 = 0
        if entries.count == Self.capacity, let last = entries.popLast() {
            places[last.talker] = nil
            fewest = last.samples
        } else {
            firstPlaces[0] = entries.count
        }
        places[talker] = entries.count
        entries.append(
            Entry(
                talker: talker, samples: fewest, excess: fewest, first: time, last: time,
                newest: packet))
        return entries.count - 1
    }

    /// Counts one more: the entry goes to the front of its equals, and from there to the end of
    /// those with one more.
    private mutating func count(_ place: Int) -> Int {
        let samples = entries[place].samples
        let front = firstPlaces[samples] ?? place
        if front != place {
            entries.swapAt(front, place)
            places[entries[front].talker] = front
            places[entries[place].talker] = place
        }
        let next = front + 1
        let hasEquals = next < entries.count && entries[next].samples == samples
        firstPlaces[samples] = hasEquals ? next : nil
        entries[front].samples += 1
        if firstPlaces[samples + 1] == nil { firstPlaces[samples + 1] = front }
        return front
    }
}

/// All that was heard of refusals since they are sampled.
package struct RefusalRecord: Sendable {
    /// When the agent first listened to the group of nflog.
    package let since: Timestamp
    /// Of all talkers, those among ``talkers`` and others.
    package private(set) var samples: UInt64 = 0
    /// Samples that nobody read in time.
    package private(set) var lost: UInt64 = 0
    /// Messages that came and were no samples of ours.
    package private(set) var unreadable: UInt64 = 0
    /// Fed with every sample, never emptied.
    package private(set) var talkers = TopTalkers()

    /// - Parameter since: when the agent first listened to the group of nflog.
    package init(since: Timestamp) { self.since = since }

    /// - Parameter time: when the sample was read.
    package mutating func add(_ packet: RefusedPacket, at time: Timestamp) {
        samples += 1
        talkers.add(packet, at: time)
    }

    /// - Parameter count: the gap in the samples' numbers.
    package mutating func addLost(_ count: UInt32) { lost += UInt64(count) }
    /// Counts a message that is no sample of ours, or is cut off in its IP header.
    package mutating func addUnreadable() { unreadable += 1 }
}
