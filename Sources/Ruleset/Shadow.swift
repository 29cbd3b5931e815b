package import Site
package import Policy
package import PortModel

/// A base chain of somebody else's table that may cut what our rules permit, or lead packets past
/// them. A drop anywhere is final, whatever our priority; an accept elsewhere overrules nothing.
package struct Shadow: Hashable, Sendable, Codable {
    /// An effect that the chain may have on a packet.
    package enum Reason: String, Hashable, Sendable, Codable, CaseIterable {
        /// It drops packets that none of its rules accepts.
        case policyDrop = "policy-drop"
        case drop
        case reject
        /// A program decides about it.
        case queue
        /// It is exempted from connection tracking: answers to it, or it as an answer, are not known
        /// for that.
        case notrack
        /// It is tracked in a zone of its own, where its flow is not known, or its answers are not.
        case zone
        /// Its flow is forgotten after another time than is usual.
        case timeout
        /// A helper of connection tracking takes part, which drops what it can't read, or flows are
        /// expected: those that are related pass.
        case helper
        /// It becomes another packet, or none that is delivered, and its answers are not changed back.
        case rewrite
        /// A flow table takes the flow's later packets past the forward hook.
        case offload
        /// It is sent elsewhere before our hooks, or answered there.
        case divert
        /// The rules can't be read (iptables-legacy), or do what this version does not know.
        case unknown
    }

    /// The fate of packets that no rule of the chain decides.
    package enum Policy: String, Hashable, Sendable, Codable, CaseIterable {
        case accept
        case drop
    }

    /// The program whose table it seems to be, guessed from names.
    package enum Owner: String, Hashable, Sendable, Codable, CaseIterable {
        case firewalld
        case docker
        case libvirt
        case ufw
        case kubernetes
        case fail2ban
        case iptables
        case iptablesLegacy = "iptables-legacy"
    }

    /// Of the chain's table.
    package var family: TableFamily
    /// The table's name, which may be anything: show it by ``ObjectName/words(_:)``.
    package var table: String
    /// The base chain; nil, as are hook, priority and policy, where rules can't be read.
    package var chain: String?
    /// Where packets meet the chain.
    package var hook: ForeignChain.HookPoint?
    /// Lower ones come first at a hook.
    package var priority: Int?
    /// Where it is `drop`, ``why`` says so too.
    package var policy: Policy?
    /// Sorted, each once; never empty.
    package var why: [Reason]
    /// The chains whose rules do it: the base chain or those that it leads to, at most
    /// ``shownChains`` of them.
    package var within: [String]
    /// nil where the names tell nothing.
    package var owner: Owner?

    /// So many chains are named in ``within``.
    package static let shownChains = 5

    /// - Parameters:
    ///   - chain: nil, as are hook, priority and policy, where rules can't be read.
    ///   - why: sorted, each once; never empty.
    package init(
        family: TableFamily, table: String, chain: String?,
        hook: ForeignChain.HookPoint?, priority: Int?, policy: Policy?, why: [Reason],
        within: [String] = [], owner: Owner? = nil
    ) {
        self.family = family
        self.table = table
        self.chain = chain
        self.hook = hook
        self.priority = priority
        self.policy = policy
        self.why = why
        self.within = within
        self.owner = owner
    }

    /// A table of iptables-legacy, whose rules nf_tables does not know.
    package init(legacy table: String, family: TableFamily) {
        self.init(
            family: family, table: table, chain: nil, hook: nil, priority: nil, policy: nil,
            why: [.unknown], owner: .iptablesLegacy)
    }

    /// Whether packets that the ruleset judges come by the chain.
    ///
    /// - Parameter families: of the enforced nodes' addresses.
    package func concerns(_ placement: Placement, families: Set<AddressFamily>) -> Bool {
        switch family {
        case .ip, .arp: if !families.contains(.ipv4) { return false }
        case .ip6: if !families.contains(.ipv6) { return false }
        case .inet, .bridge, .netdev: break
        }
        return switch hook {
        case .prerouting, .postrouting, .ingress, .egress: true
        case .forward: placement.facts.hooks.contains(.forward)
        // A gateway's own packets and the requests of its neighbours pass ARP.
        case .input: placement.facts.hooks.contains(.input) || family == .arp
        case .output: placement.facts.hooks.contains(.output) || family == .arp
        // Of a table that can't be read it is not known.
        case nil: true
        }
    }

    /// Whether a packet comes by the chain, and whether those that answer it do.
    package func isMet(
        by packet: Packet, in placement: Placement
    ) -> (packet: Bool, answers: Bool) {
        guard concerns(placement, families: [packet.family]) else {
            return (false, false)
        }
        // Without an answer to ARP nothing is sent, either way; but for the host to itself.
        if family == .arp { return (!packet.isLoopback, !packet.isLoopback) }
        switch hook {
        case _ where placement.facts.judgesForwarded || packet.isLoopback, nil: return (true, true)
        case .ingress, .prerouting, .input:
            return (packet.direction == .inbound, packet.direction == .outbound)
        case .output, .postrouting, .egress:
            return (packet.direction == .outbound, packet.direction == .inbound)
        case .forward: return (false, false)
        }
    }

    /// Whether it is the same finding, wherever in the table the rules stand now.
    package func isSame(as other: Shadow) -> Bool {
        var this = self
        this.within = other.within
        this.owner = other.owner
        return this == other
    }
}

extension Shadow.Reason: Comparable {
    package static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

extension Shadow: Comparable {
    package static func < (a: Self, b: Self) -> Bool { a.order < b.order }

    private var order: (String, String, String, String) {
        (table, family.rawValue, chain ?? "", hook?.rawValue ?? "")
    }
}
