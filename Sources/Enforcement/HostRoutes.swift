package import PortModel

/// The meaning of this host's routing for the nodes that a gateway enforces.
package struct HostRoutes {
    /// Families whose packets this host forwards.
    package var forwarded: Set<AddressFamily>
    /// Whether this host knows a way to an address.
    package var hasRoute: (IPAddress) -> Bool

    /// - Parameter hasRoute: asked for the nodes' addresses, one after another.
    package init(
        forwarded: Set<AddressFamily>, hasRoute: @escaping (IPAddress) -> Bool
    ) {
        self.forwarded = forwarded
        self.hasRoute = hasRoute
    }
}
