/// What makes a chain's rules into others by handles: what follows the last rule that stays goes and
/// comes anew behind it.
///
/// Nothing is put before another rule: for `insert rule … handle` libnftables reads back all rules of
/// all tables, which takes longer than writing a chain anew; `delete rule … handle` and `add rule`
/// read none (nftables 1.0.6).
struct ChainEdits {
    /// Handles, in the order of the rules.
    var removals: ArraySlice<UInt64>
    /// Added at the chain's end.
    var additions: ArraySlice<Rule>
}

extension ObservedChain {
    /// Whether it has these rules, in this order, and no others.
    func holds(_ wanted: [Rule]) -> Bool {
        rules.count == wanted.count && countOfKept(in: wanted) == wanted.count
    }

    /// How many rules both begin with.
    private func countOfKept(in wanted: [Rule]) -> Int {
        zip(rules, wanted).prefix { own, wanted in
            if case .known(let rule) = own { rule == wanted } else { false }
        }.count
    }

    /// nil where the handles are not known, or refilling the chain says less.
    func edits(to wanted: Chain) -> ChainEdits? {
        guard handles.count == rules.count else { return nil }
        let kept = countOfKept(in: wanted.rules)
        guard kept >= handles.count - kept else { return nil }
        return ChainEdits(
            removals: handles.dropFirst(kept), additions: wanted.rules.dropFirst(kept))
    }
}
