internal import Policy
package import PortModel
package import Ruleset
package import Site

/// A question about the mesh: of all nodes, or of one.
package struct MeshQuery: Hashable, Sendable {
    /// Only pairs with this node.
    package var node: String?
    /// Also pairs that are as they should be, however many there are.
    package var all: Bool

    package init(node: String? = nil, all: Bool = false) {
        self.node = node
        self.all = all
    }

    /// Up to so many pairs all of them are told; of more, those that are not as they should be.
    package static let fewPairs = 20
    /// So many pairs are told unasked.
    package static let shownPairs = 100
    /// So many pairs are told at all: they fit a message.
    package static let mostPairs = 10_000
    /// So many strangers are told at most, the newest.
    package static let shownStrangers = 20
}

/// Why the mesh can't be told of, and what to do.
package struct MeshProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// One sentence, without a full stop.
    package let description: String

    package init(description: String) { self.description = description }
}

/// The interface by which this host reaches an address; nil where it has no route to it.
package typealias RouteFinder = (IPAddress) throws -> String?

/// Everything that the mesh's state is read from, as it was at one moment.
package struct MeshFacts: Sendable {
    let generation: Generation
    /// The deployment that it was compiled from, where this version can read it.
    let deployment: Result<Deployment, RefusedFiles>
    let tables: [ObservedTable]
    let notedSince: Timestamp?
    let now: Timestamp

    /// - Parameters:
    ///   - tables: ours as the kernel holds them, with the pairs that packets noted.
    ///   - notedSince: when noting began; nil where that was before the agent started.
    ///   - now: the moment of the reading, from which the notes' ages count back.
    package init(
        generation: Generation, deployment: Result<Deployment, RefusedFiles>,
        tables: [ObservedTable], notedSince: Timestamp?, now: Timestamp
    ) {
        self.generation = generation
        self.deployment = deployment
        self.tables = tables
        self.notedSince = notedSince
        self.now = now
    }
}

/// Reads the mesh's state from what packets noted in our tables.
package struct MeshSurvey {
    /// IKE and ESP that were seen longer ago count as silent: nodes always have something to say to
    /// each other.
    static let lull = 600

    /// Whether packets of either end come by.
    private let seesBothEnds: Bool
    private let census: MeshCensus
    private let notes: Notes
    private let now: Timestamp
    private let notedSince: Timestamp?
    private let routes: [IPAddress: MeshReport.Route]
    /// The pairs of which packets tell something: as many as the sets that packets fill hold.
    private var seen: [MeshCensus.PairKey: MeshReport.Pair] = [:]
    /// Newest first.
    private let strangers: [MeshReport.Stranger]
    private let astray: Astray

    /// Judges every pair of which packets tell anything.
    ///
    /// - Parameter route: asked once for each primary address of a node; in local placement not for
    ///   the host's own.
    /// - Throws: ``MeshProblem`` where this version refuses the generation's files, its rules note
    ///   no pairs, or a route can't be asked for.
    package init(_ facts: MeshFacts, route: RouteFinder) throws(MeshProblem) {
        let (generation, now) = (facts.generation, facts.now)
        let deployment: Deployment
        do throws(RefusedFiles) {
            deployment = try facts.deployment.get()
        } catch {
            throw MeshProblem(description: error.description)
        }
        guard let notes = Notes(facts.tables) else {
            throw MeshProblem(
                description:
                    "the rules in force note no packets between nodes: they are for a single node, or an earlier version made them; for that, say pexip-fwctl apply"
            )
        }
        seesBothEnds = deployment.placement.facts.judgesForwarded
        self.notes = notes
        self.now = now
        notedSince = facts.notedSince
        let enforced = Set(generation.nodes.map(\.name))
        let owners = Dictionary(
            deployment.nodes.flatMap { node in node.allAddresses.map { ($0, node.name) } },
            uniquingKeysWith: { first, _ in first })
        let routes = try Self.routes(deployment, enforced, route)
        self.routes = routes
        census = MeshCensus(
            deployment.nodes.map { node in
                MeshCensus.Member(
                    node: node, isEnforced: enforced.contains(node.name),
                    reach: Dictionary(
                        node.addresses.map { address in
                            let reach = routes[address].map { route in
                                route.interface.map { MeshCensus.Reach.via($0) } ?? .noRoute
                            }
                            return (address.family, reach ?? .here)
                        }, uniquingKeysWith: { first, _ in first }))
            }, of: deployment)
        strangers = Self.strangers(notes, owners, enforced, now)
        astray = Astray(strangers, now)
        for addresses in notes.pairs {
            guard let one = owners[addresses.source].flatMap({ census.places[$0] }),
                let other = owners[addresses.destination].flatMap({ census.places[$0] }),
                let key = census.pair(one, other), seen[key] == nil
            else { continue }
            seen[key] = assess(key)
        }
    }

    /// The state of the mesh, as far as the query asks for it; the worst pairs first.
    ///
    /// - Throws: ``MeshProblem`` where the query names a node that the deployment does not have.
    package func report(_ query: MeshQuery) throws(MeshProblem) -> MeshReport {
        let limit = query.all ? MeshQuery.mostPairs : MeshQuery.shownPairs
        let suspects = suspects()
        var counts: [MeshReport.State: Int]
        var found: [MeshCensus.PairKey]
        if let name = query.node {
            guard let member = census.places[name] else {
                throw MeshProblem(description: "\(name) is no node of the deployment")
            }
            found = Array(census.partners(of: member))
            counts = [:]
            for key in found { counts[state(of: key, suspects), default: 0] += 1 }
        } else {
            counts = census.unseenCounts()
            let unseen = counts
            found = Array(seen.keys) + suspects.filter { seen[$0] == nil }
            for key in found {
                counts[census.unseenState(of: key), default: 0] -= 1
                counts[state(of: key, suspects), default: 0] += 1
            }
            for state in MeshReport.State.allCases where unseen[state] != nil {
                let known = found.count { self.state(of: $0, suspects) == state }
                found += census.unseenPairs(
                    in: state, atMost: min(limit, (counts[state] ?? 0) - known)
                ) { seen[$0] != nil || suspects.contains($0) }
            }
        }
        counts = counts.filter { $0.value > 0 }
        let total = counts.values.reduce(0, +)
        let showsAll = query.all || total <= MeshQuery.fewPairs
        let shown = found.map { (key: $0, state: state(of: $0, suspects)) }
            .filter { showsAll || $0.state.isBroken || $0.state == .idle }
            .sorted { ($0.state.rank, $0.key) < ($1.state.rank, $1.key) }
            .prefix(limit)
        return MeshReport(
            notedSince: notedSince,
            counts: Dictionary(uniqueKeysWithValues: counts.map { ($0.rawValue, $1) }),
            pairs: shown.map { key, state in
                var pair = seen[key] ?? assess(key)
                pair.state = state
                return pair
            },
            omitted: total - shown.count,
            strangers: Array(strangers.prefix(MeshQuery.shownStrangers)), isFull: notes.isFull)
    }

    // MARK: Pairs

    private func state(
        of key: MeshCensus.PairKey, _ suspects: Set<MeshCensus.PairKey>
    ) -> MeshReport.State {
        if suspects.contains(key) { return .natSuspected }
        return seen[key]?.state ?? census.unseenState(of: key)
    }

    /// Pairs of which one side is silent towards the other, while refused IPsec between that one and
    /// an address of no node says that somebody is there, who can be nobody else.
    private func suspects() -> Set<MeshCensus.PairKey> {
        var suspects: Set<MeshCensus.PairKey> = []
        var partners: [Int: [MeshCensus.PairKey]] = [:]
        for key in seen.keys {
            partners[key.first, default: []].append(key)
            partners[key.second, default: []].append(key)
        }
        for (member, isSender) in astrayMembers {
            let seenPartners = partners[member] ?? []
            let silent = seenPartners.filter { key in
                guard let pair = seen[key], pair.state == .silent || pair.state == .ikeOneWay else {
                    return false
                }
                // Refused IPsec that the member sent: it is silent towards the one that it may be for.
                let isForth = (key.first == member) == isSender
                let sightings =
                    isForth ? [pair.ike.forth, pair.esp.forth] : [pair.ike.back, pair.esp.back]
                return !sightings.contains(where: isFresh)
            }
            let unseen =
                census.silentPartners(of: member)
                - seenPartners.count { census.unseenState(of: $0) == .silent }
            guard silent.count + unseen == 1 else { continue }
            if let only = silent.first {
                suspects.insert(only)
            } else if let only = census.partners(of: member).first(where: {
                seen[$0] == nil && census.unseenState(of: $0) == .silent
            }) {
                suspects.insert(only)
            }
        }
        return suspects
    }

    /// The members that lately had IPsec refused with an address of no node, once for each direction.
    private var astrayMembers: [(member: Int, isSender: Bool)] {
        census.members.enumerated().flatMap { index, member in
            [true, false].filter { isSender in
                member.node.addresses.contains { astray.newest(at: $0, isSender: isSender) != nil }
            }.map { (index, $0) }
        }
    }

    private func assess(_ key: MeshCensus.PairKey) -> MeshReport.Pair {
        assess(census.members[key.first].node, census.members[key.second].node)
    }

    /// The pair by the family of which most was seen.
    private func assess(_ first: Node, _ second: Node) -> MeshReport.Pair {
        let candidates = AddressFamily.allCases.compactMap { family -> MeshReport.Pair? in
            guard let one = first.addresses.first(where: { $0.family == family }),
                let other = second.addresses.first(where: { $0.family == family })
            else { return nil }
            return assess(first, one, second, other)
        }
        let seen = candidates.filter { $0.esp != .init() || $0.ike != .init() }
        let best = (seen.isEmpty ? candidates : seen).max { $0.state.rank < $1.state.rank }
        guard let best else { preconditionFailure("a pair without addresses of one family") }
        return best
    }

    private func assess(
        _ first: Node, _ one: IPAddress, _ second: Node, _ other: IPAddress
    ) -> MeshReport.Pair {
        func sightings(_ set: NoteSet) -> MeshReport.Sightings {
            guard notes.mentions(one, other) else { return MeshReport.Sightings() }
            return MeshReport.Sightings(
                forth: time(set, one, other), back: time(set, other, one))
        }
        var pair = MeshReport.Pair(
            first: first.name, second: second.name, firstAddress: one, secondAddress: other,
            state: .silent, ike: sightings(.ike), esp: sightings(.esp),
            routes: (seesBothEnds ? [one, other] : [other]).compactMap { routes[$0] }, evidence: [])
        let all = evidence(first, one, second, other, pair)
        pair.state = state(of: pair, evidence: all)
        // A pair that is as it should be needs no evidence.
        pair.evidence = pair.state == .up ? [] : all
        return pair
    }

    private func time(
        _ set: NoteSet, _ source: IPAddress, _ destination: IPAddress
    ) -> Timestamp? {
        notes[set, AddressPair(from: source, to: destination)].map {
            Timestamp(seconds: now.seconds - Int64($0))
        }
    }

    private func isFresh(_ time: Timestamp?) -> Bool {
        time.map { now.seconds - $0.seconds <= Int64(Self.lull) } ?? false
    }

    // MARK: States

    private func state(
        of pair: MeshReport.Pair, evidence: [MeshReport.Evidence]
    ) -> MeshReport.State {
        func has(_ kinds: MeshReport.Evidence.Kind...) -> Bool {
            evidence.contains { kinds.contains($0.kind) && isFresh($0.seen) }
        }
        let esp = [pair.esp.forth, pair.esp.back]
        let ike = [pair.ike.forth, pair.ike.back]
        let (freshESP, freshIKE) = (esp.count(where: isFresh), ike.count(where: isFresh))

        if has(.translated) { return .translated }
        if freshESP == 2 { return .up }
        if pair.routes.contains(where: { $0.interface == nil }) { return .noRoute }
        if has(.traversal, .sourcePort) { return .translated }
        if freshESP == 1 { return .espOneWay }
        if freshIKE == 2 { return .espMissing }
        let everESP = esp.count { $0 != nil }
        if freshIKE == 0, everESP == 2 { return .idle }
        if freshIKE == 1 { return .ikeOneWay }
        // Nothing lately: what is known is older.
        switch (everESP, ike.count { $0 != nil }) {
        case (1, _): return .espOneWay
        case (_, 2): return .espMissing
        case (_, 1): return .ikeOneWay
        default:
            if pair.routes.contains(where: { $0.interface == nil }) { return .noRoute }
            let isOneSided =
                seesBothEnds && pair.routes.count == 2
                && pair.routes[0].interface == pair.routes[1].interface
            return isOneSided ? .elsewhere : .silent
        }
    }

    private func evidence(
        _ first: Node, _ one: IPAddress, _ second: Node, _ other: IPAddress,
        _ pair: MeshReport.Pair
    ) -> [MeshReport.Evidence] {
        var evidence: [MeshReport.Evidence] = []
        func add(
            _ kind: MeshReport.Evidence.Kind, _ set: NoteSet, _ from: IPAddress, _ to: IPAddress
        ) {
            guard let seen = time(set, from, to) else { return }
            evidence.append(MeshReport.Evidence(kind: kind, from: from, to: to, seen: seen))
        }
        for (from, to) in [(one, other), (other, one)] where notes.mentions(one, other) {
            add(.translated, .translated, from, to)
            add(.traversal, .strayTraversal, from, to)
            add(.sourcePort, .strayIKE, from, to)
        }
        let strays: [NoteSet] = [.strayESP, .strayIKE]
        for secondary in first.secondaryAddresses + second.secondaryAddresses
        where secondary.family == one.family {
            let far = first.secondaryAddresses.contains(secondary) ? other : one
            for set in strays {
                add(.secondaryAddress, set, secondary, far)
                add(.secondaryAddress, set, far, secondary)
            }
        }
        if let suspect = suspect(one, other, pair) { evidence.append(suspect) }
        return evidence
    }

    /// Refused IPsec between one of the two and an address of no node, where the other one is silent
    /// in that direction.
    private func suspect(
        _ one: IPAddress, _ other: IPAddress, _ pair: MeshReport.Pair
    ) -> MeshReport.Evidence? {
        var strangers: [MeshReport.Stranger?] = []
        if !isFresh(pair.ike.forth), !isFresh(pair.esp.forth) {
            strangers += [
                astray.newest(at: other, isSender: false), astray.newest(at: one, isSender: true),
            ]
        }
        if !isFresh(pair.ike.back), !isFresh(pair.esp.back) {
            strangers += [
                astray.newest(at: one, isSender: false), astray.newest(at: other, isSender: true),
            ]
        }
        return strangers.compactMap { $0 }.max { $0.seen < $1.seen }.map {
            MeshReport.Evidence(kind: .stranger, from: $0.from, to: $0.to, seen: $0.seen)
        }
    }

    private static func strangers(
        _ notes: Notes, _ owners: [IPAddress: String], _ enforced: Set<String>, _ now: Timestamp
    ) -> [MeshReport.Stranger] {
        let kinds: [(NoteSet, MeshReport.Stranger.Kind)] = [
            (.strayIKE, .ike), (.strayESP, .esp), (.strayTraversal, .traversal),
        ]
        return kinds.flatMap { set, kind in
            notes.all(in: set).compactMap { pair, age -> MeshReport.Stranger? in
                let ends = [pair.source, pair.destination].compactMap { owners[$0] }
                guard ends.count == 1, enforced.contains(ends[0]) else { return nil }
                return MeshReport.Stranger(
                    kind: kind, from: pair.source, to: pair.destination, node: ends[0],
                    seen: Timestamp(seconds: now.seconds - Int64(age)))
            }
        }.sorted {
            ($1.seen.seconds, $0.from, $0.to, $0.kind.rawValue)
                < ($0.seen.seconds, $1.from, $1.to, $1.kind.rawValue)
        }
    }

    // MARK: Routes

    /// To every node's primary addresses, but in local placement this host's own.
    private static func routes(
        _ deployment: Deployment, _ enforced: Set<String>, _ route: RouteFinder
    ) throws(MeshProblem) -> [IPAddress: MeshReport.Route] {
        var routes: [IPAddress: MeshReport.Route] = [:]
        for node in deployment.nodes
        where deployment.placement.facts.judgesForwarded || !enforced.contains(node.name) {
            for address in node.addresses {
                do {
                    routes[address] = MeshReport.Route(
                        address: address, interface: try route(address))
                } catch {
                    throw MeshProblem(
                        description: "the route to \(address) can't be asked for: \(error)")
                }
            }
        }
        return routes
    }
}

extension MeshCensus.PairKey: Comparable {
    /// In the deployment's order, whichever of the two is enforced.
    static func < (a: Self, b: Self) -> Bool { a.order < b.order }

    private var order: (Int, Int) { (min(first, second), max(first, second)) }
}

/// The newest stranger at each address of a node that was seen lately.
private struct Astray {
    private let senders: [IPAddress: MeshReport.Stranger]
    private let receivers: [IPAddress: MeshReport.Stranger]

    /// - Parameter strangers: newest first.
    init(_ strangers: [MeshReport.Stranger], _ now: Timestamp) {
        let fresh = strangers.filter { now.seconds - $0.seen.seconds <= Int64(MeshSurvey.lull) }
        senders = Dictionary(fresh.map { ($0.from, $0) }, uniquingKeysWith: { one, _ in one })
        receivers = Dictionary(fresh.map { ($0.to, $0) }, uniquingKeysWith: { one, _ in one })
    }

    /// - Parameter isSender: whether the node sent what was refused, or it came to the node.
    func newest(at address: IPAddress, isSender: Bool) -> MeshReport.Stranger? {
        isSender ? senders[address] : receivers[address]
    }
}

/// The notes of packets, over all of our tables.
private struct Notes {
    private var ages: [NoteSet: [AddressPair: Int]] = [:]
    /// Pairs of which anything is noted, in both orders.
    private var mentioned: Set<AddressPair> = []
    private(set) var isFull = false

    /// nil where no table has a set of pairs.
    init?(_ tables: [ObservedTable]) {
        let byName = Dictionary(
            uniqueKeysWithValues: NoteSet.allCases.flatMap { set in
                AddressFamily.allCases.map { (set.name($0), set) }
            })
        for set in tables.flatMap(\.sets) {
            guard let kind = byName[set.name] else { continue }
            ages[kind, default: [:]].merge(set.noted) { min($0, $1) }
            if kind.kind == .pairs, let limits = kind.kind.noteLimits,
                set.noted.count >= limits.size
            {
                isFull = true
            }
        }
        if ages.isEmpty { return nil }
        for pair in ages.values.lazy.flatMap(\.keys) {
            mentioned.insert(pair)
            mentioned.insert(AddressPair(from: pair.destination, to: pair.source))
        }
    }

    /// The pairs of which anything is noted, in both orders.
    var pairs: some Sequence<AddressPair> { mentioned }

    /// Whether anything is noted of packets between the two.
    func mentions(_ one: IPAddress, _ other: IPAddress) -> Bool {
        mentioned.contains(AddressPair(from: one, to: other))
    }

    subscript(_ set: NoteSet, _ pair: AddressPair) -> Int? { ages[set]?[pair] }

    func all(in set: NoteSet) -> [AddressPair: Int] { ages[set] ?? [:] }
}

extension ObservedTable {
    /// Whether packets between nodes are noted in it.
    package var notesPairs: Bool { sets.contains { $0.set?.kind == .pairs } }
}
