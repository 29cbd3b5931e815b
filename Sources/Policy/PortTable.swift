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
        let permits = permits(in: deployment)
        return Direction.allCases.map { direction in
            let rows = deployment.profile.rows(of: role, direction).map { row in
                line(row, permits.filter { $0.id == row.id })
            }
            let rules = permits.filter {
                if case .site = $0.peerOrigin { $0.direction == direction } else { false }
            }
            return PortTable(
                node: name, role: role, direction: direction, lines: rows + rules.map(line))
        }
    }

    private func line(_ row: Row, _ permits: [Permit]) -> PortTable.Line {
        let protocols = row.hasConfigurableTransport ? [syslogTransport] : row.protocols
        let permit = permits.first
        var inactive: String?
        if permit == nil, let feature = row.feature {
            inactive = "features.\(feature.rawValue) is off"
        } else if case .only(let peers)? = permit?.peers, peers.isEmpty {
            inactive = "there is no such node"
        }
        return PortTable.Line(
            id: row.id,
            protocol: row.protocolText(protocols),
            sourcePort: row.source.text(ports), destinationPort: row.destination.text(ports),
            description: row.description, device: row.device,
            plane: row.plane, nodeAddresses: addresses(of: row.plane), peers: permit?.peers,
            footnotes: row.footnotes.map(\.rawValue),
            inactive: inactive)
    }

    private func line(_ permit: Permit) -> PortTable.Line {
        PortTable.Line(
            id: permit.id, protocol: permit.protocol.name.uppercased(),
            sourcePort: permit.sourcePorts.text(permit.protocol),
            destinationPort: permit.destinationPorts.text(permit.protocol),
            description: "site rule", device: "",
            plane: permit.plane, nodeAddresses: permit.nodeAddresses, peers: permit.peers,
            footnotes: [], inactive: nil)
    }
}

extension PortSet {
    fileprivate func text(_ ipProtocol: IPProtocol) -> String {
        if !ipProtocol.hasPorts { return PortCell.notApplicableText }
        if isAll { return PortCell.anyText }
        return intervals.map {
            $0.lowerBound == $0.upperBound
                ? "\($0.lowerBound)" : "\($0.lowerBound)–\($0.upperBound)"
        }.joined(separator: ", ")
    }
}
