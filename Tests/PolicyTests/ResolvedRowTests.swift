import DeploymentGenerator
import PortModel
import Site
import Testing

@testable import Policy

/// Rows as they are for one node: port tables, diagrams, reports and permits follow from them.
@Suite("Resolved rows")
struct ResolvedRowTests {
    private static func address(_ text: String) throws -> IPAddress {
        try #require(IPAddress(text))
    }

    private static func node(_ name: String, _ role: NodeRole, _ address: String) throws -> Node {
        Node(name: name, role: role, addresses: [try Self.address(address)])
    }

    private static func state(
        _ id: String, of name: String, in deployment: Deployment
    ) throws -> ResolvedRow.State {
        let node = try #require(deployment.node(named: name))
        return try #require(node.rows(in: deployment).first { $0.id == id }).state
    }

    @Test("a row is off without its feature, and open with it")
    func feature() throws {
        var node = try Self.node("conf-1", .conferencing, "10.0.0.21")
        var deployment = Deployment(nodes: [node])
        let id = "conferencing.in.ssh"
        #expect(try Self.state(id, of: "conf-1", in: deployment) == .off(.ssh))
        #expect(
            try Self.state(id, of: "conf-1", in: deployment).reason == "features.ssh is off")
        node.features = [.ssh]
        deployment.nodes = [node]
        #expect(try Self.state(id, of: "conf-1", in: deployment) == .open)
    }

    @Test("a node that is alone has nobody to mesh with", arguments: Placement.allCases)
    func alone(_ placement: Placement) throws {
        var deployment = Deployment(
            placement: placement, nodes: [try Self.node("conf-1", .conferencing, "10.0.0.21")])
        let id = "conferencing.in.ike"
        #expect(
            try Self.state(id, of: "conf-1", in: deployment) == .nobody(.noSuchNode))
        deployment.nodes.append(try Self.node("mgmt", .management, "2001:db8::1"))
        #expect(
            try Self.state(id, of: "conf-1", in: deployment) == .nobody(.noCommonFamily))
        deployment.nodes.append(try Self.node("conf-2", .conferencing, "10.0.0.22"))
        #expect(try Self.state(id, of: "conf-1", in: deployment) == .open)
    }

    @Test("peers of another family than the node's are nobody")
    func families() throws {
        var node = try Self.node("conf-1", .conferencing, "10.0.0.21")
        node.peers = [.dnsServers: .only(AddressSet([try Self.address("2001:db8::53")]))]
        let deployment = Deployment(nodes: [node])
        #expect(
            try Self.state("conferencing.out.dns", of: "conf-1", in: deployment)
                == .nobody(.noCommonFamily))
    }

    @Test("cells are printed as the documentation prints them")
    func cells() throws {
        let deployment = Deployment(nodes: [try Self.node("mgmt", .management, "10.0.0.10")])
        let node = try #require(deployment.node(named: "mgmt"))
        let rows = node.rows(in: deployment)
        func cell(_ id: String) throws -> String {
            let row = try #require(rows.first { $0.id == id })
            return "\(row.protocolText) \(row.sourcePorts.text) \(row.destinationPorts.text)"
        }
        #expect(try cell("management.out.ldap") == "TCP 55000–65535 389 / 636")
        #expect(try cell("management.out.ntp") == "UDP 123, 55000–65535 123")
        #expect(try cell("management.in.esp") == "ESP n/a n/a")
        #expect(try cell("management.in.https") == "TCP <any> 443")
    }

    /// Rows and permits are one truth: whatever is open has a permit, and nothing else has one that
    /// lets a packet through.
    @Test("a row is open where a permit has a peer", arguments: 0..<50)
    func permits(_ seed: UInt64) throws {
        var generator = DeploymentGenerator(seed: seed)
        let deployment = generator.deployment(placement: .local, nodeCount: 4)
        for node in deployment.nodes {
            let permits = Dictionary(grouping: node.permits(in: deployment), by: \.id)
            for row in node.rows(in: deployment) {
                let own = permits[row.id] ?? []
                switch row.state {
                case .open: #expect(!own.isEmpty, "\(row.id)")
                case .off: #expect(own.isEmpty, "\(row.id)")
                case .nobody: break
                }
                for permit in own {
                    #expect(permit.sourcePorts == row.sourcePorts.set)
                    #expect(permit.destinationPorts == row.destinationPorts.set)
                    #expect(permit.nodeAddresses == row.addresses)
                }
            }
        }
    }
}
