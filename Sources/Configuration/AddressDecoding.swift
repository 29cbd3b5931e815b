internal import PortModel
internal import Site

/// A list of peers that is resolved to addresses.
struct PeerList {
    var peers: Peers
    /// The families that single elements have, each with the first such element. A group that has
    /// both is of use wherever one is.
    var elementFamilies: [Set<AddressFamily>: SourceLocation] = [:]
}

extension DeploymentDecoder {
    // MARK: Groups

    /// Reads `groups` and resolves what refers to what.
    mutating func readGroups(_ node: YAMLNode) {
        guard let mapping = mapping(node, "groups") else { return }
        for entry in mapping.entries {
            reportNoContent(entry, "group")
            // Known from here on, so that what refers to a faulty group is not faulty as well.
            groups[entry.key] = entry.value.isNull ? .faulty : .unresolved(entry)
            groupReferences.append("@" + entry.key)
            checkName(entry, "group")
        }
        for entry in mapping.entries { resolveGroup(entry) }
    }

    /// Depth first without recursion, because groups may refer to each other in a long row.
    private mutating func resolveGroup(_ entry: YAMLEntry) {
        guard case .unresolved = groups[entry.key] else { return }
        groups[entry.key] = .resolving(position: 0)
        var path = [(entry: entry, next: 0)]
        while let current = path.last {
            let elements = listOrSingle(current.entry.value)
            guard current.next < elements.count else {
                let list = addresses(
                    current.entry.value, "groups.\(current.entry.key)", mayBeAny: false)
                if case .resolving = groups[current.entry.key] {
                    groups[current.entry.key] = list.map(Group.resolved) ?? .faulty
                }
                path.removeLast()
                continue
            }
            path[path.count - 1].next += 1
            let element = elements[current.next]
            guard case .scalar(let text, _) = element.content, text.hasPrefix("@") else {
                continue
            }
            switch groups[String(text.dropFirst())] {
            case .unresolved(let entry):
                groups[entry.key] = .resolving(position: path.count)
                path.append((entry, 0))
            case .resolving(let position):
                let circle = path[position...].map { "@\($0.entry.key)" }
                let shown = circle.count > 8 ? circle.prefix(7) + ["…"] : circle[...]
                findings.error(
                    element.location,
                    "groups refer to each other in a circle, \((shown + [text]).joined(separator: " to ")): remove one reference"
                )
                // Marked when the circle is complete, so that each is reported once.
                for member in path[position...] { groups[member.entry.key] = .faulty }
            case .resolved, .faulty, nil: break
            }
        }
    }

    // MARK: Lists of addresses

    /// `any`, or a list of addresses, prefixes, ranges and groups.
    mutating func peers(_ node: YAMLNode, _ what: String) -> PeerList? {
        if case .scalar("any", _) = node.content { return PeerList(peers: .any) }
        return addresses(node, what, mayBeAny: true)
    }

    private mutating func addresses(
        _ node: YAMLNode, _ what: String, mayBeAny: Bool
    ) -> PeerList? {
        let elements = "addresses, prefixes, ranges and groups"
        if case .scalar(let text, _) = node.content {
            if text == "any" {
                findings.error(node.location, Self.anyInGroup)
                return nil
            }
            findings.error(
                node.location,
                "\(what) must be \(mayBeAny ? "any or " : "")a list of \(elements): write [\(quoted(text))]"
            )
            return nil
        }
        guard case .sequence(let nodes) = node.content else {
            refuse(node, "\(what) must be \(mayBeAny ? "any or " : "")a list of \(elements)")
            return nil
        }
        guard !nodes.isEmpty else {
            findings.error(
                node.location,
                mayBeAny
                    ? "\(what) is empty: write any, or name addresses"
                    : "\(what) is empty: name addresses, or remove the group")
            return nil
        }
        var result = PeerList(peers: .any)
        var ranges: [ClosedRange<IPAddress>] = []
        var isUsable = true
        for element in nodes {
            guard let set = addressSet(element, what, mayBeAny: mayBeAny) else {
                isUsable = false
                continue
            }
            var families: Set<AddressFamily> = []
            if !set.ipv4.isEmpty { families.insert(.ipv4) }
            if !set.ipv6.isEmpty { families.insert(.ipv6) }
            if result.elementFamilies[families] == nil {
                result.elementFamilies[families] = element.location
            }
            // A group that stands alone is shared, not copied.
            if nodes.count == 1 {
                result.peers = .only(set)
                return result
            }
            ranges += set.ranges
            guard ranges.count <= expansionBudget else {
                findings.error(
                    element.location,
                    "the groups in use come to more than \(ConfigurationLimits.expandedRanges) address ranges: use a common group of them where there is one"
                )
                return nil
            }
        }
        expansionBudget -= ranges.count
        guard isUsable else { return nil }
        result.peers = .only(AddressSet(ranges: ranges))
        return result
    }

    /// One element of a list. nil for what is reported, and for a group that is faulty itself.
    private mutating func addressSet(
        _ node: YAMLNode, _ what: String, mayBeAny: Bool
    ) -> AddressSet? {
        let expectation = "\(what) must list addresses, prefixes, ranges and groups"
        guard let text = text(node, expectation) else { return nil }
        if text.hasPrefix("@") { return group(String(text.dropFirst()), at: node.location) }
        if text == "any" {
            findings.error(
                node.location,
                mayBeAny
                    ? "any stands alone, not in a list: write \(what): any"
                    : Self.anyInGroup)
            return nil
        }
        do throws(AddressSyntaxError) {
            return AddressSet(ranges: [try parsePeerRange(text)])
        } catch {
            let isGroup = groups[text] != nil
            findings.error(
                node.location,
                isGroup
                    ? "\(quoted(text)) is a group: write \(quoted("@" + text))"
                    : "\(quoted(text)) \(error.message)")
            return nil
        }
    }

    private static var anyInGroup: String {
        "any is not an address: write any where the group is used"
    }

    private mutating func group(_ name: String, at location: SourceLocation) -> AddressSet? {
        switch groups[name] {
        case .resolved(let list):
            if case .only(let set) = list.peers { return set }
            return nil
        case .unresolved, .resolving, .faulty: return nil
        case nil:
            if isComplete {
                reportUnknown("group", "@" + name, at: location, known: groupReferences)
            }
            return nil
        }
    }

    // MARK: Nodes' addresses

    /// One address or a list of them, at most one of each family, with the places where they stand.
    mutating func hostAddresses(
        _ node: YAMLNode, _ what: String
    ) -> [(address: IPAddress, location: SourceLocation)] {
        let nodes = listOrSingle(node)
        if nodes.isEmpty { findings.error(node.location, "\(what) is empty: name an address") }
        var result: [(address: IPAddress, location: SourceLocation)] = []
        for element in nodes {
            guard let text = text(element, "\(what) must be an IPv4 or IPv6 address") else {
                continue
            }
            guard let address = IPAddress(text) else {
                let isSeveral = text.contains("/") || text.contains("-")
                findings.error(
                    element.location,
                    "\(quoted(text)) is not an IPv4 or IPv6 address"
                        + (isSeveral
                            ? ": a node has single addresses, no prefix or range"
                            : " (names are not looked up)"))
                continue
            }
            if let problem = address.unusableAsHost {
                findings.error(
                    element.location, "\(what) cannot be \(quoted(text)), \(problem)")
                continue
            }
            if let other = result.first(where: { $0.address.family == address.family }) {
                let family = address.family == .ipv4 ? "IPv4" : "IPv6"
                if other.address != address {
                    findings.error(
                        element.location,
                        "\(what) has two \(family) addresses, \(other.address) and \(address): write one of each family"
                    )
                    continue
                }
            }
            result.append((address, element.location))
        }
        return result
    }
}

/// How far a group is resolved.
enum Group {
    case unresolved(YAMLEntry)
    /// On the way that is being followed, at this position of it.
    case resolving(position: Int)
    case resolved(PeerList)
    /// Reported already.
    case faulty
}
