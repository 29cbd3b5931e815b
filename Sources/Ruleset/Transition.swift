internal import Site
internal import PortModel

extension Ruleset {
    /// The state to go through where interval sets change their type; nil where none does.
    ///
    /// A set can't change its type, and a new one can't be filled before the old one gave its name
    /// free. So the rules first look into sets by other names, which are filled before that, and then
    /// into those by the right names, which are filled meanwhile.
    package func interim(from observed: [ObservedTable]) -> Ruleset? {
        var isNeeded = false
        let tables = tables.map { table in
            guard let old = observed.first(where: { $0.id == table.id }),
                let interim = table.interim(from: old)
            else { return table }
            isNeeded = true
            return interim
        }
        return isNeeded ? Ruleset(tables: tables) : nil
    }

    /// The state to go through where nodes change their class on a gateway; nil where the kernel can
    /// be brought to this ruleset at once.
    ///
    /// A packet's lookups into two sets may fall before and behind a commit. A node that leaves one
    /// class's set and enters another's in one transaction could so be found in neither, and its
    /// packet would pass unjudged. So it is first in both, where both classes judge it, and then in
    /// the new one alone.
    package func transition(from observed: [ObservedTable]) -> Ruleset? {
        var isNeeded = false
        let tables = tables.map { table in
            guard let old = observed.first(where: { $0.id == table.id }),
                let both = table.transition(from: old)
            else { return table }
            isNeeded = true
            return both
        }
        return isNeeded ? Ruleset(tables: tables) : nil
    }
}

extension Table {
    /// This table with other names for the interval sets whose type the old one's do not have.
    fileprivate func interim(from old: ObservedTable) -> Table? {
        // A table that holds foreign objects is replaced as a whole.
        guard old.foreign.isEmpty else { return nil }
        let misfitting = Set(old.misfittingSets(for: self))
        let standIns = Dictionary(
            uniqueKeysWithValues: sets.filter {
                $0.kind == .intervals && misfitting.contains($0.name)
            }.map { ($0.name, SetPurpose.standIn($0.purpose).name($0.family)) })
        if standIns.isEmpty { return nil }
        return Table(
            family: family, name: name, counters: counters,
            sets: sets.map { set in
                var set = set
                set.name = standIns[set.name] ?? set.name
                return set
            },
            chains: chains.map { chain in
                var chain = chain
                for index in chain.rules.indices {
                    chain.rules[index].matches = chain.rules[index].matches.map {
                        $0.looking(into: standIns)
                    }
                }
                return chain
            })
    }

    /// This table with everything of the old one that still judges.
    fileprivate func transition(from old: ObservedTable) -> Table? {
        let oldSets = old.sets.compactMap(\.set)
        let oldChains = old.chains.compactMap(Chain.init(observed:))
        guard old.foreign.isEmpty, oldChains.count == old.chains.count,
            placement?.facts.sharedTable != nil, movesNodes(from: oldSets)
        else { return nil }

        var sets = Dictionary(oldSets.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        for set in self.sets {
            var both = set
            if let old = sets[set.name], old.kind == set.kind, set.kind != .intervals {
                both.addresses = set.addresses.union(old.addresses)
            }
            sets[set.name] = both
        }
        var chains = Dictionary(oldChains.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        for chain in self.chains {
            var both = chain
            if chain.hook != nil, let old = chains[chain.name] {
                // The jumps of classes that go.
                both.rules += old.rules.filter { !chain.rules.contains($0) }
            }
            chains[chain.name] = both
        }
        return Table(
            family: family, name: name, counters: Array(Set(counters).union(old.counters.keys)),
            sets: Array(sets.values), chains: Array(chains.values))
    }

    /// Whether a set loses a node that stays enforced.
    private func movesNodes(from old: [NamedSet]) -> Bool {
        let enforced = sets.filter { $0.kind == .countedAddresses }
            .reduce(AddressSet()) { $0.union($1.addresses) }
        return old.contains { set in
            guard set.kind == .addresses else { return false }
            let kept = sets.first { $0.name == set.name }?.addresses ?? AddressSet()
            let removed = set.addresses.subtracting(kept)
            return removed.subtracting(enforced) != removed
        }
    }
}

extension Match {
    /// The same condition with other names of sets.
    fileprivate func looking(into names: [String: String]) -> Match {
        switch self {
        case .sourceIn(let set, let family): .sourceIn(set: names[set] ?? set, family)
        case .destinationIn(let set, let family): .destinationIn(set: names[set] ?? set, family)
        default: self
        }
    }
}

extension Chain {
    /// nil where the chain holds anything that this model has no words for.
    fileprivate init?(observed: ObservedChain) {
        let rules = observed.rules.compactMap { rule in
            if case .known(let known) = rule { known } else { nil }
        }
        guard rules.count == observed.rules.count else { return nil }
        switch observed.attachment {
        case .none: self.init(name: observed.name, rules: rules)
        case .hook(let hook): self.init(name: observed.name, hook: hook, rules: rules)
        case .foreign: return nil
        }
    }
}
