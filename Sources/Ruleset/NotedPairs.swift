package import PortModel

/// A packet's source and destination, which are of one family.
package struct AddressPair: Hashable, Sendable {
    /// Where the packet comes from, as the rule that noted it saw it.
    package var source: IPAddress
    /// Where the packet goes, as the rule that noted it saw it.
    package var destination: IPAddress

    /// Both addresses are of one family.
    package init(from source: IPAddress, to destination: IPAddress) {
        self.source = source
        self.destination = destination
    }
}

/// A statement that notes a packet: its source and destination become an element of a set, or the
/// element's time begins anew.
///
/// Where the set is full and does not hold the pair, the rule ends there (`NFT_BREAK` of the
/// kernel's nft_dynset): a rule that notes has no verdict, so that this never costs a packet.
package struct Note: Hashable, Sendable {
    /// The name of a set of pairs in the same table.
    package var set: String
    /// Packets of another one do not match.
    package var family: AddressFamily

    /// - Parameter family: the set's own.
    package init(set: String, family: AddressFamily) {
        self.set = set
        self.family = family
    }
}

/// How much a set that packets fill holds, and for how long.
package struct NoteLimits: Hashable, Sendable {
    /// Of pairs. The kernel takes no more; those that it holds are still brought up to date.
    package let size: Int
    /// How long a pair stays after it was last seen.
    package let seconds: Int
}

extension NamedSet.Kind {
    /// nil for sets that the policy fills.
    package var noteLimits: NoteLimits? {
        switch self {
        case .intervals, .addresses, .countedAddresses, .adoption: nil
        // Every ordered pair of 128 nodes, for a week: IKE may be silent for a day.
        case .pairs: NoteLimits(size: 16_384, seconds: 604_800)
        // Strangers can fill it, so it forgets soon.
        case .strayPairs: NoteLimits(size: 1_024, seconds: 3_600)
        }
    }
}

/// The sets in which packets between nodes are noted, one for each family.
package enum NoteSet: String, Hashable, Sendable, CaseIterable {
    /// IKE from one node to another, permitted.
    case ike = "seen.ike"
    /// ESP from one node to another, permitted.
    case esp = "seen.esp"
    /// Of flows between two nodes that this host translates (NAT).
    case translated = "seen.translated"
    /// Refused UDP to port 500: IKE that is none of two nodes.
    case strayIKE = "stray.ike"
    /// Refused ESP.
    case strayESP = "stray.esp"
    /// Refused UDP to port 4500: IPsec that found a NAT on its way (RFC 3948).
    case strayTraversal = "stray.nat-t"

    /// Permitted pairs stay for a week, refused ones for an hour: see ``NamedSet/Kind/noteLimits``.
    package var kind: NamedSet.Kind {
        switch self {
        case .ike, .esp, .translated: .pairs
        case .strayIKE, .strayESP, .strayTraversal: .strayPairs
        }
    }
}
