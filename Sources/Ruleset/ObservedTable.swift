package import PortModel
package import Site

/// A table as the kernel holds it, which may hold anything. A part that this model has no words for
/// is kept as text, so that it differs from everything that was compiled.
///
/// Every name and comment of an object or a known rule is plain (``ObjectName``), so that it may
/// stand in nft's language. An object with another one is foreign.
package struct ObservedTable: Hashable, Sendable {
    /// One of our placements' (``TableFamily/ofPlacements``): no other tables are read.
    package var family: TableFamily
    /// One of ours, by compilation or by its stamp: see ``OwnTable``.
    package var name: String
    /// The named counters, by their names in the kernel.
    package var counters: [String: CounterValue]
    /// As the kernel lists them, foreign ones among them.
    package var sets: [ObservedSet]
    /// As the kernel lists them, foreign ones among them.
    package var chains: [ObservedChain]
    /// Objects and flags that no table of ours has, in words: a map, a flowtable, `flags dormant`.
    package var foreign: [String]

    /// Without arguments but its family and name: a table that was just made.
    package init(
        _ id: TableID, counters: [String: CounterValue] = [:], sets: [ObservedSet] = [],
        chains: [ObservedChain] = [], foreign: [String] = []
    ) {
        family = id.family
        name = id.name
        self.counters = counters
        self.sets = sets
        self.chains = chains
        self.foreign = foreign
    }
}

extension ObservedTable {
    /// The table as the kernel tells it from others.
    package var id: TableID { TableID(family, name) }

    /// The table as nft's language names it: `inet pexip_fw_gateway`.
    package var qualifiedName: String { id.qualifiedName }

    /// The table with all counters at zero and nothing noted, to compare what others than packets
    /// changed.
    package var withoutCounts: ObservedTable {
        var table = self
        table.counters = counters.mapValues { _ in CounterValue() }
        for index in table.sets.indices {
            table.sets[index].counters = table.sets[index].counters.mapValues { _ in
                CounterValue()
            }
            table.sets[index].noted = [:]
        }
        return table
    }
}

/// A named counter's value.
package struct CounterValue: Hashable, Sendable, Codable {
    /// Packets that met the counter since it was made.
    package var packets: UInt64
    /// Of the packets from their IP headers on.
    package var bytes: UInt64

    /// Without arguments: a counter that no packet met yet.
    package init(packets: UInt64 = 0, bytes: UInt64 = 0) {
        self.packets = packets
        self.bytes = bytes
    }
}

/// A set as the kernel holds it, with the counts and notes of packets.
package struct ObservedSet: Hashable, Sendable {
    /// The set's name in the kernel.
    package var name: String
    /// nil where the set's type, flags or elements are none that this model has.
    package var set: NamedSet?
    /// The counters of a set that counts at each element.
    package var counters: [IPAddress: CounterValue]
    /// The pairs that packets noted, with the seconds since the last of them did.
    package var noted: [AddressPair: Int]

    /// - Parameter set: nil where this model has no such set.
    package init(
        name: String, set: NamedSet?, counters: [IPAddress: CounterValue] = [:],
        noted: [AddressPair: Int] = [:]
    ) {
        self.name = name
        self.set = set
        self.counters = counters
        self.noted = noted
    }
}

/// Two are equal that say the same, whatever numbers the kernel gave their rules.
package struct ObservedChain: Hashable, Sendable {
    /// The hook at which the kernel has the chain, if at any.
    package enum Attachment: Hashable, Sendable {
        case none
        case hook(Hook)
        /// A type, hook, priority or policy that this model has no words for.
        case foreign
    }

    /// The chain's name in the kernel.
    package var name: String
    /// A chain at another hook or priority than ours must be made anew.
    package var attachment: Attachment
    /// In the order in which packets meet them.
    package var rules: [ObservedRule]
    /// The kernel's numbers for the rules, one for each, by which single rules are changed; empty
    /// where they are not known.
    package var handles: [UInt64]

    /// - Parameter handles: one for each rule, or none at all.
    package init(
        name: String, attachment: Attachment, rules: [ObservedRule], handles: [UInt64] = []
    ) {
        self.name = name
        self.attachment = attachment
        self.rules = rules
        self.handles = handles
    }

    package static func == (one: ObservedChain, other: ObservedChain) -> Bool {
        one.name == other.name && one.attachment == other.attachment && one.rules == other.rules
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(name)
        hasher.combine(attachment)
        hasher.combine(rules)
    }
}

/// A rule as the kernel lists it.
package enum ObservedRule: Hashable, Sendable {
    case known(Rule)
    /// A rule with an expression that this model has no words for, as JSON.
    case foreign(String)
}

/// One way in which the kernel differs from what was compiled, in words for people.
package struct Difference: Hashable, Sendable, Codable, CustomStringConvertible {
    /// It names the table and the object, without a full stop.
    package let description: String

    /// - Parameter description: names the table and the object.
    package init(_ description: String) { self.description = description }
}

extension ObservedTable {
    /// The differences from `expected`; empty when the kernel holds exactly that. Counters' values
    /// are not compared.
    package func differences(from expected: Table) -> [Difference] {
        var found: [Difference] = []
        func report(_ text: String) { found.append(Difference("table \(id.words): \(text)")) }

        for object in foreign { report("foreign \(object)") }
        let expectedCounters = Set(expected.counters)
        for counter in expected.counters where counters[counter] == nil {
            report("counter \(counter) is missing")
        }
        for counter in counters.keys.sorted() where !expectedCounters.contains(counter) {
            report("foreign counter \(counter)")
        }

        let setsByName = Dictionary(sets.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        for set in expected.sets {
            guard let observed = setsByName[set.name] else {
                report("set \(set.name) is missing")
                continue
            }
            // Counters' values belong to the kernel.
            if observed.set != set { report("set \(set.name) has other elements or another type") }
        }
        for set in sets where !expected.sets.contains(where: { $0.name == set.name }) {
            report("foreign set \(set.name)")
        }

        let chainsByName = Dictionary(chains.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        for chain in expected.chains {
            guard let observed = chainsByName[chain.name] else {
                report("chain \(chain.name) is missing")
                continue
            }
            if observed.attachment != ObservedChain.Attachment(chain.hook) {
                report("chain \(chain.name) is attached differently")
            }
            found += observed.differences(from: chain.rules, in: id.words)
        }
        for chain in chains where !expected.chains.contains(where: { $0.name == chain.name }) {
            report("foreign chain \(chain.name)")
        }
        return found
    }

    /// The generation that the table says it belongs to.
    package var stamp: Stamp? {
        for chain in chains where chain.name == Stamp.chainName {
            if case .known(let rule) = chain.rules.first, let comment = rule.comment {
                return Stamp(comment: comment)
            }
        }
        return nil
    }
}

extension Table {
    /// The table as it was read; nil where it holds something that this model has no words for.
    package init?(_ observed: ObservedTable) {
        var chains: [Chain] = []
        for chain in observed.chains {
            var rules: [Rule] = []
            for rule in chain.rules {
                guard case .known(let known) = rule else { return nil }
                rules.append(known)
            }
            switch chain.attachment {
            case .none: chains.append(Chain(name: chain.name, rules: rules))
            case .hook(let hook): chains.append(Chain(name: chain.name, hook: hook, rules: rules))
            case .foreign: return nil
            }
        }
        let sets = observed.sets.compactMap(\.set)
        guard observed.foreign.isEmpty, sets.count == observed.sets.count else { return nil }
        self.init(
            family: observed.family, name: observed.name, counters: Array(observed.counters.keys),
            sets: sets,
            chains: chains)
    }
}

extension ObservedChain.Attachment {
    /// - Parameter hook: nil for a chain that is only jumped to.
    package init(_ hook: Hook?) { self = hook.map(Self.hook) ?? .none }
}

extension ObservedChain {
    /// - Parameter table: for people.
    fileprivate func differences(from expected: [Rule], in table: String) -> [Difference] {
        if holds(expected) { return [] }
        // Rules are told apart by what they say; a multiset difference names what came and went.
        var missing = expected
        var extra: [ObservedRule] = []
        for rule in rules {
            if case .known(let known) = rule, let index = missing.firstIndex(of: known) {
                missing.remove(at: index)
            } else {
                extra.append(rule)
            }
        }
        if missing.isEmpty && extra.isEmpty {
            return [Difference("table \(table): chain \(name): rules stand in another order")]
        }
        return missing.map {
            Difference("table \(table): chain \(name): rule is missing: \($0.text)")
        }
            + extra.map {
                Difference("table \(table): chain \(name): foreign rule: \($0.text)")
            }
    }
}

extension ObservedRule {
    fileprivate var text: String {
        switch self {
        case .known(let rule): rule.text
        case .foreign(let json): json
        }
    }
}
