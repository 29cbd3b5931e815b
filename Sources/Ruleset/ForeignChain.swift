package import Site

/// A chain of somebody else's table, as far as it matters to our packets.
package struct ForeignChain: Hashable, Sendable, Codable {
    /// Where a base chain hangs, in nft's words.
    package enum HookPoint: String, Hashable, Sendable, Codable, CaseIterable {
        case prerouting
        case input
        case forward
        case output
        case postrouting
        case ingress
        case egress
    }

    /// The place of a base chain among all chains of its hook.
    package struct Attachment: Hashable, Sendable, Codable {
        /// With the family, it decides which packets come by.
        package var point: HookPoint
        /// As the kernel has it; lower ones come first.
        package var priority: Int
        /// Packets that no rule decides are dropped.
        package var dropsByPolicy: Bool

        /// - Parameter dropsByPolicy: the policy is `drop`, not `accept`.
        package init(_ point: HookPoint, priority: Int, dropsByPolicy: Bool = false) {
            self.point = point
            self.priority = priority
            self.dropsByPolicy = dropsByPolicy
        }
    }

    /// Of the chain's table.
    package var family: TableFamily
    /// The table's name, which may be anything: show it by ``ObjectName/words(_:)``.
    package var table: String
    /// The chain's name, which may be anything: show it by ``ObjectName/words(_:)``.
    package var name: String
    /// nil for chains that are only jumped to.
    package var attachment: Attachment?
    /// The effects that its rules may have on a packet beside accepting it.
    package var effects: Set<Shadow.Reason>
    /// The chains that its rules jump or go to, directly or by a verdict map.
    package var targets: Set<String>
    /// Whether one of its rules may give a packet another source.
    package var translatesSources: Bool

    /// - Parameter attachment: nil for chains that are only jumped to.
    package init(
        _ family: TableFamily, _ table: String, _ name: String, at attachment: Attachment? = nil,
        effects: Set<Shadow.Reason> = [], targets: Set<String> = [],
        translatesSources: Bool = false
    ) {
        self.family = family
        self.table = table
        self.name = name
        self.attachment = attachment
        self.effects = effects
        self.targets = targets
        self.translatesSources = translatesSources
    }
}

extension [ForeignChain] {
    /// The base chains that may cut, or lead past us, what we judge: by their policy, by a rule of
    /// theirs, or by one of a chain that they lead to.
    package var shadows: [Shadow] {
        let chains = byKey
        return compactMap { base -> Shadow? in
            guard let attachment = base.attachment else { return nil }
            let reached = base.reached(in: chains)
            func effects(of chain: ForeignChain) -> Set<Shadow.Reason> {
                chain.effects.filter { attachment.allows($0, in: base.family) }
            }
            let found = reached.filter { !effects(of: $0).isEmpty }
            var why = found.reduce(into: Set<Shadow.Reason>()) { $0.formUnion(effects(of: $1)) }
            if attachment.dropsByPolicy { why.insert(.policyDrop) }
            if why.isEmpty { return nil }
            return Shadow(
                family: base.family, table: base.table, chain: base.name, hook: attachment.point,
                priority: attachment.priority,
                policy: attachment.dropsByPolicy ? .drop : .accept, why: why.sorted(),
                within: [String](found.map(\.name).sorted().prefix(Shadow.shownChains)),
                owner: Shadow.Owner(
                    table: base.table, family: base.family,
                    chains: found.map(\.name) + reached.map(\.name)))
        }.sorted()
    }

    /// The base chains by which packets that leave this host get another source.
    package var translations: [SourceTranslation] {
        let chains = byKey
        return filter { base in
            base.attachment?.point == .postrouting
                && base.reached(in: chains).contains(where: \.translatesSources)
        }.map { SourceTranslation(family: $0.family, table: $0.table, chain: $0.name) }.sorted()
    }

    /// Names that are no text may look alike: then the effects of either count for both.
    private var byKey: [ForeignChain.Key: ForeignChain] {
        Dictionary(map { ($0.key, $0) }, uniquingKeysWith: { $0.joined(with: $1) })
    }
}

extension ForeignChain.Attachment {
    /// Where connection tracking stands (`NF_IP_PRI_CONNTRACK`); a chain of the same priority that was
    /// made later stands before it.
    private static let tracking = -200
    /// Where the bridge hands packets to the hooks of IP, connection tracking among them
    /// (`NF_BR_PRI_BRNF`, with br_netfilter).
    private static let bridgedTracking = 0

    /// Whether rules that packets meet here can do so: a rule that keeps packets from being tracked
    /// comes too late once they are.
    fileprivate func allows(_ effect: Shadow.Reason, in family: TableFamily) -> Bool {
        guard effect == .notrack || effect == .zone else { return true }
        return switch point {
        case .ingress: true
        case .prerouting, .output:
            priority <= (family == .bridge ? Self.bridgedTracking : Self.tracking)
        case .input, .forward, .postrouting, .egress: false
        }
    }
}

extension ForeignChain {
    fileprivate struct Key: Hashable {
        var family: TableFamily
        var table: String
        var name: String
    }

    fileprivate func joined(with other: ForeignChain) -> ForeignChain {
        var both = self
        both.effects.formUnion(other.effects)
        both.targets.formUnion(other.targets)
        both.translatesSources = translatesSources || other.translatesSources
        return both
    }

    fileprivate var key: Key { Key(family: family, table: table, name: name) }

    /// This chain and all that it leads to, each once: the kernel allows no cycle, but a reading
    /// that others disturb may show one.
    fileprivate func reached(in chains: [Key: ForeignChain]) -> [ForeignChain] {
        var reached: [ForeignChain] = []
        var seen: Set<String> = [name]
        var open = [self]
        while let next = open.popLast() {
            reached.append(next)
            for target in next.targets.sorted() where seen.insert(target).inserted {
                let key = Key(family: family, table: table, name: target)
                if let chain = chains[key] { open.append(chain) }
            }
        }
        return reached
    }
}
