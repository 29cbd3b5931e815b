package import PortModel
package import Site

/// The answers that a starting file is made of.
package struct Answers: Hashable, Sendable {
    /// From where the nodes' row `ssh` is open.
    package enum SSHAccess: Hashable, Sendable {
        case closed
        case any
        /// Addresses, prefixes and ranges as the configuration has them; at least one.
        case from([String])
    }

    /// A way in by SSH that the documented row, port 22 of the primary address, does not cover.
    package struct WayIn: Hashable, Sendable {
        /// The name of the node that is logged in to.
        package var node: String
        /// The port of TCP by which that node's SSH was reached.
        package var port: UInt16

        package init(node: String, port: UInt16) {
            self.node = node
            self.port = port
        }
    }

    /// The port usage that a starting file names.
    static let profile = Profile.standard

    /// Whether the agent runs on a node or in front of nodes.
    package var placement = Placement.local
    /// In the order in which they were named; at least one.
    package var nodes: [NodeAnswer] = []
    /// Optional parts that are used; whether SSH is, its access tells.
    package var features: Set<Feature> = []
    /// Closed unless it is opened by an answer.
    package var ssh = SSHAccess.closed
    /// Becomes a site rule of the file; nil where the documented row covers the way in.
    package var wayIn: WayIn?
    /// Whether the host's own address comes by DHCP.
    package var dhcpClient = false

    /// No node yet, no feature, SSH closed.
    package init() {}
}

/// A node as it is named to begin with.
package struct NodeAnswer: Hashable, Sendable {
    /// As ``Deployment/isName(_:)`` wants it, and no word that stands for several nodes.
    package var name: String
    /// One of the roles of the port usage that a starting file names.
    package var role: NodeRole
    /// Primary addresses: at least one, at most one of each family.
    package var addresses: [IPAddress]
    /// At most one of each family; empty for a node that is not dual-homed.
    package var secondaryAddresses: [IPAddress]

    package init(
        name: String, role: NodeRole, addresses: [IPAddress], secondaryAddresses: [IPAddress] = []
    ) {
        self.name = name
        self.role = role
        self.addresses = addresses
        self.secondaryAddresses = secondaryAddresses
    }

    /// The primary ones, then the secondary ones, as they were typed.
    package var allAddresses: [IPAddress] { addresses + secondaryAddresses }
}

/// Why an answer can't be taken, and what would be right.
package struct AnswerProblem: Error, Hashable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

// MARK: Answers as they are typed

extension NodeAnswer {
    /// In bytes: the longest name, a role, and four addresses.
    private static let longest = 320

    /// `NAME:ROLE:ADDRESS[,SECONDARY]`, where both may be one address of each family, joined by
    /// `+`.
    ///
    /// - Throws: where the text has another form, a part of it can't be used, or the role has no
    ///   secondary address.
    package init(parsing text: String) throws(AnswerProblem) {
        let parts =
            text.utf8.count <= Self.longest
            ? text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false) : []
        guard parts.count == 3 else {
            throw AnswerProblem(
                "write NAME:ROLE:ADDRESS, as in conf-1:conferencing:10.0.0.21, and ,SECONDARY behind it for a dual-homed node"
            )
        }
        let planes = parts[2].split(separator: ",", omittingEmptySubsequences: false)
        guard planes.count <= 2 else {
            throw AnswerProblem(
                "\(parts[2]) has more than a primary and a secondary address: join those of IPv4 and IPv6 by +"
            )
        }
        try self.init(
            name: Self.name(String(parts[0])), role: Self.role(String(parts[1])),
            addresses: Self.addresses(String(planes[0])),
            secondaryAddresses: planes.count == 2 ? Self.addresses(String(planes[1])) : [])
        if let role = Answers.profile[role], !role.mayBeDualHomed, !secondaryAddresses.isEmpty {
            throw AnswerProblem("a \(role.title) has no secondary address")
        }
    }

    static func name(_ text: String) throws(AnswerProblem) -> String {
        guard Deployment.isName(text) else {
            throw AnswerProblem(
                "a node's name begins with a letter or digit and goes on with letters, digits, \"_\", \".\" and \"-\", \(Deployment.nameLength) at most"
            )
        }
        guard text != "all", Answers.profile.role(named: text) == nil else {
            throw AnswerProblem("\(text) stands for several nodes in rules: choose another name")
        }
        return text
    }

    /// The roles that there are, as `management or conferencing`.
    static let roles = alternatives(Answers.profile.roleNames.map(\.rawValue))

    static func role(_ text: String) throws(AnswerProblem) -> NodeRole {
        guard let role = Answers.profile.role(named: text) else {
            throw AnswerProblem("a role is \(roles), not \"\(text)\"")
        }
        return role.name
    }

    /// One address, or one of each family joined by `+`.
    static func addresses(_ text: String) throws(AnswerProblem) -> [IPAddress] {
        var addresses: [IPAddress] = []
        for part in text.split(separator: "+", omittingEmptySubsequences: false) {
            guard let address = IPAddress(part) else {
                throw AnswerProblem("\"\(part)\" is not an IPv4 or IPv6 address")
            }
            if let problem = address.unusableAsHost {
                throw AnswerProblem("\(part) is \(problem)")
            }
            guard !addresses.contains(where: { $0.family == address.family }) else {
                throw AnswerProblem("\(text) has two addresses of one family: write one of each")
            }
            addresses.append(address)
        }
        return addresses
    }
}

extension Answers {
    /// Adds a node that has no name or address of those before.
    ///
    /// - Throws: where it has; nothing is added then.
    package mutating func add(_ node: NodeAnswer) throws(AnswerProblem) {
        try checkName(node.name)
        try checkAddresses(node.addresses)
        try checkAddresses(node.secondaryAddresses, beside: node.addresses)
        nodes.append(node)
    }

    func checkName(_ name: String) throws(AnswerProblem) {
        guard !nodes.contains(where: { $0.name == name }) else {
            throw AnswerProblem("there is a node \(name) already")
        }
    }

    func checkAddresses(
        _ addresses: [IPAddress], beside own: [IPAddress] = []
    ) throws(AnswerProblem) {
        for address in addresses {
            if own.contains(address) {
                throw AnswerProblem("\(address) is the node's primary address already")
            }
            if let owner = nodes.first(where: { $0.allAddresses.contains(address) }) {
                throw AnswerProblem("\(address) is an address of node \(owner.name)")
            }
        }
    }

    /// Whether a host with these addresses enforces a node of its own, whose rules concern the
    /// sessions of those who are logged in there.
    package func include(_ hostAddresses: Set<IPAddress>) -> Bool {
        placement.facts.judgesHost
            && nodes.contains { $0.allAddresses.contains(where: hostAddresses.contains) }
    }

    /// Reads features that are used, of which SSH has an access of its own.
    package mutating func use(_ features: [Feature]) {
        self.features = Set(features).subtracting([.ssh])
        if features.contains(.ssh), ssh == .closed { ssh = .any }
    }

    static func features(_ words: [String]) throws(AnswerProblem) -> [Feature] {
        var features: [Feature] = []
        for word in words {
            guard let feature = Feature(rawValue: word) else {
                let known = Feature.allCases.map(\.rawValue).joined(separator: ", ")
                throw AnswerProblem("there is no part \"\(word)\": known are \(known)")
            }
            features.append(feature)
        }
        return features
    }
}

extension Answers.SSHAccess {
    /// `any`, `none`, or addresses, prefixes and ranges.
    ///
    /// - Throws: where `any` or `none` stands among others, or a word is no address, prefix or
    ///   range.
    package init(parsing words: [String]) throws(AnswerProblem) {
        switch words {
        case ["any"]: self = .any
        case ["none"], []: self = .closed
        default:
            for word in words {
                guard word != "any", word != "none" else {
                    throw AnswerProblem("\(word) stands alone")
                }
                do throws(AddressSyntaxError) {
                    _ = try parsePeerRange(word)
                } catch {
                    throw AnswerProblem("\"\(word)\" \(error.message)")
                }
            }
            self = .from(words)
        }
    }

    /// The network that an administrator's next address is likely to be of as well.
    package init(aroundClient address: IPAddress) {
        let length = address.family == .ipv4 ? 24 : 64
        let hostBits = UInt128(address.family.bits - length)
        let network = IPAddress(
            family: address.family, value: (address.value >> hostBits) << hostBits)
        self = .from(["\(network)/\(length)"])
    }

    /// As it is typed.
    package var text: String {
        switch self {
        case .closed: "none"
        case .any: "any"
        case .from(let words): words.joined(separator: ", ")
        }
    }

    /// The note where it is the network of the administrator's session.
    package var noteOfSession: String {
        "SSH stays open from \(text), the network of this session; --ssh-from says otherwise"
    }

    /// Whether SSH from this address is open.
    package func includes(_ address: IPAddress) -> Bool {
        switch self {
        case .closed: return false
        case .any: return true
        case .from(let words):
            return words.contains { word in
                do throws(AddressSyntaxError) {
                    return try parsePeerRange(word).contains(address)
                } catch {
                    return false  // Nothing that `init(parsing:)` lets through.
                }
            }
        }
    }
}
