package import PortModel

/// Addresses that may be very many: the first of them, as they are written, and how many there are.
package struct PeerList: Hashable, Sendable, Codable {
    private static let shownPeers = 4

    package var first: [String]
    package var count: Int
    /// It is everybody but these.
    package var isComplement = false

    package init(_ addresses: AddressSet, isComplement: Bool = false) {
        self.isComplement = isComplement
        first = addresses.firstElements(Self.shownPeers)
        count = addresses.elementCount
    }
}
