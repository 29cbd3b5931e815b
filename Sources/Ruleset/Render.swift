internal import PortModel

// nft's language. Everything is numeric: on nftables 1.0.6 a name in the input may be looked up,
// which blocks.

extension Table {
    /// The table as `nft list table` would show a fresh one, for people and golden files.
    package var text: String {
        var lines = ["table inet \(name) {"]
        lines += counters.map { "    counter \($0) { }" }
        for set in sets {
            lines.append("    set \(set.name) {")
            lines += set.properties.map { "        \($0)" }
            if !set.addresses.isEmpty {
                lines.append("        elements = { \(set.elements.joined(separator: ", ")) }")
            }
            lines.append("    }")
        }
        for chain in chains {
            lines.append("    chain \(chain.name) {")
            if let hook = chain.hook { lines.append("        \(hook.text)") }
            lines += chain.rules.map { "        \($0.text)" }
            lines.append("    }")
        }
        return lines.joined(separator: "\n") + "\n}\n"
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
        case .pairs, .strayPairs: preconditionFailure("\(kind) has limits")
        }
    }

    /// The elements in nft's language.
    var elements: [String] {
        switch kind {
        case .intervals: addresses.elements
        case .addresses, .countedAddresses: addresses.members.map(\.description)
        case .pairs, .strayPairs: []
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
        }
    }
}

extension Rule {
    package var text: String {
        var words = matches.map(\.text)
        if let sampling { words.append(sampling.text) }
        if let counter { words.append("counter name \"\(counter)\"") }
        if isNotrack { words.append("notrack") }
        if let note { words.append(note.text) }
        if let verdict { words.append(verdict.text) }
        if let comment { words.append("comment \"\(comment)\"") }
        return words.joined(separator: " ")
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
        }
    }
}

extension ClosedRange where Bound: FixedWidthInteger {
    /// `443`, or `40000-49999`.
    fileprivate var text: String {
        lowerBound == upperBound ? "\(lowerBound)" : "\(lowerBound)-\(upperBound)"
    }
}
