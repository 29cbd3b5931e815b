import Site
import Policy
import Ruleset
import Testing

@testable import PortModel

/// How the sets of nodes are called, where a version has roles that others have not.
@Suite("Sets of the mesh")
struct MeshSetTests {
    private static let edge = NodeRole("edge")

    /// What Infinity 14 has, and a third role, with these rows of its own.
    private static func profile(_ rows: [Row] = []) -> Profile {
        let known = Profile.infinity14
        return Profile(
            name: "third-role",
            roles: known.roles + [
                Profile.Role(name: edge, title: "Edge Node", mayBeDualHomed: true)
            ],
            ports: known.ports, footnotes: known.footnotes, rows: known.rows + rows)
    }

    /// An inter-node row for nodes of some roles.
    private static func row(_ name: String, _ direction: Direction, _ roles: [NodeRole]) -> Row {
        Row(
            id: "edge.\(direction == .inbound ? "in" : "out").\(name)", role: edge,
            direction: direction, protocols: [.udp], isTLS: false, source: .port(500),
            destination: .port(500), description: "ISAKMP", device: "nodes",
            peer: .nodes(roles), plane: .primary, feature: nil, hasConfigurableTransport: false,
            marks: [:])
    }

    private static func node(_ name: String, _ role: NodeRole, _ host: UInt8) -> Node {
        Node(
            name: name, role: role,
            addresses: [IPAddress(family: .ipv4, value: 0x0a00_0000 + UInt128(host))])
    }

    private static let nodes = [
        node("mgmt", .management, 1), node("conf-1", .conferencing, 2),
        node("conf-2", .conferencing, 3),
    ]

    @Test("a third role renames nothing of the nodes of the other two")
    func thirdRole() {
        let before = Deployment(nodes: Self.nodes)
        let after = Deployment(profile: Self.profile(), nodes: Self.nodes)
        for node in Self.nodes {
            let table = Policy(of: node, in: before).compileLocal()
            #expect(Policy(of: node, in: after).compileLocal().text == table.text)
            #expect(
                table.sets.contains {
                    $0.name == (node.role == .management ? "mesh.conferencing.v4" : "mesh.v4")
                })
        }
    }

    @Test("each list of roles has a set of its own, with their nodes alone")
    func everyCell() throws {
        let cells: [[NodeRole]] = [
            [.conferencing], [Self.edge], [.management, .conferencing], [.conferencing, Self.edge],
            [.management, .conferencing, Self.edge],
        ]
        let profile = Self.profile(
            cells.enumerated().flatMap { index, roles in
                Direction.allCases.map { Self.row("ike\(index)", $0, roles) }
            })
        let all =
            Self.nodes + [
                Self.node("edge-1", Self.edge, 4), Self.node("edge-2", Self.edge, 5),
            ]
        let gateway = Deployment(profile: profile, placement: .gateway, nodes: all)
        let local = Deployment(profile: profile, nodes: all)
        let own = try #require(local.node(named: "edge-1"))
        for (table, others) in [
            (GatewayPolicy(of: gateway.nodes, in: gateway).compile(), all),
            (Policy(of: own, in: local).compileLocal(), all.filter { $0.name != own.name }),
        ] {
            let rules = table.chains.flatMap(\.rules)
            for (index, roles) in cells.enumerated() {
                let members = AddressSet(
                    others.filter { roles.contains($0.role) }.flatMap(\.addresses))
                let rule = try #require(rules.first { $0.counter == "edge.in.ike\(index)" })
                let name = try #require(
                    rule.matches.lazy.compactMap { match -> String? in
                        if case .sourceIn(let set, _) = match { set } else { nil }
                    }.first)
                #expect(table.sets.first { $0.name == name }?.addresses == members, "\(roles)")
            }
        }
    }
}
