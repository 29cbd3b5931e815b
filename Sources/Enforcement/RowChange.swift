internal import PortModel
internal import Ruleset

/// How one row of one node's table differs between two generations.
package struct RowChange: Hashable, Sendable, Codable {
    package enum Kind: String, Hashable, Sendable, Codable {
        /// The row was not enforced before: its packets pass now.
        case opened
        /// The row is gone: its packets are refused now.
        case closed
        /// Its addresses, peers or ports are others.
        case changed
    }

    package var kind: Kind
    package var table: String
    /// The row's or the site rule's id, a `host.` key, or a counter of refusals.
    package var row: String
}

extension Ruleset {
    /// What changes for packets from `old` to this ruleset, sorted by table and row.
    func changes(from old: Ruleset?) -> [RowChange] {
        let oldTables = Dictionary(
            (old?.tables ?? []).map { ($0.name, $0.meanings) }, uniquingKeysWith: { $1 })
        let newTables = Dictionary(
            tables.map { ($0.name, $0.meanings) }, uniquingKeysWith: { $1 })
        var changes: [RowChange] = []
        for table in Set(oldTables.keys).union(newTables.keys).sorted() {
            let before = oldTables[table] ?? [:]
            let after = newTables[table] ?? [:]
            for row in Set(before.keys).union(after.keys).sorted() where before[row] != after[row] {
                let kind: RowChange.Kind =
                    before[row] == nil ? .opened : after[row] == nil ? .closed : .changed
                // Refusals come and go with their table; a change is one of the mode.
                if row.hasPrefix(DropCounter.prefix), kind != .changed { continue }
                changes.append(RowChange(kind: kind, table: table, row: row))
            }
        }
        return changes
    }
}

extension Table {
    /// By row, everything that decides which packets the row's rules meet. Other rules, as those for
    /// loopback and ICMP errors, are the same in every table.
    fileprivate var meanings: [String: [String]] {
        let elements = Dictionary(
            sets.map { ($0.name, $0.addresses.elements.joined(separator: ",")) },
            uniquingKeysWith: { $1 })
        var meanings: [String: [String]] = [:]
        for chain in chains where chain.name != Stamp.chainName {
            for rule in chain.rules {
                let peers = rule.matches.compactMap { match -> String? in
                    switch match {
                    case .sourceIn(let set, _), .destinationIn(let set, _): elements[set]
                    default: nil
                    }
                }
                guard let comment = rule.comment,
                    counters.contains(comment) || comment.hasPrefix("host.")
                else { continue }
                meanings[comment, default: []].append(
                    ([chain.name, rule.text] + peers).joined(separator: " "))
            }
        }
        return meanings
    }
}
