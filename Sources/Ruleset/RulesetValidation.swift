internal import PortModel
internal import Site

/// Why a ruleset is none of ours: what is wrong with it, and where.
package struct RulesetFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// Names the table and its part; one fault, the first.
    package let description: String

    init(_ description: String) { self.description = description }

    /// Of rules that adopt connections for a time, which stand in the kernel alone.
    fileprivate static func passing(_ subject: String) -> RulesetFault {
        RulesetFault("\(subject) adopts connections, which is nothing to keep")
    }
}

extension Ruleset {
    /// Judges a ruleset that was not compiled here but read, as if a stranger had written it.
    ///
    /// One that passes can be rendered without a word of it getting out of its place, evaluated to
    /// an end, and compared, in time and memory in proportion to its own. Whether its rules make
    /// sense is not asked: senseless ones the kernel may refuse.
    ///
    /// - Throws: the first fault.
    package func validate() throws(RulesetFault) {
        try requireAscending(tables.map(\.name), "table")
        var members = RulesetLimits.members
        for table in tables {
            do throws(RulesetFault) {
                try table.validate(&members)
            } catch {
                throw RulesetFault("table \(table.name): \(error)")
            }
        }
    }
}

/// Bounds on what a ruleset may hold: above what a configuration within ``ConfigurationLimits``
/// compiles to, where not the kernel's own.
private enum RulesetLimits {
    /// Bytes of a comment (`NFTNL_UDATA_COMMENT_MAXLEN`).
    static let comment = 128
    /// Bytes of a sample's prefix (`NF_LOG_PREFIXLEN`).
    static let prefix = 127
    /// Jumps in one another (`NFT_JUMP_STACK_SIZE`).
    static let jumps = 16
    /// Single addresses in the sets of all tables: every node's in a class, the mesh and the totals.
    static let members = UInt128(8 * ConfigurationLimits.yamlNodes)
    /// Rules that a packet may meet on its way through all base chains. 10,000 nodes behind a gateway,
    /// no two of them alike, make three million.
    static let steps = 1 << 24
}

/// Refuses names that stand twice, or not in their order.
private func requireAscending(_ names: [String], _ what: String) throws(RulesetFault) {
    for name in names where !ObjectName.isPlain(name) {
        throw RulesetFault("\"\(name)\" is no \(what)'s name")
    }
    for (one, next) in zip(names, names.dropFirst()) where one >= next {
        throw RulesetFault("\(what) \(next) stands twice or out of order")
    }
}

/// Whether a text may stand between quotes, where nft's language knows no escapes.
private func isQuotable(_ text: String, longest: Int) -> Bool {
    text.utf8.count <= longest
        && text.utf8.allSatisfy { (0x20...0x7e).contains($0) && !"\"\\".utf8.contains($0) }
}

extension Table {
    /// - Parameter members: how many single addresses sets may still hold.
    fileprivate func validate(_ members: inout UInt128) throws(RulesetFault) {
        guard TableFamily.ofPlacements.contains(family) else {
            throw RulesetFault("its family is none of our tables'")
        }
        guard OwnTable.isName(name) else { throw RulesetFault("its name is none of our tables'") }
        try requireAscending(counters, "counter")
        try requireAscending(sets.map(\.name), "set")
        try requireAscending(chains.map(\.name), "chain")
        for set in sets { try set.validate(&members) }
        let contents = Contents(self)
        for chain in chains {
            do throws(RulesetFault) {
                try contents.validate(chain)
            } catch {
                throw RulesetFault("chain \(chain.name): \(error)")
            }
        }
        var ways = Ways(contents.chains)
        for chain in chains { try ways.follow(chain) }
    }
}

extension NamedSet {
    fileprivate func validate(_ members: inout UInt128) throws(RulesetFault) {
        guard addresses.only(family) == addresses else {
            throw RulesetFault("set \(name) holds addresses that are not of \(family.rawValue)")
        }
        switch kind {
        case .intervals: break
        case .addresses, .countedAddresses:
            for range in addresses.ranges {
                let more = range.upperBound.value - range.lowerBound.value
                guard more < members else {
                    throw RulesetFault("set \(name) holds too many single addresses")
                }
                members -= more + 1
            }
        case .pairs, .strayPairs:
            guard addresses.isEmpty else {
                throw RulesetFault("set \(name) is the packets' to fill, and holds addresses")
            }
        case .adoption: throw RulesetFault.passing("set \(name)")
        }
    }
}

/// The parts of a table that rules refer to.
private struct Contents {
    let counters: Set<String>
    let sets: [String: NamedSet]
    let chains: [String: Chain]

    init(_ table: Table) {
        counters = Set(table.counters)
        sets = Dictionary(table.sets.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        chains = Dictionary(table.chains.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    }

    func validate(_ chain: Chain) throws(RulesetFault) {
        if let hook = chain.hook, hook.policy != .accept, hook.policy != .drop {
            throw RulesetFault("its policy is neither accept nor drop")
        }
        for (index, rule) in chain.rules.enumerated() {
            do throws(RulesetFault) {
                try validate(rule)
            } catch {
                throw RulesetFault("rule \(index + 1): \(error)")
            }
        }
    }

    private func validate(_ rule: Rule) throws(RulesetFault) {
        if let counter = rule.counter, !counters.contains(counter) {
            throw RulesetFault("the table has no counter \"\(counter)\"")
        }
        if let comment = rule.comment, !isQuotable(comment, longest: RulesetLimits.comment) {
            throw RulesetFault("its comment can't be written")
        }
        if let sampling = rule.sampling {
            guard isQuotable(sampling.counter, longest: RulesetLimits.prefix) else {
                throw RulesetFault("its sample's prefix can't be written")
            }
            guard Refusals.groups.contains(Int(sampling.group)),
                Refusals.rates.contains(Int(sampling.rate))
            else { throw RulesetFault("it samples by a group or rate that there is not") }
        }
        if let note = rule.note {
            guard rule.verdict == nil else {
                throw RulesetFault("a rule that notes has no verdict")
            }
            try require(note.set, of: note.family) { $0.noteLimits != nil }
        }
        for match in rule.matches { try validate(match) }
        if case .jump(let target) = rule.verdict {
            guard let chain = chains[target] else {
                throw RulesetFault("it jumps to \"\(target)\", which the table does not have")
            }
            if chain.hook != nil { throw RulesetFault("it jumps to base chain \(target)") }
        }
        if case .goto = rule.verdict { throw RulesetFault.passing("a goto") }
    }

    private func validate(_ match: Match) throws(RulesetFault) {
        switch match {
        case .sourceIn(let set, let family), .destinationIn(let set, let family):
            try require(set, of: family) { $0.noteLimits == nil }
        case .connection(let states):
            if states.isEmpty { throw RulesetFault("it asks for no state of connection tracking") }
        case .sourcePorts(let ipProtocol, _), .destinationPorts(let ipProtocol, _):
            guard ipProtocol.hasPorts else {
                throw RulesetFault("\(ipProtocol.name) has no ports")
            }
        case .family, .source, .destination, .protocolNumber, .icmpType, .hopLimit,
            .inputIsLoopback, .outputIsLoopback, .isTranslated, .wasDecrypted, .willBeEncrypted:
            break
        case .isAdopted, .continuesConnection: throw RulesetFault.passing("a condition")
        }
    }

    private func require(
        _ name: String, of family: AddressFamily, _ isFit: (NamedSet.Kind) -> Bool
    ) throws(RulesetFault) {
        guard let set = sets[name] else {
            throw RulesetFault("the table has no set \"\(name)\"")
        }
        guard set.family == family, isFit(set.kind) else {
            throw RulesetFault("set \(name) is of another family or kind")
        }
    }
}

/// Follows jumps, so that every way through the chains is known to end, and soon.
private struct Ways {
    private let chains: [String: Chain]
    /// Of the chains that were left: how many rules a packet may meet in them and in those that they
    /// jump to.
    private var steps: [String: Int] = [:]
    /// How many jumps follow one another from there at most.
    private var depths: [String: Int] = [:]
    /// The chains that are being followed.
    private var open: Set<String> = []
    private var total = 0

    init(_ chains: [String: Chain]) { self.chains = chains }

    /// - Throws: where jumps lead in a circle, too far, or by too many ways.
    mutating func follow(_ chain: Chain) throws(RulesetFault) {
        let steps = try visit(chain).steps
        guard chain.hook != nil else { return }
        total += steps
        guard total <= RulesetLimits.steps else { throw tooMany }
    }

    private var tooMany: RulesetFault {
        RulesetFault("a packet may meet more than \(RulesetLimits.steps) rules")
    }

    private mutating func visit(
        _ chain: Chain
    ) throws(RulesetFault) -> (steps: Int, depth: Int) {
        if let steps = steps[chain.name], let depth = depths[chain.name] { return (steps, depth) }
        guard open.insert(chain.name).inserted else {
            throw RulesetFault("jumps lead from chain \(chain.name) back to it")
        }
        var (ownSteps, ownDepth) = (chain.rules.count, 0)
        for rule in chain.rules {
            guard case .jump(let name) = rule.verdict, let target = chains[name] else { continue }
            // Before the jump is followed: this recursion is not to be deeper than the kernel's.
            guard open.count <= RulesetLimits.jumps else { throw tooDeep }
            let (steps, depth) = try visit(target)
            ownSteps += steps
            ownDepth = max(ownDepth, depth + 1)
            guard ownSteps <= RulesetLimits.steps else { throw tooMany }
            guard ownDepth <= RulesetLimits.jumps else { throw tooDeep }
        }
        open.remove(chain.name)
        steps[chain.name] = ownSteps
        depths[chain.name] = ownDepth
        return (ownSteps, ownDepth)
    }

    private var tooDeep: RulesetFault {
        RulesetFault("more than \(RulesetLimits.jumps) jumps follow one another")
    }
}
