internal import JSONValue
internal import Netlink
internal import PortModel
internal import Ruleset
internal import Site

/// A listing of libnftables as JSON (libnftables-json(5)), read back into the ruleset's own values.
///
/// Listings are canonicalised and differ between versions; reading them as values makes the
/// comparison one of meaning. Whatever has no counterpart among the values stays foreign.
struct Listing {
    private let objects: [JSONValue]
    private let elements: [String: SetElements]

    /// - Parameter elements: the sets' elements, which the listing leaves out.
    init(json: [UInt8], elements: [ListedElements]) throws(KernelError) {
        let document: JSONValue
        do throws(JSONSyntaxError) {
            document = try JSONValue(parsing: json)
        } catch {
            throw KernelError(.unreadable, "a listing is not JSON: \(error)")
        }
        guard let objects = document["nftables"]?.array else {
            throw KernelError(.unreadable, "a listing has no \"nftables\" array")
        }
        self.objects = objects
        self.elements = Dictionary(
            elements.map { ($0.set, SetElements(bytes: $0.attributes)) },
            uniquingKeysWith: { $1 })
    }

    /// A table that was listed, maybe beside others.
    func table(_ id: TableID) -> ObservedTable {
        var table = ObservedTable(id)
        var chainIndices: [String: Int] = [:]
        for object in objects {
            guard let (kind, value) = object.object?.first,
                value["family"]?.string == id.family.rawValue, value["table"]?.string == id.name
            else { continue }
            if kind != "rule", value.plain("name") == nil {
                let name = value["name"]?.string ?? ""
                table.foreign.append("\(kind) \(ObjectName.words(name))")
                continue
            }
            let name = value["name"]?.string ?? ""
            switch kind {
            case "counter": table.counters[name] = CounterValue(listing: value)
            case "set":
                table.sets.append(ObservedSet(named: name, listing: value, elements[name]))
            case "chain":
                chainIndices[name] = table.chains.count
                table.chains.append(
                    ObservedChain(
                        name: name, attachment: ObservedChain.Attachment(listing: value),
                        rules: []))
            case "rule":
                guard let index = chainIndices[value["chain"]?.string ?? ""] else {
                    table.foreign.append("rule outside of any chain")
                    continue
                }
                table.chains[index].rules.append(
                    Rule(listing: value).map(ObservedRule.known)
                        ?? .foreign(
                            String(decoding: (value["expr"] ?? .null).serialized, as: UTF8.self)))
                if let handle = value["handle"]?.integer.flatMap(UInt64.init(exactly:)) {
                    table.chains[index].handles.append(handle)
                }
            default:
                table.foreign.append("\(kind) \(name)")
            }
        }
        return table
    }
}

extension JSONValue {
    /// A number, which some versions write as text.
    fileprivate var flexibleInteger: Int64? { integer ?? string.flatMap { Int64($0) } }

    /// A member that is a name which may stand in nft's language; nil for every other.
    fileprivate func plain(_ member: String) -> String? {
        self[member]?.string.flatMap { ObjectName.isPlain($0) ? $0 : nil }
    }

    /// The set that an expression refers to by `@` and a plain name.
    fileprivate var setName: String? {
        guard let text = string, text.utf8.first == UInt8(ascii: "@"),
            ObjectName.isPlain(text.utf8.dropFirst())
        else { return nil }
        return String(text.dropFirst())
    }

    /// A single number or a range of two.
    fileprivate func range<T: FixedWidthInteger>(of type: T.Type) -> ClosedRange<T>? {
        let bounds: [JSONValue]
        if let pair = self["range"]?.array, pair.count == 2 {
            bounds = pair
        } else {
            bounds = [self, self]
        }
        guard let low = bounds[0].flexibleInteger.flatMap(T.init(exactly:)),
            let high = bounds[1].flexibleInteger.flatMap(T.init(exactly:)), low <= high
        else { return nil }
        return low...high
    }
}

extension ObservedSet {
    /// - Parameter elements: nil where they were not asked for.
    fileprivate init(named name: String, listing: JSONValue, _ elements: SetElements?) {
        if Self.isAdoption(listing) {
            // Its element is there for a time, and no part of what the set is.
            self.init(
                name: name,
                set: NamedSet(
                    name: name, family: .ipv4, kind: .adoption, addresses: AddressSet()))
            return
        }
        guard let family = Self.family(listing), let kind = Self.kind(listing) else {
            self.init(name: name, set: nil)
            return
        }
        func set(_ addresses: AddressSet) -> NamedSet {
            NamedSet(name: name, family: family, kind: kind, addresses: addresses)
        }
        switch kind {
        case .intervals:
            self.init(name: name, set: elements?.intervals(family).map(set))
        case .addresses, .countedAddresses:
            let found = elements?.addresses(family)
            self.init(
                name: name, set: (found?.addresses).map(set), counters: found?.counters ?? [:])
        case .pairs, .strayPairs:
            self.init(
                name: name, set: set(AddressSet()),
                noted: kind.noteLimits.flatMap { elements?.noted(family, $0) } ?? [:])
        case .adoption: self.init(name: name, set: nil)
        }
    }

    private static func isAdoption(_ listing: JSONValue) -> Bool {
        listing["type"]?.string == "inet_proto" && listing["flags"] == ["timeout"]
            && listing["timeout"] == nil && listing["size"] == nil && listing["stmt"] == nil
            && listing["gc-interval"] == nil
    }

    private static func family(_ listing: JSONValue) -> AddressFamily? {
        switch listing["type"] {
        case "ipv4_addr", ["ipv4_addr", "ipv4_addr"]: .ipv4
        case "ipv6_addr", ["ipv6_addr", "ipv6_addr"]: .ipv6
        default: nil
        }
    }

    /// A set that packets fill; the flag for that is told by nftables 1.0.7 and later.
    private static func noteKind(_ listing: JSONValue) -> NamedSet.Kind? {
        let flags = Set(listing["flags"]?.array?.map(\.string) ?? [])
        guard flags == ["timeout"] || flags == ["timeout", "dynamic"], listing["stmt"] == nil,
            listing["gc-interval"] == nil
        else { return nil }
        return [NamedSet.Kind.pairs, .strayPairs].first { kind in
            guard let limits = kind.noteLimits else { return false }
            return listing["timeout"]?.integer == Int64(limits.seconds)
                && listing["size"]?.integer == Int64(limits.size)
        }
    }

    private static func kind(_ listing: JSONValue) -> NamedSet.Kind? {
        if listing["type"]?.array != nil { return noteKind(listing) }
        guard listing["timeout"] == nil, listing["size"] == nil else { return nil }
        let flags = listing["flags"]?.array?.map(\.string) ?? []
        switch (flags, listing["stmt"]) {
        case (["interval"], nil): return .intervals
        case ([], nil): return .addresses
        case ([], .array([["counter": .null]])): return .countedAddresses
        default: return nil
        }
    }
}

extension CounterValue {
    fileprivate init(listing: JSONValue) {
        self.init(
            packets: UInt64(clamping: listing["packets"]?.integer ?? 0),
            bytes: UInt64(clamping: listing["bytes"]?.integer ?? 0))
    }
}

extension ObservedChain.Attachment {
    fileprivate init(listing: JSONValue) {
        guard listing["hook"] != nil || listing["type"] != nil else {
            self = .none
            return
        }
        guard listing["type"]?.string == "filter", listing["dev"] == nil,
            let point = listing["hook"]?.string.flatMap(Hook.Point.init(rawValue:)),
            let priority = listing["prio"]?.integer.flatMap({
                Hook.Priority(rawValue: Int($0))
            }),
            let policy = ["accept": Verdict.accept, "drop": .drop][
                listing["policy"]?.string ?? ""]
        else {
            self = .foreign
            return
        }
        self = .hook(Hook(point, priority, policy: policy))
    }
}

extension Rule {
    /// nil where any expression has no counterpart, or stands where ``Rule`` would not put it.
    fileprivate init?(listing: JSONValue) {
        guard let expressions = listing["expr"]?.array else { return nil }
        let comment = listing["comment"]?.string
        if let comment, !ObjectName.isPlainComment(comment) { return nil }
        var rule = Rule([], nil, comment: comment)
        var limit: UInt32?
        for expression in expressions {
            guard rule.verdict == nil, rule.sampling == nil, rule.note == nil,
                let (kind, value) = expression.object?.first,
                expression.object?.count == 1
            else { return nil }
            let hasOnlyMatches = rule.counter == nil && !rule.isNotrack && limit == nil
            switch kind {
            case "limit":
                guard hasOnlyMatches, let rate = Sampling.rate(listing: value) else { return nil }
                limit = rate
            case "log":
                guard let rate = limit, let sampling = Sampling(listing: value, rate: rate) else {
                    return nil
                }
                rule.sampling = sampling
                limit = nil
            case "match":
                guard hasOnlyMatches, let match = Match(listing: value) else { return nil }
                rule.matches.append(match)
            case "counter":
                guard hasOnlyMatches, let name = value.string, ObjectName.isPlain(name) else {
                    return nil
                }
                rule.counter = name
            case "notrack":
                guard !rule.isNotrack, limit == nil else { return nil }
                rule.isNotrack = true
            case "set":
                guard let note = Note(listing: value) else { return nil }
                rule.note = note
            case "accept": rule.verdict = .accept
            case "drop": rule.verdict = .drop
            case "return": rule.verdict = .return
            case "jump":
                guard let target = value.plain("target") else { return nil }
                rule.verdict = .jump(target)
            case "goto":
                guard let target = value.plain("target") else { return nil }
                rule.verdict = .goto(target)
            default: return nil
            }
        }
        guard limit == nil else { return nil }
        rule.forgetImpliedProtocol()
        self = rule
    }
}

extension Sampling {
    /// Packets a second, of which as many may come at once; nil for any other limit.
    fileprivate static func rate(listing: JSONValue) -> UInt32? {
        guard listing.object?.count == 3, listing["per"]?.string == "second",
            let rate = listing["rate"]?.integer, listing["burst"]?.integer == rate
        else { return nil }
        return UInt32(exactly: rate)
    }

    /// nil where anything is logged otherwise.
    fileprivate init?(listing: JSONValue, rate: UInt32) {
        guard listing.object?.count == 3, let counter = listing.plain("prefix"),
            let group = listing["group"]?.integer.flatMap(UInt16.init(exactly:)),
            listing["snaplen"]?.integer == Int64(Self.length)
        else { return nil }
        self.init(counter: counter, group: group, rate: rate)
    }
}

extension Note {
    fileprivate init?(listing: JSONValue) {
        guard listing["op"]?.string == "update", listing["stmt"] == nil,
            let set = listing["set"]?.setName,
            let key = listing["elem"]?["concat"]?.array
        else { return nil }
        for (family, header) in [(AddressFamily.ipv4, "ip"), (.ipv6, "ip6")] {
            let own: [JSONValue] = ["saddr", "daddr"].map {
                ["payload": ["protocol": .string(header), "field": .string($0)]]
            }
            if key == own {
                self.init(set: set, family: family)
                return
            }
        }
        return nil
    }
}

extension Match {
    fileprivate init?(listing: JSONValue) {
        guard let left = listing["left"], let right = listing["right"],
            let comparison = listing["op"]?.string
        else { return nil }
        if Self.isOfFlags(left, comparison, right) {
            self = .continuesConnection
            return
        }
        guard comparison == "==" || comparison == "in" else { return nil }
        let match: Match?
        if let payload = left["payload"] {
            match = Match(
                protocol: payload["protocol"]?.string, field: payload["field"]?.string, right)
        } else if let key = left["meta"]?["key"]?.string {
            match = Match(meta: key, right)
        } else if left["ct"]?["key"]?.string == "state", left["ct"]?["dir"] == nil {
            match = Match(states: right)
        } else if left["ct"]?["key"]?.string == "status", left["ct"]?["dir"] == nil,
            Set(right.array?.map(\.integer) ?? []) == [16, 32]
        {
            // IPS_SRC_NAT and IPS_DST_NAT
            match = .isTranslated
        } else if left["rt"]?["key"]?.string == "ipsec", right.bool == true {
            match = .willBeEncrypted
        } else {
            match = nil
        }
        guard let match, (comparison == "in") == match.testsBits else { return nil }
        self = match
    }

    /// Whether it asks for a segment of TCP without SYN (2): `tcp flags ! syn`, as nftables 1.0.6
    /// lists it, or as it is written.
    private static func isOfFlags(
        _ left: JSONValue, _ comparison: String, _ right: JSONValue
    ) -> Bool {
        let flags: JSONValue = ["payload": ["protocol": "tcp", "field": "flags"]]
        return switch comparison {
        case "!": left == flags && right.integer == 2
        case "==": left == ["&": [flags, 2]] && right.integer == 0
        default: false
        }
    }

    /// Whether the value is one of bits, any of which may be set.
    private var testsBits: Bool {
        switch self {
        case .connection, .isTranslated: true
        default: false
        }
    }

    private init?(protocol name: String?, field: String?, _ right: JSONValue) {
        switch (name, field) {
        case ("ip", "saddr"), ("ip6", "saddr"), ("ip", "daddr"), ("ip6", "daddr"):
            let family: AddressFamily = name == "ip" ? .ipv4 : .ipv6
            let isSource = field == "saddr"
            if let set = right.setName {
                self = isSource ? .sourceIn(set: set, family) : .destinationIn(set: set, family)
            } else {
                guard let address = right.string.flatMap({ IPAddress($0) }),
                    address.family == family
                else { return nil }
                self = isSource ? .source(address) : .destination(address)
            }
        case ("tcp", "sport"), ("udp", "sport"), ("tcp", "dport"), ("udp", "dport"):
            guard let ports = right.range(of: UInt16.self) else { return nil }
            let ipProtocol: IPProtocol = name == "tcp" ? .tcp : .udp
            self =
                field == "sport"
                ? .sourcePorts(ipProtocol, ports) : .destinationPorts(ipProtocol, ports)
        case ("icmp", "type"), ("icmpv6", "type"):
            guard let types = right.range(of: UInt8.self) else { return nil }
            self = .icmpType(name == "icmp" ? .ipv4 : .ipv6, types)
        case ("ip6", "hoplimit"):
            guard let limit = right.flexibleInteger.flatMap(UInt8.init(exactly:)) else {
                return nil
            }
            self = .hopLimit(limit)
        default:
            return nil
        }
    }

    private init?(meta key: String, _ right: JSONValue) {
        switch key {
        case "l4proto" where right.setName == Table.adoptionSet: self = .isAdopted
        case "l4proto":
            guard let number = right.flexibleInteger.flatMap(UInt8.init(exactly:)) else {
                return nil
            }
            self = .protocolNumber(number)
        case "nfproto":
            // NFPROTO_IPV4 and NFPROTO_IPV6
            let families: [Int64: AddressFamily] = [2: .ipv4, 10: .ipv6]
            guard let family = right.flexibleInteger.flatMap({ families[$0] }) else { return nil }
            self = .family(family)
        case "iif" where right.string == "lo": self = .inputIsLoopback
        case "oif" where right.string == "lo": self = .outputIsLoopback
        case "ipsec", "secpath":
            guard right.bool == true else { return nil }
            self = .wasDecrypted
        default: return nil
        }
    }

    /// `ct state` as bits of the kernel's `NF_CT_STATE_…`.
    private init?(states right: JSONValue) {
        let bits: [Int64: TrackedState] = [
            1: .invalid, 2: .established, 4: .related, 8: .new, 64: .untracked,
        ]
        var states: Set<TrackedState> = []
        for value in right.array ?? [right] {
            guard let state = value.integer.flatMap({ bits[$0] }) else { return nil }
            states.insert(state)
        }
        self = .connection(states)
    }
}
