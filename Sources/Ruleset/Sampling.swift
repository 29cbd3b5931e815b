/// A rule's copies for whoever reads a group of nflog: the beginnings of some packets.
package struct Sampling: Hashable, Sendable, Codable {
    /// How much of a packet is copied, in bytes: its headers, and little of what they carry.
    package static let length = 128

    /// Comes with each sample, at most 127 bytes (`NF_LOG_PREFIXLEN`): the counter that counts the
    /// packets.
    package var counter: String
    /// The group of nflog, by its number: the key `refusals.group`.
    package var group: UInt16
    /// Packets a second, of which as many may come at once.
    package var rate: UInt32

    /// - Parameter rate: packets a second, for each rule.
    package init(counter: String, group: UInt16, rate: UInt32) {
        self.counter = counter
        self.group = group
        self.rate = rate
    }
}

extension Ruleset {
    /// How the ruleset samples the packets that it refuses; nil where it does not. Compiled rules
    /// all sample by one group and rate.
    package var sampling: Sampling? {
        for table in tables {
            for chain in table.chains {
                for rule in chain.rules {
                    if let sampling = rule.sampling { return sampling }
                }
            }
        }
        return nil
    }
}
