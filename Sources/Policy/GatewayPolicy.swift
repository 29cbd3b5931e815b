package import PortModel
package import Site

/// The policies of all nodes that a gateway enforces, with the pure function that decides any
/// packet that it forwards.
package struct GatewayPolicy: Hashable, Sendable {
    /// The deployment's mode, for the compiled rules: ``decide(_:)`` leaves it aside.
    package let mode: Mode
    /// How the compiled rules sample refused packets.
    package let refusals: Refusals
    /// All that the profile has, in its order: those of ``meshAddresses``.
    package let roles: [NodeRole]
    /// Of the enforced nodes, in the deployment's order.
    package let policies: [Policy]
    /// Every address of every node of the deployment, enforced or not.
    package let nodeAddresses: AddressSet
    /// The primary ones among them, by which nodes speak with each other.
    package let meshAddresses: AddressSet
    private let policyByAddress: [IPAddress: Int]

    /// - Parameter enforced: the nodes that are enforced here.
    package init(of enforced: [Node], in deployment: Deployment) {
        mode = deployment.mode
        refusals = deployment.refusals
        roles = deployment.profile.roleNames
        let mesh = Mesh(of: deployment.nodes)
        let rules = deployment.rulesByNode
        var resolved: [RowSettings: SharedRows] = [:]
        policies = enforced.map { node in
            let own = rules[node.name] ?? []
            let settings = RowSettings(node, own, mesh: mesh)
            let rows = resolved[settings] ?? node.sharedRows(in: deployment, mesh: mesh, own)
            resolved[settings] = rows
            return Policy(of: node, in: deployment, rows: rows)
        }
        nodeAddresses = AddressSet(deployment.nodes.flatMap(\.allAddresses))
        meshAddresses = AddressSet(deployment.nodes.flatMap(\.addresses))
        var indices: [IPAddress: Int] = [:]
        indices.reserveCapacity(2 * enforced.count)
        for (index, node) in enforced.enumerated() {
            for address in node.allAddresses { indices[address] = index }
        }
        policyByAddress = indices
    }

    /// The policy of the enforced node that has this address.
    package func policy(of address: IPAddress) -> Policy? {
        policyByAddress[address].map { policies[$0] }
    }

    /// Decides a forwarded packet as enforcement would, whatever the mode.
    ///
    /// Transit traffic of others passes untouched. A packet from one enforced node to another must
    /// satisfy the receiver's inbound and the sender's outbound rows.
    package func decide(_ packet: Packet) -> GatewayDecision {
        if packet.connection == .established || packet.connection == .related {
            return GatewayDecision(isEstablishedOrRelated: true, inbound: nil, outbound: nil)
        }
        return GatewayDecision(
            isEstablishedOrRelated: false,
            inbound: policy(of: packet.destination)?.decideForwarded(packet, .inbound),
            outbound: policy(of: packet.source)?.decideForwarded(packet, .outbound))
    }
}

/// The fate of a forwarded packet, as each end's rows see it.
package struct GatewayDecision: Hashable, Sendable {
    /// The packet belongs to a flow that was permitted before.
    package let isEstablishedOrRelated: Bool
    /// By the receiver's rows; nil where the receiver is no enforced node.
    package let inbound: Decision?
    /// By the sender's rows; nil where the sender is no enforced node.
    package let outbound: Decision?

    /// Drop where either end drops it; accept where neither end is an enforced node.
    package var verdict: Decision.Verdict {
        inbound?.verdict == .drop || outbound?.verdict == .drop ? .drop : .accept
    }
}

extension Policy {
    /// One end's decision about a packet that a gateway forwards and that belongs to no flow yet.
    ///
    /// A packet that connection tracking can't place is not dropped for that here: a gateway may
    /// see one direction of a flow only.
    fileprivate func decideForwarded(_ packet: Packet, _ direction: Direction) -> Decision {
        var packet = packet
        packet.direction = direction
        if let permit = permits.first(where: { $0.matches(packet) }) {
            return Decision(verdict: .accept, reason: .permit(permit.id))
        }
        switch icmpReason(packet) {
        case .icmpError: return Decision(verdict: .accept, reason: .icmpError)
        case .echo: return Decision(verdict: .accept, reason: .echo)
        // Neighbour discovery is link-local: there is none to forward.
        default: return Decision(verdict: .drop, reason: .noPermit)
        }
    }
}
