internal import PortModel

/// The change that makes a chain's rules into others.
enum ChainChange {
    case none
    /// All rules go, and all come anew.
    case refill
    /// Some rules go, by their handles, and some come at the end.
    ///
    /// Nothing is put before another rule: for `insert rule … handle` libnftables reads back all
    /// rules of all tables, which takes longer than writing a chain anew; `delete rule … handle` and
    /// `add rule` read none (nftables 1.0.6).
    case edit(removals: [UInt64], additions: [Rule])
}

extension ObservedChain {
    /// Whether it has these rules and no others, in an order that decides every packet alike.
    func holds(_ wanted: [Rule]) -> Bool {
        guard rules.count == wanted.count else { return false }
        let (removals, additions) = edits(to: wanted)
        return removals.isEmpty && additions.isEmpty
    }

    func change(to wanted: [Rule], by grain: Transaction.Grain) -> ChainChange {
        let (removals, additions) = edits(to: wanted)
        if removals.isEmpty && additions.isEmpty { return .none }
        // Refilling is shorter where less stays than goes.
        guard grain == .rule, handles.count == rules.count, removals.count * 2 <= rules.count
        else { return .refill }
        return .edit(removals: removals.map { handles[$0] }, additions: additions)
    }

    /// The least that goes, by its place, and that comes at the end.
    ///
    /// A rule that comes stands behind others that it stands before in `wanted`, where no packet
    /// meets both; one that such a packet meets goes, and comes behind it.
    private func edits(to wanted: [Rule]) -> (removals: [Int], additions: [Rule]) {
        let equal = zip(rules, wanted).prefix { $0 == .known($1) }.count
        if equal == rules.count && equal == wanted.count { return ([], []) }
        // Where rules stand, by their comments, which take less time to hash than rules do.
        var places: [String?: [Int]] = [:]
        for index in rules.indices.dropFirst(equal) {
            if case .known(let rule) = rules[index] {
                places[rule.comment, default: []].append(index)
            }
        }
        func takePlace(of rule: Rule) -> Int? {
            guard let index = places[rule.comment]?.firstIndex(where: { rules[$0] == .known(rule) })
            else { return nil }
            return places[rule.comment]?.remove(at: index)
        }
        var kept = Set<Int>()
        var additions: [Rule] = []
        // The rules that stand before another one in `wanted`, with their places: one that comes
        // stands last.
        var earlier: [(rule: Rule, place: Int)] = []
        for rule in wanted.dropFirst(equal) {
            if let place = takePlace(of: rule),
                !earlier.contains(where: { $0.place > place && !$0.rule.excludes(rule) })
            {
                kept.insert(place)
                earlier.append((rule, place))
            } else {
                additions.append(rule)
                earlier.append((rule, Int.max))
            }
        }
        return (rules.indices.dropFirst(equal).filter { !kept.contains($0) }, additions)
    }
}

extension Rule {
    /// Whether no packet meets the conditions of both, as far as ports, addresses and protocols
    /// tell.
    func excludes(_ other: Rule) -> Bool {
        matches.contains { own in other.matches.contains { own.excludes($0) } }
    }
}

extension Match {
    fileprivate func excludes(_ other: Match) -> Bool {
        if let family, let otherFamily = other.family, family != otherFamily { return true }
        if let number, let otherNumber = other.number, number != otherNumber { return true }
        return switch (self, other) {
        case (.source(let one), .source(let other)),
            (.destination(let one), .destination(let other)):
            one != other
        case (.sourcePorts(_, let one), .sourcePorts(_, let other)),
            (.destinationPorts(_, let one), .destinationPorts(_, let other)):
            !one.overlaps(other)
        case (.icmpType(_, let one), .icmpType(_, let other)): !one.overlaps(other)
        default: false
        }
    }

    /// The protocol number of all packets that meet it.
    private var number: UInt8? {
        switch self {
        case .protocolNumber(let number): number
        case .sourcePorts(let ipProtocol, _), .destinationPorts(let ipProtocol, _):
            ipProtocol.rawValue
        case .icmpType(let family, _): family == .ipv4 ? 1 : 58
        default: nil
        }
    }
}
