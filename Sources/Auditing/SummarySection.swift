internal import Display
internal import Drawing
internal import Policy
internal import PortModel
internal import Reports
internal import Ruleset
internal import Site

extension Audit {
    func summary(_ deviations: [ConcernedDeviation]) -> Document.Section {
        var facts: [Document.Fact] = [
            Document.Fact("Host", Words("\(subject.host), Linux \(subject.kernel)")),
            Document.Fact("Time", Words(subject.time.description)),
            Document.Fact("State", stateWords),
            Document.Fact("Generation", generationWords),
            Document.Fact(
                "Configuration",
                Words("\(subject.origin.title) (\(subject.files.count.counted("file")))")),
            Document.Fact("In force", agreementWords),
            Document.Fact("Mode", modeWords),
            Document.Fact("Profile", Words(deployment.profile.name)),
            Document.Fact("Placement", placementWords),
            Document.Fact("Nodes", coverageWords),
            Document.Fact("Rows", Words(rowCounts)),
            Document.Fact("Deviations", Words(deviationCounts(deviations))),
        ]
        if let status {
            facts.insert(
                Document.Fact(
                    "Agent",
                    Words(
                        "pexip-fwd \(status.agent.version), running since \(status.agent.started)")
                ), at: 2)
            let refused = status.refusals.reduce(UInt64(0)) { $0 &+ $1.value.packets }
            facts += [
                Document.Fact("Refused", Words(Quantities.counted(refused, "packet"))),
                Document.Fact("Other firewalls", shadowWords(status)),
                Document.Fact("Foreign changes", driftWords(status)),
            ]
        }
        return Document.Section(
            anchor: "summary", title: "Summary", blocks: alerts + [.facts(facts)])
    }

    private func shadowWords(_ status: StatusReport) -> Words {
        status.shadows.isEmpty
            ? "none that may cut what is permitted"
            : .toned(.caution, status.shadows.count.counted("chain"))
                + " that may cut what is permitted"
    }

    private func driftWords(_ status: StatusReport) -> Words {
        status.drift.count == 0
            ? "none since the agent started"
            : .toned(.caution, "\(status.drift.count)")
                + Words(
                    " since the agent started, the last at \(status.drift.last?.time.description ?? "a time that is not known")"
                )
    }

    private var stateWords: Words {
        guard let status else { return .toned(.caution, "not known: the agent did not answer") }
        return .toned(status.state.isHealthy ? .good : .bad, status.state.name)
            + Words(": \(status.state.meaning)")
    }

    private var generationWords: Words {
        guard let status else { return "not known" }
        guard let generation = status.generation else { return "none is in force" }
        var words = Words("\(generation)")
        if let created = status.generationCreated { words = words + Words(", of \(created)") }
        if let origin = status.generationOrigin {
            words = words + Words(", by \(origin.words(status.changedFiles))")
        }
        if let confirmed = status.confirmedGeneration, confirmed != generation {
            words = words + Words("; confirmed is \(confirmed)")
        }
        return words
    }

    private var agreementWords: Words {
        switch agreement {
        case .same:
            .toned(.good, "as configured")
                + Words(
                    ": the tables in force are, to the letter, those that \(subject.origin.words) compiles to"
                )
        case .different:
            .toned(.bad, "not as configured")
                + Words(
                    ": the tables in force are not those that \(subject.origin.words) compiles to")
        case .unknown(let reason):
            .toned(.caution, "not compared") + Words(" with what is in force: \(reason)")
        }
    }

    private var modeWords: Words {
        switch deployment.mode {
        case .enforce: "enforce: what no row permits is dropped and counted"
        case .observe:
            .toned(.caution, "observe") + ": what no row permits is counted, and nothing is dropped"
        }
    }

    private var placementWords: Words {
        switch deployment.placement {
        case .local: "local: the rules stand on the node itself (input and output)"
        case .gateway: "gateway: the rules stand in front of the nodes (forward)"
        }
    }

    private var coverageWords: Words {
        let all = deployment.nodes.count
        switch subject.coverage {
        case .enforcedHere(let nodes) where nodes.count == all:
            return Words("all \(all.counted("node")) of the deployment, which this host enforces")
        case .enforcedHere(let nodes):
            return Words(
                "\(nodes.count) of \(all.counted("node")) of the deployment, which this host enforces"
            )
        case .asked(let node):
            return Words("\(node.name), which was asked for, of \(all.counted("node"))")
        case .everything(let reason):
            return .toned(.caution, "none is enforced by this host")
                + Words(" (\(reason)); told are all \(all), as their own hosts would enforce them")
        }
    }

    /// The alerts, which come before anything else since they must not be overlooked.
    private var alerts: [Document.Block] {
        var alerts: [Document.Block] = []
        func add(_ tone: Tone, _ words: Words) { alerts.append(.alert(tone, words)) }
        if case .silent(let silence) = subject.agent {
            add(
                .caution,
                Words(
                    "The agent did not answer: \(silence.reason). This report tells what is configured; it does not know what is in force, and has no counters."
                ))
        }
        if let problem = status?.problem { add(.bad, Words("Problem: \(problem)")) }
        if let explanation = status?.hold?.explanation {
            add(.bad, Words("Taken back: \(explanation)"))
        }
        if let pending = status?.pending {
            let back =
                pending.fallback.map { "generation \($0) comes back" } ?? "nothing is enforced"
            add(
                .caution,
                Words(
                    "The generation in force waits for confirmation: without it, \(back) at \(pending.deadline)."
                ))
        }
        if case .different(let tables) = agreement {
            add(
                .bad,
                Words(
                    "The rules in force differ from what \(subject.origin.words) says (\(Quantities.list(tables, atMost: 3))). The rows and rules below are the configuration's."
                ))
            if case .answered(_, _, let plan?) = subject.agent {
                alerts.append(.paragraph("Changes that pexip-fwctl apply would make:"))
                alerts.append(.code(plan.changesPage.lines(width: nil, isColoured: false)))
            }
        }
        return alerts
    }

    private var rowCounts: String {
        let documented = deployment.profile.rows.count
        let open = groups.flatMap(\.open)
        let rows = Set(open.filter { $0.row != nil }.map(\.id)).count
        let rules = Set(open.filter { $0.row == nil }.map(\.id)).count
        let roles = Set(groups.map(\.group.role))
        let ofRoles = deployment.profile.rows.count { roles.contains($0.role) }
        return
            "of \(documented) documented rows \(rows) are open, \(ofRoles - rows) are off and \(documented - ofRoles) are of roles without a node here; \(rules.counted("rule")) of the site's own"
    }

    private func deviationCounts(_ deviations: [ConcernedDeviation]) -> String {
        if deviations.isEmpty { return "none" }
        return Deviation.Kind.allCases.compactMap { kind in
            let count = deviations.count { $0.deviation.kind == kind }
            return count == 0 ? nil : "\(count) \(count == 1 ? kind.rawValue : kind.plural)"
        }.joined(separator: ", ")
    }
}
