internal import Display
internal import Drawing
internal import Policy
internal import PortModel
internal import Reports
internal import Ruleset
internal import Site

/// The state of a row in this report.
enum RowStatus: String {
    /// In force, as it was compared with what the kernel is to hold.
    case enforced
    /// In force, and refusals are only counted.
    case observed
    /// Configured; whether it is in force is not known, or it is not.
    case configured
    case off
    /// No node of the row's role is told here.
    case otherRole = "no such node here"

    var meaning: String {
        switch self {
        case .enforced: "in force, and everything beside the open rows is refused"
        case .observed: "in force, but nothing is refused (mode observe)"
        case .configured:
            "the configuration opens it; that it is in force is not known, or it is not (see the summary)"
        case .off: "nothing is open, for the reason that follows"
        case .otherRole: "no node of that role is told in this report"
        }
    }

    var tone: Tone {
        switch self {
        case .enforced: .good
        case .observed: .caution
        case .configured, .off, .otherRole: .quiet
        }
    }
}

extension Audit {
    private var openStatus: RowStatus {
        guard agreement == .same else { return .configured }
        return deployment.mode == .enforce ? .enforced : .observed
    }

    /// Every documented row, and the site's own rules, for each group of nodes.
    var rowsSection: Document.Section {
        var blocks: [Document.Block] = [
            .paragraph(
                "The documented line, what it is here, and below it the rules that permit it, with their chains."
            ),
            .facts(
                [openStatus, .off, .otherRole].map { status in
                    Document.Fact(status.rawValue, Words(status.meaning))
                }),
        ]
        if let status {
            let since =
                status.countersSince.map { "since \($0)" }
                ?? "since before the agent started (\(status.agent.started))"
            let shared =
                groups.count > 1
                ? ", for all nodes that this host enforces together: a row has one counter" : ""
            blocks.append(.paragraph(Words("Counted are packets that matched, \(since)\(shared).")))
        }
        for facts in groups {
            // A gateway's rules are for a class; a node's own, and the ways to them, hold its
            // addresses.
            let isExample =
                deployment.placement.facts.sharedTable == nil && facts.group.nodes.count > 1
            for direction in Direction.allCases {
                blocks.append(
                    .heading(
                        "\(facts.group.label): \(direction.rawValue)",
                        anchor: "rows-\(facts.group.policyClass)-\(direction.rawValue)"))
                if isExample {
                    let name = facts.group.representative.name
                    blocks.append(
                        .paragraph(Words("The rules are those of \(name), for all that are alike."))
                    )
                }
                let ways = facts.ways(direction)
                if !ways.isEmpty {
                    blocks += [
                        .paragraph(
                            "The chains that these rules name judge packets of the nodes' addresses only:"
                        ),
                        .code(ways),
                    ]
                }
                blocks.append(.table(grid(direction, facts)))
            }
        }
        blocks += otherRoles(Set(groups.map(\.group.role)))
        return Document.Section(anchor: "rows", title: "Rows", blocks: blocks)
    }

    private func grid(_ direction: Direction, _ facts: GroupFacts) -> Document.Grid {
        let lines = facts.rows.filter { $0.direction == direction }.map { row in
            let shown = facts.drawn(row)
            let status: Words
            if let reason = row.state.reason {
                status =
                    .toned(RowStatus.off.tone, RowStatus.off.rawValue) + Words(": \(reason)")
            } else {
                status = .toned(openStatus.tone, openStatus.rawValue)
            }
            let here =
                shown.map { Words($0.arrow.traffic + ($0.arrow.addresses.map { ", \($0)" } ?? "")) }
                ?? Words("–")
            let peers = shown.map { shown in
                [Words(shown.device.name)] + shown.device.details.map { Words($0) }
            }
            let documented = row.row.map { deployment.profile.documentedLine(of: $0) }
            return Document.Grid.Line(
                cells: [
                    .code(row.id), Words(documented ?? "a rule of the site's own"), here,
                    peers?.joined(separator: .lineBreak) ?? "–", status,
                    row.state == .open ? counted(row.id) : "–",
                ],
                code: row.state == .open ? facts.rules[row.id] ?? [] : [])
        }
        return Document.Grid(
            caption: "\(facts.group.label), \(direction.rawValue)",
            columns: ["Row", "Documented", "Here", "Peers", "Status", "Counted"],
            widths: [18, 23, 19, 18, 12, 10], rows: lines)
    }

    private func counted(_ id: String) -> Words {
        guard agreement == .same, let value = status?.counters[id] else { return "not known" }
        return Words(Quantities.counted(value.packets, "packet")) + .lineBreak
            + Words(Quantities.bytes(value.bytes))
    }

    private func otherRoles(_ told: Set<NodeRole>) -> [Document.Block] {
        let roles = deployment.profile.roles.filter { !told.contains($0.name) }
        return roles.flatMap { role -> [Document.Block] in
            let rows = deployment.profile.rows.filter { $0.role == role.name }
            return [
                .heading("\(role.title)s: none is told here", anchor: "rows-\(role.name.rawValue)"),
                .table(
                    Document.Grid(
                        caption: "Rows of \(role.title)s",
                        columns: ["Row", "Documented", "Status"],
                        rows: rows.map { row in
                            Document.Grid.Line(cells: [
                                .code(row.id), Words(deployment.profile.documentedLine(of: row)),
                                .toned(RowStatus.otherRole.tone, RowStatus.otherRole.rawValue),
                            ])
                        })),
            ]
        }
    }
}
