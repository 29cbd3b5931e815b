internal import CMnl
internal import Site

extension TableFamily {
    /// The kernel's number, `NFPROTO_…`.
    var number: UInt8 {
        switch self {
        case .ip: UInt8(NFPROTO_IPV4)
        case .ip6: UInt8(NFPROTO_IPV6)
        case .inet: UInt8(NFPROTO_INET)
        case .arp: UInt8(NFPROTO_ARP)
        case .bridge: UInt8(NFPROTO_BRIDGE)
        case .netdev: UInt8(NFPROTO_NETDEV)
        }
    }

    /// nil for a number that is no family's of nf_tables.
    init?(number: UInt8) {
        guard let family = Self.allCases.first(where: { $0.number == number }) else { return nil }
        self = family
    }
}
