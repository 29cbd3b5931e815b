import DeploymentGenerator
import JSONValue
import PortModel
import Site
import Testing

@testable import Policy

/// The rows of many nodes, and as generations store them.
@Suite("Rows of nodes")
struct NodeRowsTests {
    private static func rows(_ deployment: Deployment) -> NodeRows {
        deployment.placement.facts.sharedTable == nil
            ? NodeRows(of: deployment.nodes.map { Policy(of: $0, in: deployment) })
            : NodeRows(of: GatewayPolicy(of: deployment.nodes, in: deployment).policies)
    }

    private struct Stored: Codable {
        var rows: NodeRows?
        init(_ rows: NodeRows) { self.rows = rows }
        init(from decoder: any Decoder) throws { rows = try NodeRows(stored: decoder) }
        func encode(to encoder: any Encoder) throws { try rows?.store(to: encoder) }
    }

    @Test(
        "nodes that share rows have the same as one that is looked at alone, and so are they stored",
        arguments: Placement.allCases, 0..<25)
    func shared(_ placement: Placement, _ seed: UInt64) throws {
        var generator = DeploymentGenerator(seed: seed)
        let deployment = generator.deployment(
            placement: placement, nodeCount: Int(seed % 6) + 1)
        let rows = Self.rows(deployment)
        for node in deployment.nodes {
            #expect(rows.rows(of: node.name) == node.rows(in: deployment))
            #expect(rows.addresses[node.name] == node.addresses + node.secondaryAddresses)
        }
        #expect(rows.rows(of: "nobody").isEmpty)
        let text = try JSONValue(encoding: Stored(rows)).indented
        let read = try JSONValue(parsing: text).decoded(as: Stored.self)
        #expect(read.rows == rows)
    }

    @Test("a list of peers and a row stand once, however many nodes have them")
    func once() throws {
        let addresses = (0..<1_000).map {
            IPAddress(family: .ipv4, value: 0x0a10_0000 + 2 * UInt128($0))
        }
        let nodes = (0..<100).map {
            Node(
                name: "n\($0)", role: .conferencing,
                addresses: [IPAddress(family: .ipv4, value: 0x0a00_0000 + 2 * UInt128($0))],
                features: $0 % 2 == 0 ? [.ssh] : [],
                peers: [.endpoints: .only(AddressSet(addresses))])
        }
        let rows = Self.rows(Deployment(placement: .gateway, nodes: nodes))
        // The endpoints and the mesh.
        #expect(rows.listedRanges == 1_100)
        #expect(try JSONValue(encoding: Stored(rows)).indented.count < 150_000)
    }
}
