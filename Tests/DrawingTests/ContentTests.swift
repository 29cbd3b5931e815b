import DeploymentGenerator
import Policy
import PortModel
import Ruleset
import Site
import Testing

@testable import Drawing

/// What the diagrams show is what the configuration means.
@Suite("Diagrams")
struct ContentTests {
    private static func diagram(
        _ deployment: Deployment, _ node: String, _ direction: Direction
    ) throws -> Diagram {
        let node = try #require(deployment.node(named: node))
        return try #require(
            deployment.diagrams(of: [node]).first { $0.direction == direction })
    }

    @Test("a node's rows, peers and addresses, with what is not open and why")
    func oneNode() throws {
        let diagram = try Self.diagram(Sites.deployment(Sites.office), "conf-lon-1", .inbound)
        #expect(diagram.title == "Conferencing Node inbound ports: conf-lon-1")
        #expect(
            diagram.subject
                == Diagram.Box(
                    name: "conf-lon-1",
                    details: [
                        "Conferencing Node", "10.0.0.21", "2001:db8::21",
                        "198.51.100.21 (secondary)",
                    ]))
        #expect(
            diagram.devices.first
                == Diagram.Device(
                    box: Diagram.Box(
                        name: "SSH client",
                        details: ["only these:", "10.1.0.0/16", "2001:db8:1::/48"]),
                    arrows: [
                        Diagram.Arrow(
                            id: "conferencing.in.ssh", traffic: "TCP any → 22",
                            description: "SSH *", addresses: "primary address")
                    ]))
        let endpoints = try #require(
            diagram.devices.first { $0.box.name == "Endpoint / call control system" })
        #expect(
            endpoints.arrows.map(\.id) == [
                "conferencing.in.h225", "conferencing.in.sip", "conferencing.in.sip-tls",
                "conferencing.in.h245", "conferencing.in.ras",
            ])
        #expect(endpoints.arrows[3].traffic == "TCP any → 33000–39999 **")
        #expect(endpoints.arrows[3].addresses == "secondary IPv4, primary IPv6")
        let mesh = try #require(
            diagram.devices.first { $0.box.name == "Management Node / Conferencing Node" })
        #expect(mesh.box.details == ["conf-lon-2: 10.0.0.22", "mgmt: 10.0.0.10"])
        #expect(
            mesh.arrows.map(\.traffic) == ["UDP 500 → 500", "ESP (IP protocol 50)"])
        #expect(
            diagram.devices.last?.box
                == Diagram.Box(
                    name: "Named by a rule of the site's own",
                    details: ["only these:", "10.1.0.0/16", "2001:db8:1::/48"]))
        #expect(
            diagram.absent == [
                Diagram.Absent(
                    id: "conferencing.in.sip-udp", description: "UDP ‡ SIP",
                    reason: "features.sip_udp is off")
            ])
        #expect(
            diagram.footnotes.map(\.mark) == [
                .administrativeAccess, .rangeConfigurable, .featureOnly, .infinityConnectClients,
            ])
    }

    @Test("a peer of another family than the node's is no open row")
    func families() throws {
        let deployment = try Sites.deployment(Sites.office)
        let diagram = try Self.diagram(deployment, "conf-lon-2", .inbound)
        #expect(
            diagram.absent == [
                Diagram.Absent(
                    id: "conferencing.in.snmp", description: "UDP SNMP ‡",
                    reason: "its peers and the node have no address family in common")
            ])
    }

    @Test("nodes that are alike are drawn once, and many are summed up")
    func manyNodes() throws {
        let nodes = (1...40).map { "  conf-\($0): {role: conferencing, address: 10.0.0.\($0)}" }
        let deployment = try Sites.deployment(
            """
            placement: gateway
            nodes:
              mgmt: {role: management, address: 10.0.1.1}
              odd: {role: conferencing, address: 10.0.1.2, features: {sip_udp: true}}
              odder: {role: conferencing, address: 10.0.1.3, features: {sip_udp: true}}
            \(nodes.joined(separator: "\n"))
            """)
        let diagrams = deployment.diagrams(of: deployment.nodes)
        #expect(
            diagrams.map(\.title) == [
                "Management Node inbound ports: mgmt", "Management Node outbound ports: mgmt",
                "Conferencing Node inbound ports: 40 of 42 nodes (conf-1, …)",
                "Conferencing Node outbound ports: 40 of 42 nodes (conf-1, …)",
                "Conferencing Node inbound ports: 2 of 42 nodes (odd, …)",
                "Conferencing Node outbound ports: 2 of 42 nodes (odd, …)",
            ])
        #expect(
            diagrams[2].subject.details == [
                "conf-1: 10.0.0.1", "conf-10: 10.0.0.10", "conf-11: 10.0.0.11",
                "conf-12: 10.0.0.12", "conf-13: 10.0.0.13", "conf-14: 10.0.0.14", "and 34 more",
            ])
        #expect(
            diagrams[2].devices.last?.box.details == [
                "1 Management Node", "41 other Conferencing Nodes", "at their primary addresses",
            ])
        #expect(
            diagrams.fileNames == [
                "management-inbound", "management-outbound", "conf-1-conferencing-inbound",
                "conf-1-conferencing-outbound", "odd-conferencing-inbound",
                "odd-conferencing-outbound",
            ])
    }

    @Test("observation is told, since everything passes then")
    func observation() throws {
        let deployment = try Sites.deployment(
            "mode: observe\nnodes: {a: {role: management, address: 10.0.0.1}}")
        let diagrams = deployment.diagrams(of: deployment.nodes)
        #expect(diagrams.allSatisfy { $0.notes.count == 1 })
        // Alone, it has no mesh.
        #expect(
            diagrams[0].absent.filter { $0.reason == "there is no such node" }.map(\.id) == [
                "management.in.ike", "management.in.esp",
            ])
    }

    /// The compiled tables are the judge: a row is drawn, and once, where there is a rule for it.
    @Test("every row that permits anything is drawn exactly once", arguments: 0..<150)
    func everyRow(seed: Int) {
        var generator = DeploymentGenerator(seed: UInt64(seed))
        let placement: Placement = seed.isMultiple(of: 2) ? .local : .gateway
        let deployment = generator.deployment(placement: placement)
        for group in deployment.groups(of: deployment.nodes) {
            let node = group.representative
            let diagrams = deployment.diagrams(of: group)
            let drawn = diagrams.flatMap(\.devices).flatMap(\.arrows).map(\.id)
            let absent = diagrams.flatMap(\.absent)
            let known = Set(
                deployment.profile.rows.filter { $0.role == node.role }.map(\.id)
                    + deployment.rules.filter { $0.nodes.contains(node.name) }.map(\.id))
            #expect(drawn.count + absent.count == known.count)
            #expect(Set(drawn + absent.map(\.id)) == known)

            // On a gateway the mesh holds the node itself, whose packets to itself never come by.
            var site = deployment
            site.placement = .local
            let table = Policy(of: node, in: site).compileLocal()
            let ruled = Set(table.chains.flatMap(\.rules).compactMap(\.comment))
            #expect(Set(drawn) == known.intersection(ruled), "\(node.name)")
        }
    }
}
