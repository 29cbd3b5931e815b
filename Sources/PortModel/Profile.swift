/// The port usage of one documented version: its roles, its ports and all its rows.
package struct Profile: Hashable, Sendable {
    /// A kind of node, as a documented version has it.
    package struct Role: Hashable, Sendable {
        /// Unique in the profile; the rows of the role carry it.
        package let name: NodeRole
        /// As the documentation calls such a node, such as `Conferencing Node`.
        package let title: String
        /// Whether it may have a secondary address.
        package let mayBeDualHomed: Bool

        package init(name: NodeRole, title: String, mayBeDualHomed: Bool) {
            self.name = name
            self.title = title
            self.mayBeDualHomed = mayBeDualHomed
        }
    }

    /// A footnote's mark with its text.
    package struct Note: Hashable, Sendable {
        /// The mark that cells refer to it by.
        package let mark: Footnote
        /// The footnote's words, without the mark.
        package let text: String

        package init(_ mark: Footnote, _ text: String) {
            self.mark = mark
            self.text = text
        }

        /// As the documentation prints it below its tables.
        package var line: String { "\(mark.rawValue) \(text)" }
    }

    /// The name in the configuration's `profile`.
    package let name: String
    /// The roles in the documentation's order.
    package let roles: [Role]
    /// The documented defaults.
    package let ports: PortAssignments
    /// In the documentation's order.
    package let footnotes: [Note]
    /// Notes without a mark, which are about no row.
    package let remarks: [String]
    /// The rows in the documentation's order.
    package let rows: [Row]

    package init(
        name: String, roles: [Role], ports: PortAssignments, footnotes: [Note],
        remarks: [String] = [], rows: [Row]
    ) {
        self.name = name
        self.roles = roles
        self.ports = ports
        self.footnotes = footnotes
        self.remarks = remarks
        self.rows = rows
    }

    /// The documented versions.
    package static let all = [infinity14]

    /// The one that counts where a configuration names none.
    package static let standard = infinity14

    /// nil where no documented version has this name.
    package static func named(_ name: String) -> Profile? { all.first { $0.name == name } }

    /// All that a documented version knows, each once, those of the first version first.
    package static let allRoleNames: [NodeRole] = all.flatMap(\.roleNames)
        .reduce(into: []) { names, name in if !names.contains(name) { names.append(name) } }

    /// The rows of one of the documentation's tables, in its order.
    package func rows(of role: NodeRole, _ direction: Direction) -> [Row] {
        rows.filter { $0.role == role && $0.direction == direction }
    }

    /// The row as the documentation prints it, with the documented ports.
    package func documentedLine(of row: Row) -> String { row.line(ports) }

    /// The footnote with this mark; nil where this version has none.
    package func footnote(_ mark: Footnote) -> Note? { footnotes.first { $0.mark == mark } }
}

// MARK: Roles

extension Profile {
    /// In the documentation's order.
    package var roleNames: [NodeRole] { roles.map(\.name) }

    /// The role that a configuration calls so; nil where this version has none of that name.
    package func role(named name: String) -> Role? { roles.first { $0.name.rawValue == name } }

    /// nil where this version has no such role.
    package subscript(role: NodeRole) -> Role? { roles.first { $0.name == role } }

    /// As the documentation calls a node of the role; its name where this version has no such role.
    package func title(of role: NodeRole) -> String { self[role]?.title ?? role.rawValue }

    /// Whether calls pass nodes of the role: a row of theirs has ports for signaling or media.
    package func carriesCalls(_ role: NodeRole) -> Bool {
        rows.contains { $0.role == role && ($0.uses(.signaling) || $0.uses(.media)) }
    }
}
