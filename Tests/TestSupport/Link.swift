package import PortModel
internal import Synchronization

/// A pair of connected interfaces in two namespaces.
package struct Link: Sendable {
    /// How one side finds the other side's link-layer address.
    package enum Neighbors: Sendable {
        /// Both know it from the start: no ARP, no neighbour discovery, nothing to lose by a rule.
        case permanent
        /// By ARP and neighbour discovery, as on a real network.
        case discovered
    }

    /// One side of the link.
    package struct Side: Sendable {
        package let namespace: NetworkNamespace
        /// The interface's name there.
        package let interface: String
        /// The side's own address on the link, for routes only.
        package let transit: [AddressFamily: IPAddress]
        fileprivate let hardwareAddress: String
    }

    package let a: Side
    package let b: Side

    private static let count = Atomic<UInt32>(0)

    /// Connects two namespaces, gives each side its addresses and brings the interfaces up.
    ///
    /// No route is added: see ``route(_:from:)``.
    package static func connect(
        _ a: NetworkNamespace, _ b: NetworkNamespace, addressesOfA: [IPAddress] = [],
        addressesOfB: [IPAddress] = [], mtu: Int = 1500, neighbors: Neighbors = .permanent
    ) throws -> Link {
        let number = count.add(1, ordering: .relaxed).newValue
        let link = Link(a: side(of: a, 1, link: number), b: side(of: b, 2, link: number))
        try a.configure([
            "link add name \(link.a.interface) address \(link.a.hardwareAddress) mtu \(mtu) "
                + "type veth peer name \(link.b.interface) address \(link.b.hardwareAddress) "
                + "mtu \(mtu) netns \(b.name)"
        ])
        for (side, other, addresses) in [
            (link.a, link.b, addressesOfA), (link.b, link.a, addressesOfB),
        ] {
            var lines = (addresses + side.transit.values).map {
                "address add \($0)/\($0.family.bits) dev \(side.interface)"
                    + ($0.family == .ipv6 ? " nodad" : "")
            }
            lines.append("link set \(side.interface) up")
            if neighbors == .permanent {
                lines += other.transit.values.map {
                    "neighbor add \($0) lladdr \(other.hardwareAddress) nud permanent "
                        + "dev \(side.interface)"
                }
            }
            try side.namespace.configure(lines)
        }
        return link
    }

    /// Routes addresses of one side through the other; none means everything.
    package func route(_ addresses: [IPAddress] = [], from path: KeyPath<Link, Side>) throws {
        let side = self[keyPath: path]
        let other = side.interface == a.interface && side.namespace === a.namespace ? b : a
        let targets =
            addresses.isEmpty
            ? [("0.0.0.0/0", AddressFamily.ipv4), ("::/0", .ipv6)]
            : addresses.map { ("\($0)/\($0.family.bits)", $0.family) }
        try side.namespace.configure(
            targets.map { target, family in
                "route replace \(target) "
                    + "via \(other.transit[family]!) dev \(side.interface) onlink"
            })
    }

    /// Transit addresses are unique among the links of a process, of which a namespace sees few.
    private static func side(of namespace: NetworkNamespace, _ end: UInt32, link: UInt32) -> Side {
        let low = (link & 0x3fff) << 2 | end
        let hex = String(link & 0xff_ffff, radix: 16)
        let digits = String(repeating: "0", count: 6 - hex.count) + hex
        let pairs = stride(from: 0, to: 6, by: 2).map { digits.dropFirst($0).prefix(2) }
        return Side(
            namespace: namespace, interface: namespace.nextInterface(),
            transit: [
                .ipv4: IPAddress(family: .ipv4, value: UInt128(0xa9fe_0000 | low)),
                .ipv6: IPAddress(family: .ipv6, value: 0xfe80 << 112 | UInt128(low)),
            ],
            hardwareAddress: "02:0\(end):" + pairs.joined(separator: ":") + ":0\(end)")
    }
}
