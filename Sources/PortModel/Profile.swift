/// The port usage of one documented version: its roles, and all its rows.
package struct Profile: Hashable, Sendable {
    /// A kind of node, as a documented version has it.
    package struct Role: Hashable, Sendable {
        package let name: NodeRole
        /// As the documentation calls such a node, such as `Conferencing Node`.
        package let title: String
        /// Whether it may have a secondary address.
        package let mayBeDualHomed: Bool
    }

    /// The name in the configuration's `profile`.
    package let name: String
    /// The roles in the documentation's order.
    package let roles: [Role]
    /// The rows in the documentation's order.
    package let rows: [Row]

    /// The documented versions.
    package static let all = [infinity14]

    /// The one that counts where a configuration names none.
    package static let standard = infinity14

    package static func named(_ name: String) -> Profile? { all.first { $0.name == name } }

    /// All that a documented version knows, each once, those of the first version first.
    package static let allRoleNames: [NodeRole] = all.flatMap(\.roleNames)
        .reduce(into: []) { names, name in if !names.contains(name) { names.append(name) } }

    package func rows(of role: NodeRole, _ direction: Direction) -> [Row] {
        rows.filter { $0.role == role && $0.direction == direction }
    }
}

// MARK: Roles

extension Profile {
    package var roleNames: [NodeRole] { roles.map(\.name) }

    /// The role that a configuration calls so; nil where this version has none of that name.
    package func role(named name: String) -> Role? { roles.first { $0.name.rawValue == name } }

    /// nil where this version has no such role.
    package subscript(role: NodeRole) -> Role? { roles.first { $0.name == role } }

    /// As the documentation calls a node of the role; its name where this version has no such role.
    package func title(of role: NodeRole) -> String { self[role]?.title ?? role.rawValue }

    /// Whether calls pass nodes of the role: a row of theirs has ports for signaling or media.
    package func carriesCalls(_ role: NodeRole) -> Bool {
        rows.contains { row in
            row.role == role
                && [row.source, row.destination].contains { cell in
                    cell.uses(.signaling) || cell.uses(.media)
                }
        }
    }
}

extension PortCell {
    /// Whether ports of this range are among those of the cell.
    package func uses(_ range: NamedRange) -> Bool {
        if case .ports(_, range) = self { true } else { false }
    }
}
