internal import PortModel

/// A batch that the kernel takes whole or not at all: statements of nft's language, one a line.
///
/// Only the constructors here make one, so a transaction is always finished: it says everything
/// that leads from an observed state to a wanted one.
package struct Transaction: Hashable, Sendable {
    /// A statement and what it is there for, so that the kernel's complaint can be put into the
    /// port model's words.
    package struct Statement: Hashable, Sendable {
        package let text: String
        /// The row's or object's id, where the statement makes or removes one.
        package let subject: String?
    }

    package private(set) var statements: [Statement] = []
    /// Some table is made, or made anew: its counters begin at zero.
    package private(set) var makesTables = false
    /// Rules are found by handles, which go where somebody else changes them.
    package private(set) var editsRules = false

    package var isEmpty: Bool { statements.isEmpty }
    /// The input for libnftables, one statement a line.
    package var text: String { statements.map { $0.text + "\n" }.joined() }

    private mutating func add(_ text: String, _ subject: String? = nil) {
        statements.append(Statement(text: text, subject: subject))
    }

    /// The least that is changed of a table which differs.
    package enum Grain: Hashable, Sendable {
        /// A single rule, found by its handle: the kernel refuses all where the rule has gone.
        case rule
        /// A chain with all its rules, whatever they are.
        case chain
        /// The whole table, whose counters then begin at zero.
        case table
    }

    /// The change from what the kernel holds to `wanted`.
    ///
    /// What is equal is not touched; rules come and go in place and sets are refilled, which neither
    /// loses nor leaks packets and keeps the counters. A table that can't be changed in place (a
    /// chain hooked elsewhere, a set of another type, a dormant table) is replaced.
    ///
    /// - Parameters:
    ///   - observed: our tables as the kernel holds them now; others must not be among them.
    ///   - wanted: the tables that are to be in force, stamped; observed tables that are not among
    ///     them are deleted.
    ///   - grain: coarser ones are for when a finer one failed.
    package init(from observed: [ObservedTable], to wanted: Ruleset, by grain: Grain = .rule) {
        let observedByName = Dictionary(
            observed.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        for table in wanted.tables {
            guard let old = observedByName[table.name] else {
                create(table)
                continue
            }
            if old.differences(from: table).isEmpty { continue }
            if grain != .table, old.canChangeInPlace(to: table) {
                change(old, to: table, by: grain)
            } else {
                add("delete table inet \(table.name)", table.name)
                create(table)
            }
        }
        for old in observed where !wanted.tables.contains(where: { $0.name == old.name }) {
            add("delete table inet \(old.name)", old.name)
        }
    }

    private mutating func create(_ table: Table) {
        makesTables = true
        change(ObservedTable(name: table.name), to: table, by: .chain)
    }

    private mutating func change(_ old: ObservedTable, to table: Table, by grain: Grain) {
        let name = table.name
        add("add table inet \(name)", name)
        for counter in table.counters where old.counters[counter] == nil {
            add("add counter inet \(name) \(counter)", counter)
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
            add("add chain inet \(name) \(chain.name)\(hook)", chain.name)
        }
        let goneChains = old.chains.filter { chain in
            !table.chains.contains { $0.name == chain.name }
        }
        let changed = table.chains.filter {
            oldChains[$0.name]?.rules != $0.rules.map(ObservedRule.known)
        }
        let edits = changed.map { chain in
            grain == .rule ? oldChains[chain.name]?.edits(to: chain) : nil
        }
        let refilled = zip(changed, edits).filter { $1 == nil }.map(\.0)
        for chain in refilled.map(\.name) + goneChains.map(\.name) where oldChains[chain] != nil {
            add("flush chain inet \(name) \(chain)", chain)
        }
        for (chain, edits) in zip(changed, edits) {
            if let edits {
                edit(chain.name, edits, in: name)
                continue
            }
            for rule in chain.rules {
                add("add rule inet \(name) \(chain.name) \(rule.text)", rule.comment)
            }
        }
        for chain in goneChains { add("delete chain inet \(name) \(chain.name)", chain.name) }
        for set in old.sets where !table.sets.contains(where: { $0.name == set.name }) {
            add("delete set inet \(name) \(set.name)", set.name)
        }
        for counter in old.counters.keys.sorted() where !table.counters.contains(counter) {
            add("delete counter inet \(name) \(counter)", counter)
        }
    }

    /// First what comes, since what goes may be what it is put before.
    private mutating func edit(_ chain: String, _ edits: ChainEdits, in table: String) {
        editsRules = true
        for (rule, successor) in edits.insertions {
            let place =
                successor.map { "insert rule inet \(table) \(chain) handle \($0)" }
                ?? "add rule inet \(table) \(chain)"
            add("\(place) \(rule.text)", rule.comment)
        }
        for handle in edits.removals {
            add("delete rule inet \(table) \(chain) handle \(handle)", chain)
        }
    }

    private mutating func refill(_ set: NamedSet, old: NamedSet?, in table: String) {
        if old == set { return }
        guard let old else {
            let properties = set.properties.joined(separator: "; ")
            add("add set inet \(table) \(set.name) { \(properties); }", set.name)
            add(elements: set, "add", in: table)
            return
        }
        switch set.kind {
        case .intervals:
            // An interval can only be deleted as it was added, so all are written anew.
            add("flush set inet \(table) \(set.name)", set.name)
            add(elements: set, "add", in: table)
        case .addresses, .countedAddresses:
            // Only what differs, which keeps the other elements' counters.
            var change = set
            change.addresses = old.addresses.subtracting(set.addresses)
            add(elements: change, "delete", in: table)
            change.addresses = set.addresses.subtracting(old.addresses)
            add(elements: change, "add", in: table)
        }
    }

    private mutating func add(elements set: NamedSet, _ verb: String, in table: String) {
        if set.addresses.isEmpty { return }
        let elements = set.elements.joined(separator: ", ")
        add("\(verb) element inet \(table) \(set.name) { \(elements) }", set.name)
    }
}

extension ObservedTable {
    /// A base chain's hook and priority, a set's type and a table's flags are fixed when they are
    /// made; a chain's policy is not.
    func canChangeInPlace(to table: Table) -> Bool {
        guard foreign.isEmpty else { return false }
        let chainsFit = table.chains.allSatisfy { wanted in
            guard let old = chains.first(where: { $0.name == wanted.name }) else { return true }
            switch (old.attachment, wanted.hook) {
            case (.none, nil): return true
            case (.hook(let hook), let wanted?):
                return hook.point == wanted.point && hook.priority == wanted.priority
            case (.foreign, _), (.none, _), (.hook, _): return false
            }
        }
        let setsFit = table.sets.allSatisfy { wanted in
            guard let old = sets.first(where: { $0.name == wanted.name }) else { return true }
            return old.set?.family == wanted.family && old.set?.kind == wanted.kind
        }
        return chainsFit && setsFit
    }
}
