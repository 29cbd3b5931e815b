package import Policy
package import PortModel
internal import Site

// Everything that we make in nf_tables has a name which says its purpose. Here purposes become names,
// and names become purposes; nothing else reads a name. The words are fixed: tables in kernels and
// stored generations have them, and reports, metrics and people's scripts know them.

/// The reason for which a counter, a chain, a set or a rule of ours exists.
package protocol Purpose: Hashable, Sendable {
    /// The id by which reports call it.
    var id: String { get }

    /// Any text is the ``id`` of one purpose; a text that is none of ours has one that says so.
    init(id: String)
}

extension Purpose {
    /// The name in the kernel; the id itself, but in tests (``Naming``).
    package var name: String { Naming.other.get()?.name(id) ?? id }

    /// The purpose that has this name in the kernel; any text has one.
    package init(name: String) { self.init(id: Naming.other.get()?.id(name) ?? name) }
}

/// Other names in the kernel than purposes have, by which a test shows that nothing but this file
/// reads names.
package struct Naming: Sendable {
    /// nil but in a test, which sets it for its own tasks. Not by the macro of this name: what that
    /// writes lies in a directory of the machine that builds, and the package would say where.
    package static let other = TaskLocal<Naming?>(wrappedValue: nil)

    /// The name of an object with this id; no two ids have one name.
    package let name: @Sendable (_ id: String) -> String
    /// The other way round.
    package let id: @Sendable (_ name: String) -> String

    /// The two must undo each other.
    package init(
        name: @escaping @Sendable (_ id: String) -> String,
        id: @escaping @Sendable (_ name: String) -> String
    ) {
        self.name = name
        self.id = id
    }
}

// MARK: Counters

/// The packets that a counter counts.
package enum CounterPurpose: Purpose {
    /// Packets that a row or a rule of the site permits, by its id. The name of somebody else's
    /// counter reads as an id, too.
    case permit(String)
    case refusal(Refusal)
    /// Packets of flows between two nodes that are translated: not refused, but forbidden by the
    /// routing guidance.
    case translated

    /// The row's id, `drop.…` or `nat.between-nodes`.
    package var id: String {
        switch self {
        case .permit(let id): id
        case .refusal(let refusal): refusal.id
        case .translated: Self.translatedID
        }
    }

    /// Reads every text that no other case has as a row's id.
    package init(id: String) {
        if id == Self.translatedID {
            self = .translated
        } else if let refusal = Refusal(id: id) {
            self = .refusal(refusal)
        } else {
            self = .permit(id)
        }
    }

    private static let translatedID = "nat.between-nodes"
}

/// Why packets are refused.
package enum Refusal: Hashable, Sendable {
    /// Nothing permits them; on a gateway those to or from nodes of the class.
    case unmatched(Direction, policyClass: String?)
    /// Connection tracking can't place them. They are inbound.
    case invalid
    /// UDP that no row can answer, refused before connection tracking. It is inbound.
    case unanswered

    /// As the node sees the packets.
    package var direction: Direction {
        switch self {
        case .unmatched(let direction, _): direction
        case .invalid, .unanswered: .inbound
        }
    }

    /// The class on a gateway; nil in local placement, and for refusals that know no class.
    package var policyClass: String? {
        if case .unmatched(_, let policyClass) = self { policyClass } else { nil }
    }

    /// The same whatever class it is about.
    package var ofAnyClass: Refusal {
        if case .unmatched(let direction, _) = self {
            .unmatched(direction, policyClass: nil)
        } else {
            self
        }
    }

    /// The counter that every such refusal advances.
    package var counter: CounterPurpose { .refusal(self) }

    /// The id by which reports call it.
    package var id: String {
        switch self {
        case .unmatched(let direction, let policyClass):
            Self.unmatchedID(direction) + (policyClass.map { ".\($0)" } ?? "")
        case .invalid: Self.invalidID
        case .unanswered: Self.unansweredID
        }
    }

    /// nil for every other text.
    package init?(id: String) {
        // Nearly all counters are of rows.
        guard id.utf8.starts(with: Self.prefix.utf8) else { return nil }
        if id == Self.invalidID {
            self = .invalid
            return
        }
        if id == Self.unansweredID {
            self = .unanswered
            return
        }
        for direction in Direction.allCases {
            guard let rest = id.without(prefix: Self.unmatchedID(direction)) else { continue }
            if rest.isEmpty {
                self = .unmatched(direction, policyClass: nil)
                return
            }
            if let policyClass = rest.without(prefix: "."), !policyClass.isEmpty {
                self = .unmatched(direction, policyClass: policyClass)
                return
            }
        }
        return nil
    }

    private static let prefix = "drop."
    private static let invalidID = unmatchedID(.inbound) + ".invalid"
    private static let unansweredID = unmatchedID(.inbound) + ".unanswered"

    private static func unmatchedID(_ direction: Direction) -> String { prefix + direction.word }
}

extension Direction {
    fileprivate var word: String { self == .inbound ? "in" : "out" }
}

// MARK: Chains

/// The packets that a chain judges or notes.
package indirect enum ChainPurpose: Purpose {
    /// On the node: the beginning of a packet's way at a priority.
    case base(Hook.Priority, Direction)
    /// On the node: the rows of a protocol.
    case permits(Direction, IPProtocol)
    /// On the node: packets that IPsec protects.
    case protected(Hook.Priority, Direction)
    /// On the node: UDP that no row can answer.
    case unanswered
    /// On the node.
    case icmp(AddressFamily)
    /// On the node: IKE between nodes, which it notes.
    case mesh(Direction)
    /// In front of nodes: the beginning of a packet's way.
    case forward
    /// In front of nodes: packets to or from a class of them.
    case policyClass(String, Direction)
    /// In front of nodes: flows that are translated.
    case translated
    /// In front of nodes: ESP between nodes, which it notes.
    case meshESP
    /// In front of nodes: IKE between nodes, which it notes.
    case meshIKE
    /// Refused ESP, which it notes.
    case strayESP
    /// Refused UDP, of which it notes IPsec's.
    case strayUDP
    /// Refused IPsec that found a NAT on its way, which it notes.
    case strayTraversal
    /// Answers to packets that another chain permits: see ``Ruleset/adopting``.
    case adopting(ChainPurpose)
    /// The same in front of nodes, at the end that called.
    case adoptingFarEnd
    /// It holds the ``Stamp``.
    case stamp
    /// It is none of ours.
    case other(String)

    /// The chain's name: fixed words, or a class's name and a direction.
    package var id: String {
        switch self {
        case .base(.raw, let direction): "raw_\(direction.word)"
        case .base(.filter, let direction): "\(direction.word)put"
        case .permits(let direction, let ipProtocol):
            "\(Self.base(.filter, direction).id)_\(ipProtocol.name)"
        case .protected(let priority, let direction): "\(Self.base(priority, direction).id)_ipsec"
        case .unanswered: "unanswered"
        case .icmp(.ipv4): "icmp_v4"
        case .icmp(.ipv6): "icmp_v6"
        case .mesh(let direction): "mesh_\(direction.rawValue)"
        case .forward: "forward"
        case .policyClass(let name, let direction): "\(name)_\(direction.word)"
        case .translated: "translated"
        case .meshESP: "mesh_esp"
        case .meshIKE: "mesh_ike"
        case .strayESP: "stray_esp"
        case .strayUDP: "stray_udp"
        case .strayTraversal: "stray_nat_t"
        case .adopting(let purpose): Self.adoptingPrefix + purpose.id
        case .adoptingFarEnd: Self.adoptingPrefix + "far"
        case .stamp: "generation"
        case .other(let id): id
        }
    }

    /// Reads every text that no other case has as ``other(_:)``.
    package init(id: String) {
        if let fixed = Self.fixed[id] {
            self = fixed
            return
        }
        if let adopted = id.without(prefix: Self.adoptingPrefix) {
            self = .adopting(Self(id: adopted))
            return
        }
        for direction in Direction.allCases {
            if let name = id.without(suffix: "_\(direction.word)"), PolicyClass.isName(name) {
                self = .policyClass(name, direction)
                return
            }
        }
        self = .other(id)
    }

    private static let adoptingPrefix = "adopt_"

    /// Those that say no more than this, by their ids.
    private static let fixed: [String: Self] = {
        var all: [Self] = [
            .unanswered, .forward, .translated, .meshESP, .meshIKE, .strayESP, .strayUDP,
            .strayTraversal, .adoptingFarEnd, .stamp,
        ]
        all += AddressFamily.allCases.map(Self.icmp)
        for direction in Direction.allCases {
            all.append(.mesh(direction))
            for priority in [Hook.Priority.raw, .filter] {
                all += [.base(priority, direction), .protected(priority, direction)]
            }
            all += IPProtocol.allCases.map { .permits(direction, $0) }
        }
        return Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0) })
    }()

    /// Packets of one direction, to or from the one node or the nodes of a class.
    package struct Judged: Hashable, Sendable {
        /// As the nodes see the packets.
        package var direction: Direction
        /// nil on the node.
        package var policyClass: String?
    }

    /// The packets that it permits or refuses; nil where it is about others, or about both
    /// directions.
    package var judged: Judged? {
        switch self {
        case .base(_, let direction), .permits(let direction, _), .protected(_, let direction):
            Judged(direction: direction)
        case .unanswered: Judged(direction: Refusal.unanswered.direction)
        case .policyClass(let name, let direction):
            Judged(direction: direction, policyClass: name)
        case .icmp, .mesh, .forward, .translated, .meshESP, .meshIKE, .strayESP, .strayUDP,
            .strayTraversal, .adopting, .adoptingFarEnd, .stamp, .other:
            nil
        }
    }
}

// MARK: Sets

/// The elements that a set holds.
package indirect enum SetPurpose: Hashable, Sendable {
    /// The addresses of a class's nodes that rows of a plane bind to.
    case nodes(policyClass: String, Plane)
    /// The peers of rows and of the site's rules; where classes differ in them, those of one class.
    case peers(PeerOrigin, policyClass: String?)
    /// The secondary addresses of all nodes.
    case secondary
    /// Enforced nodes' addresses, each with a counter of refusals to and from it.
    case nodeTotals
    case noted(NoteSet)
    /// In the place of a set whose type changes: see ``Ruleset/interim(from:)``.
    case standIn(SetPurpose)
    /// The element that lasts while rules adopt: see ``Ruleset/adopting``.
    case adoption
    /// It is none of ours.
    case other(String)

    /// The name in the kernel of such a set of this family; ``adoption`` is of none.
    package func name(_ family: AddressFamily) -> String {
        SetLabel(purpose: self, family: self == .adoption ? nil : family).name
    }

    fileprivate var id: String {
        switch self {
        case .nodes(let policyClass, .any): policyClass
        case .nodes(let policyClass, let plane): "\(policyClass).\(plane.rawValue)"
        case .peers(let origin, let policyClass):
            (policyClass.map { "\($0)." } ?? "") + origin.id
        case .secondary: "secondary"
        case .nodeTotals: "node-drops"
        case .noted(let set): set.rawValue
        case .standIn(let purpose): Self.standInPrefix + purpose.id
        case .adoption: "adopt.tcp"
        case .other(let id): id
        }
    }

    fileprivate init(id: String) {
        for fixed in [Self.secondary, .nodeTotals, .adoption] where fixed.id == id {
            self = fixed
            return
        }
        if let set = NoteSet(rawValue: id) {
            self = .noted(set)
        } else if let purpose = id.without(prefix: Self.standInPrefix) {
            self = .standIn(Self(id: purpose))
        } else if let origin = PeerOrigin(id: id) {
            self = .peers(origin, policyClass: nil)
        } else if let (policyClass, rest) = Self.policyClass(in: id) {
            if let plane = rest.map(Plane.init(rawValue:)) ?? .any {
                self = .nodes(policyClass: policyClass, plane)
            } else if let origin = rest.flatMap(PeerOrigin.init(id:)) {
                self = .peers(origin, policyClass: policyClass)
            } else {
                self = .other(id)
            }
        } else {
            self = .other(id)
        }
    }

    private static let standInPrefix = "stand-in."

    /// A class's name and the text behind its point, where there is one.
    private static func policyClass(in id: String) -> (name: String, rest: String?)? {
        let parts = id.utf8.split(
            separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(decoding: parts[0], as: UTF8.self)
        guard PolicyClass.isName(name) else { return nil }
        return (name, parts.count == 1 ? nil : String(decoding: parts[1], as: UTF8.self))
    }
}

extension PeerOrigin {
    /// Infinity 14 has only these two, so that its kernel sets of all nodes need no roles to be told
    /// apart.
    private static let rolesOfPlainMesh: [NodeRole] = [.management, .conferencing]

    /// Follows from nothing but the origin: a set has the same name whatever other roles and rows
    /// there are, and another origin's set another one.
    fileprivate var id: String {
        switch self {
        case .mesh(Self.rolesOfPlainMesh): "mesh"
        case .mesh(let roles): Self.meshPrefix + roles.map(\.rawValue).joined(separator: ".")
        case .devices(let peerClass): Self.devicesPrefix + peerClass.rawValue
        case .site(let name): Self.sitePrefix + name
        }
    }

    fileprivate init?(id: String) {
        if id == "mesh" {
            self = .mesh(Self.rolesOfPlainMesh)
        } else if let names = id.without(prefix: Self.meshPrefix) {
            let words = names.utf8.split(
                separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            let roles = words.compactMap { NodeRole(rawValue: String(decoding: $0, as: UTF8.self)) }
            guard roles.count == words.count else { return nil }
            self = .mesh(roles)
        } else if let peerClass = id.without(prefix: Self.devicesPrefix) {
            guard let peerClass = PeerClass(rawValue: peerClass) else { return nil }
            self = .devices(peerClass)
        } else if let name = id.without(prefix: Self.sitePrefix) {
            self = .site(name)
        } else {
            return nil
        }
    }

    private static let meshPrefix = "mesh."
    private static let devicesPrefix = "peers."
    private static let sitePrefix = "site."
}

/// A set's purpose with its family, which its name says, too.
private struct SetLabel: Purpose {
    let purpose: SetPurpose
    /// nil where the name says none.
    let family: AddressFamily?

    init(purpose: SetPurpose, family: AddressFamily?) {
        self.purpose = purpose
        self.family = family
    }

    var id: String { purpose.id + (family?.suffix ?? "") }

    init(id: String) {
        for family in AddressFamily.allCases {
            if let rest = id.without(suffix: family.suffix) {
                self.init(purpose: SetPurpose(id: rest), family: family)
                return
            }
        }
        self.init(purpose: SetPurpose(id: id), family: nil)
    }
}

extension AddressFamily {
    /// Tells the sets of two families apart.
    fileprivate var suffix: String { self == .ipv4 ? ".v4" : ".v6" }
}

extension NoteSet {
    /// The name in the kernel of the set of this family.
    package func name(_ family: AddressFamily) -> String { SetPurpose.noted(self).name(family) }
}

extension PolicyClass {
    /// `<role>_<sixteen digits>`.
    static func name(of role: NodeRole, _ hash: UInt64) -> String {
        let digits = String(hash, radix: 16)
        return "\(role.rawValue)_\(String(repeating: "0", count: 16 - digits.count))\(digits)"
    }

    /// Whether a class could be called so.
    fileprivate static func isName(_ name: String) -> Bool {
        let digits = name.utf8.suffix(16)
        let role = name.utf8.dropLast(16)
        return digits.count == 16
            && digits.allSatisfy { "0123456789abcdef".utf8.contains($0) }
            && role.count > 1 && role.last == UInt8(ascii: "_")
            && !role.contains(UInt8(ascii: "."))
    }
}

// MARK: Rules

/// The meaning of a rule, which its comment says.
package enum RulePurpose: Purpose {
    /// The packets that the rule counts; or, before connection tracking, those that another rule
    /// counts later; or those of the chain that it leads to.
    case counter(CounterPurpose)
    /// An option of the host, by its key.
    case hostOption(String)
    /// It leads to the chains of a class.
    case policyClass(String)
    case transport(IPProtocol)
    case established
    case loopback
    case icmp(AddressFamily)
    case icmpError
    case neighbourDiscovery
    case multicastListener
    /// Packets that IPsec protects.
    case ipsec
    case unanswered
    /// The state of the mesh, and not its permits.
    case mesh
    /// Copies of refused packets.
    case sampling
    case nodeTotals
    case adoption

    /// `host.ping`: echo requests to and from the node.
    package static let ping = Self.hostOption("ping")
    /// `host.dhcp_client`: the packets of the host's DHCP and DHCPv6 client.
    package static let dhcpClient = Self.hostOption("dhcp_client")

    /// The comment's text; for a counter the counter's id.
    package var id: String {
        switch self {
        case .counter(let purpose): purpose.id
        case .hostOption(let key): Self.hostPrefix + key
        case .policyClass(let name): name
        case .transport(let ipProtocol): ipProtocol.name
        case .established: "established"
        case .loopback: "loopback"
        case .icmp(.ipv4): "icmp"
        case .icmp(.ipv6): "icmpv6"
        case .icmpError: "icmp-error"
        case .neighbourDiscovery: "neighbour-discovery"
        case .multicastListener: "multicast-listener"
        case .ipsec: "ipsec"
        case .unanswered: "unanswered"
        case .mesh: "mesh"
        case .sampling: "refusals.sample"
        case .nodeTotals: "node-drops"
        case .adoption: "adopt"
        }
    }

    /// Reads every text that no other case has as a counter's id.
    package init(id: String) {
        if let fixed = Self.fixed[id] {
            self = fixed
        } else if let key = id.without(prefix: Self.hostPrefix) {
            self = .hostOption(key)
        } else if PolicyClass.isName(id) {
            self = .policyClass(id)
        } else {
            self = .counter(CounterPurpose(id: id))
        }
    }

    private static let hostPrefix = "host."

    /// Those that say no more than this, by their ids.
    private static let fixed: [String: Self] = {
        var all: [Self] = [
            .established, .loopback, .icmpError, .neighbourDiscovery, .multicastListener, .ipsec,
            .unanswered, .mesh, .sampling, .nodeTotals, .adoption,
        ]
        all += IPProtocol.allCases.map(Self.transport) + AddressFamily.allCases.map(Self.icmp)
        return Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0) })
    }()
}

// MARK: Objects with their purposes

extension Chain {
    /// - Parameter hook: nil for a chain that is only jumped to.
    package init(_ purpose: ChainPurpose, hook: Hook? = nil, rules: [Rule]) {
        self.init(name: purpose.name, hook: hook, rules: rules)
    }

    /// Read from the name; ``ChainPurpose/other(_:)`` for a chain that is none of ours.
    package var purpose: ChainPurpose { ChainPurpose(name: name) }
}

extension NamedSet {
    /// - Parameter addresses: empty for kinds that packets fill.
    package init(
        _ purpose: SetPurpose, _ family: AddressFamily, _ kind: Kind,
        _ addresses: AddressSet = AddressSet()
    ) {
        self.init(name: purpose.name(family), family: family, kind: kind, addresses: addresses)
    }

    /// Read from the name; ``SetPurpose/other(_:)`` for a set that is none of ours.
    package var purpose: SetPurpose { SetPurpose(name: name) }
}

extension SetPurpose {
    /// The purpose of a set with this name in the kernel, whatever its family.
    package init(name: String) { self = SetLabel(name: name).purpose }
}

extension Rule {
    /// - Parameter purpose: becomes the rule's comment.
    package init(
        _ matches: [Match], counter: CounterPurpose? = nil, notrack: Bool = false,
        _ verdict: Verdict?, note: Note? = nil, for purpose: RulePurpose,
        sampling: Sampling? = nil
    ) {
        self.init(
            matches, counter: counter?.name, notrack: notrack, verdict, note: note,
            comment: purpose.name, sampling: sampling)
    }

    /// Read from the comment; nil where there is none.
    package var purpose: RulePurpose? { comment.map(RulePurpose.init(name:)) }

    /// Read from the counter's name; nil where the rule counts nothing.
    package var counterPurpose: CounterPurpose? { counter.map(CounterPurpose.init(name:)) }

    /// The rule permits by a row, or by a rule of the site, which it counts.
    package var permits: Bool { if case .permit? = counterPurpose { true } else { false } }
}

extension Verdict {
    static func jump(to purpose: ChainPurpose) -> Verdict { .jump(purpose.name) }
    static func goto(to purpose: ChainPurpose) -> Verdict { .goto(purpose.name) }

    /// The chain that it leads to and comes back from.
    package var jumpTarget: ChainPurpose? {
        if case .jump(let name) = self { ChainPurpose(name: name) } else { nil }
    }
}

// MARK: Tables

/// The rule by which a table is ours: it was compiled, or it carries our stamp and a name as we give
/// it, in a family of our placements (``TableFamily/ofPlacements``). A table of the same name in
/// another family is not, whatever it holds.
///
/// A stamp alone could be anybody's, and a table that carries one is deleted when it is not wanted.
/// So the stamp must be as ours are, name included, and whoever writes one hands the table over.
package enum OwnTable {
    /// How the names of all our tables begin.
    package static let namePrefix = "pexip_fw_"

    /// Whether the name begins as those of our tables do, which may be an accident.
    package static func isLikeOurs(_ name: some Sequence<UInt8>) -> Bool {
        name.starts(with: namePrefix.utf8)
    }

    /// Whether a table of ours could be called so: `pexip_fw_[A-Za-z0-9_]+`.
    package static func isName(_ name: String) -> Bool {
        let rest = name.utf8.dropFirst(namePrefix.utf8.count)
        return isLikeOurs(name.utf8) && !rest.isEmpty
            && ObjectName.isPlain(name)
            && rest.allSatisfy { $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "_") }
    }

    /// Whether a table of ours could be this one.
    package static func isID(_ id: TableID) -> Bool {
        TableFamily.ofPlacements.contains(id.family) && isName(id.name)
    }

    /// - Parameters:
    ///   - compiled: the tables that are, or are to be, in force.
    ///   - stamp: asks for the one that the table carries.
    package static func isOurs<Failure>(
        _ id: TableID, compiled: Set<TableID>, stamp: () throws(Failure) -> Stamp?
    ) throws(Failure) -> Bool {
        guard isID(id) else { return false }
        if compiled.contains(id) { return true }
        return try stamp() != nil
    }
}

// MARK: Names that others give

extension Shadow.Owner {
    /// A guess by the names that each program gives; nil where none fits.
    ///
    /// - Parameter chains: those that count most first.
    init?(table: String, family: TableFamily, chains: [String]) {
        let byTable: [(String, Self)] = [
            ("firewalld", .firewalld), ("docker-", .docker), ("libvirt_", .libvirt),
            ("kube-", .kubernetes), ("f2b-", .fail2ban),
        ]
        if let found = byTable.first(where: { table.utf8.starts(with: $0.0.utf8) }) {
            self = found.1
            return
        }
        let byChain: [(String, Self)] = [
            ("DOCKER", .docker), ("LIBVIRT_", .libvirt), ("ufw-", .ufw), ("ufw6-", .ufw),
            ("KUBE-", .kubernetes), ("cali-", .kubernetes), ("f2b-", .fail2ban),
        ]
        for chain in chains {
            if let found = byChain.first(where: { chain.utf8.starts(with: $0.0.utf8) }) {
                self = found.1
                return
            }
        }
        let builtIn: Set<String> = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]
        guard [.ip, .ip6].contains(family), chains.contains(where: builtIn.contains) else {
            return nil
        }
        self = .iptables
    }
}

// MARK: Bytes

// Names in the kernel may be anybody's: they are looked at byte by byte.
extension String {
    /// The text behind the prefix; nil where it does not begin so.
    fileprivate func without(prefix: String) -> String? {
        guard utf8.starts(with: prefix.utf8) else { return nil }
        return String(decoding: utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
    }

    /// The text before the suffix; nil where it does not end so.
    fileprivate func without(suffix: String) -> String? {
        let rest = utf8.count - suffix.utf8.count
        guard rest >= 0, utf8.dropFirst(rest).elementsEqual(suffix.utf8) else { return nil }
        return String(decoding: utf8.prefix(rest), as: UTF8.self)
    }
}
