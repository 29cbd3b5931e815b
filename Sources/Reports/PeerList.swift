package import PortModel

/// Addresses that may be very many: the first of them, as they are written, and how many there are.
package struct PeerList: Hashable, Sendable, Codable {
    private static let shownPeers = 4

    /// At most four, IPv4 first: addresses, prefixes or ranges.
    package var first: [String]
    /// Of all elements, not of addresses: a prefix is one.
    package var count: Int
    /// It is everybody but these.
    package var isComplement = false

    /// - Parameter isComplement: everybody is meant but these.
    package init(_ addresses: AddressSet, isComplement: Bool = false) {
        self.isComplement = isComplement
        first = addresses.firstElements(Self.shownPeers)
        count = addresses.elementCount
    }
}
