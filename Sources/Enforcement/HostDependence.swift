package import PortModel
internal import Site

/// The properties of this host that a compilation depends on, so that it is made anew only where
/// they differ.
package struct HostDependence: Sendable {
    /// The addresses of all nodes of the deployment.
    private let nodeAddresses: Set<IPAddress>
    /// Those of them that this host has; nil where they could not be had.
    private let own: Set<IPAddress>?
    /// On a gateway, the nodes whose packets are to come by.
    private let routed: [Node]
    /// The warnings about these.
    private let routeWarnings: [Diagnostic]

    /// - Parameter routed: nodes of a gateway, for whose routes the warnings are.
    init(
        _ deployment: Deployment, hostAddresses: Set<IPAddress>, routed: [Node] = [],
        warnings: [Diagnostic] = []
    ) {
        nodeAddresses = Set(deployment.nodes.flatMap(\.allAddresses))
        own = hostAddresses.intersection(nodeAddresses)
        self.routed = routed
        routeWarnings = warnings
    }

    /// Of a compilation that failed because the host's addresses could not be had, or that was never
    /// made.
    package static let unknown = HostDependence(own: nil)
    /// Of one that failed for reasons of its own.
    static let none = HostDependence(own: [])

    private init(own: Set<IPAddress>?) {
        self.own = own
        (nodeAddresses, routed, routeWarnings) = ([], [], [])
    }

    /// Whether other addresses of the host may make another compilation.
    package func isOther(by hostAddresses: Set<IPAddress>) -> Bool {
        own != hostAddresses.filter(nodeAddresses.contains)
    }

    /// Whether it depends on the host's routes.
    package var hasRoutes: Bool { !routed.isEmpty }

    /// Whether other routes make another compilation.
    package func isOther(by routes: HostRoutes) -> Bool {
        hasRoutes && routes.warnings(of: routed) != routeWarnings
    }
}
