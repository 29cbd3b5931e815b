internal import PortModel
package import Reports

extension ApplyReport {
    /// The changes, or those that there would be, in the port model's words: nodes whose rows
    /// change alike together.
    package var changesPage: Page {
        var page = Page()
        let nodeChanges = Dictionary(
            nodes.map { ($0.node, $0) }, uniquingKeysWith: { $1 })
        var order: [Section] = []
        var members: [Section: [String]] = [:]
        var rows: [String: [RowLine]] = [:]
        for change in changes {
            let line = RowLine(change)
            for node in change.nodes { rows[node, default: []].append(line) }
        }
        for name in Set(rows.keys).union(nodeChanges.keys).sorted() {
            let change = nodeChanges[name]
            let section = Section(kind: change?.kind, role: change?.role, rows: rows[name] ?? [])
            if members[section] == nil { order.append(section) }
            members[section, default: []].append(name)
        }
        for section in order {
            section.add(to: &page, members[section] ?? [], nodeChanges)
        }
        return page
    }
}

/// The common part of nodes that change alike.
private struct Section: Hashable {
    /// As many names as fit into a line or two.
    private static let shownNodes = 6

    let kind: NodeChange.Kind?
    let role: NodeRole?
    let rows: [RowLine]

    func add(to page: inout Page, _ names: [String], _ changes: [String: NodeChange]) {
        var title = Text(Quantities.list(names, atMost: Self.shownNodes), .strong)
        if names.count > Self.shownNodes { title = title + " (\(names.count) nodes)" }
        if let kind, let role {
            title = title + " " + Text(kind.words(isOne: names.count == 1), kind.emphasis)
            title = title + " (\(role.rawValue)\(addresses(names.compactMap { changes[$0] })))"
        }
        page.add(title)
        for row in rows { row.add(to: &page) }
    }

    /// Of a single node; those of several would say nothing of all of them.
    private func addresses(_ changes: [NodeChange]) -> String {
        guard changes.count == 1, let change = changes.first else { return "" }
        let now = change.addresses.map(\.description).joined(separator: ", ")
        let before = change.addressesBefore?.map(\.description).joined(separator: ", ")
        return "; \(before.map { "\($0) -> " } ?? "")\(now)"
    }
}

extension NodeChange.Kind {
    fileprivate func words(isOne: Bool) -> String {
        switch self {
        case .joins: isOne ? "joins" : "join"
        case .leaves: isOne ? "leaves" : "leave"
        case .moves: isOne ? "has other addresses" : "have other addresses"
        }
    }

    fileprivate var emphasis: Emphasis {
        switch self {
        case .joins: .good
        case .leaves: .bad
        case .moves: .caution
        }
    }
}

/// A change of a row, whatever node it is of.
private struct RowLine: Hashable {
    private var change: RowChange

    init(_ change: RowChange) {
        self.change = change
        self.change.nodes = []
    }

    func add(to page: inout Page) {
        page.add(
            Text(change.row) + Text(details.isEmpty ? "" : ": \(details)"),
            label: Text(change.kind.rawValue, change.kind.emphasis), labelWidth: 10, indent: 2)
    }

    private var details: String {
        let preposition = change.direction == .outbound ? "to" : "from"
        switch change.kind {
        case .opened, .closed:
            guard let traffic = change.traffic else { return "" }
            return "\(traffic) \(preposition) \(change.peers?.words ?? "any")"
        case .changed:
            var parts: [String] = []
            if let before = change.trafficBefore {
                parts.append("\(before) becomes \(change.traffic ?? "nothing")")
            }
            if let opened = change.peersOpened {
                parts.append("opened \(preposition) \(opened.words)")
            }
            if let closed = change.peersClosed {
                parts.append("closed \(preposition) \(closed.words)")
            }
            return parts.isEmpty ? "for other addresses of the node" : parts.joined(separator: "; ")
        }
    }
}

extension RowChange.Kind {
    fileprivate var emphasis: Emphasis {
        switch self {
        case .opened: .good
        case .closed: .bad
        case .changed: .caution
        }
    }
}

extension PeerList {
    fileprivate var words: String {
        let more = count - first.count
        return (isComplement ? "all but " : "") + first.joined(separator: ", ")
            + (more > 0 ? " and \(more) more" : "")
    }
}

extension ApplyReport {
    /// `2 rows open, 1 closes for 3 nodes; 12 established flows would end`
    package var planWords: String {
        var parts: [String] = []
        for (kind, verbs) in [
            (NodeChange.Kind.joins, ("joins", "join")), (.leaves, ("leaves", "leave")),
            (.moves, ("moves", "move")),
        ] {
            let count = nodes.count { $0.kind == kind }
            if count > 0 {
                parts.append("\(count.counted("node")) \(count == 1 ? verbs.0 : verbs.1)")
            }
        }
        for (kind, verbs) in [
            (RowChange.Kind.opened, ("opens", "open")), (.closed, ("closes", "close")),
            (.changed, ("changes", "change")),
        ] {
            let count = changes.reduce(0) { $0 + ($1.kind == kind ? $1.nodes.count : 0) }
            if count > 0 {
                parts.append("\(count.counted("row")) \(count == 1 ? verbs.0 : verbs.1)")
            }
        }
        if parts.isEmpty { parts.append("no row changes") }
        return parts.joined(separator: ", ")
    }
}
