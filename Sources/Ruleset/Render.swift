internal import PortModel

// nft's language. Everything is numeric: on nftables 1.0.6 a name in the input may be looked up,
// which blocks.

extension Table {
    /// The table as `nft list table` would show a fresh one, for people and golden files.
    package var text: String {
        var text = ""
        for part in textParts { text += part }
        return text
    }

    /// The ``text`` in parts, each made when it is asked for: what stands before the chains, each
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

    /// What stands before the chains.
    private var head: String {
        var text = "table inet \(name) {\n"
        for counter in counters { text += "    counter \(counter) { }\n" }
        for set in sets {
            text += "    set \(set.name) {\n"
            for property in set.properties { text += "        \(property)\n" }
            if !set.elements.isEmpty {
                text += "        elements = { \(set.elements.joined(separator: ", ")) }\n"
            }
            text += "    }\n"
        }
        return text
    }
}

extension Chain {
    fileprivate var text: String {
        var text = "    chain \(name) {\n"
        if let hook { text += "        \(hook.text)\n" }
        for rule in rules {
            text += "        "
            rule.write(to: &text)
            text += "\n"
        }
        return text + "    }\n"
    }
}

extension NamedSet {
    /// What is fixed when the set is made.
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

extension AddressFamily {
    fileprivate var header: String { self == .ipv4 ? "ip" : "ip6" }
}

extension Hook {
    package var text: String {
        "type filter hook \(point.rawValue) priority \(priority.rawValue); policy \(policy.text);"
    }
}

extension Verdict {
    package var text: String {
        switch self {
        case .accept: "accept"
        case .drop: "drop"
        case .return: "return"
        case .jump(let chain): "jump \(chain)"
        case .goto(let chain): "goto \(chain)"
        }
    }
}

extension Rule {
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
        if let late = protocolOfLatePorts { add("meta l4proto \(late.rawValue)") }
        for match in matches { add(match.text) }
        if let sampling { add(sampling.text) }
        if let counter { add("counter name \"", counter, "\"") }
        if isNotrack { add("notrack") }
        if let note { add(note.text) }
        if let verdict { add(verdict.text) }
        if let comment { add("comment \"", comment, "\"") }
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

extension Sampling {
    /// The limit comes first, so that whoever floods us costs no copy.
    fileprivate var text: String {
        "limit rate \(rate)/second burst \(rate) packets log prefix \"\(counter)\" group \(group) snaplen \(Self.length)"
    }
}

extension Note {
    /// A key in the set begins its time anew.
    fileprivate var text: String {
        "update @\(set) { \(family.header) saddr . \(family.header) daddr }"
    }
}

extension Match {
    package var text: String {
        switch self {
        case .family(let family): "meta nfproto \(family.rawValue)"
        case .source(let address): "\(address.family.header) saddr \(address)"
        case .destination(let address): "\(address.family.header) daddr \(address)"
        case .sourceIn(let set, let family): "\(family.header) saddr @\(set)"
        case .destinationIn(let set, let family): "\(family.header) daddr @\(set)"
        case .protocolNumber(let number): "meta l4proto \(number)"
        case .sourcePorts(let ipProtocol, let ports): "\(ipProtocol.name) sport \(ports.text)"
        case .destinationPorts(let ipProtocol, let ports):
            "\(ipProtocol.name) dport \(ports.text)"
        case .icmpType(.ipv4, let types): "icmp type \(types.text)"
        case .icmpType(.ipv6, let types): "icmpv6 type \(types.text)"
        case .hopLimit(let limit): "ip6 hoplimit \(limit)"
        case .inputIsLoopback: "iif \"lo\""
        case .outputIsLoopback: "oif \"lo\""
        case .connection(let states):
            "ct state "
                + TrackedState.allCases.filter(states.contains).map(\.rawValue).joined(
                    separator: ",")
        case .isTranslated: "ct status snat,dnat"
        case .wasDecrypted: "meta secpath exists"
        case .willBeEncrypted: "rt ipsec exists"
        case .isAdopted: "meta l4proto @\(Table.adoptionSet)"
        // SYN.
        case .continuesConnection: "tcp flags & 2 == 0"
        }
    }
}

extension ClosedRange where Bound: FixedWidthInteger {
    /// `443`, or `40000-49999`.
    fileprivate var text: String {
        lowerBound == upperBound ? "\(lowerBound)" : "\(lowerBound)-\(upperBound)"
    }
}
