package import Ruleset
internal import Site

extension NodeGroup {
    /// `conf-lon-1`, `12 Conferencing Nodes` or `3 of 12 Conferencing Nodes (conf-lon-2, …)`.
    package var label: String { label(noun: "\(title)s") }

    /// The same where the role has been said.
    package var shortLabel: String { label(noun: "nodes") }

    private func label(noun: String) -> String {
        if nodes.count == 1 { return representative.name }
        if nodes.count == nodesOfRole { return "\(nodes.count) \(noun)" }
        return "\(nodes.count) of \(nodesOfRole) \(noun) (\(representative.name), …)"
    }
}
