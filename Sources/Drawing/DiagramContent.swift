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
        let rows = group.representative.rows(in: self)
        return Direction.allCases.map { direction in
            DiagramContent(
                group: group, deployment: self, direction: direction,
                rows: rows.filter { $0.direction == direction }
            ).diagram
        }
    }
}

/// The content of one diagram: the rows of one direction.
private struct DiagramContent {
    /// As many of a list as a frame has room for.
    private static let shownPeers = 4
    private static let shownNodes = 6

    let group: NodeGroup
    let deployment: Deployment
    let direction: Direction
    let rows: [ResolvedRow]

    /// As the documentation calls such a node.
    private var title: String { deployment.profile.title(of: group.role) }

    var diagram: Diagram {
        var diagram = Diagram(
            role: group.role, direction: direction,
            title: "\(title) \(direction.rawValue) ports: \(group.shortLabel)",
            subject: subject, devices: [], absent: [], footnotes: [], notes: [],
            firstNode: group.representative.name)
        var marks: Set<Footnote> = []
        var places: [DeviceKey: Int] = [:]
        for row in rows {
            let description = row.marked(row.description, .description)
            if let reason = row.state.reason {
                diagram.absent.append(
                    Diagram.Absent(
                        id: row.id,
                        description: "\(row.marked(row.protocolText, .protocol)) \(description)",
                        reason: reason))
                // No other cell is shown.
                marks.formUnion([Column.protocol, .description].compactMap { row.row?.marks[$0] })
                continue
            }
            if let documented = row.row { marks.formUnion(documented.marks.values) }
            let arrow = Diagram.Arrow(
                id: row.id, traffic: row.traffic, description: description, addresses: binding(row))
            let key = DeviceKey(row)
            if let place = places[key] {
                diagram.devices[place].arrows.append(arrow)
            } else {
                places[key] = diagram.devices.count
                diagram.devices.append(Diagram.Device(box: device(row), arrows: [arrow]))
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

    private func device(_ row: ResolvedRow) -> Diagram.Box {
        guard let documented = row.row else {
            return Diagram.Box(name: "Named by a rule of the site's own", details: peers(row))
        }
        let name = documented.marked(documented.device, .device)
        guard case .nodes(let roles) = documented.peer else {
            return Diagram.Box(name: name, details: peers(row))
        }
        return Diagram.Box(name: name, details: mesh(roles))
    }

    private func peers(_ row: ResolvedRow) -> [String] {
        guard case .only(let addresses) = row.peers else { return ["any address"] }
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

        init(_ row: ResolvedRow) {
            // The documentation writes one device with and without a capital letter.
            device = (row.row?.device ?? "").lowercased().filter { $0 != " " }
            peers = row.peers
            rule = row.row == nil ? row.id : nil
        }
    }

    // MARK: Rows

    /// Which of a dual-homed node's addresses the row is for; nil where any will do.
    private func binding(_ row: ResolvedRow) -> String? {
        let node = group.representative
        guard !node.secondaryAddresses.isEmpty else { return nil }
        let bound = Set(row.addresses)
        if bound == Set(node.allAddresses) { return nil }
        if bound == Set(node.addresses) { return "primary address" }
        if bound == Set(node.secondaryAddresses) { return "secondary address" }
        let family = node.secondaryAddresses[0].family == .ipv4 ? "IPv4" : "IPv6"
        let other = node.secondaryAddresses[0].family == .ipv4 ? "IPv6" : "IPv4"
        return "secondary \(family), primary \(other)"
    }
}

extension ResolvedRow {
    /// As many groups of ports as an arrow has room for.
    private static let shownPorts = 6

    /// A cell's text with the mark that the documentation's column carries.
    fileprivate func marked(_ text: String, _ column: Column) -> String {
        row?.marked(text, column) ?? text
    }

    /// `UDP any → 40000–49999`, with marks.
    fileprivate var traffic: String {
        let name = marked(protocolText, .protocol)
        guard sourcePorts != .notApplicable else {
            return "\(name) (IP protocol \(IPProtocol.esp.rawValue))"
        }
        let from = marked(Self.text(sourcePorts), .sourcePort)
        let to = marked(Self.text(destinationPorts), .destinationPort)
        return "\(name) \(from) → \(to)"
    }

    private static func text(_ ports: CellPorts) -> String {
        guard let groups = ports.groupTexts else { return "any" }
        let more = groups.count - shownPorts
        return more > 0
            ? groups.prefix(shownPorts).joined(separator: ", ") + " and \(more) more" : ports.text
    }
}
