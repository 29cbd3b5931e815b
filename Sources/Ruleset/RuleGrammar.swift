internal import PortModel

// The parts of a rule in nft's language: here stands, side by side, how each is written and how it
// is read back. Everything is numeric: on nftables 1.0.6 a name in the input may be looked up,
// which blocks.

// MARK: Statements

extension Rule {
    /// The parts that follow the conditions, in the order in which they are written.
    enum Part: CaseIterable {
        case sampling
        case counter
        case notrack
        case note
        case verdict
        case comment

        /// - Parameter add: takes words as they stand, and parts them from those before.
        func write(_ rule: Rule, _ add: (_ words: String...) -> Void) {
            switch self {
            case .sampling: if let sampling = rule.sampling { add(sampling.text) }
            case .counter: if let counter = rule.counter { add("counter name \"", counter, "\"") }
            case .notrack: if rule.isNotrack { add("notrack") }
            case .note: if let note = rule.note { add(note.text) }
            case .verdict: if let verdict = rule.verdict { add(verdict.text) }
            case .comment: if let comment = rule.comment { add("comment \"", comment, "\"") }
            }
        }

        /// The words that the part begins with.
        private var beginnings: [String] {
            switch self {
            case .sampling: ["limit"]
            case .counter: ["counter"]
            case .notrack: ["notrack"]
            case .note: ["update"]
            case .verdict: Verdict.Word.allCases.map(\.rawValue)
            case .comment: ["comment"]
            }
        }

        /// By the words that they begin with.
        static let byBeginning: [String: Part] = Dictionary(
            uniqueKeysWithValues: allCases.flatMap { part in part.beginnings.map { ($0, part) } })

        /// - Parameter first: the word that the part begins with, which is read already.
        func read(
            _ first: String, _ words: inout RuleWords, into rule: inout Rule
        ) throws(RuleSyntaxError) {
            switch self {
            case .sampling: rule.sampling = try Sampling(reading: &words)
            case .counter:
                try words.expect("name")
                rule.counter = try words.quoted()
            case .notrack: rule.isNotrack = true
            case .note: rule.note = try Note(reading: &words)
            case .verdict: rule.verdict = try Verdict(first, &words)
            case .comment: rule.comment = try words.quoted()
            }
        }
    }
}

extension Verdict {
    fileprivate enum Word: String, CaseIterable {
        case accept
        case drop
        case `return`
        case jump
        case goto
    }

    /// In nft's language, with the chain's name behind a jump or a goto.
    package var text: String {
        switch self {
        case .accept: Word.accept.rawValue
        case .drop: Word.drop.rawValue
        case .return: Word.return.rawValue
        case .jump(let chain): "\(Word.jump.rawValue) \(chain)"
        case .goto(let chain): "\(Word.goto.rawValue) \(chain)"
        }
    }

    fileprivate init(_ first: String, _ words: inout RuleWords) throws(RuleSyntaxError) {
        switch Word(rawValue: first) {
        case .accept: self = .accept
        case .drop: self = .drop
        case .return: self = .return
        case .jump: self = .jump(try words.word())
        case .goto: self = .goto(try words.word())
        case nil: throw words.error("\(first) is no verdict")
        }
    }
}

extension Sampling {
    /// The limit comes first, so that whoever floods us costs no copy.
    fileprivate var text: String {
        "limit rate \(rate)/second burst \(rate) packets log prefix \"\(counter)\" group \(group) snaplen \(Self.length)"
    }

    /// `limit` is read already.
    fileprivate init(reading words: inout RuleWords) throws(RuleSyntaxError) {
        try words.expect("rate")
        let word = try words.word()
        let unit = "/second"
        guard word.hasSuffix(unit), let rate = UInt32(word.dropLast(unit.count)) else {
            throw words.error("\(word) is no rate")
        }
        for word in ["burst", "\(rate)", "packets", "log", "prefix"] { try words.expect(word) }
        let counter = try words.quoted()
        try words.expect("group")
        let group: UInt16 = try words.number()
        try words.expect("snaplen")
        try words.expect("\(Self.length)")
        self.init(counter: counter, group: group, rate: rate)
    }
}

extension Note {
    /// Such as `update @seen.esp.v4 { ip saddr . ip daddr }`. A key in the set begins its time anew.
    fileprivate var text: String {
        "update @\(set) { \(family.header) saddr . \(family.header) daddr }"
    }

    /// `update` is read already.
    fileprivate init(reading words: inout RuleWords) throws(RuleSyntaxError) {
        let word = try words.word()
        guard let set = words.setName(word) else { throw words.error("\(word) is no set") }
        try words.expect("{")
        let header = try words.word()
        guard let family = AddressFamily.allCases.first(where: { $0.header == header }) else {
            throw words.error("\(header) is no header")
        }
        for word in ["saddr", ".", header, "daddr", "}"] { try words.expect(word) }
        self.init(set: set, family: family)
    }
}

extension AddressFamily {
    fileprivate var header: String { self == .ipv4 ? "ip" : "ip6" }
}

// MARK: Conditions

extension Match {
    /// The condition in nft's language, with numbers in the place of names.
    package var text: String { "\(key.words) \(value)" }

    /// The left side of a condition; the value that it is to have follows.
    private enum Key: Hashable {
        case family
        case address(AddressFamily, End)
        case protocolNumber
        case ports(IPProtocol, End)
        case icmpType(AddressFamily)
        case hopLimit
        case inputInterface
        case outputInterface
        case connectionState
        case connectionStatus
        case decryption
        case encryption
        case flagsOfTCP

        enum End: CaseIterable {
            case source
            case destination
        }

        var words: String {
            switch self {
            case .family: "meta nfproto"
            case .address(let family, .source): "\(family.header) saddr"
            case .address(let family, .destination): "\(family.header) daddr"
            case .protocolNumber: "meta l4proto"
            case .ports(let ipProtocol, .source): "\(ipProtocol.name) sport"
            case .ports(let ipProtocol, .destination): "\(ipProtocol.name) dport"
            case .icmpType(.ipv4): "icmp type"
            case .icmpType(.ipv6): "icmpv6 type"
            case .hopLimit: "ip6 hoplimit"
            case .inputInterface: "iif"
            case .outputInterface: "oif"
            case .connectionState: "ct state"
            case .connectionStatus: "ct status"
            case .decryption: "meta secpath"
            case .encryption: "rt ipsec"
            case .flagsOfTCP: "tcp flags"
            }
        }

        static let byWords: [String: Key] = {
            var all: [Key] = [
                .family, .protocolNumber, .hopLimit, .inputInterface, .outputInterface,
                .connectionState, .connectionStatus, .decryption, .encryption, .flagsOfTCP,
            ]
            all += AddressFamily.allCases.map(Key.icmpType)
            for end in End.allCases {
                all += AddressFamily.allCases.map { .address($0, end) }
                all += IPProtocol.allCases.filter(\.hasPorts).map { .ports($0, end) }
            }
            return Dictionary(uniqueKeysWithValues: all.map { ($0.words, $0) })
        }()
    }

    private var key: Key {
        switch self {
        case .family: .family
        case .source(let address): .address(address.family, .source)
        case .destination(let address): .address(address.family, .destination)
        case .sourceIn(_, let family): .address(family, .source)
        case .destinationIn(_, let family): .address(family, .destination)
        case .protocolNumber, .isAdopted: .protocolNumber
        case .sourcePorts(let ipProtocol, _): .ports(ipProtocol, .source)
        case .destinationPorts(let ipProtocol, _): .ports(ipProtocol, .destination)
        case .icmpType(let family, _): .icmpType(family)
        case .hopLimit: .hopLimit
        case .inputIsLoopback: .inputInterface
        case .outputIsLoopback: .outputInterface
        case .connection: .connectionState
        case .isTranslated: .connectionStatus
        case .wasDecrypted: .decryption
        case .willBeEncrypted: .encryption
        case .continuesConnection: .flagsOfTCP
        }
    }

    private var value: String {
        switch self {
        case .family(let family): family.rawValue
        case .source(let address), .destination(let address): address.description
        case .sourceIn(let set, _), .destinationIn(let set, _): "@\(set)"
        case .protocolNumber(let number): "\(number)"
        case .isAdopted: "@\(Table.adoptionSet)"
        case .sourcePorts(_, let ports), .destinationPorts(_, let ports): ports.text
        case .icmpType(_, let types): types.text
        case .hopLimit(let limit): "\(limit)"
        case .inputIsLoopback, .outputIsLoopback: Self.loopback
        case .connection(let states):
            TrackedState.allCases.filter(states.contains).map(\.rawValue).joined(separator: ",")
        case .isTranslated: Self.translation
        case .wasDecrypted, .willBeEncrypted: Self.presence
        case .continuesConnection: Self.noSYN.joined(separator: " ")
        }
    }

    private static let loopback = "\"lo\""
    private static let translation = "snat,dnat"
    private static let presence = "exists"
    private static let noSYN = ["&", "2", "==", "0"]

    /// - Parameter first: the condition's first word, which is read already.
    init(_ first: String, _ words: inout RuleWords) throws(RuleSyntaxError) {
        var key = Key.byWords[first]
        if key == nil {
            let second = try words.word()
            key = Key.byWords["\(first) \(second)"]
            if key == nil { throw words.error("\(first) \(second) is not understood") }
        }
        guard let key else { throw words.error("\(first) is not understood") }
        try self.init(key, &words)
    }

    private init(_ key: Key, _ words: inout RuleWords) throws(RuleSyntaxError) {
        switch key {
        case .family:
            let name = try words.word()
            guard let family = AddressFamily(rawValue: name) else {
                throw words.error("\(name) is no family")
            }
            self = .family(family)
        case .address(let family, let end):
            let value = try words.word()
            if let set = words.setName(value) {
                self =
                    end == .source
                    ? .sourceIn(set: set, family) : .destinationIn(set: set, family)
            } else {
                guard let address = IPAddress(value), address.family == family else {
                    throw words.error("\(value) is no \(family.header) address")
                }
                self = end == .source ? .source(address) : .destination(address)
            }
        case .protocolNumber:
            let value = try words.word()
            if words.setName(value) == Table.adoptionSet {
                self = .isAdopted
            } else {
                guard let number = UInt8(value) else {
                    throw words.error("\(value) is no protocol")
                }
                self = .protocolNumber(number)
            }
        case .ports(let ipProtocol, .source): self = .sourcePorts(ipProtocol, try words.range())
        case .ports(let ipProtocol, .destination):
            self = .destinationPorts(ipProtocol, try words.range())
        case .icmpType(let family): self = .icmpType(family, try words.range())
        case .hopLimit: self = .hopLimit(try words.number())
        case .inputInterface:
            try words.expect(Self.loopback)
            self = .inputIsLoopback
        case .outputInterface:
            try words.expect(Self.loopback)
            self = .outputIsLoopback
        case .connectionState:
            var states: Set<TrackedState> = []
            for name in try words.word().split(separator: ",", omittingEmptySubsequences: false) {
                guard let state = TrackedState(rawValue: String(name)) else {
                    throw words.error("\(name) is no state")
                }
                states.insert(state)
            }
            self = .connection(states)
        case .connectionStatus:
            try words.expect(Self.translation)
            self = .isTranslated
        case .decryption:
            try words.expect(Self.presence)
            self = .wasDecrypted
        case .encryption:
            try words.expect(Self.presence)
            self = .willBeEncrypted
        case .flagsOfTCP:
            // SYN.
            for word in Self.noSYN { try words.expect(word) }
            self = .continuesConnection
        }
    }
}

extension ClosedRange where Bound: FixedWidthInteger {
    /// `443`, or `40000-49999`.
    fileprivate var text: String {
        lowerBound == upperBound ? "\(lowerBound)" : "\(lowerBound)-\(upperBound)"
    }
}
