internal import Deployment
internal import Policy
package import PortModel
internal import Ruleset

/// What is asked about the mesh.
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
    package static let mostPairs = 20_000
    package static let shownStrangers = 20
}

/// Why the mesh can't be told of, and what to do.
package struct MeshProblem: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
}

/// The interface by which this host reaches an address; nil where it has no route to it.
package typealias RouteFinder = (IPAddress) throws -> String?

/// What the mesh's state is read from, as it was at one moment.
package struct MeshFacts: Sendable {
    let generation: Generation
    let tables: [ObservedTable]
    let notedSince: Timestamp?
    let now: Timestamp
}

/// Reads the mesh's state from what packets noted in our tables.
package struct MeshSurvey {
    /// IKE and ESP that were seen longer ago count as silent: nodes always have something to say to
    /// each other.
    static let lull = 600

    private let deployment: Deployment
    private let enforced: Set<String>
    private let notes: Notes
    private let now: Timestamp
    private let notedSince: Timestamp?
    private let nodes: [String: Node]
    private let owners: [IPAddress: String]
    private let routes: [IPAddress: MeshReport.Route]
    /// Newest first.
    private let strangers: [MeshReport.Stranger]
    /// The newest of them that is not older than ``lull``, by the node's address: what the node
    /// sent, and what came to it.
    private let sentAstray: [IPAddress: MeshReport.Stranger]
    private let receivedAstray: [IPAddress: MeshReport.Stranger]

    package init(_ facts: MeshFacts, route: RouteFinder) throws(MeshProblem) {
        let (generation, now) = (facts.generation, facts.now)
        let deployment: Deployment
        do throws(RefusedFiles) {
            deployment = try generation.deployment.get()
        } catch {
            throw MeshProblem(description: error.description)
        }
        guard let notes = Notes(facts.tables) else {
            throw MeshProblem(
                description:
                    "the rules in force note no packets between nodes: they are for a single node, or an earlier version made them; for that, say pexip-fwctl apply"
            )
        }
        self.deployment = deployment
        self.notes = notes
        self.now = now
        notedSince = facts.notedSince
        enforced = Set(generation.nodes.map(\.name))
        nodes = Dictionary(
            deployment.nodes.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        owners = Dictionary(
            deployment.nodes.flatMap { node in node.allAddresses.map { ($0, node.name) } },
            uniquingKeysWith: { first, _ in first })
        routes = try Self.routes(deployment, enforced, route)
        strangers = Self.strangers(notes, owners, enforced, now)
        let fresh = strangers.filter { now.seconds - $0.seen.seconds <= Int64(Self.lull) }
        sentAstray = Dictionary(fresh.map { ($0.from, $0) }, uniquingKeysWith: { one, _ in one })
        receivedAstray = Dictionary(fresh.map { ($0.to, $0) }, uniquingKeysWith: { one, _ in one })
    }

    private var isGateway: Bool { deployment.placement == .gateway }

    package func report(_ query: MeshQuery) throws(MeshProblem) -> MeshReport {
        if let name = query.node, nodes[name] == nil {
            throw MeshProblem(description: "\(name) is no node of the deployment")
        }
        let limit = query.all ? MeshQuery.mostPairs : MeshQuery.shownPairs
        var tally = Tally(limit: limit)
        var suspects = Suspects()
        // Whoever a stranger may be besides is a node too, asked for or not.
        forEachPair(with: mayBeAstray ? nil : query.node) { first, second in
            // Of a large mesh most pairs are only counted.
            if let state = unnoted(first, second), tally.isFull(of: state) {
                tally.count(state)
                return
            }
            let pair = assess(first.node, second.node)
            let names = [first.node.name, second.node.name]
            let isWanted = query.node.map(names.contains) ?? true
            if isWanted { tally.add(pair) }
            suspects.add(pair, isWanted: isWanted)
        }
        for pair in suspects.only { tally.change(pair, to: .natSuspected) }
        let (counts, found) = (tally.counts, tally.pairs)
        let total = counts.values.reduce(0, +)
        let showsAll = query.all || total <= MeshQuery.fewPairs
        let shown = MeshReport.State.allCases.filter { state in
            showsAll || state.isBroken || state == .idle
        }.flatMap { found[$0] ?? [] }.prefix(limit)
        return MeshReport(
            notedSince: notedSince, counts: counts, pairs: Array(shown),
            omitted: total - shown.count,
            strangers: Array(strangers.prefix(MeshQuery.shownStrangers)), isFull: notes.isFull)
    }

    // MARK: Pairs

    /// What is known of a node before its pairs are looked at.
    private struct Member {
        let node: Node
        let families: [AddressFamily]
        let isEnforced: Bool
        /// Whether pairs with it are asked for.
        let isWanted: Bool
        /// Whether anything is noted of packets from or to it.
        let isNoted: Bool
    }

    /// Every two nodes that inter-node rows lead between, one of them enforced, in the deployment's
    /// order, but an enforced one first.
    private func forEachPair(with name: String?, _ body: (Member, Member) -> Void) {
        var peers: [NodeRole: Set<NodeRole>] = [:]
        for row in deployment.profile.rows {
            if case .nodes(let roles) = row.peer { peers[row.role, default: []].formUnion(roles) }
        }
        let all = deployment.nodes.map { node in
            Member(
                node: node, families: node.addresses.map(\.family),
                isEnforced: enforced.contains(node.name),
                isWanted: name == nil || name == node.name,
                isNoted: node.allAddresses.contains(where: notes.mentions))
        }
        for (index, first) in all.enumerated() {
            let role = first.node.role
            let partners = NodeRole.allCases.filter {
                peers[role]?.contains($0) == true && peers[$0]?.contains(role) == true
            }
            for second in all[(index + 1)...]
            where (first.isEnforced || second.isEnforced) && (first.isWanted || second.isWanted)
                && partners.contains(second.node.role)
                && first.families.contains(where: second.families.contains)
            {
                if first.isEnforced { body(first, second) } else { body(second, first) }
            }
        }
    }

    /// The state of a pair of which no packet says anything; nil where one may.
    private func unnoted(_ first: Member, _ second: Member) -> MeshReport.State? {
        if mayBeAstray || first.isNoted && second.isNoted { return nil }
        let states = first.node.addresses.compactMap { one in
            second.node.addresses.first { $0.family == one.family }.map { other in
                unseen((isGateway ? [one, other] : [other]).compactMap { routes[$0] })
            }
        }
        return states.max { $0.rank < $1.rank }
    }

    private func unseen(_ routes: [MeshReport.Route]) -> MeshReport.State {
        if routes.contains(where: { $0.interface == nil }) { return .noRoute }
        let isOneSided =
            isGateway && routes.count == 2 && routes[0].interface == routes[1].interface
        return isOneSided ? .elsewhere : .silent
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
            routes: (isGateway ? [one, other] : [other]).compactMap { routes[$0] }, evidence: [])
        let all = evidence(first, one, second, other, pair)
        pair.state = state(of: pair, evidence: all)
        // What is as it should be needs no evidence.
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

    private var mayBeAstray: Bool { !sentAstray.isEmpty || !receivedAstray.isEmpty }

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
            return unseen(pair.routes)
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
        if !mayBeAstray { return nil }
        var strangers: [MeshReport.Stranger?] = []
        if !isFresh(pair.ike.forth), !isFresh(pair.esp.forth) {
            strangers += [receivedAstray[other], sentAstray[one]]
        }
        if !isFresh(pair.ike.back), !isFresh(pair.esp.back) {
            strangers += [receivedAstray[one], sentAstray[other]]
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
        where deployment.placement == .gateway || !enforced.contains(node.name) {
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

extension MeshReport.State {
    /// The higher, the better.
    fileprivate var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// Pairs by their state.
private struct Tally {
    /// Of pairs of one state that are kept; the others are counted.
    let limit: Int
    private(set) var counts: [String: Int] = [:]
    private(set) var pairs: [MeshReport.State: [MeshReport.Pair]] = [:]

    init(limit: Int) { self.limit = limit }

    func isFull(of state: MeshReport.State) -> Bool { pairs[state]?.count ?? 0 >= limit }

    mutating func count(_ state: MeshReport.State) { counts[state.rawValue, default: 0] += 1 }

    mutating func add(_ pair: MeshReport.Pair) {
        count(pair.state)
        if !isFull(of: pair.state) { pairs[pair.state, default: []].append(pair) }
    }

    mutating func change(_ pair: MeshReport.Pair, to state: MeshReport.State) {
        let count = counts[pair.state.rawValue, default: 0] - 1
        counts[pair.state.rawValue] = count > 0 ? count : nil
        pairs[pair.state]?.removeAll { $0 == pair }
        var changed = pair
        changed.state = state
        add(changed)
    }
}

/// Who a stranger may be: of which pairs one side is silent towards the other, while refused IPsec
/// between that one and the stranger says that somebody is there.
private struct Suspects {
    private struct Suspect {
        var pair: MeshReport.Pair
        var isWanted: Bool
        var others = 0
    }

    private var suspects: [AddressPair: Suspect] = [:]

    mutating func add(_ pair: MeshReport.Pair, isWanted: Bool) {
        guard pair.state == .ikeOneWay || pair.state == .silent,
            let stranger = pair.evidence.first(where: { $0.kind == .stranger })
        else { return }
        let addresses = AddressPair(from: stranger.from, to: stranger.to)
        suspects[addresses, default: Suspect(pair: pair, isWanted: isWanted, others: -1)]
            .others += 1
    }

    /// Those beside which there is no other.
    var only: [MeshReport.Pair] {
        suspects.values.filter { $0.others == 0 && $0.isWanted }.map(\.pair)
    }
}

/// What packets noted, over all of our tables.
private struct Notes {
    private var ages: [NoteSet: [AddressPair: Int]] = [:]
    /// Pairs of which anything is noted, in both orders.
    private var mentioned: Set<AddressPair> = []
    private var mentionedAddresses: Set<IPAddress> = []
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
            mentionedAddresses.formUnion([pair.source, pair.destination])
            mentioned.insert(AddressPair(from: pair.destination, to: pair.source))
        }
    }

    /// Whether anything is noted of packets from or to it.
    func mentions(_ address: IPAddress) -> Bool { mentionedAddresses.contains(address) }

    /// Whether anything is noted of packets between the two.
    func mentions(_ one: IPAddress, _ other: IPAddress) -> Bool {
        mentioned.contains(AddressPair(from: one, to: other))
    }

    subscript(_ set: NoteSet, _ pair: AddressPair) -> Int? { ages[set]?[pair] }

    func all(in set: NoteSet) -> [AddressPair: Int] { ages[set] ?? [:] }
}

extension ObservedTable {
    /// Whether packets between nodes are noted in it.
    var notesPairs: Bool { sets.contains { $0.set?.kind == .pairs } }
}
