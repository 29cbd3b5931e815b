package import Enforcement
internal import Policy
internal import PortModel
internal import Reports
package import Site

/// The task of this host: the deployment, and which of its nodes are enforced here.
package struct EnforcedSite: Sendable {
    /// With all nodes, also those that other hosts enforce.
    package let deployment: Deployment
    /// The nodes that are enforced here, in the deployment's order.
    package let nodes: [Node]
    /// The ids of rows that apply to one of them.
    private let appliedRows: Set<String>

    /// - Parameter target: compiled for this host, so that its nodes are those enforced here.
    package init(_ target: Compilation.Target) {
        deployment = target.deployment
        appliedRows = target.rows.appliedRows
        let names = Set(target.nodes.map(\.name))
        nodes = deployment.nodes.filter { names.contains($0.name) }
    }

    var placement: Placement.Facts { deployment.placement.facts }

    /// Whether UDP media costs entries of connection tracking.
    var tracksMedia: Bool { placement.tracksMedia || deployment.host.trackMedia == .always }

    /// The families that the enforced nodes have addresses of, IPv4 first.
    var families: [AddressFamily] {
        let used = Set(nodes.flatMap(\.allAddresses).map(\.family))
        return AddressFamily.allCases.filter(used.contains)
    }

    /// The nodes that have to be reached, with their addresses: on the node itself the primary ones
    /// of all other nodes, by which they speak with each other; on a gateway also every address of
    /// the nodes behind it.
    var destinations: [(node: Node, addresses: [IPAddress])] {
        let own = Set(nodes.map(\.name))
        return deployment.nodes.compactMap { node in
            let isOwn = own.contains(node.name)
            if isOwn, placement.judgesHost { return nil }
            let addresses = (isOwn ? node.allAddresses : node.addresses).filter {
                families.contains($0.family)
            }
            return addresses.isEmpty ? nil : (node, addresses)
        }
    }

    /// The ids of rows that apply to an enforced node and are as wanted, in the documentation's
    /// order.
    func rows(_ isWanted: (Row) -> Bool) -> [String] {
        deployment.profile.rows.filter { appliedRows.contains($0.id) && isWanted($0) }.map(\.id)
    }

    /// The ids of the inter-node rows.
    var meshRows: [String] {
        rows { if case .nodes = $0.peer { true } else { false } }
    }
}
