internal import Drawing
internal import PortModel
internal import Reports
internal import Ruleset
internal import Site

extension AuditSubject {
    /// The report: the configuration, the rules that come of it, how far these are in force, and
    /// how it differs from the documented defaults.
    package var report: Document { Audit(self).document }
}

/// The material of a report: its subject, with the parts that take long to find out.
struct Audit {
    let subject: AuditSubject
    let groups: [GroupFacts]
    let agreement: AuditSubject.Agreement

    init(_ subject: AuditSubject) {
        self.subject = subject
        groups = subject.deployment.groups(of: subject.nodes).map {
            GroupFacts($0, in: subject.deployment, compiled: subject.tables)
        }
        agreement = subject.agreement
    }

    var deployment: Deployment { subject.deployment }
    var status: StatusReport? { subject.status }

    var document: Document {
        let deviations = deviations
        return Document(
            title: "Port usage of Pexip Infinity nodes: report of \(subject.host)",
            subtitle: "Made on \(subject.time.description) by pexip-fwctl \(subject.version)",
            sections: [
                summary(deviations), deploymentSection, deviationsSection(deviations),
                peersSection, rowsSection, trafficSection, hostSection, diagramsSection,
                footnotesSection, reproductionSection,
            ])
    }

    var diagramsSection: Document.Section {
        Document.Section(
            anchor: "diagrams", title: "Diagrams",
            blocks: groups.flatMap(\.diagrams).enumerated().map { index, diagram in
                .diagram(diagram, anchor: "diagram-\(index + 1)")
            })
    }

    var footnotesSection: Document.Section {
        Document.Section(
            anchor: "footnotes", title: "Footnotes of the documentation",
            blocks: [
                .facts(
                    deployment.profile.footnotes.map {
                        Document.Fact($0.mark.rawValue, Words($0.text))
                    } + deployment.profile.remarks.map { Document.Fact("Note", Words($0)) })
            ])
    }
}
