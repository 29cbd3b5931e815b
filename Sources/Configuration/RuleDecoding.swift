internal import PortModel
internal import Site

extension DeploymentDecoder {
    /// Reads the site's own rows, in the files' order.
    mutating func rules(_ node: YAMLNode) -> [SiteRule] {
        guard let elements = list(node, "rules", of: "rules") else { return [] }
        var names: [String: SourceLocation] = [:]
        var result: [SiteRule] = []
        for (index, element) in elements.enumerated() {
            let position = "rules[\(index + 1)]"
            guard let entries = fields(of: element, position, as: RuleKey.self) else { continue }
            let name = ruleName(entries[.name], in: element, position, &names)
            if let rule = rule(
                entries, name: name, in: element, name.map { "rule \($0)" } ?? position)
            {
                result.append(rule)
            }
        }
        checkOverlaps(of: result, at: names)
        return result
    }

    private mutating func ruleName(
        _ entry: YAMLEntry?, in element: YAMLNode, _ position: String,
        _ names: inout [String: SourceLocation]
    ) -> String? {
        guard let entry else {
            findings.error(element.location, "\(position) has no name")
            return nil
        }
        guard let name = text(entry.value, "\(position).name must be a name") else { return nil }
        guard SiteRule.isName(name) else {
            findings.error(
                entry.value.location,
                "the rule's name \(quoted(name)) must begin with a small letter or digit and go on with small letters, digits, \".\", \"_\" and \"-\", \(SiteRule.nameLength) at most"
            )
            return nil
        }
        if let first = names[name] {
            findings.error(
                entry.value.location,
                "the rule \(quoted(name)) is already at \(first): give each rule a name of its own"
            )
        } else {
            names[name] = entry.value.location
        }
        return name
    }

    /// nil when the rule lacks something, which is reported.
    private mutating func rule(
        _ entries: [RuleKey: YAMLEntry], name: String?, in element: YAMLNode, _ what: String
    ) -> SiteRule? {
        func required(_ key: RuleKey, _ right: String) -> YAMLNode? {
            if let entry = entries[key] { return entry.value }
            findings.error(element.location, "\(what) has no \(key.rawValue): \(right)")
            return nil
        }
        let nodes = required(.nodes, "name nodes, a role, or all").flatMap { ruleNodes($0, what) }
        let direction = required(.direction, "write inbound or outbound").flatMap {
            choice($0, "direction", as: Direction.self)
        }
        let ipProtocol = required(.ipProtocol, "write tcp, udp or esp").flatMap {
            self.ipProtocol($0, "protocol", among: IPProtocol.allCases)
        }
        var ports: [RuleKey: PortSet] = [:]
        for key in [RuleKey.sourcePorts, .destinationPorts] {
            guard let entry = entries[key] else { continue }
            ports[key] = portSet(entry.value, "\(key.rawValue) of \(what)")
            if let ipProtocol, !ipProtocol.hasPorts {
                findings.error(
                    entry.keyLocation,
                    "\(what) has \(key.rawValue), but \(ipProtocol.name) has no ports: remove them")
            }
        }
        var peers = Peers.any
        if let entry = entries[.peers] {
            let what = "peers of \(what)"
            if let list = self.peers(entry.value, what) {
                peers = list.peers
                if let nodes {
                    peerChecks.append(
                        PeerCheck(
                            what: what, list: list, location: entry.value.location, nodes: nodes))
                }
            }
        }
        let portsAreFew = checkPortPairs(
            ports, nodes: nodes?.count ?? 0,
            at: (entries[.destinationPorts] ?? entries[.sourcePorts])?.value.location, what)
        guard let name, let nodes, let direction, let ipProtocol, portsAreFew else { return nil }
        return SiteRule(
            name: name, nodes: nodes, direction: direction, protocol: ipProtocol,
            sourcePorts: ports[.sourcePorts] ?? .all,
            destinationPorts: ports[.destinationPorts] ?? .all, peers: peers)
    }

    /// Reports a rule whose ports become too many rules in the kernel: one for each range of source
    /// ports with each of destination ports.
    private mutating func checkPortPairs(
        _ ports: [RuleKey: PortSet], nodes: Int, at location: SourceLocation?, _ what: String
    ) -> Bool {
        let sources = ports[.sourcePorts]?.intervals.count ?? 1
        let destinations = ports[.destinationPorts]?.intervals.count ?? 1
        let limit = ConfigurationLimits.portPairsOfRule
        guard sources * destinations <= limit else {
            let product =
                sources > 1 && destinations > 1
                ? "\(sources) separate source ports with \(destinations) separate destination ports, \(sources * destinations) pairs; \(limit)"
                : "\(sources * destinations) separate ports; \(limit)"
            findings.error(
                location,
                "\(what) names \(product) are the most: join ports into ranges, or split the rule"
            )
            return false
        }
        guard let location else { return true }
        return takePortPairs(sources * destinations - 1, forNodes: nodes, at: location)
    }

    /// Takes from what all rules together may come to.
    private mutating func takePortPairs(
        _ pairs: Int, forNodes nodes: Int, at location: SourceLocation
    ) -> Bool {
        guard pairs * nodes <= rulePairBudget else {
            findings.error(
                location,
                "the rules come to more than \(ConfigurationLimits.portPairsOfNodes) pairs of ports for their nodes together: join ports into ranges, join rules that have the same peers, or name fewer nodes"
            )
            return false
        }
        rulePairBudget -= pairs * nodes
        return true
    }

    /// The names of the nodes that a rule is for; nil when one is unknown or there are none.
    private mutating func ruleNodes(_ node: YAMLNode, _ what: String) -> Set<String>? {
        var result: Set<String> = []
        var words: Set<String> = []
        var isUsable = true
        for element in listOrSingle(node) {
            guard
                let word = text(element, "nodes of \(what) must be names of nodes, a role, or all")
            else {
                isUsable = false
                continue
            }
            guard words.insert(word).inserted else { continue }
            let role = profile.role(named: word)
            guard word == "all" || role != nil else {
                if nodeIndex[word] == nil {
                    reportUnknownNode(word, at: element.location)
                    isUsable = false
                }
                result.insert(word)
                continue
            }
            if nodeIndex[word] != nil {
                findings.error(
                    element.location,
                    "\(quoted(word)) is both the name of a node and a word for several: rename the node"
                )
                isUsable = false
            }
            result.formUnion(role.map { nodeNamesByRole[$0.name] ?? [] } ?? nodeNames)
        }
        guard isUsable else { return nil }
        if result.isEmpty {
            if isComplete, !nodes.isEmpty {
                findings.error(
                    node.location, "\(what) is for no node: name one, or remove the rule")
            }
            return nil
        }
        // One pair of ports at least; more are counted when the ports are known.
        guard takePortPairs(1, forNodes: result.count, at: node.location) else { return nil }
        return result
    }
}
