internal import Policy
package import PortModel
package import Site

/// Nodes whose rows differ by nothing but the nodes' own addresses, told together.
package struct NodeGroup: Hashable, Sendable {
    /// Sorted by name; never empty.
    package let nodes: [Node]
    /// The name of the class that the nodes form on a gateway.
    package let policyClass: String
    /// How many nodes of the same role the deployment has in all.
    package let nodesOfRole: Int
    /// As the documentation calls such a node.
    package let title: String

    /// All nodes of a group have the same one.
    package var role: NodeRole { nodes[0].role }
    /// The node whose rows stand for those of all.
    package var representative: Node { nodes[0] }
}

extension Deployment {
    /// The nodes in groups of equal policy: by role in the documentation's order, then by the first
    /// node's name.
    package func groups(of nodes: [Node]) -> [NodeGroup] {
        var ofRole: [NodeRole: Int] = [:]
        for node in self.nodes { ofRole[node.role, default: 0] += 1 }
        // A node's likeness to others is the same in both placements.
        let groups = GatewayPolicy(of: nodes, in: self).classes.map { policyClass in
            NodeGroup(
                nodes: policyClass.policies.map(\.node), policyClass: policyClass.name,
                nodesOfRole: ofRole[policyClass.policies[0].node.role] ?? 0,
                title: profile.title(of: policyClass.policies[0].node.role))
        }
        let roles = profile.roleNames
        func order(_ group: NodeGroup) -> (Int, String) {
            (roles.firstIndex(of: group.role) ?? roles.count, group.representative.name)
        }
        return groups.sorted { order($0) < order($1) }
    }
}
