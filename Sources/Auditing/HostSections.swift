internal import Display
internal import Drawing
internal import PortModel
internal import Reports
internal import Ruleset
internal import Site

extension Audit {
    /// As many nodes as an auditor can look into.
    private static let shownNodes = 20

    /// The packets that no row permitted.
    var trafficSection: Document.Section {
        guard let status else {
            return Document.Section(
                anchor: "refused", title: "Refused packets",
                blocks: [.paragraph("Not known: the agent did not answer.")])
        }
        let refusals = status.refusals.map { (id: $0.refusal.id, value: $0.value) }
            .sorted { $0.id < $1.id }
        var blocks: [Document.Block] = []
        if refusals.isEmpty {
            blocks.append(.paragraph("Nothing is counted, because nothing is in force."))
        } else {
            let verb = status.mode == .observe ? "would have been dropped" : "were dropped"
            blocks.append(
                .paragraph(
                    Words(
                        "Packets that \(verb), by reason\(deployment.placement.facts.sharedTable != nil ? " and class of nodes" : "")."
                    )))
            blocks.append(
                .table(
                    Document.Grid(
                        caption: "Refused packets", columns: ["Counter", "Packets", "Bytes"],
                        rows: refusals.map { id, value in
                            Document.Grid.Line(cells: [
                                .code(id), Words(Quantities.count(value.packets)),
                                Words(Quantities.bytes(value.bytes)),
                            ])
                        })))
        }
        let most = status.nodes.filter { $0.dropped.packets > 0 }
            .sorted { $0.dropped.packets > $1.dropped.packets }
        if status.nodes.count > 1, !most.isEmpty {
            blocks.append(
                .paragraph(
                    Words(
                        "\(most.count) of \(status.nodes.count.counted("node")) had packets refused; these the most:"
                    )))
            blocks.append(
                .table(
                    Document.Grid(
                        caption: "Refused packets by node", columns: ["Node", "Packets", "Bytes"],
                        rows: most.prefix(Self.shownNodes).map { node in
                            Document.Grid.Line(cells: [
                                Words(node.node.name),
                                Words(Quantities.count(node.dropped.packets)),
                                Words(Quantities.bytes(node.dropped.bytes)),
                            ])
                        })))
        }
        return Document.Section(anchor: "refused", title: "Refused packets", blocks: blocks)
    }

    /// Other firewalls, foreign changes and diagnostics of the configuration.
    var hostSection: Document.Section {
        var blocks: [Document.Block] = [
            .heading("Other firewalls on this host", anchor: "shadows")
        ]
        if let status {
            blocks += shadows(status)
            blocks.append(.heading("Foreign changes of the rules", anchor: "drift"))
            blocks += drift(status)
        } else {
            blocks.append(.paragraph("Not known: the agent did not answer."))
        }
        blocks.append(.heading("Diagnostics of the configuration", anchor: "diagnostics"))
        let all = (status?.diagnostics ?? []) + subject.diagnostics
        let told = all.reduce(into: [Diagnostic]()) { told, diagnostic in
            if !told.contains(diagnostic) { told.append(diagnostic) }
        }
        blocks.append(
            told.isEmpty
                ? .paragraph("None.") : .list(told.map { Words($0.description) }))
        return Document.Section(anchor: "host", title: "This host", blocks: blocks)
    }

    private func shadows(_ status: StatusReport) -> [Document.Block] {
        var blocks: [Document.Block] = []
        if status.shadows.isEmpty {
            blocks.append(.paragraph("No other table was seen that may cut what is permitted."))
        } else {
            blocks.append(
                .paragraph(
                    "These chains may drop what is permitted here, or lead packets past what is refused."
                ))
            blocks.append(
                .table(
                    Document.Grid(
                        caption: "Other firewalls",
                        columns: ["Table", "Chain", "Hook", "What it may do", "Whose it seems"],
                        rows: status.shadows.map { shadow in
                            Document.Grid.Line(cells: [
                                .code("\(shadow.family.rawValue) \(shadow.table)"),
                                shadow.chain.map(Words.code) ?? "–",
                                Words(
                                    shadow.hook.map { hook in
                                        "\(hook.rawValue)\(shadow.priority.map { ", priority \($0)" } ?? "")"
                                    } ?? "–"),
                                Words(
                                    shadow.why.map(\.rawValue).joined(separator: ", ")
                                        + (shadow.within.isEmpty
                                            ? "" : " in \(shadow.within.joined(separator: ", "))")),
                                Words(shadow.owner?.rawValue ?? "not known"),
                            ])
                        })))
        }
        if !status.warnings.isEmpty {
            blocks.append(.list(status.warnings.map { Words($0) }))
        }
        return blocks
    }

    private func drift(_ status: StatusReport) -> [Document.Block] {
        guard let last = status.drift.last else {
            return [
                .paragraph(Words("None since the agent started (\(status.agent.started))."))
            ]
        }
        let pid = last.pid.map { " (pid \($0))" } ?? ""
        return [
            .paragraph(
                Words(
                    "\(status.drift.count.counted("change")) since the agent started (\(status.agent.started)), all repaired as far as the state above says. The last was found at \(last.time), made by "
                ) + .code(last.process) + Words("\(pid):")),
            .list(last.differences.map { Words($0) }),
        ]
    }

    /// How to make what this report says.
    var reproductionSection: Document.Section {
        var commands: [String]
        switch subject.origin {
        case .directory(let path):
            let source = "--config-dir \(path.quoted)"
            // An agent's own host needs no node's name.
            let node: String? =
                switch subject.coverage {
                case .enforcedHere: nil
                case .asked(let node): node.name
                case .everything: deployment.nodes[0].name
                }
            commands = [
                "pexip-fwctl check \(path.quoted)", "pexip-fwctl show ports \(source)",
                "pexip-fwctl show rules \(source)\(node.map { " --node \($0.quoted)" } ?? "")",
                "pexip-fwctl diagram \(source)",
                "sha256sum \(subject.files.map(\.path.quoted).joined(separator: " "))",
            ]
        case .generation(_, let path):
            commands = ["pexip-fwctl report --in-force --state-dir \(path.quoted)"]
        }
        if status != nil {
            commands += [
                "pexip-fwctl status --json", "pexip-fwctl show rules",
                "pexip-fwctl show generations", "pexip-fwctl plan --nft",
            ]
            commands += subject.tables.map { "nft list table \($0.qualifiedName)" }
        }
        return Document.Section(
            anchor: "reproduction", title: "How to reproduce this",
            blocks: [
                .paragraph(
                    "These commands tell the same piece by piece; nft needs root, the agent's root or a member of the group pexip-fw."
                ),
                .code(commands),
                .table(
                    Document.Grid(
                        caption: "The files that this report was made from",
                        columns: ["File", "SHA-256"],
                        rows: subject.files.map {
                            Document.Grid.Line(cells: [.code($0.path), .code($0.digest)])
                        }
                    )),
                .facts(
                    [
                        Document.Fact(
                            "Digest of the configuration", .code(subject.configurationDigest))
                    ]
                        + subject.tables.map { table in
                            Document.Fact(
                                "Digest of table \(table.name)",
                                .code(subject.digest(of: table)))
                        }),
            ])
    }
}

extension String {
    /// As a shell takes it for one word.
    fileprivate var quoted: String {
        let plain = utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."),
                UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        if plain, !isEmpty { return self }
        return "'"
            + split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "'\\''") + "'"
    }
}
