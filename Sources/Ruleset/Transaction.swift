internal import PortModel

/// A batch that the kernel takes whole or not at all: statements of nft's language, one a line.
///
/// Only the constructors here make one, so a transaction is always finished: it says everything
/// that leads from an observed state to a wanted one.
package struct Transaction: Hashable, Sendable {
    /// A statement and what it is there for, so that the kernel's complaint can be put into the
    /// port model's words.
    package struct Statement: Hashable, Sendable {
        /// One line of nft's language, without its end.
        package let text: String
        /// The row's or object's id, where the statement makes or removes one.
        package let subject: String?
    }

    /// In the order in which the kernel executes them.
    package private(set) var statements: [Statement] = []
    /// Some table is made, or made anew: its counters begin at zero.
    package private(set) var makesTables = false
    /// Rules are found by handles or put behind others, which somebody else may change meanwhile.
    package private(set) var editsRules = false
    /// A chain, set or counter goes whose name somebody else gave it, and may be a word of nft's
    /// language, as `tcp`: such a statement is refused.
    package private(set) var namesForeignWords = false

    /// There is nothing to commit: the kernel holds it already.
    package var isEmpty: Bool { statements.isEmpty }
    /// The input for libnftables, one statement a line.
    package var text: String { statements.map { $0.text + "\n" }.joined() }

    private mutating func add(_ text: String, _ subject: String? = nil) {
        statements.append(Statement(text: text, subject: subject))
    }

    /// The least that is changed of a table which differs.
    package enum Grain: Hashable, Sendable {
        /// The rules that differ, found by their handles: the kernel refuses all where one has gone.
        case rule
        /// A chain with all its rules, whatever they are.
        case chain
        /// The whole table, whose counters then begin at zero.
        case table
    }

    /// The change from what the kernel holds to `wanted`.
    ///
    /// Equal parts are not touched; rules come and go in their chain and sets are refilled, which
    /// neither loses nor leaks packets and keeps the counters. A chain that is hooked elsewhere and
    /// a set of another type are made anew in their table; a table with anything that none of ours
    /// has (a map, the flag dormant) is replaced.
    ///
    /// - Parameters:
    ///   - observed: our tables as the kernel holds them now; others must not be among them.
    ///   - wanted: the tables that are to be in force, stamped; observed tables that are not among
    ///     them are deleted.
    ///   - grain: coarser ones are for when a finer one failed.
    package init(from observed: [ObservedTable], to wanted: Ruleset, by grain: Grain = .rule) {
        let observedByID = Dictionary(observed.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        for table in wanted.tables {
            guard let old = observedByID[table.id] else {
                create(table)
                continue
            }
            if grain != .table, old.foreign.isEmpty {
                change(clear(old, for: table), to: table, by: grain)
            } else if !old.differences(from: table).isEmpty {
                add("delete table \(table.qualifiedName)", table.name)
                create(table)
            }
        }
        for old in observed where !wanted.tables.contains(where: { $0.id == old.id }) {
            add("delete table \(old.qualifiedName)", old.name)
        }
    }

    /// Makes the interval sets that `target` has and the kernel has not, in tables that are changed
    /// and in those that come in the place of others. No rule looks into them.
    ///
    /// Elements of a new interval set can be found a moment after its commit, when the kernel has
    /// built its tree: rules of the same transaction would look into an empty set (measured on 6.18).
    /// So this goes before the transaction with these rules.
    package init(preparing target: Ruleset, from observed: [ObservedTable]) {
        let replacesTables = observed.contains { old in
            !target.tables.contains { $0.id == old.id }
        }
        for table in target.tables {
            let old = observed.first { $0.id == table.id }
            let new = table.sets.filter { set in
                set.kind == .intervals && old?.sets.contains { $0.name == set.name } != true
            }
            if new.isEmpty { continue }
            if let old {
                // A table that holds foreign objects will be replaced.
                guard old.foreign.isEmpty else { continue }
                for set in new { refill(set, old: nil, in: table.qualifiedName) }
            } else if replacesTables {
                // By its stamp it is ours, whatever comes next.
                let stamp = table.chains.filter { $0.name == Stamp.chainName }
                create(
                    Table(
                        family: table.family, name: table.name, counters: [], sets: new,
                        chains: stamp))
            }
        }
    }

    /// Takes away the tables and sets that a preparation made; nil where the kernel differs from
    /// `before` in more than that.
    package init?(takingBackPreparationIn observed: [ObservedTable], to before: [ObservedTable]) {
        for old in observed {
            guard let table = before.first(where: { $0.id == old.id }) else {
                add("delete table \(old.qualifiedName)", old.name)
                continue
            }
            var rest = old
            rest.sets.removeAll { set in !table.sets.contains { $0.name == set.name } }
            guard rest.withoutCounts == table.withoutCounts else { return nil }
            for set in old.sets where !rest.sets.contains(where: { $0.name == set.name }) {
                add("delete set \(old.qualifiedName) \(set.name)", set.name)
            }
        }
        guard before.allSatisfy({ table in observed.contains { $0.id == table.id } }) else {
            return nil
        }
    }

    /// Takes away the chains and sets that can't become those of `table` by the same names, with
    /// all rules, since some may refer to them; rules come back in the same transaction.
    ///
    /// Packets that are on their way through a chain or look into a set that goes still find it
    /// whole, so that each packet is judged by the old rules, the new ones or both.
    ///
    /// - Returns: the rest of the old table.
    private mutating func clear(_ old: ObservedTable, for table: Table) -> ObservedTable {
        let chains = old.misfittingChains(for: table)
        let sets = old.misfittingSets(for: table)
        if chains.isEmpty && sets.isEmpty { return old }
        add("flush table \(old.qualifiedName)", old.name)
        for name in chains { add("delete chain \(old.qualifiedName) \(name)", name) }
        for name in sets { add("delete set \(old.qualifiedName) \(name)", name) }
        var left = old
        left.chains.removeAll { chains.contains($0.name) }
        left.sets.removeAll { sets.contains($0.name) }
        for index in left.chains.indices {
            left.chains[index].rules = []
            left.chains[index].handles = []
        }
        return left
    }

    private mutating func create(_ table: Table) {
        makesTables = true
        add("add table \(table.qualifiedName)", table.name)
        change(ObservedTable(table.id), to: table, by: .chain)
    }

    private mutating func change(_ old: ObservedTable, to table: Table, by grain: Grain) {
        let name = table.qualifiedName
        for counter in table.counters where old.counters[counter] == nil {
            add("add counter \(name) \(counter)", counter)
        }
        for set in table.sets {
            refill(set, old: old.sets.first { $0.name == set.name }?.set, in: name)
        }
        // Chains come before the rules that jump to them, and every chain that changes is emptied
        // before anything that it may refer to goes.
        let oldChains = Dictionary(old.chains.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        for chain in table.chains
        where oldChains[chain.name]?.attachment != ObservedChain.Attachment(chain.hook) {
            let hook = chain.hook.map { " { \($0.text) }" } ?? ""
            add("add chain \(name) \(chain.name)\(hook)", chain.name)
        }
        let goneChains = old.chains.filter { chain in
            !table.chains.contains { $0.name == chain.name }
        }
        let changes = table.chains.map { chain in
            (chain, oldChains[chain.name]?.change(to: chain.rules, by: grain) ?? .refill)
        }
        for (chain, change) in changes where oldChains[chain.name] != nil {
            if case .refill = change { add("flush chain \(name) \(chain.name)", chain.name) }
        }
        for chain in goneChains { remove("flush chain", chain.name, from: name) }
        for (chain, change) in changes {
            let additions: [Rule]
            switch change {
            case .none: continue
            case .refill: additions = chain.rules
            case .edit(let removals, let added):
                editsRules = true
                for handle in removals {
                    add("delete rule \(name) \(chain.name) handle \(handle)", chain.name)
                }
                additions = added
            }
            for rule in additions {
                add("add rule \(name) \(chain.name) \(rule.text)", rule.comment)
            }
        }
        for chain in goneChains { remove("delete chain", chain.name, from: name) }
        for set in old.sets where !table.sets.contains(where: { $0.name == set.name }) {
            remove("delete set", set.name, from: name)
        }
        for counter in old.counters.keys.sorted() where !table.counters.contains(counter) {
            remove("delete counter", counter, from: name)
        }
    }

    /// - Parameter table: as nft's language names it.
    private mutating func remove(_ what: String, _ name: String, from table: String) {
        if ObjectName.mayBeKeyword(name) { namesForeignWords = true }
        add("\(what) \(table) \(name)", name)
    }

    /// - Parameter table: as nft's language names it.
    private mutating func refill(_ set: NamedSet, old: NamedSet?, in table: String) {
        if old == set { return }
        guard let old else {
            let properties = set.properties.joined(separator: "; ")
            add("add set \(table) \(set.name) { \(properties); }", set.name)
            add(elements: set, "add", in: table)
            return
        }
        switch set.kind {
        case .intervals:
            // An interval can only be deleted as it was added, so all are written anew.
            add("flush set \(table) \(set.name)", set.name)
            add(elements: set, "add", in: table)
        case .addresses, .countedAddresses:
            // Only what differs, which keeps the other elements' counters.
            var change = set
            change.addresses = old.addresses.subtracting(set.addresses)
            add(elements: change, "delete", in: table)
            change.addresses = set.addresses.subtracting(old.addresses)
            add(elements: change, "add", in: table)
        case .pairs, .strayPairs, .adoption:
            // Elements are the packets' to add or go by themselves, and nothing else can change in
            // place.
            break
        }
    }

    private mutating func add(elements set: NamedSet, _ verb: String, in table: String) {
        if set.elements.isEmpty { return }
        let elements = set.elements.joined(separator: ", ")
        add("\(verb) element \(table) \(set.name) { \(elements) }", set.name)
    }
}

extension ObservedTable {
    /// The chains that `table` has at another hook or priority, which are fixed when a chain is made;
    /// its policy is not.
    fileprivate func misfittingChains(for table: Table) -> [String] {
        table.chains.filter { wanted in
            guard let old = chains.first(where: { $0.name == wanted.name }) else { return false }
            return switch (old.attachment, wanted.hook) {
            case (.none, nil): false
            case (.hook(let hook), let wanted?):
                hook.point != wanted.point || hook.priority != wanted.priority
            case (.foreign, _), (.none, _), (.hook, _): true
            }
        }.map(\.name)
    }

    /// The sets that `table` has with another type, which is fixed when a set is made.
    func misfittingSets(for table: Table) -> [String] {
        table.sets.filter { wanted in
            guard let old = sets.first(where: { $0.name == wanted.name }) else { return false }
            return old.set?.family != wanted.family || old.set?.kind != wanted.kind
        }.map(\.name)
    }
}
