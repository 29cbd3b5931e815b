package import Policy
internal import PortModel
internal import Site

extension GatewayPolicy {
    /// The one table of gateway placement.
    package static let tableName = Placement.gatewayTable

    /// Compiles the policies for gateway placement: one table for any number of nodes.
    ///
    /// Nodes of equal policy are one class: they share a chain for each direction and are elements
    /// of address sets, so that a node that joins or leaves touches set elements only, and a
    /// thousand nodes cost no more than one. The forward chain jumps by the packet's addresses; a
    /// class's chain returns what its rows permit, so that the other end's class judges as well, and
    /// ends in a drop. Packets of no enforced node meet no rule.
    package func compile() -> Table { compile(classes) }

    /// Compiles the policies, divided into these ``classes``.
    package func compile(_ classes: [PolicyClass]) -> Table {
        var compiler = GatewayCompiler(self, classes)
        return compiler.table()
    }

    /// The classes of nodes with equal policy, sorted by name.
    package var classes: [PolicyClass] {
        // Nodes that share their rows, of which there are many, need no look at what these are.
        var alike: [PolicyClass.Likeness: [Policy]] = [:]
        for policy in policies {
            alike[PolicyClass.Likeness(policy), default: []].append(policy)
        }
        var nodes: [PolicyClass.Shape: [Policy]] = [:]
        for group in alike.values { nodes[PolicyClass.Shape(group[0]), default: []] += group }
        let classes = nodes.map { PolicyClass(shape: $0, policies: $1) }
        return classes.sorted { $0.name < $1.name }
    }
}

/// Nodes of equal policy behind a gateway.
package struct PolicyClass: Hashable, Sendable {
    /// Everything that decides packets but the nodes' own addresses and the mesh, which is the same
    /// for all classes.
    struct Shape: Hashable, Sendable {
        let role: NodeRole
        /// The families in which the nodes have addresses, and those in which secondary ones: with
        /// them equal, the rules of a class do not depend on which nodes are in it.
        let families: Set<AddressFamily>
        let secondaryFamilies: Set<AddressFamily>
        let permits: [Permit]

        init(_ policy: Policy) {
            role = policy.node.role
            families = Set(policy.node.allAddresses.map(\.family))
            secondaryFamilies = Set(policy.node.secondaryAddresses.map(\.family))
            permits = policy.rows.permits.map {
                var permit = $0
                if case .mesh = permit.peerOrigin { permit.peers = .any }
                return permit
            }
        }
    }

    /// The least that nodes of one shape have in common: the same rows by identity.
    struct Likeness: Hashable {
        private let rows: ObjectIdentifier
        /// In their addresses' order, which is the families' own.
        private let families: [AddressFamily]
        private let secondaryFamilies: [AddressFamily]

        init(_ policy: Policy) {
            rows = ObjectIdentifier(policy.rows)
            families = policy.node.addresses.map(\.family)
            secondaryFamilies = policy.node.secondaryAddresses.map(\.family)
        }
    }

    /// `<role>_<sixteen digits>`: the same policy has the same name in every generation, so that its
    /// chains and counters stay when other classes come and go.
    package let name: String
    /// Of the nodes in the class.
    package let policies: [Policy]
    private let addresses: [Plane: AddressSet]

    fileprivate init(shape: Shape, policies: [Policy]) {
        // Whichever order they were found in.
        self.policies = policies.sorted { $0.node.name < $1.node.name }
        addresses = Dictionary(
            uniqueKeysWithValues: Plane.allCases.map { plane in
                (plane, AddressSet(policies.flatMap { $0.node.addresses(of: plane) }))
            })
        let families =
            shape.families.map(\.rawValue).sorted()
            + shape.secondaryFamilies.map { "secondary \($0.rawValue)" }.sorted()
        // FNV-1a over everything that the shape holds.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in (families + shape.permits.map(\.canonicalText)).joined(separator: "\n").utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        name = Self.name(of: shape.role, hash)
    }

    /// The permits of all nodes of the class, but for their addresses.
    var permits: [Permit] { policies[0].rows.permits }

    /// The families in which the nodes have addresses.
    var families: [AddressFamily] {
        AddressFamily.allCases.filter { !addresses(of: .any).only($0).isEmpty }
    }

    /// The nodes' addresses that a row of a plane binds to.
    func addresses(of plane: Plane) -> AddressSet { addresses[plane] ?? AddressSet() }
}

extension Permit {
    fileprivate var canonicalText: String {
        let peers: String
        switch (peerOrigin, self.peers) {
        case (.mesh, _): peers = "mesh"
        case (_, .any): peers = "any"
        case (_, .only(let addresses)): peers = addresses.elements.joined(separator: ",")
        }
        return
            "\(id) \(direction.rawValue) \(`protocol`.name) \(plane.rawValue) \(peers) \(sourcePorts.intervals) \(destinationPorts.intervals)"
    }
}

private struct GatewayCompiler {
    let policy: GatewayPolicy
    let classes: [PolicyClass]
    /// The addresses of all enforced nodes.
    let enforced: AddressSet
    /// Peers that classes narrow to different addresses, so that each needs a set of its own; the
    /// others share one, however many classes there are.
    let differingPeers: Set<PeerOrigin>
    /// Enforcement drops; observation counts the same packets and goes on with the other end.
    let refusal: Verdict
    var builder = TableBuilder()

    init(_ policy: GatewayPolicy, _ classes: [PolicyClass]) {
        self.policy = policy
        self.classes = classes
        enforced = AddressSet(policy.policies.flatMap(\.node.allAddresses))
        var narrowed: [PeerOrigin: Peers] = [:]
        var differing: Set<PeerOrigin> = []
        for permit in classes.flatMap(\.permits) where permit.peers != .any {
            if let other = narrowed[permit.peerOrigin], other != permit.peers {
                differing.insert(permit.peerOrigin)
            }
            narrowed[permit.peerOrigin] = permit.peers
        }
        differingPeers = differing
        refusal = policy.mode == .enforce ? .drop : .return
    }

    mutating func table() -> Table {
        var forward = [
            // One test for all: only translated flows pay for the look at their addresses.
            Rule([.isTranslated], .jump(to: .translated), for: .counter(.translated))
        ]
        forward += meshJumps
        forward += [
            Rule([.connection([.established, .related])], .accept, for: .established)
        ]
        var chains = [translated()] + meshChains()
        for policyClass in classes {
            let nodes = policyClass.addresses(of: .any)
            for family in policyClass.families {
                guard
                    let set =
                        builder.set(
                            .nodes(policyClass: policyClass.name, .any), family, .addresses, nodes)
                else { continue }
                forward.append(
                    Rule(
                        [.destinationIn(set: set, family)],
                        .jump(to: .policyClass(policyClass.name, .inbound)),
                        for: .policyClass(policyClass.name)))
                forward.append(
                    Rule(
                        [.sourceIn(set: set, family)],
                        .jump(to: .policyClass(policyClass.name, .outbound)),
                        for: .policyClass(policyClass.name)))
            }
            chains += [chain(policyClass, .inbound), chain(policyClass, .outbound)]
        }
        chains.append(
            Chain(.forward, hook: Hook(.forward, .filter, policy: .accept), rules: forward))
        return builder.table(
            TableID(Placement.gateway.facts.family, GatewayPolicy.tableName), chains: chains)
    }

    /// Between any two nodes' addresses. Secondary ones, which few nodes have, are in a set of their
    /// own: one for all addresses would hold those of the mesh again.
    private mutating func translated() -> Chain {
        let secondary = policy.nodeAddresses.subtracting(policy.meshAddresses)
        let rules = AddressFamily.allCases.flatMap { family -> [Rule] in
            let sets = [
                builder.set(PeerOrigin.mesh(policy.roles), policy.meshAddresses, family),
                builder.set(.secondary, family, .addresses, secondary),
            ].compactMap { $0 }
            return sets.flatMap { source in
                sets.map { destination in
                    let isBetweenNodes: [Match] = [
                        .sourceIn(set: source, family), .destinationIn(set: destination, family),
                    ]
                    var rule = builder.counting(isBetweenNodes, as: .translated, nil)
                    rule.note = builder.noting([], in: .translated, family).note
                    return rule
                }
            }
        }
        return Chain(.translated, rules: rules)
    }

    // MARK: The state of the mesh

    /// The families in which nodes can speak with each other.
    private var meshFamilies: [AddressFamily] {
        classes.isEmpty
            ? [] : AddressFamily.allCases.filter { !policy.meshAddresses.only($0).isEmpty }
    }

    /// Before established packets pass, as most of IKE and ESP are. Media pay for it with four
    /// comparisons, of the protocol and, for UDP, of both ports at once.
    private var meshJumps: [Rule] {
        if meshFamilies.isEmpty { return [] }
        let ike = classes.lazy.flatMap(\.permits).first { permit in
            if case .mesh = permit.peerOrigin { permit.protocol == .udp } else { false }
        }
        return [
            Rule(
                [.protocolNumber(IPProtocol.esp.rawValue)], .jump(to: .meshESP), for: .mesh)
        ]
            + (ike.map { TableBuilder.matches(of: $0, addresses: []) } ?? []).map {
                Rule($0, .jump(to: .meshIKE), for: .mesh)
            }
    }

    private mutating func meshChains() -> [Chain] {
        let families = meshFamilies
        if families.isEmpty { return [] }
        var chains = builder.strayChains(families)
        for (purpose, set) in [(ChainPurpose.meshESP, NoteSet.esp), (.meshIKE, .ike)] {
            let rules = families.map { family in
                builder.noting(meshMatches(family), in: set, family)
            }
            chains.append(Chain(purpose, rules: rules))
        }
        return chains
    }

    private mutating func meshMatches(_ family: AddressFamily) -> [Match] {
        Direction.allCases.flatMap { direction in
            builder.peerMatch(
                .mesh(policy.roles), .only(policy.meshAddresses), direction, family) ?? []
        }
    }

    /// The media rule meets most packets and stands first; ICMP, which no row is about, last.
    private mutating func chain(_ policyClass: PolicyClass, _ direction: Direction) -> Chain {
        let permits = policyClass.permits.filter { $0.direction == direction }
        let media = permits.filter { $0.isStateless && $0.protocol == .udp }
        let others = permits.filter { !media.contains($0) }
        var rules = (media + others).flatMap { self.rules(of: $0, in: policyClass) }
        for family in policyClass.families {
            rules += TableBuilder.icmpRules(
                family, ping: policyClass.policies[0].host.ping, .return)
        }
        for family in policyClass.families {
            rules += nodeTotal(family, direction)
        }
        if !meshFamilies.isEmpty { rules += TableBuilder.strayJumps }
        rules += builder.refusing(
            [], as: .unmatched(direction, policyClass: policyClass.name), refusal,
            sampledBy: policy.refusals)
        return Chain(.policyClass(policyClass.name, direction), rules: rules)
    }

    /// Counts at the node's element.
    private mutating func nodeTotal(_ family: AddressFamily, _ direction: Direction) -> [Rule] {
        guard
            let set = builder.set(.nodeTotals, family, .countedAddresses, enforced)
        else { return [] }
        let node =
            direction == .inbound
            ? Match.destinationIn(set: set, family) : .sourceIn(set: set, family)
        return [Rule([node], nil, for: .nodeTotals)]
    }

    private mutating func rules(of permit: Permit, in policyClass: PolicyClass) -> [Rule] {
        var conditions: [(family: AddressFamily, matches: [Match])] = []
        for family in policyClass.families {
            guard let node = nodeMatch(permit, policyClass, family),
                let peers = builder.peerMatch(
                    permit.peerOrigin, permit.peers, permit.direction, family,
                    of: differingPeers.contains(permit.peerOrigin) ? policyClass.name : nil)
            else { continue }
            conditions.append((family, node + peers))
        }
        if conditions.count == policyClass.families.count,
            conditions.allSatisfy({ $0.matches.isEmpty })
        {
            // Any address that leads to this chain will do.
            conditions = [(.ipv4, [])]
        } else {
            for index in conditions.indices where conditions[index].matches.isEmpty {
                conditions[index].matches = [.family(conditions[index].family)]
            }
        }
        return conditions.flatMap { condition in
            TableBuilder.matches(of: permit, addresses: condition.matches).map { matches in
                builder.counting(matches, as: .permit(permit.id), .return)
            }
        }
    }

    /// The condition on the node's address: none where every address of the class that leads to
    /// this chain is meant, a set of the plane's otherwise; nil where the plane has no address.
    private mutating func nodeMatch(
        _ permit: Permit, _ policyClass: PolicyClass, _ family: AddressFamily
    ) -> [Match]? {
        let plane = policyClass.addresses(of: permit.plane).only(family)
        guard !plane.isEmpty else { return nil }
        if plane == policyClass.addresses(of: .any).only(family) { return [] }
        return builder.set(
            .nodes(policyClass: policyClass.name, permit.plane), family, .addresses, plane
        ).map { set in
            [
                permit.direction == .inbound
                    ? .destinationIn(set: set, family) : .sourceIn(set: set, family)
            ]
        }
    }
}
