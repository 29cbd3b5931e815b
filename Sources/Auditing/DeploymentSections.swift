internal import Display
internal import Drawing
internal import Policy
internal import PortModel
internal import Reports
internal import Ruleset
internal import Site

extension Audit {
    // MARK: Deployment

    var deploymentSection: Document.Section {
        var blocks: [Document.Block] = [
            .paragraph(
                "Nodes whose rows differ by nothing but their own addresses are told together.")
        ]
        let dropped = Dictionary(
            (status?.nodes ?? []).map { ($0.node.name, $0.dropped) }, uniquingKeysWith: { $1 })
        for facts in groups {
            let group = facts.group
            let policyClass =
                deployment.placement.facts.sharedTable != nil
                ? Words(" (class ") + .code(group.policyClass) + ")" : Words()
            blocks.append(
                .heading(
                    "\(group.label): \(facts.open.count.counted("row"))",
                    anchor: "nodes-\(group.policyClass)"))
            blocks.append(
                .paragraph(
                    Words("\(group.title)\(group.nodes.count == 1 ? "" : "s")") + policyClass))
            blocks.append(
                .columns(
                    group.nodes.map { node in
                        var words =
                            .strong(node.name) + Words(" ")
                            + Words(node.addresses.map(\.description).joined(separator: ", "))
                        if !node.secondaryAddresses.isEmpty {
                            let addresses = node.secondaryAddresses.map(\.description)
                            words =
                                words
                                + Words(", secondary \(addresses.joined(separator: ", "))")
                        }
                        if let refused = dropped[node.name], refused.packets > 0 {
                            words =
                                words
                                + Words(
                                    "; refused \(Quantities.counted(refused.packets, "packet"))")
                        }
                        return words
                    }))
        }
        let told = Set(subject.nodes.map(\.name))
        let others = deployment.nodes.filter { !told.contains($0.name) }
        if !others.isEmpty {
            blocks.append(.heading("Other nodes of the deployment", anchor: "nodes-others"))
            blocks.append(
                .columns(
                    others.map { node in
                        .strong(node.name)
                            + Words(
                                " \(node.addresses.map(\.description).joined(separator: ", ")), \(deployment.profile.title(of: node.role))"
                            )
                    }))
        }
        return Document.Section(anchor: "deployment", title: "Deployment", blocks: blocks)
    }

    // MARK: Deviations and peers

    func deviationsSection(_ deviations: [ConcernedDeviation]) -> Document.Section {
        guard !deviations.isEmpty else {
            return Document.Section(
                anchor: "deviations", title: "Deviations from the documented defaults",
                blocks: [.paragraph("None.")])
        }
        let rows = deviations.map { concerned in
            let deviation = concerned.deviation
            return Document.Grid.Line(cells: [
                .code(deviation.key), .toned(deviation.kind.tone, deviation.kind.rawValue),
                Words(deviation.documented), Words(deviation.here),
                concerned.rows.isEmpty
                    ? "–" : concerned.rows.map(Words.code).joined(separator: ", "),
                Words(
                    concerned.groups.map { Quantities.list($0, atMost: 6) } ?? "all"),
            ])
        }
        return Document.Section(
            anchor: "deviations", title: "Deviations from the documented defaults",
            blocks: [
                .paragraph(
                    "The documentation opens a row marked * or ‡ only where it is used, gives ports that may be moved, and names devices without addresses."
                ),
                .table(
                    Document.Grid(
                        caption: "Deviations",
                        columns: ["Key", "Effect", "Documented", "Here", "Rows", "Nodes"],
                        widths: [16, 9, 24, 21, 18, 12],
                        rows: rows)),
            ])
    }

    var peersSection: Document.Section {
        var rows: [Document.Grid.Line] = []
        for peerClass in PeerClass.allCases {
            var order: [Peers] = []
            var labels: [Peers: [String]] = [:]
            var ids: Set<String> = []
            for facts in groups {
                let node = facts.group.representative
                let open = facts.open.filter { $0.row?.peer == .devices(peerClass) }
                if open.isEmpty { continue }
                ids.formUnion(open.map(\.id))
                let peers = node.peers[peerClass] ?? .any
                if labels[peers] == nil { order.append(peers) }
                labels[peers, default: []].append(facts.group.label)
            }
            for peers in order {
                rows.append(
                    Document.Grid.Line(cells: [
                        .code(peerClass.rawValue), Self.words(peers),
                        ids.sorted().map(Words.code).joined(separator: ", "),
                        Words(Quantities.list(labels[peers] ?? [], atMost: 6)),
                    ]))
            }
        }
        return Document.Section(
            anchor: "peers", title: "Who may be at the other end",
            blocks: [
                .paragraph(
                    "Of the rows that are open; rows between nodes are for the nodes' primary addresses only."
                ),
                .table(
                    Document.Grid(
                        caption: "Peer classes", columns: ["Class", "Peers", "Rows", "Nodes"],
                        widths: [18, 32, 32, 18],
                        rows: rows)),
            ])
    }

    private static let shownPeers = 20

    private static func words(_ peers: Peers) -> Words {
        switch peers {
        case .any: return .toned(.caution, "any address")
        case .only(let addresses):
            let elements = addresses.elements
            return .toned(.good, "only ")
                + Words(Quantities.list(elements, atMost: shownPeers))
                + (elements.count > shownPeers
                    ? Words(" (\(elements.count) in all; pexip-fwctl show ports --json lists them)")
                    : Words())
        }
    }
}

extension Deviation.Kind {
    fileprivate var tone: Tone {
        switch self {
        case .opens: .caution
        case .closes: .good
        case .changes: .quiet
        }
    }
}
