internal import PortModel

/// A text that is no rule in the forms that ``Rule/text`` writes.
package struct RuleSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

extension Rule: Codable {
    /// As text in nft's language: small, and readable where it is stored.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        do throws(RuleSyntaxError) {
            try self.init(nft: text)
        } catch {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: error.description)
        }
    }
}

extension Rule {
    /// Bytes of a rule's text: a few names of the greatest length, and a condition of each kind.
    private static let longestText = 2_048

    /// Reads a rule back from nft's language, in the forms that ``text`` writes.
    package init(nft text: String) throws(RuleSyntaxError) {
        // No rule of ours has others, and what follows looks at characters.
        guard text.utf8.count <= Self.longestText,
            text.utf8.allSatisfy({ (0x20...0x7e).contains($0) })
        else {
            throw RuleSyntaxError(
                "a rule is at most \(Self.longestText) printable characters of ASCII")
        }
        var words = RuleWords(text)
        var rule = Rule([], nil)
        while let word = words.next() {
            if rule.comment != nil { throw RuleSyntaxError("\(word) after the comment: \(text)") }
            switch word {
            case "limit": rule.sampling = try words.sampling()
            case "counter":
                try words.expect("name")
                rule.counter = try words.quoted()
            case "notrack": rule.isNotrack = true
            case "update": rule.note = try words.note()
            case "accept": rule.verdict = .accept
            case "drop": rule.verdict = .drop
            case "return": rule.verdict = .return
            case "jump": rule.verdict = .jump(try words.word())
            case "goto": rule.verdict = .goto(try words.word())
            case "comment": rule.comment = try words.quoted()
            default: rule.matches.append(try words.match(word))
            }
        }
        if rule.note != nil, rule.verdict != nil {
            throw RuleSyntaxError("a rule that notes has no verdict: \(text)")
        }
        rule.forgetImpliedProtocol()
        self = rule
    }
}

private struct RuleWords {
    let text: String
    private var rest: Substring

    init(_ text: String) {
        self.text = text
        rest = text[...]
    }

    mutating func next() -> String? {
        rest = rest.drop { $0 == " " }
        guard let first = rest.first else { return nil }
        var end = rest.index(after: rest.startIndex)
        if first == "\"" {
            while end < rest.endIndex, rest[end] != "\"" { end = rest.index(after: end) }
            if end < rest.endIndex { end = rest.index(after: end) }
        } else {
            end = rest.firstIndex(of: " ") ?? rest.endIndex
        }
        defer { rest = rest[end...] }
        return String(rest[..<end])
    }

    mutating func word() throws(RuleSyntaxError) -> String {
        guard let word = next() else { throw RuleSyntaxError("cut off: \(text)") }
        return word
    }

    mutating func expect(_ wanted: String) throws(RuleSyntaxError) {
        let word = try word()
        if word != wanted { throw RuleSyntaxError("\(word) is not \(wanted): \(text)") }
    }

    mutating func quoted() throws(RuleSyntaxError) -> String {
        let word = try word()
        guard word.count >= 2, word.hasPrefix("\""), word.hasSuffix("\"") else {
            throw RuleSyntaxError("\(word) is not quoted: \(text)")
        }
        return String(word.dropFirst().dropLast())
    }

    /// `@seen.esp.v4 { ip saddr . ip daddr }`
    mutating func note() throws(RuleSyntaxError) -> Note {
        let set = try word()
        guard set.hasPrefix("@") else { throw RuleSyntaxError("\(set) is no set: \(text)") }
        try expect("{")
        let header = try word()
        guard let family = ["ip": AddressFamily.ipv4, "ip6": .ipv6][header] else {
            throw RuleSyntaxError("\(header) is no header: \(text)")
        }
        for word in ["saddr", ".", header, "daddr", "}"] { try expect(word) }
        return Note(set: String(set.dropFirst()), family: family)
    }

    mutating func number<Number: FixedWidthInteger>(
        _ type: Number.Type = Number.self
    ) throws(RuleSyntaxError) -> Number {
        let word = try word()
        guard let number = Number(word) else {
            throw RuleSyntaxError("\(word) is no number: \(text)")
        }
        return number
    }

    mutating func range<Number: FixedWidthInteger>() throws(RuleSyntaxError) -> ClosedRange<Number>
    {
        let ends = try word().split(separator: "-", omittingEmptySubsequences: false).map {
            Number($0)
        }
        guard let first = ends.first, let low = first, let last = ends.last, let high = last,
            ends.count <= 2, low <= high
        else { throw RuleSyntaxError("no range: \(text)") }
        return low...high
    }

    /// `limit` is read already.
    mutating func sampling() throws(RuleSyntaxError) -> Sampling {
        try expect("rate")
        let word = try word()
        guard word.hasSuffix("/second"), let rate = UInt32(word.dropLast(7)) else {
            throw RuleSyntaxError("\(word) is no rate: \(text)")
        }
        for word in ["burst", "\(rate)", "packets", "log", "prefix"] { try expect(word) }
        let counter = try quoted()
        try expect("group")
        let group: UInt16 = try number()
        try expect("snaplen")
        try expect("\(Sampling.length)")
        return Sampling(counter: counter, group: group, rate: rate)
    }

    mutating func match(_ first: String) throws(RuleSyntaxError) -> Match {
        switch first {
        case "ip", "ip6":
            let family = first == "ip" ? AddressFamily.ipv4 : .ipv6
            let field = try word()
            if field == "hoplimit", family == .ipv6 { return .hopLimit(try number()) }
            guard ["saddr", "daddr"].contains(field) else {
                throw RuleSyntaxError("\(first) has no \(field): \(text)")
            }
            let value = try word()
            if value.hasPrefix("@") {
                let set = String(value.dropFirst())
                return field == "saddr"
                    ? .sourceIn(set: set, family) : .destinationIn(set: set, family)
            }
            guard let address = IPAddress(value), address.family == family else {
                throw RuleSyntaxError("\(value) is no \(first) address: \(text)")
            }
            return field == "saddr" ? .source(address) : .destination(address)
        case "meta":
            switch try word() {
            case "l4proto":
                let word = try word()
                if word == "@\(Table.adoptionSet)" { return .isAdopted }
                guard let number = UInt8(word) else {
                    throw RuleSyntaxError("\(word) is no protocol: \(text)")
                }
                return .protocolNumber(number)
            case "nfproto":
                let name = try word()
                guard let family = AddressFamily(rawValue: name) else {
                    throw RuleSyntaxError("\(name) is no family: \(text)")
                }
                return .family(family)
            case "secpath":
                try expect("exists")
                return .wasDecrypted
            case let field: throw RuleSyntaxError("meta has no \(field): \(text)")
            }
        case "rt":
            try expect("ipsec")
            try expect("exists")
            return .willBeEncrypted
        case "tcp", "udp":
            let ipProtocol = first == "tcp" ? IPProtocol.tcp : .udp
            switch try word() {
            case "sport": return .sourcePorts(ipProtocol, try range())
            case "dport": return .destinationPorts(ipProtocol, try range())
            case "flags" where ipProtocol == .tcp:
                for word in ["&", "2", "==", "0"] { try expect(word) }
                return .continuesConnection
            case let field: throw RuleSyntaxError("\(first) has no \(field): \(text)")
            }
        case "icmp", "icmpv6":
            try expect("type")
            return .icmpType(first == "icmp" ? .ipv4 : .ipv6, try range())
        case "iif":
            try expect("\"lo\"")
            return .inputIsLoopback
        case "oif":
            try expect("\"lo\"")
            return .outputIsLoopback
        case "ct":
            let key = try word()
            if key == "status" {
                try expect("snat,dnat")
                return .isTranslated
            }
            guard key == "state" else { throw RuleSyntaxError("ct has no \(key): \(text)") }
            var states: Set<TrackedState> = []
            for name in try word().split(separator: ",", omittingEmptySubsequences: false) {
                guard let state = TrackedState(rawValue: String(name)) else {
                    throw RuleSyntaxError("\(name) is no state: \(text)")
                }
                states.insert(state)
            }
            return .connection(states)
        default:
            throw RuleSyntaxError("\(first) is not understood: \(text)")
        }
    }
}
