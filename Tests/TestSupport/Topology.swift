package import PortModel

/// The networks that the kernel tests need: enforced nodes, the rest of the world, and a gateway
/// between them or not.
package struct Topology: Sendable {
    /// The host that owns the nodes' addresses.
    package let node: NetworkNamespace
    /// The host that forwards between the others, in gateway placement.
    package let gateway: NetworkNamespace?
    /// The host that owns every peer's address.
    package let outside: NetworkNamespace
    /// The links from the node outward.
    package let links: [Link]

    /// The namespace in which rules are enforced: the gateway where there is one.
    package var enforcing: NetworkNamespace { gateway ?? node }

    /// Two hosts on one link. Whatever address either does not own is routed to the other.
    package static func nodeAndPeers(
        nodeAddresses: [IPAddress], peerAddresses: [IPAddress], mtu: Int = 1500,
        neighbors: Link.Neighbors = .permanent
    ) throws -> Topology {
        let node = try NetworkNamespace()
        let outside = try NetworkNamespace()
        let link = try Link.connect(
            node, outside, addressesOfA: nodeAddresses, addressesOfB: peerAddresses, mtu: mtu,
            neighbors: neighbors)
        try link.route(from: \.a)
        try link.route(from: \.b)
        return Topology(node: node, gateway: nil, outside: outside, links: [link])
    }

    /// Three hosts in a row. The gateway routes the nodes' addresses inward and all others outward.
    ///
    /// - Parameter outerMTU: of the link between the gateway and the outside.
    package static func gateway(
        nodeAddresses: [IPAddress], peerAddresses: [IPAddress], mtu: Int = 1500,
        outerMTU: Int? = nil, neighbors: Link.Neighbors = .permanent
    ) throws -> Topology {
        let node = try NetworkNamespace()
        let gateway = try NetworkNamespace(forwarding: true)
        let outside = try NetworkNamespace()
        let inner = try Link.connect(
            node, gateway, addressesOfA: nodeAddresses, mtu: mtu, neighbors: neighbors)
        let outer = try Link.connect(
            gateway, outside, addressesOfB: peerAddresses, mtu: outerMTU ?? mtu,
            neighbors: neighbors)
        try inner.route(from: \.a)
        try inner.route(nodeAddresses, from: \.b)
        try outer.route(from: \.a)
        try outer.route(from: \.b)
        return Topology(node: node, gateway: gateway, outside: outside, links: [inner, outer])
    }

    /// Removes all namespaces, and says afterwards what went wrong.
    package func close() throws {
        let results = [node, gateway, outside].compactMap { $0 }.map { namespace in
            Result { try namespace.close() }
        }
        for result in results { try result.get() }
    }

    /// Gives the body this topology and removes it afterwards, also after an error.
    package func use<Success>(_ body: (Topology) throws -> Success) throws -> Success {
        let result = Result { try body(self) }
        try close()
        return try result.get()
    }
}
