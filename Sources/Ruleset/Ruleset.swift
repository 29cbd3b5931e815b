package import PortModel
package import Site

/// Compiled tables as values: rendered to nft's language, compared with what the kernel lists, and
/// evaluated in memory to explain a packet.
package struct Ruleset: Hashable, Sendable, Codable {
    /// Sorted by name; of those that are compiled no two have one name, whatever their families.
    package var tables: [Table]

    /// Sorts the tables, so that rulesets compare by what they hold.
    package init(tables: [Table]) { self.tables = tables.sorted { $0.id < $1.id } }

    /// The tables by which the kernel's are known for ours.
    package var tableIDs: Set<TableID> { Set(tables.map(\.id)) }
}

/// A table and everything in it.
package struct Table: Hashable, Sendable {
    /// Which packets the table sees.
    package var family: TableFamily
    /// Begins with ``OwnTable/namePrefix``, and is plain (``ObjectName``).
    package var name: String
    /// Named counters, sorted. Their values are the kernel's and no part of the policy.
    package var counters: [String]
    /// Sorted by name.
    package var sets: [NamedSet]
    /// Sorted by name.
    package var chains: [Chain]

    /// Sorts counters, sets and chains, so that tables compare by what they hold.
    package init(
        family: TableFamily, name: String, counters: [String], sets: [NamedSet], chains: [Chain]
    ) {
        self.family = family
        self.name = name
        self.counters = counters.sorted()
        self.sets = sets.sorted { $0.name < $1.name }
        self.chains = chains.sorted { $0.name < $1.name }
    }

    /// The table as the kernel tells it from others.
    package var id: TableID { TableID(family, name) }
}

extension Table: Codable {
    private enum CodingKeys: CodingKey {
        case family
        case name
        case counters
        case sets
        case chains
    }

    /// Tables were stored without their family when all were of `inet`; such a one still is.
    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        family = try values.decodeIfPresent(TableFamily.self, forKey: .family) ?? .inet
        name = try values.decode(String.self, forKey: .name)
        counters = try values.decode([String].self, forKey: .counters)
        sets = try values.decode([NamedSet].self, forKey: .sets)
        chains = try values.decode([Chain].self, forKey: .chains)
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        if family != .inet { try values.encode(family, forKey: .family) }
        try values.encode(name, forKey: .name)
        try values.encode(counters, forKey: .counters)
        try values.encode(sets, forKey: .sets)
        try values.encode(chains, forKey: .chains)
    }
}

/// A named set of addresses of one family, updated in place.
package struct NamedSet: Hashable, Sendable, Codable {
    /// The type and the flags of a set, which are fixed when it is made.
    package enum Kind: String, Hashable, Sendable, Codable {
        /// Addresses, prefixes and ranges: what administrators write for peers.
        case intervals
        /// Single addresses in a hash table: nodes' own.
        case addresses
        /// The same with a counter at each element, which every lookup that finds it advances.
        case countedAddresses
        /// Pairs of a source and a destination, which packets note: see ``Note``. They are the
        /// kernel's, no part of the policy, so ``addresses`` is empty.
        case pairs
        /// The same of refused packets: fewer, and for a shorter time.
        case strayPairs
        /// The protocol TCP, for a time that begins when the set is made: see ``Ruleset/adopting``.
        /// ``addresses`` is empty, and ``family`` says nothing.
        case adoption
    }

    /// The name in the kernel, which says ``purpose`` and family.
    package var name: String
    /// The set's key is an address of this family, or two of them.
    package var family: AddressFamily
    /// Decides the set's type, and whether packets change it.
    package var kind: Kind
    /// Addresses of `family` only.
    package var addresses: AddressSet

    /// - Parameter addresses: empty for kinds that packets fill.
    package init(name: String, family: AddressFamily, kind: Kind, addresses: AddressSet) {
        self.name = name
        self.family = family
        self.kind = kind
        self.addresses = addresses
    }
}

/// A chain of rules, of which the first that decides ends the packet's way through it.
package struct Chain: Hashable, Sendable, Codable {
    /// The name in the kernel, which says ``purpose``.
    package var name: String
    /// nil for chains that are only jumped to.
    package var hook: Hook?
    /// In the order in which packets meet them.
    package var rules: [Rule]

    /// - Parameter hook: nil for a chain that is only jumped to.
    package init(name: String, hook: Hook? = nil, rules: [Rule]) {
        self.name = name
        self.hook = hook
        self.rules = rules
    }
}

/// Where a base chain of type `filter` is attached.
package struct Hook: Hashable, Sendable, Codable {
    /// The netfilter hooks at which ours judge or exempt.
    package enum Point: String, Hashable, Sendable, Codable {
        case prerouting
        case input
        case forward
        case output
    }

    /// The kernel's own stations at these hooks, which our priorities stand between
    /// (`enum nf_ip_hook_priorities`): defragmentation -400, **raw -300**, connection tracking
    /// -200, mangle -150, destination NAT -100, **filter 0**, source NAT 100.
    package enum Priority: Int, Hashable, Sendable, Codable {
        /// Before connection tracking, where a flow can be exempted from it.
        case raw = -300
        case filter = 0
    }

    /// The hook that packets pass.
    package var point: Point
    /// Lower ones come first.
    package var priority: Priority
    /// The fate of a packet that no rule decided: `accept` or `drop`.
    package var policy: Verdict

    /// - Parameter policy: `accept` or `drop`.
    package init(_ point: Point, _ priority: Priority, policy: Verdict) {
        self.point = point
        self.priority = priority
        self.policy = policy
    }
}

/// A rule: conditions that must all hold, then what is done, then the verdict.
package struct Rule: Hashable, Sendable {
    /// In the order in which they are written, all of which must hold.
    package var matches: [Match]
    /// The named counter that counts the packet.
    package var counter: String?
    /// Exempts the packet from connection tracking.
    package var isNotrack: Bool
    /// Copies some of the packets to the agent. Such a rule does nothing else.
    package var sampling: Sampling?
    /// Where the packet's addresses are noted; only in a rule without a verdict.
    package var note: Note?
    /// nil for rules that only count or note.
    package var verdict: Verdict?
    /// The row's id, or what else the rule stands for.
    package var comment: String?

    /// - Precondition: a rule that notes has no verdict.
    package init(
        _ matches: [Match], counter: String? = nil, notrack: Bool = false, _ verdict: Verdict?,
        note: Note? = nil, comment: String? = nil, sampling: Sampling? = nil
    ) {
        precondition(note == nil || verdict == nil)
        self.matches = matches
        self.counter = counter
        isNotrack = notrack
        self.note = note
        self.verdict = verdict
        self.comment = comment
        self.sampling = sampling
    }
}

/// How a rule, or a base chain's policy, decides. Names are those of chains in the same table.
package enum Verdict: Hashable, Sendable, Codable {
    case accept
    case drop
    case `return`
    case jump(String)
    /// A jump that comes back not to this chain but to where that was jumped to.
    case goto(String)
}

/// One condition of a rule.
package enum Match: Hashable, Sendable {
    case family(AddressFamily)
    case source(IPAddress)
    case destination(IPAddress)
    /// The source is an element of the named set, which is of the given family.
    case sourceIn(set: String, AddressFamily)
    case destinationIn(set: String, AddressFamily)
    /// The IP protocol number, whatever extension headers come before it.
    case protocolNumber(UInt8)
    case sourcePorts(IPProtocol, ClosedRange<UInt16>)
    case destinationPorts(IPProtocol, ClosedRange<UInt16>)
    case icmpType(AddressFamily, ClosedRange<UInt8>)
    /// The IPv6 hop limit.
    case hopLimit(UInt8)
    case inputIsLoopback
    case outputIsLoopback
    /// Any of these connection tracking states.
    case connection(Set<TrackedState>)
    /// Source or destination of the packet's flow are translated (NAT).
    case isTranslated
    /// The packet was decrypted by IPsec on this host.
    case wasDecrypted
    /// The route leads through an IPsec policy of this host.
    case willBeEncrypted
    /// It is TCP, in the time in which a ruleset adopts: see ``Ruleset/adopting``.
    case isAdopted
    /// A segment of TCP that does not ask for a connection, nor answers such a request.
    case continuesConnection
}

extension Match {
    /// The one address that it asks for: in compiled rules the node's own, since peers are named
    /// sets.
    package var address: IPAddress? {
        switch self {
        case .source(let address), .destination(let address): address
        default: nil
        }
    }

    /// The only family whose packets can fulfil it; nil where both can.
    package var family: AddressFamily? {
        switch self {
        case .family(let family), .sourceIn(_, let family), .destinationIn(_, let family),
            .icmpType(let family, _):
            family
        case .source(let address), .destination(let address): address.family
        case .hopLimit: .ipv6
        default: nil
        }
    }
}

/// `ct state`, which unlike a packet's own state can be "not tracked".
package enum TrackedState: String, Hashable, Sendable, CaseIterable {
    case established
    case related
    case new
    case invalid
    case untracked
}
