internal import PortModel
internal import Site

/// Turns the merged configuration into a deployment and reports everything that is wrong with it.
struct DeploymentDecoder {
    var findings: Findings
    /// Whether all files could be read. If not, what is missing may be in the others, so nothing is
    /// reported as missing.
    let isComplete: Bool
    /// Says which roles there are, and which ports where nothing else is said.
    private(set) var profile = Profile.standard
    var groups: [String: Group] = [:]
    /// The groups' names with their `@`, in the files' order.
    var groupReferences: [String] = []
    /// Nodes by name, those with faults included, in the files' order.
    var nodes: [DecodedNode] = []
    var nodeIndex: [String: Int] = [:]
    var nodeNames: [String] = []
    /// Nodes' names by role, for rules; one whose role is faulty may have either.
    lazy var nodeNamesByRole = Dictionary(
        uniqueKeysWithValues: profile.roleNames.map { role in
            (role, nodes.filter { $0.role == role || $0.role == nil }.map(\.name))
        })
    /// Peers to compare with the families that their nodes have, when those are known.
    var peerChecks: [PeerCheck] = []
    /// How many names may still be compared with unknown ones.
    var suggestionBudget = 200_000
    var expansionBudget = ConfigurationLimits.expandedRanges
    var rulePairBudget = ConfigurationLimits.portPairsOfNodes

    init(findings: Findings, isComplete: Bool) {
        self.findings = findings
        self.isComplete = isComplete
    }

    /// The deployment as far as it could be understood; nil when nothing is configured, or no node.
    mutating func deployment(from root: YAMLMapping) -> Deployment? {
        let entries = fields(of: root, in: "", as: RootKey.self)
        checkVersion(entries[.version])
        if let entry = entries[.profile],
            let named = choice(entry.value, "profile", among: Profile.all.map { ($0.name, $0) })
        {
            profile = named
        }
        let placement = entries[.placement].flatMap {
            choice($0.value, "placement", as: Placement.self)
        }
        let mode = entries[.mode].flatMap { choice($0.value, "mode", as: Mode.self) }

        if let groups = entries[.groups] { readGroups(groups.value) }
        var common = NodeSettings(ports: profile.ports)
        readSettings(
            SettingsEntries(
                features: entries[.features], ports: entries[.ports],
                transports: entries[.transports], peers: entries[.peers]),
            of: nil, into: &common)

        if let nodes = entries[.nodes] { readNodes(nodes.value, common) }
        // Where nothing is said, nothing is configured.
        if let first = root.entries.first(where: { !$0.value.isNull }), nodes.isEmpty, isComplete,
            !isUnusable(entries[.nodes])
        {
            findings.error(
                entries[.nodes]?.value.location ?? first.keyLocation,
                "no node is configured: name at least one under nodes, with its role and address")
        }
        checkAddresses()
        checkTableNames()

        let enforce = entries[.enforce].flatMap {
            self.enforce($0.value, placement ?? .local)
        }
        let host = entries[.host].map { self.host($0.value) }
        let rules = entries[.rules].map { self.rules($0.value) }
        let guards = entries[.guards].map { self.guards($0.value) }
        let refusals = entries[.refusals].map { self.refusals($0.value) }
        checkFamilies()
        checkOwnPeers()

        guard !nodes.isEmpty else { return nil }
        return Deployment(
            profile: profile, placement: placement ?? .local,
            enforce: enforce ?? .auto, mode: mode ?? .enforce, nodes: nodes.compactMap(\.node),
            host: host ?? Host(), rules: rules ?? [], guards: guards ?? Guard(),
            refusals: refusals ?? Refusals())
    }

    private mutating func checkVersion(_ entry: YAMLEntry?) {
        guard let entry else { return }
        switch entry.value.content {
        case .scalar("1", isPlain: true): break
        case .scalar("1", isPlain: false): reportQuotes(entry.value, "version", "1")
        default: refuse(entry.value, "version must be 1")
        }
    }

    /// Whether an entry's value is of the wrong kind, which was reported, so that nothing can be
    /// said about what is in it.
    private func isUnusable(_ entry: YAMLEntry?) -> Bool {
        switch entry?.value.content {
        case nil, .null, .mapping: false
        case .scalar, .sequence, .unusable: true
        }
    }

    private mutating func enforce(_ node: YAMLNode, _ placement: Placement) -> Enforce? {
        if case .scalar(let text, _) = node.content {
            if text == "auto" { return .auto }
            findings.error(
                node.location,
                "enforce must be auto or a list of node names, not \(quoted(text)): write "
                    + (nodeIndex[text] != nil ? "[\(text)]" : "auto or [NAME]"))
            return nil
        }
        guard case .sequence(let elements) = node.content else {
            refuse(node, "enforce must be auto or a list of node names")
            return nil
        }
        guard !elements.isEmpty else {
            findings.error(node.location, "enforce names no node: write auto, or name nodes")
            return nil
        }
        var names: [String] = []
        var seen: Set<String> = []
        for element in elements {
            guard let name = text(element, "enforce must list names of nodes") else { continue }
            guard seen.insert(name).inserted else {
                findings.error(
                    element.location, "enforce names \(quoted(name)) twice: write it once")
                continue
            }
            names.append(name)
            if nodeIndex[name] == nil { reportUnknownNode(name, at: element.location) }
            if placement.facts.judgesHost, names.count == 2 {
                findings.error(
                    element.location,
                    "enforce names several nodes, but with placement: \(placement.rawValue) the host is one node: name that one, or write auto"
                )
            }
        }
        return .nodes(names)
    }

    private mutating func host(_ node: YAMLNode) -> Host {
        var host = Host()
        guard let entries = fields(of: node, "host", as: HostKey.self) else { return host }
        if let ping = entries[.ping], let value = boolean(ping.value, "host.ping") {
            host.ping = value
        }
        if let client = entries[.dhcpClient],
            let value = boolean(client.value, "host.dhcp_client")
        {
            host.dhcpClient = value
        }
        if let track = entries[.trackMedia], let value = mediaTracking(track.value) {
            host.trackMedia = value
        }
        return host
    }

    private mutating func mediaTracking(_ node: YAMLNode) -> Host.MediaTracking? {
        if case .scalar(let text, _) = node.content, Host.MediaTracking.words.contains(text) {
            return .auto
        }
        return boolean(node, "host.track_media", or: Host.MediaTracking.words).map {
            $0 ? .always : .never
        }
    }

    mutating func reportUnknownNode(_ name: String, at location: SourceLocation) {
        guard isComplete else { return }
        reportUnknown("node", name, at: location, known: nodeNames)
    }

    /// Reports the name of a node or group without anything below it, which was hardly meant to be
    /// ignored: in an earlier file's place it does not take that away.
    mutating func reportNoContent(_ entry: YAMLEntry, _ what: String) {
        let place: SourceLocation
        let earlier: SourceLocation?
        if case .null(let absence) = entry.value.content {
            (place, earlier) = (entry.keyLocation, absence.replaced)
        } else if let emptied = entry.emptied {
            (place, earlier) = (emptied.location, entry.value.location)
        } else {
            return
        }
        let rest =
            earlier.map {
                ", or remove it here, which leaves what stands at \($0); to have no such \(what), remove it there"
            } ?? ", or remove the name"
        findings.error(
            place, "the \(what) \(quoted(entry.key)) has no content: write it\(rest)")
    }

    /// Checks a name that stands as a key.
    mutating func checkName(_ entry: YAMLEntry, _ what: String) {
        if Deployment.isName(entry.key) { return }
        findings.error(
            entry.keyLocation,
            "the \(what)'s name \(quoted(entry.key)) must begin with a letter or digit and go on with letters, digits, \"_\", \".\" and \"-\", \(Deployment.nameLength) at most"
        )
    }
}
