/// What makes a chain's rules into others, rule by rule.
struct ChainEdits {
    /// In the order of the wanted rules: the rule, and the handle of the next one that stays; nil
    /// where it comes after all that stay.
    var insertions: [(rule: Rule, successor: UInt64?)] = []
    /// Handles, in the order of the rules.
    var removals: [UInt64] = []
}

extension ObservedChain {
    /// nil where the handles are not known, or no rule stays.
    func edits(to wanted: Chain) -> ChainEdits? {
        guard handles.count == rules.count else { return nil }
        let difference = wanted.rules.map(ObservedRule.known).difference(from: rules)
        guard difference.removals.count < rules.count else { return nil }
        var edits = ChainEdits()
        var removed: Set<Int> = []
        var inserted: Set<Int> = []
        for change in difference {
            switch change {
            case .remove(let offset, _, _): removed.insert(offset)
            case .insert(let offset, _, _): inserted.insert(offset)
            }
        }
        edits.removals = handles.indices.filter { removed.contains($0) }.map { handles[$0] }
        var staying = handles.indices.filter { !removed.contains($0) }.map { handles[$0] }
        var successor: UInt64?
        for index in wanted.rules.indices.reversed() {
            if inserted.contains(index) {
                edits.insertions.append((wanted.rules[index], successor))
            } else {
                successor = staying.popLast()
            }
        }
        edits.insertions.reverse()
        return edits
    }
}
