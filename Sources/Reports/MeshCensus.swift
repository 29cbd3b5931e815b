internal import PortModel
internal import Site

/// The nodes of a mesh, and how the pairs of them stand of which no packet tells anything. Pairs
/// are counted by the properties that nodes share, since there are as many as the square of the
/// nodes.
struct MeshCensus: Sendable {
    /// How this host reaches a node in one family.
    enum Reach: Hashable, Sendable {
        /// The node has no address of the family.
        case none
        /// It is this host itself.
        case here
        case noRoute
        /// By the interface of this name.
        case via(String)
    }

    struct Member: Sendable {
        let node: Node
        let isEnforced: Bool
        let reach: [AddressFamily: Reach]

        fileprivate var key: Key {
            Key(
                role: node.role, isEnforced: isEnforced,
                ipv4: reach[.ipv4] ?? .none, ipv6: reach[.ipv6] ?? .none)
        }
    }

    /// Two members by their places.
    struct PairKey: Hashable, Sendable {
        /// The enforced one, or where both are the one that comes first.
        let first: Int
        let second: Int
    }

    /// Members of one key stand to all others alike.
    fileprivate struct Key: Hashable, Sendable {
        let role: NodeRole
        let isEnforced: Bool
        let ipv4: Reach
        let ipv6: Reach

        func reach(_ family: AddressFamily) -> Reach { family == .ipv4 ? ipv4 : ipv6 }
    }

    /// In the deployment's order.
    let members: [Member]
    let places: [String: Int]
    /// The roles that have inter-node rows for each other.
    private let meshed: [NodeRole: Set<NodeRole>]
    private let groups: [(key: Key, members: [Int])]

    init(_ members: [Member], of deployment: Deployment) {
        self.members = members
        places = Dictionary(
            members.enumerated().map { ($1.node.name, $0) }, uniquingKeysWith: { first, _ in first }
        )
        var peers: [NodeRole: Set<NodeRole>] = [:]
        for row in deployment.profile.rows {
            if case .nodes(let roles) = row.peer { peers[row.role, default: []].formUnion(roles) }
        }
        let roles = deployment.profile.roleNames
        meshed = Dictionary(
            uniqueKeysWithValues: roles.map { role in
                (
                    role,
                    Set(
                        roles.filter {
                            peers[role]?.contains($0) == true && peers[$0]?.contains(role) == true
                        })
                )
            })
        var groups: [(key: Key, members: [Int])] = []
        var places: [Key: Int] = [:]
        for (index, member) in members.enumerated() {
            let key = member.key
            if let place = places[key] {
                groups[place].members.append(index)
            } else {
                places[key] = groups.count
                groups.append((key, [index]))
            }
        }
        self.groups = groups
    }

    // MARK: Pairs

    /// The pair of two members; nil where they need not reach each other.
    func pair(_ one: Int, _ other: Int) -> PairKey? {
        guard one != other, state(members[one].key, members[other].key) != nil else { return nil }
        let (first, second) = (min(one, other), max(one, other))
        return members[first].isEnforced
            ? PairKey(first: first, second: second) : PairKey(first: second, second: first)
    }

    /// How the pair stands where no packet tells anything of it.
    func unseenState(of pair: PairKey) -> MeshReport.State {
        state(members[pair.first].key, members[pair.second].key) ?? .silent
    }

    /// nil where such members need not reach each other: none is enforced here, no inter-node row leads
    /// from one to the other, or they have no address family in common.
    private func state(_ one: Key, _ other: Key) -> MeshReport.State? {
        guard one.isEnforced || other.isEnforced, meshed[one.role]?.contains(other.role) == true
        else { return nil }
        return AddressFamily.allCases.compactMap { family in
            switch (one.reach(family), other.reach(family)) {
            case (.none, _), (_, .none): nil
            case (.noRoute, _), (_, .noRoute): MeshReport.State.noRoute
            case (.via(let one), .via(let other)) where one == other: .elsewhere
            default: .silent
            }
        }.max { $0.rank < $1.rank }
    }

    // MARK: Counting

    /// How many pairs there are of each state, as if no packet told anything.
    func unseenCounts() -> [MeshReport.State: Int] {
        // Keys without their interfaces, which would make as many keys as there are interfaces.
        var counts = pairCounts(groups.map { ($0.key.withoutInterfaces, $0.members.count) })
        // Those that share an interface in a family are reached by it in both, and were counted as
        // silent.
        var shared = 0
        for families in [[AddressFamily.ipv4], [.ipv6], [.ipv4, .ipv6]] {
            var buckets: [[Reach]: [(Key, Int)]] = [:]
            for (key, members) in groups {
                let reach = families.map(key.reach)
                let hasAll = reach.allSatisfy { if case .via = $0 { true } else { false } }
                if hasAll {
                    buckets[reach, default: []].append((key.withoutInterfaces, members.count))
                }
            }
            let pairs = buckets.values.reduce(0) { sum, bucket in
                sum + pairCounts(bucket).values.reduce(0, +)
            }
            shared += families.count == 1 ? pairs : -pairs
        }
        if shared > 0 {
            counts[.silent, default: 0] -= shared
            counts[.elsewhere, default: 0] += shared
        }
        return counts.filter { $0.value > 0 }
    }

    /// - Parameter members: how many there are of each key, which may come more than once.
    private func pairCounts(_ members: [(key: Key, count: Int)]) -> [MeshReport.State: Int] {
        let counts = Dictionary(members.map { ($0.key, $0.count) }, uniquingKeysWith: +)
        let keys = Array(counts)
        var pairs: [MeshReport.State: Int] = [:]
        for (index, one) in keys.enumerated() {
            for other in keys[index...] {
                guard let state = state(one.key, other.key) else { continue }
                pairs[state, default: 0] +=
                    one.key == other.key
                    ? one.value * (one.value - 1) / 2 : one.value * other.value
            }
        }
        return pairs
    }

    // MARK: Finding

    /// Pairs that stand so where no packet tells anything, at most so many.
    ///
    /// - Parameter isSeen: whether a pair is to be left out.
    func unseenPairs(
        in wanted: MeshReport.State, atMost limit: Int, except isSeen: (PairKey) -> Bool
    ) -> [PairKey] {
        var found: [PairKey] = []
        if limit <= 0 { return [] }
        for (index, one) in groups.enumerated() {
            for other in groups[index...] where state(one.key, other.key) == wanted {
                for (place, first) in one.members.enumerated() {
                    let isSame = other.key == one.key
                    for second in isSame ? other.members[(place + 1)...] : other.members[...] {
                        guard let pair = pair(first, second), !isSeen(pair) else { continue }
                        found.append(pair)
                        if found.count == limit { return found }
                    }
                }
            }
        }
        return found
    }

    /// How many members a member is silent towards where no packet tells anything.
    func silentPartners(of member: Int) -> Int {
        let key = members[member].key
        return groups.reduce(0) { count, group in
            guard state(key, group.key) == .silent else { return count }
            return count + group.members.count - (group.key == key ? 1 : 0)
        }
    }

    /// The members that a member must reach.
    func partners(of member: Int) -> some Sequence<PairKey> {
        members.indices.lazy.compactMap { pair(member, $0) }
    }
}

extension MeshCensus.Key {
    fileprivate var withoutInterfaces: Self {
        func general(_ reach: MeshCensus.Reach) -> MeshCensus.Reach {
            if case .via = reach { .here } else { reach }
        }
        return Self(role: role, isEnforced: isEnforced, ipv4: general(ipv4), ipv6: general(ipv6))
    }
}

extension MeshReport.State {
    /// The higher, the better.
    var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
