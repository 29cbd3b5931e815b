internal import Policy
package import PortModel
package import Ruleset
package import Site

/// Nodes' tables as the documentation prints them: the answer of the control protocol's `Ports`.
package struct PortsReport: Hashable, Sendable, Codable {
    /// Two for each group of nodes whose rows differ by their own addresses alone, inbound first.
    package var tables: [Table]

    /// One direction of one group's rows.
    package struct Table: Hashable, Sendable, Codable {
        /// Sorted by name.
        package var nodes: [String]
        /// All nodes of a group have the same one.
        package var role: NodeRole
        /// As the nodes see it: inbound is towards them.
        package var direction: Direction
        /// In the documentation's order, the site's own rules behind them.
        package var lines: [Line]
    }

    /// A row of the documentation, or a rule of the site's own.
    package struct Line: Hashable, Sendable, Codable {
        /// The row's or the site rule's id.
        package var id: String
        /// In the documentation's words, with all protocols of the row.
        package var `protocol`: String
        /// In the documentation's words; `<any>` for all ports.
        package var sourcePort: String
        /// In the documentation's words; `<any>` for all ports.
        package var destinationPort: String
        package var description: String
        /// The other end in the documentation's words; empty for a rule of the site.
        package var device: String
        /// The nodes' addresses that the row binds to.
        package var nodeAddresses: PeerList
        /// The peers that are permitted; nil for anybody, and where the line is not enforced.
        package var peers: PeerList?
        /// The footnotes' marks that the line refers to.
        package var footnotes: [String]
        /// Why the line is not enforced; nil where it is.
        package var inactive: String?
    }

    /// - Parameter tables: collected from the parts of the agent's answer.
    package init(_ tables: [Table]) { self.tables = tables }

    /// - Parameter groups: of nodes of the deployment.
    package init(of groups: some Sequence<NodeGroup>, in deployment: Deployment) {
        tables = groups.flatMap { $0.portTables(in: deployment) }
    }
}

extension Deployment {
    /// The nodes of these names in groups of equal policy.
    package func groups(named names: [String]) -> [NodeGroup] {
        let wanted = Set(names)
        return groups(of: nodes.filter { wanted.contains($0.name) })
    }
}

extension NodeGroup {
    fileprivate func portTables(in deployment: Deployment) -> [PortsReport.Table] {
        let addresses = Dictionary(
            uniqueKeysWithValues: Plane.allCases.map { plane in
                (plane, PeerList(AddressSet(nodes.flatMap { $0.addresses(of: plane) })))
            })
        let names = nodes.map(\.name)
        return representative.portTables(in: deployment).map { table in
            PortsReport.Table(
                nodes: names, role: role, direction: table.direction,
                lines: table.lines.map { line in
                    PortsReport.Line(
                        line, addresses[line.plane] ?? PeerList(AddressSet()))
                })
        }
    }
}

extension PortsReport.Line {
    fileprivate init(_ line: PortTable.Line, _ nodeAddresses: PeerList) {
        id = line.id
        `protocol` = line.protocol
        sourcePort = line.sourcePort
        destinationPort = line.destinationPort
        description = line.description
        device = line.device
        self.nodeAddresses = nodeAddresses
        if case .only(let addresses)? = line.peers { peers = PeerList(addresses) }
        footnotes = line.footnotes
        inactive = line.inactive
    }
}
