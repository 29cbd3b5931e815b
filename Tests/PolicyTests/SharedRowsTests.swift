import DeploymentGenerator
import Policy
import PortModel
import Site
import Testing

/// Rows that are resolved once for many nodes.
@Suite("shared rows")
struct SharedRowsTests {
    @Test("a node among many is permitted what it is permitted by itself")
    func equalToUnshared() {
        var generator = DeploymentGenerator(seed: 21)
        for round in 1...200 {
            let deployment = generator.deployment(placement: .gateway, nodeCount: 5)
            let together = GatewayPolicy(of: deployment.nodes, in: deployment)
            for policy in together.policies {
                #expect(
                    policy == Policy(of: policy.node, in: deployment),
                    "round \(round), \(policy.node.name)")
            }
        }
    }

    @Test("nodes that are configured alike share their rows; one that differs has its own")
    func sharing() {
        func node(_ number: UInt32, features: Set<Feature> = [.ssh]) -> Node {
            Node(
                name: "node-\(number)", role: .conferencing,
                addresses: [DeploymentGenerator.address(.ipv4, network: 1, host: number)],
                features: features)
        }
        let nodes = (1...500).map { node($0) } + [node(501, features: [])]
        let deployment = Deployment(placement: .gateway, mode: .enforce, nodes: nodes)
        let policies = GatewayPolicy(of: nodes, in: deployment).policies
        #expect(Set(policies.map { ObjectIdentifier($0.rows) }).count == 2)
        #expect(policies[0].rows === policies[499].rows)
        #expect(policies[0].permits.contains { $0.nodeAddresses == policies[0].node.addresses })
        #expect(policies[0].permits != policies[1].permits, "their addresses are their own")
    }
}
