internal import PortModel

// What concerns several values at once.

/// A list of peers whose address families are to be compared with those of the nodes it is for.
struct FamilyCheck {
    let what: String
    let list: PeerList
    /// nil for all nodes.
    let nodes: [String]?
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
        for name in [NamedRange.signaling, .media] where own.contains(name) {
            let contained = Self.fixedInboundPorts.filter { settings.ports[name].contains($0.port) }
            guard !contained.isEmpty else { continue }
            let ports = enumeration(contained.map { "\($0.port) (\($0.use))" })
            findings.warning(
                settings.rangeLocations[name],
                "the range \(text(name)) contains \(ports): packets to such a port pass as \(name.rawValue), whatever its own row says"
            )
        }
    }

    /// Ports at which nodes are reached by rows of their own.
    private static let fixedInboundPorts: [(port: UInt16, use: String)] = [
        (22, "SSH"), (80, "HTTP"), (161, "SNMP"), (443, "HTTPS"), (500, "ISAKMP"),
        (1719, "H.323 RAS"), (1720, "H.323 call signaling"), (5060, "SIP"), (5061, "SIP TLS"),
    ]

    /// Reports addresses that stand twice in a node or in two nodes.
    mutating func checkAddresses() {
        var owners: [IPAddress: (node: String, location: SourceLocation)] = [:]
        for node in nodes {
            for (address, location) in node.primary + node.secondary {
                guard let owner = owners[address] else {
                    owners[address] = (node.name, location)
                    continue
                }
                let first = owner.location
                let place = "at \(first.file):\(first.line):\(first.column)"
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
        var owners: [String: DecodedNode] = [:]
        for node in nodes {
            let table = Node.tableName(of: node.name)
            guard let owner = owners[table] else {
                owners[table] = node
                continue
            }
            let first = owner.nameLocation
            findings.error(
                node.nameLocation,
                "the nodes \(quoted(owner.name)) (at \(first.file):\(first.line):\(first.column)) and \(quoted(node.name)) would both have the table \(table): rename one of them"
            )
        }
    }

    /// Warns of peers that no node can have anything to do with: those of a family without nodes.
    mutating func checkFamilies() {
        // A node that is faulty may have any address.
        guard !findings.hasErrors else { return }
        var familiesOfAll: Set<AddressFamily> = []
        for node in nodes { familiesOfAll.formUnion(families(of: node)) }
        for check in familyChecks {
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
                    check.nodes.map {
                        $0.count == 1 ? "node \(quoted($0[0])) has" : "its nodes have"
                    }
                    ?? "the nodes have"
                findings.warning(
                    location,
                    "\(check.what) names \(family) peers, but \(whose) no \(family) address: nothing will match them"
                )
            }
        }
    }

    private func families(of node: DecodedNode) -> Set<AddressFamily> {
        Set((node.primary + node.secondary).map(\.address.family))
    }
}
