package import PortModel
package import Site

/// One of a node's tables as the documentation prints them, with the site's values.
package struct PortTable: Hashable, Sendable {
    /// The node's name.
    package var node: String
    /// The node's role, whose rows these are.
    package var role: NodeRole
    /// The one of the role's two tables that this is.
    package var direction: Direction
    /// Every row of the documentation's table, in its order, then the site's rules.
    package var lines: [Line]

    /// A row of the documentation, or a rule of the site's own.
    package struct Line: Hashable, Sendable {
        /// The row's or the site rule's id.
        package var id: String
        /// The "Protocol" cell without marks: `TCP/UDP`, `TCP (TLS)`.
        package var `protocol`: String
        /// The "Source-Port" cell without marks: `<any>`, `n/a`, or the node's ports.
        package var sourcePort: String
        /// The "Dest-Port" cell without marks: `<any>`, `n/a`, or the node's ports.
        package var destinationPort: String
        package var description: String
        /// The "Device" cell without marks; empty for a site rule.
        package var device: String
        /// Which of the node's addresses the row binds to.
        package var plane: Plane
        /// Those addresses.
        package var nodeAddresses: [IPAddress]
        /// The addresses permitted at the other end; nil where the row does not apply.
        package var peers: Peers?
        /// The footnotes' marks that the line refers to.
        package var footnotes: [String]
        /// Why the line is not enforced; nil where it is.
        package var inactive: String?
    }
}

extension Node {
    /// The node's two tables, inbound first: every row of its role, whether it applies or not, and
    /// the site's rules.
    package func portTables(in deployment: Deployment) -> [PortTable] {
        let rows = rows(in: deployment)
        return Direction.allCases.map { direction in
            PortTable(
                node: name, role: role, direction: direction,
                lines: rows.filter { $0.direction == direction }.map(PortTable.Line.init))
        }
    }
}

extension PortTable.Line {
    fileprivate init(_ row: ResolvedRow) {
        id = row.id
        `protocol` = row.protocolText
        sourcePort = row.sourcePorts.text
        destinationPort = row.destinationPorts.text
        description = row.description
        device = row.row?.device ?? ""
        plane = row.plane
        nodeAddresses = row.addresses
        if case .off = row.state { peers = nil } else { peers = row.peers }
        footnotes = row.row?.footnotes.map(\.rawValue) ?? []
        inactive = row.state.reason
    }
}
