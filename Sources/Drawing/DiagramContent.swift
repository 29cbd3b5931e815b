internal import Policy
internal import PortModel
package import Ruleset
package import Site

extension Deployment {
    /// The diagrams of the nodes, inbound before outbound: two for each group that is configured
    /// alike.
    package func diagrams(of nodes: [Node]) -> [Diagram] {
        groups(of: nodes).flatMap(diagrams)
    }

    /// The two diagrams of a group.
    package func diagrams(of group: NodeGroup) -> [Diagram] {
        group.representative.portTables(in: self).map { table in
            DiagramContent(group: group, deployment: self, table: table).diagram
        }
    }
}

/// The content of one diagram, from a port table.
private struct DiagramContent {
    /// As many of a list as a frame has room for.
    private static let shownPeers = 4
    private static let shownNodes = 6
    private static let shownPorts = 6

    let group: NodeGroup
    let deployment: Deployment
    let table: PortTable
    private let rows: [String: Row]

    init(group: NodeGroup, deployment: Deployment, table: PortTable) {
        self.group = group
        self.deployment = deployment
        self.table = table
        rows = Dictionary(
            uniqueKeysWithValues: deployment.profile.rows(of: table.role, table.direction).map {
                ($0.id, $0)
            })
    }

    /// As the documentation calls such a node.
    private var title: String { deployment.profile.title(of: table.role) }

    var diagram: Diagram {
        var diagram = Diagram(
            role: table.role, direction: table.direction,
            title: "\(title) \(table.direction.rawValue) ports: \(group.shortLabel)",
            subject: subject, devices: [], absent: [], footnotes: [], notes: [],
            firstNode: group.representative.name)
        var marks: Set<Footnote> = []
        var places: [DeviceKey: Int] = [:]
        for line in table.lines {
            let description = Self.marked(line.description, rows[line.id], .description)
            if let reason = ineffective(line) {
                diagram.absent.append(
                    Diagram.Absent(
                        id: line.id,
                        description:
                            "\(Self.marked(line.protocol, rows[line.id], .protocol)) \(description)",
                        reason: reason))
                // No other cell is shown.
                marks.formUnion(
                    [Column.protocol, .description].compactMap { rows[line.id]?.marks[$0] })
                continue
            }
            if let row = rows[line.id] { marks.formUnion(row.marks.values) }
            let arrow = Diagram.Arrow(
                id: line.id, traffic: traffic(line),
                description: description, addresses: binding(line))
            let key = DeviceKey(line)
            if let place = places[key] {
                diagram.devices[place].arrows.append(arrow)
            } else {
                places[key] = diagram.devices.count
                diagram.devices.append(Diagram.Device(box: device(line), arrows: [arrow]))
            }
        }
        diagram.footnotes = deployment.profile.footnotes.filter { marks.contains($0.mark) }
        if deployment.mode == .observe {
            diagram.notes.append(
                "Mode observe: what these rows do not permit is counted, and not dropped.")
        }
        return diagram
    }

    // MARK: Ends

    private var subject: Diagram.Box {
        guard group.nodes.count > 1 else {
            return Diagram.Box(
                name: group.representative.name,
                details: [title] + Self.addresses(group.representative))
        }
        let name = "\(group.nodes.count) \(title)s"
        var details = group.nodes.prefix(Self.shownNodes).map {
            "\($0.name): \(Self.addresses($0).joined(separator: ", "))"
        }
        let more = group.nodes.count - Self.shownNodes
        if more > 0 { details.append("and \(more) more") }
        return Diagram.Box(name: name, details: details)
    }

    private static func addresses(_ node: Node) -> [String] {
        node.addresses.map(\.description)
            + node.secondaryAddresses.map { "\($0) (secondary)" }
    }

    private func device(_ line: PortTable.Line) -> Diagram.Box {
        guard let row = rows[line.id] else {
            return Diagram.Box(name: "Named by a rule of the site's own", details: peers(line))
        }
        let name = Self.marked(row.device, row, .device)
        guard case .nodes(let roles) = row.peer else {
            return Diagram.Box(name: name, details: peers(line))
        }
        return Diagram.Box(name: name, details: mesh(roles))
    }

    private func peers(_ line: PortTable.Line) -> [String] {
        guard case .only(let addresses)? = line.peers else { return ["any address"] }
        let more = addresses.elementCount - Self.shownPeers
        return ["only these:"] + addresses.firstElements(Self.shownPeers)
            + (more > 0 ? ["and \(more) more"] : [])
    }

    private func mesh(_ roles: [NodeRole]) -> [String] {
        let others = others(roles)
        if group.nodes.count == 1, others.count <= Self.shownPeers {
            return others.map {
                "\($0.name): \($0.addresses.map(\.description).joined(separator: ", "))"
            }
        }
        let counts = roles.compactMap { role -> String? in
            let count = others.count { $0.role == role }
            let other = role == group.role ? "other " : ""
            return count == 0
                ? nil
                : "\(count) \(other)\(deployment.profile.title(of: role))\(count == 1 ? "" : "s")"
        }
        return counts + ["at their primary addresses"]
    }

    /// Why a line permits nothing; nil where it permits something.
    private func ineffective(_ line: PortTable.Line) -> String? {
        if let inactive = line.inactive { return inactive }
        guard case .only(let addresses)? = line.peers else { return nil }
        var families = addresses.families
        if case .nodes(let roles)? = rows[line.id]?.peer {
            // On a gateway a node is among its own peers, but its packets to itself never come by.
            families = Set(others(roles).lazy.flatMap(\.addresses).map(\.family))
            if families.isEmpty { return "there is no such node" }
        }
        // No fault of the configuration; no rule can come of it.
        return families.isDisjoint(with: line.nodeAddresses.map(\.family))
            ? "its peers and the node have no address family in common" : nil
    }

    /// The deployment's nodes of these roles but the one that is drawn.
    private func others(_ roles: [NodeRole]) -> [Node] {
        deployment.nodes.filter {
            roles.contains($0.role) && $0.name != group.representative.name
        }
    }

    /// Rows with these in common share a frame.
    private struct DeviceKey: Hashable {
        let device: String
        let peers: Peers?
        let rule: String?

        init(_ line: PortTable.Line) {
            // The documentation writes one device with and without a capital letter.
            device = line.device.lowercased().filter { $0 != " " }
            peers = line.peers
            rule = line.device.isEmpty ? line.id : nil
        }
    }

    // MARK: Rows

    private func traffic(_ line: PortTable.Line) -> String {
        let row = rows[line.id]
        let name = Self.marked(line.protocol, row, .protocol)
        guard line.sourcePort != PortCell.notApplicableText else {
            return "\(name) (IP protocol \(IPProtocol.esp.rawValue))"
        }
        let from = Self.marked(Self.ports(line.sourcePort), row, .sourcePort)
        let to = Self.marked(Self.ports(line.destinationPort), row, .destinationPort)
        return "\(name) \(from) → \(to)"
    }

    private static func ports(_ cell: String) -> String {
        if cell == PortCell.anyText { return "any" }
        let parts = cell.split(separator: ", ")
        let more = parts.count - shownPorts
        return more > 0
            ? parts.prefix(shownPorts).joined(separator: ", ") + " and \(more) more" : cell
    }

    private static func marked(_ text: String, _ row: Row?, _ column: Column) -> String {
        row?.marked(text, column) ?? text
    }

    /// Which of a dual-homed node's addresses the row is for; nil where any will do.
    private func binding(_ line: PortTable.Line) -> String? {
        let node = group.representative
        guard !node.secondaryAddresses.isEmpty else { return nil }
        let bound = Set(line.nodeAddresses)
        if bound == Set(node.allAddresses) { return nil }
        if bound == Set(node.addresses) { return "primary address" }
        if bound == Set(node.secondaryAddresses) { return "secondary address" }
        let family = node.secondaryAddresses[0].family == .ipv4 ? "IPv4" : "IPv6"
        let other = node.secondaryAddresses[0].family == .ipv4 ? "IPv6" : "IPv4"
        return "secondary \(family), primary \(other)"
    }
}
