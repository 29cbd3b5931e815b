internal import PortModel
internal import Site

// Checks that concern several values at once.

/// A list of peers whose addresses are to be compared with those of the nodes it is for.
struct PeerCheck {
    let what: String
    let list: PeerList
    let location: SourceLocation
    /// nil for all nodes.
    let nodes: Set<String>?

    /// The node that it is for alone.
    var onlyNode: String? { nodes?.count == 1 ? nodes?.first : nil }
}

extension DeploymentDecoder {
    /// Reports ranges that overlap and ranges that contain ports of other rows.
    /// - Parameter own: the ranges that are set at this level; pairs without any were checked above.
    mutating func checkRanges(_ own: Set<NamedRange>, of settings: NodeSettings) {
        func text(_ name: NamedRange) -> String {
            let range = settings.ports[name]
            let isDefault = settings.rangeLocations[name] == nil
            return "\(name.rawValue) \(range.lowerBound)-\(range.upperBound)"
                + (isDefault ? " (the default)" : "")
        }
        let ranges = NamedRange.allCases
        for (index, first) in ranges.enumerated() {
            for second in ranges[(index + 1)...] where own.contains(first) || own.contains(second) {
                guard settings.ports[first].overlaps(settings.ports[second]) else { continue }
                // At what is set here, the later one of two.
                let (at, other) = own.contains(second) ? (second, first) : (first, second)
                findings.error(
                    settings.rangeLocations[at],
                    "the range \(text(at)) overlaps \(text(other)): choose ranges without a port in common"
                )
            }
        }
        for name in profile.inboundRanges where own.contains(name) {
            let contained = profile.fixedInboundPorts(settings.ports, in: settings.ports[name])
            guard !contained.isEmpty else { continue }
            let ports = enumeration(contained.map { "\($0.port) (\($0.use))" })
            findings.warning(
                settings.rangeLocations[name],
                "the range \(text(name)) contains \(ports): packets to such a port pass as \(name.rawValue), whatever its own row says"
            )
        }
    }

    /// Reports addresses that stand twice in a node or in two nodes.
    mutating func checkAddresses() {
        var owners: [IPAddress: (node: String, location: SourceLocation)] = [:]
        owners.reserveCapacity(2 * nodes.count)
        for node in nodes {
            for (address, location) in node.primary + node.secondary {
                guard let owner = owners[address] else {
                    owners[address] = (node.name, location)
                    continue
                }
                let first = owner.location
                let place = "at \(first)"
                findings.error(
                    location,
                    owner.node == node.name
                        ? "\(address) is an address of node \(quoted(node.name)) already, \(place): write it once"
                        : "\(address) is an address of node \(quoted(owner.node)), \(place): two nodes cannot share one"
                )
            }
        }
    }

    /// Reports nodes whose tables would have one name.
    mutating func checkTableNames() {
        var owners: [String: Int] = [:]
        owners.reserveCapacity(nodes.count)
        for (index, node) in nodes.enumerated() {
            let table = Node.tableName(of: node.name)
            guard let ownerIndex = owners[table] else {
                owners[table] = index
                continue
            }
            let owner = nodes[ownerIndex]
            let first = owner.nameLocation
            findings.error(
                node.nameLocation,
                "the nodes \(quoted(owner.name)) (at \(first)) and \(quoted(node.name)) would both have the table \(table): rename one of them"
            )
        }
    }

    /// Warns of peers that no node can have anything to do with: those of a family without nodes.
    mutating func checkFamilies() {
        // A node that is faulty may have any address.
        guard !findings.hasErrors, !peerChecks.isEmpty else { return }
        var familiesOfAll: Set<AddressFamily> = []
        for node in nodes { familiesOfAll.formUnion(families(of: node)) }
        for check in peerChecks {
            var known = familiesOfAll
            if let names = check.nodes {
                known = []
                for name in names {
                    guard let index = nodeIndex[name] else { continue }
                    known.formUnion(families(of: nodes[index]))
                    if known.count == AddressFamily.allCases.count { break }
                }
            }
            for (element, location) in check.list.elementFamilies
            where element.isDisjoint(with: known) {
                let family = element.contains(.ipv4) ? "IPv4" : "IPv6"
                let whose =
                    check.onlyNode.map { "node \(quoted($0)) has" }
                    ?? (check.nodes == nil ? "the nodes have" : "its nodes have")
                findings.warning(
                    location,
                    "\(check.what) names \(family) peers, but \(whose) no \(family) address: nothing will match them"
                )
            }
        }
    }

    /// Warns of a node that is named as its own peer: its traffic with itself needs no row.
    mutating func checkOwnPeers() {
        for check in peerChecks {
            guard case .only(let peers) = check.list.peers, let name = check.onlyNode,
                let index = nodeIndex[name]
            else { continue }
            let ranges = Set(peers.ranges)
            for (address, _) in nodes[index].primary + nodes[index].secondary
            where ranges.contains(address...address) {
                findings.warning(
                    check.location,
                    "\(check.what) names \(address), which is node \(quoted(name)) itself: its traffic with itself needs no row"
                )
            }
        }
    }

    /// Each is compared with all before it.
    private static let comparedRules = 1_000

    /// Warns of two rules of the site's that some packet meets both of: only the first counts it.
    mutating func checkOverlaps(of rules: [SiteRule], at locations: [String: SourceLocation]) {
        for (index, second) in rules.prefix(Self.comparedRules).enumerated() {
            guard let first = rules[..<index].first(where: { $0.overlaps(second) }) else {
                continue
            }
            findings.warning(
                locations[second.name],
                "the rule \(quoted(second.name)) overlaps the rule \(quoted(first.name)): packets of both pass and are counted as \(first.id)"
            )
        }
    }

    private func families(of node: DecodedNode) -> Set<AddressFamily> {
        Set((node.primary + node.secondary).map(\.address.family))
    }
}

extension Profile {
    /// The ranges at which nodes are reached.
    fileprivate var inboundRanges: [NamedRange] {
        NamedRange.allCases.filter { range in
            rows.contains { $0.direction == .inbound && $0.destination.uses(range) }
        }
    }

    /// The ports of a range at which nodes are reached by rows of their own, the lowest first, each
    /// with the first of these rows' description: `1719` with `H.323, RAS signaling`.
    fileprivate func fixedInboundPorts(
        _ ports: PortAssignments, in range: ClosedRange<UInt16>
    ) -> [(port: UInt16, use: String)] {
        var uses: [UInt16: Row] = [:]
        for row in rows where row.direction == .inbound {
            let fixed =
                switch row.destination {
                case .ports(let numbers, _): numbers
                case .configurable(let port): ports[port]
                case .any, .notApplicable: [UInt16]()
                }
            for port in fixed where range.contains(port) && uses[port] == nil {
                uses[port] = row
            }
        }
        return uses.sorted { $0.key < $1.key }.map { port, row in
            // It stands in parentheses itself.
            let parts = row.description.split { $0 == "(" || $0 == ")" }
            let words = parts.map { $0.last == " " ? $0.dropLast() : $0 }
            return (port, words.joined(separator: ", "))
        }
    }
}

extension SiteRule {
    /// Whether some packet of some node meets both rules.
    fileprivate func overlaps(_ other: SiteRule) -> Bool {
        guard direction == other.direction, `protocol` == other.protocol,
            !sourcePorts.intersection(other.sourcePorts).isEmpty,
            !destinationPorts.intersection(other.destinationPorts).isEmpty,
            !nodes.isDisjoint(with: other.nodes)
        else { return false }
        guard case .only(let own) = peers, case .only(let others) = other.peers else { return true }
        return own.subtracting(others) != own
    }
}
