internal import PortModel
internal import Site

// nft's language; what rules consist of is in RuleGrammar.swift.

extension Table {
    /// The table as nft's language names it: `inet pexip_fw_gateway`.
    package var qualifiedName: String { id.qualifiedName }

    /// The table as `nft list table` would show a fresh one, for people and golden files.
    package var text: String {
        var text = ""
        for part in textParts { text += part }
        return text
    }

    /// The ``text`` in parts, each made when it is asked for: the lines before the chains, each
    /// chain, and the end.
    package var textParts: some Sequence<String> {
        (0...chains.count + 1).lazy.map { index in
            switch index {
            case 0: head
            case chains.count + 1: "}\n"
            default: chains[index - 1].text
            }
        }
    }

    /// The lines before the chains: counters and sets.
    private var head: String {
        typealias Layout = TableLayout
        var text = "table \(qualifiedName)\(Layout.begin)\n"
        for counter in counters {
            text += "\(Layout.objectIndent)counter \(counter)\(Layout.empty)\n"
        }
        for set in sets {
            text += "\(Layout.objectIndent)set \(set.name)\(Layout.begin)\n"
            for property in set.properties { text += "\(Layout.lineIndent)\(property)\n" }
            if !set.elements.isEmpty {
                let elements = set.elements.joined(separator: ", ")
                text += "\(Layout.lineIndent)\(Layout.elements)\(elements)\(Layout.elementsEnd)\n"
            }
            text += "\(Layout.objectIndent)}\n"
        }
        return text
    }
}

extension Chain {
    fileprivate var text: String {
        var text = "\(TableLayout.objectIndent)chain \(name)\(TableLayout.begin)\n"
        if let hook { text += "\(TableLayout.lineIndent)\(hook.text)\n" }
        for rule in rules {
            text += TableLayout.lineIndent
            rule.write(to: &text)
            text += "\n"
        }
        return text + "\(TableLayout.objectIndent)}\n"
    }
}

extension NamedSet {
    /// Type, flags and limits, which are fixed when the set is made.
    var properties: [String] {
        let key = family == .ipv4 ? "ipv4_addr" : "ipv6_addr"
        let type = "type \(key)"
        if let limits = kind.noteLimits {
            return [
                "\(type) . \(key)", "flags dynamic,timeout", "timeout \(limits.seconds)s",
                "size \(limits.size)",
            ]
        }
        switch kind {
        case .intervals: return [type, "flags interval"]
        case .addresses: return [type]
        case .countedAddresses: return [type, "counter"]
        case .adoption: return ["type inet_proto", "flags timeout"]
        case .pairs, .strayPairs: preconditionFailure("\(kind) has limits")
        }
    }

    /// The elements in nft's language.
    var elements: [String] {
        switch kind {
        case .intervals: addresses.elements
        case .addresses, .countedAddresses: addresses.members.map(\.description)
        case .pairs, .strayPairs: []
        case .adoption: ["\(IPProtocol.tcp.rawValue) timeout \(Ruleset.adoptionTime)s"]
        }
    }
}

extension Hook {
    /// The line of a base chain, as `type filter hook input priority 0; policy drop;`.
    package var text: String {
        "type filter hook \(point.rawValue) priority \(priority.rawValue); policy \(policy.text);"
    }
}

extension Rule {
    /// The rule in nft's language, which ``init(nft:)`` reads back.
    package var text: String {
        var text = ""
        write(to: &text)
        return text
    }

    /// Appends the rule's text, which takes less time than making one of its own.
    func write(to text: inout String) {
        let start = text.utf8.count
        func add(_ words: String...) {
            if text.utf8.count > start { text += " " }
            for word in words { text += word }
        }
        if let late = protocolOfLatePorts { add(Match.protocolNumber(late.rawValue).text) }
        for match in matches { add(match.text) }
        for part in Part.allCases { part.write(self, add) }
    }
}

extension Rule {
    /// The protocol of ports that other conditions come before. nft would ask for it just before
    /// the ports: asked for first, it spares other protocols' packets the addresses. nft's listings
    /// don't tell the two apart.
    private var protocolOfLatePorts: IPProtocol? {
        matches.dropFirst().lazy.compactMap(\.protocolOfPorts).first {
            matches[0] != .protocolNumber($0.rawValue) && matches[0].protocolOfPorts == nil
        }
    }

    /// Forgets a condition on the protocol that those on ports contain.
    package mutating func forgetImpliedProtocol() {
        let implied = Set(matches.compactMap(\.protocolOfPorts?.rawValue))
        guard !implied.isEmpty else { return }
        matches.removeAll { match in
            if case .protocolNumber(let number) = match { implied.contains(number) } else { false }
        }
    }
}

extension Match {
    fileprivate var protocolOfPorts: IPProtocol? {
        switch self {
        case .sourcePorts(let ipProtocol, _), .destinationPorts(let ipProtocol, _): ipProtocol
        default: nil
        }
    }
}
