import DeploymentGenerator
import KernelFake
import PortModel
import Ruleset
import Site
import Testing

@Suite struct TransactionTests {
    static let address = IPAddress(family: .ipv4, value: 0x0a00_0001)

    static func table(
        _ name: String = "pexip_fw_a", counters: [String] = ["row", "drop.in"],
        peers: [UInt128] = [0x0a00_0002], policy: Verdict = .drop, priority: Hook.Priority = .filter
    ) -> Table {
        let set = NamedSet(
            name: "peers.v4", family: .ipv4, kind: .intervals,
            addresses: AddressSet(peers.map { IPAddress(family: .ipv4, value: $0) }))
        return Table(
            family: .inet, name: name, counters: counters, sets: [set],
            chains: [
                Chain(
                    name: "input", hook: Hook(.input, priority, policy: policy),
                    rules: [
                        Rule([.protocolNumber(6)], .jump("input_tcp"), comment: "tcp"),
                        Rule([], counter: "drop.in", policy, comment: "drop.in"),
                    ]),
                Chain(
                    name: "input_tcp",
                    rules: [
                        Rule(
                            [.sourceIn(set: "peers.v4", .ipv4), .destinationPorts(.tcp, 22...22)],
                            counter: "row", .accept, comment: "row")
                    ]),
            ])
    }

    static func kernel(holding tables: Table...) throws -> NfTables {
        var kernel = NfTables()
        try kernel.apply(Transaction(from: [], to: Ruleset(tables: tables)))
        return kernel
    }

    /// Applies the change and expects the kernel to hold exactly the wanted tables.
    @discardableResult static func lead(_ kernel: inout NfTables, to wanted: Table...) throws
        -> Transaction
    {
        let transaction = Transaction(from: kernel.observed, to: Ruleset(tables: wanted))
        try kernel.apply(transaction)
        #expect(Set(kernel.tables.keys) == Set(wanted.map(\.name)))
        for table in wanted {
            let observed = kernel.observed.first { $0.name == table.name }
            #expect(observed?.differences(from: table) == [])
        }
        return transaction
    }

    @Test func fromNothing() throws {
        var kernel = NfTables()
        let transaction = try Self.lead(&kernel, to: Self.table(), Self.table("pexip_fw_b"))
        #expect(transaction.statements.first?.text == "add table inet pexip_fw_a")
        #expect(kernel.tables["pexip_fw_a"]?.chains.count == 2)
        #expect(transaction.text.hasSuffix("\n"))
    }

    @Test func toNothing() throws {
        var kernel = try Self.kernel(holding: Self.table(), Self.table("pexip_fw_b"))
        let transaction = try Self.lead(&kernel)
        #expect(
            Set(transaction.statements.map(\.text)) == [
                "delete table inet pexip_fw_a", "delete table inet pexip_fw_b",
            ])
    }

    /// A new interval set stands before a rule looks into it, and nothing else changes by that.
    @Test func newIntervalSetsComeFirst() throws {
        let wanted = Self.table()
        var bare = wanted
        bare.sets = []
        bare.chains[1].rules = [Rule([], .accept)]
        var kernel = try Self.kernel(holding: bare)
        let preparation = Transaction(preparing: Ruleset(tables: [wanted]), from: kernel.observed)
        #expect(
            preparation.statements.map(\.text) == [
                "add set inet pexip_fw_a peers.v4 { type ipv4_addr; flags interval; }",
                "add element inet pexip_fw_a peers.v4 { 10.0.0.2 }",
            ])
        try kernel.apply(preparation)
        let again = Transaction(preparing: Ruleset(tables: [wanted]), from: kernel.observed)
        #expect(again.isEmpty)
        try Self.lead(&kernel, to: wanted)
    }

    /// A table in the place of another stands with its sets first, and says whose it is; the first
    /// table, and one that is missing, are made at once.
    @Test func aTableThatTakesOverIsPrepared() throws {
        let wanted = Ruleset(tables: [
            Self.table("pexip_fw_b").stamped(
                Stamp(generation: 2, digest: String(repeating: "0", count: 64)))
        ])
        #expect(Transaction(preparing: wanted, from: []).isEmpty)
        var kernel = try Self.kernel(holding: Self.table())
        try kernel.apply(Transaction(preparing: wanted, from: kernel.observed))
        #expect(kernel.tables["pexip_fw_b"]?.chains.keys.sorted() == [Stamp.chainName])
        #expect(kernel.tables["pexip_fw_b"]?.sets["peers.v4"]?.addresses.isEmpty == false)
        #expect(Transaction(preparing: wanted, from: kernel.observed).isEmpty)
        try Self.lead(&kernel, to: wanted.tables[0])
    }

    /// What is hooked elsewhere is made anew in its table, as is what refers to it.
    @Test func anotherHookIsAnotherChain() throws {
        var kernel = try Self.kernel(holding: Self.table(priority: .raw))
        let transaction = try Self.lead(&kernel, to: Self.table())
        #expect(
            transaction.statements.prefix(2).map(\.text) == [
                "flush table inet pexip_fw_a", "delete chain inet pexip_fw_a input",
            ])
        #expect(!transaction.makesTables)
    }

    /// Rules look into a set of another type under another name first, then under its own.
    @Test func aSetOfAnotherTypeIsStoodInFor() throws {
        let wanted = Ruleset(tables: [Self.table()])
        var older = Self.table()
        older.sets[0].kind = .addresses
        var kernel = try Self.kernel(holding: older)
        let interim = try #require(wanted.interim(from: kernel.observed))
        #expect(interim.tables[0].sets.map(\.name) == ["stand-in.peers.v4"])
        #expect(
            interim.tables[0].chains[1].rules[0].matches.first
                == .sourceIn(set: "stand-in.peers.v4", .ipv4))
        for target in [interim, wanted] {
            try kernel.apply(Transaction(preparing: target, from: kernel.observed))
            #expect(kernel.observed[0].sets.count == 2)
            try Self.lead(&kernel, to: target.tables[0])
        }
        #expect(wanted.interim(from: kernel.observed) == nil)
        #expect(wanted.interim(from: []) == nil)
    }

    @Test func preparationIsTakenBack() throws {
        let before = try Self.kernel(holding: Self.table())
        let wanted = Ruleset(tables: [
            Self.table("pexip_fw_b").stamped(
                Stamp(generation: 2, digest: String(repeating: "0", count: 64)))
        ])
        var kernel = before
        try kernel.apply(Transaction(preparing: wanted, from: kernel.observed))
        try kernel.apply("add set inet pexip_fw_a new.v4 { type ipv4_addr; flags interval; }")
        let back = try #require(
            Transaction(takingBackPreparationIn: kernel.observed, to: before.observed))
        try kernel.apply(back)
        #expect(kernel == before)
        let nothing = Transaction(takingBackPreparationIn: kernel.observed, to: before.observed)
        #expect(nothing?.isEmpty == true)
    }

    @Test(arguments: [
        table(peers: [5]), table("pexip_fw_b"), table(policy: .accept),
        table(counters: ["row", "drop.in", "more"]),
    ])
    func moreThanPreparationIsNotTakenBack(_ other: Table) throws {
        let before = try Self.kernel(holding: Self.table()).observed
        let now = try Self.kernel(holding: other).observed
        #expect(Transaction(takingBackPreparationIn: now, to: before) == nil)
    }

    @Test func nothingToDoIsEmpty() throws {
        var kernel = try Self.kernel(holding: Self.table())
        kernel.tables["pexip_fw_a"]?.counters["row"] = CounterValue(packets: 7, bytes: 9)
        #expect(try Self.lead(&kernel, to: Self.table()).isEmpty)
        #expect(Transaction(from: [], to: Ruleset(tables: [])).isEmpty)
    }

    @Test func anotherTableIsNotTouched() throws {
        var kernel = try Self.kernel(holding: Self.table(), Self.table("pexip_fw_b"))
        let transaction = try Self.lead(
            &kernel, to: Self.table(), Self.table("pexip_fw_b", peers: [1]))
        #expect(
            transaction.statements.map(\.text) == [
                "flush set inet pexip_fw_b peers.v4",
                "add element inet pexip_fw_b peers.v4 { 0.0.0.1 }",
            ])
    }

    private static func chain(_ ports: [UInt16]) -> Table { chain(ports.map { $0...$0 }) }

    private static func chain(_ ports: [ClosedRange<UInt16>]) -> Table {
        Table(
            family: .inet, name: "pexip_fw_a", counters: [], sets: [],
            chains: [
                Chain(name: "a", rules: ports.map { Rule([.destinationPorts(.tcp, $0)], .accept) })
            ])
    }

    /// What stays keeps its handle.
    @Test(arguments: [
        (
            [1, 2, 3], [1, 2, 9, 3],
            ["add rule inet pexip_fw_a a tcp dport 9 accept"]
        ),
        ([1, 2, 3], [3, 1, 2], []),
        (
            [1, 2, 3], [2, 9, 3],
            [
                "delete rule inet pexip_fw_a a handle 1",
                "add rule inet pexip_fw_a a tcp dport 9 accept",
            ]
        ),
        ([1, 2, 3], [1, 2, 3, 9], ["add rule inet pexip_fw_a a tcp dport 9 accept"]),
        ([1, 2, 3], [1, 2], ["delete rule inet pexip_fw_a a handle 3"]),
        ([1, 2, 2], [1, 2], ["delete rule inet pexip_fw_a a handle 3"]),
        // Where more goes than stays, refilling says less.
        (
            [1, 2, 3], [1, 9],
            [
                "flush chain inet pexip_fw_a a", "add rule inet pexip_fw_a a tcp dport 1 accept",
                "add rule inet pexip_fw_a a tcp dport 9 accept",
            ]
        ),
        (
            [1, 2], [9],
            ["flush chain inet pexip_fw_a a", "add rule inet pexip_fw_a a tcp dport 9 accept"]
        ),
    ])
    func rulesComeAndGo(_ old: [UInt16], _ new: [UInt16], _ statements: [String]) throws {
        var kernel = try Self.kernel(holding: Self.chain(old))
        let transaction = try Self.lead(&kernel, to: Self.chain(new))
        #expect(transaction.statements.map(\.text) == statements)
    }

    /// What stands behind a rule that comes, and takes some of its packets, comes anew behind it.
    @Test(
        arguments: [
            (
                [1...1, 2...4, 7...7], [1...1, 3...3, 2...4, 7...7],
                [
                    "delete rule inet pexip_fw_a a handle 2",
                    "add rule inet pexip_fw_a a tcp dport 3 accept",
                    "add rule inet pexip_fw_a a tcp dport 2-4 accept",
                ]
            ),
            (
                [1...1, 3...3, 2...4], [1...1, 2...4, 3...3],
                [
                    "delete rule inet pexip_fw_a a handle 2",
                    "add rule inet pexip_fw_a a tcp dport 3 accept",
                ]
            ),
        ] as [([ClosedRange<UInt16>], [ClosedRange<UInt16>], [String])])
    func rulesOfTheSamePacketsKeepTheirOrder(
        _ old: [ClosedRange<UInt16>], _ new: [ClosedRange<UInt16>], _ statements: [String]
    ) throws {
        var kernel = try Self.kernel(holding: Self.chain(old))
        let transaction = try Self.lead(&kernel, to: Self.chain(new))
        #expect(transaction.statements.map(\.text) == statements)
    }

    /// The rules that take a port's packets, in their order.
    private static func way(_ port: UInt16, in rules: [Rule]) -> [Rule] {
        rules.filter { rule in
            guard case .destinationPorts(_, let ports)? = rule.matches.first else { return false }
            return ports.contains(port)
        }
    }

    private static func ways(_ rules: [Rule]) -> [[Rule]] { (1...6).map { way($0, in: rules) } }

    private static func rules(_ kernel: NfTables) -> [Rule] {
        (kernel.tables["pexip_fw_a"]?.chains["a"]?.rules ?? []).compactMap {
            if case .known(let rule) = $0 { rule } else { nil }
        }
    }

    private static func randomRanges() -> [ClosedRange<UInt16>] {
        (0..<Int.random(in: 0...9)).map { _ in
            let first = UInt16.random(in: 1...5)
            return first...UInt16.random(in: first...min(6, first + 2))
        }
    }

    @Test func anyRulesBecomeAnyOthers() throws {
        for _ in 0..<1_000 {
            let (old, new) = (Self.chain(Self.randomRanges()), Self.chain(Self.randomRanges()))
            var kernel = try Self.kernel(holding: old)
            for wanted in [new, old] {
                try Self.lead(&kernel, to: wanted)
                #expect(Self.ways(Self.rules(kernel)) == Self.ways(wanted.chains[0].rules))
            }
        }
    }

    /// Another order is a difference where it is one to some packet, and else none.
    @Test func orderMattersWhereItDecides() throws {
        var differing = 0
        for _ in 0..<1_000 {
            let ranges = Self.randomRanges()
            let (one, other) = (Self.chain(ranges), Self.chain(ranges.shuffled()))
            let observed = try Self.kernel(holding: one).observed
            let isSame =
                Self.ways(one.chains[0].rules) == Self.ways(other.chains[0].rules)
            #expect(observed[0].differences(from: other).isEmpty == isSame)
            if !isSame { differing += 1 }
        }
        #expect(differing > 100)
    }

    /// Conditions that no packet meets both of, and some that one may.
    @Test(
        arguments: [
            ([.destinationPorts(.tcp, 1...5)], [.destinationPorts(.tcp, 6...9)], true),
            ([.destinationPorts(.tcp, 1...5)], [.destinationPorts(.tcp, 5...9)], false),
            ([.destinationPorts(.tcp, 1...5)], [.sourcePorts(.tcp, 6...9)], false),
            ([.destinationPorts(.tcp, 1...5)], [.destinationPorts(.udp, 1...5)], true),
            ([.destinationPorts(.tcp, 1...5)], [.protocolNumber(17)], true),
            ([.destinationPorts(.tcp, 1...5)], [.protocolNumber(6)], false),
            ([.destinationPorts(.tcp, 1...5)], [], false),
            ([.source(IPAddress("10.0.0.1")!)], [.source(IPAddress("10.0.0.2")!)], true),
            ([.source(IPAddress("10.0.0.1")!)], [.destination(IPAddress("10.0.0.2")!)], false),
            ([.source(IPAddress("10.0.0.1")!)], [.sourceIn(set: "a", .ipv4)], false),
            ([.source(IPAddress("10.0.0.1")!)], [.sourceIn(set: "a", .ipv6)], true),
            ([.sourceIn(set: "a", .ipv4)], [.sourceIn(set: "b", .ipv4)], false),
            ([.icmpType(.ipv4, 3...3)], [.icmpType(.ipv4, 8...8)], true),
            ([.icmpType(.ipv6, 1...4)], [.protocolNumber(1)], true),
            ([.icmpType(.ipv6, 1...4)], [.family(.ipv6)], false),
            ([.connection([.invalid])], [.connection([.established])], false),
            ([.inputIsLoopback], [.wasDecrypted], false),
            (
                [.destinationPorts(.tcp, 1...5), .source(IPAddress("10.0.0.1")!)],
                [.sourceIn(set: "a", .ipv4), .destinationPorts(.tcp, 6...9)], true
            ),
        ] as [([Match], [Match], Bool)])
    func rulesExcludeEachOther(_ one: [Match], _ other: [Match], _ isExcluded: Bool) throws {
        func table(_ rules: [[Match]]) -> Table {
            Table(
                family: .inet, name: "pexip_fw_a", counters: [], sets: [],
                chains: [
                    Chain(
                        name: "a", rules: rules.map { Rule($0, .accept) })
                ])
        }
        var observed = ObservedTable(TableID(.inet, "pexip_fw_a"))
        observed.chains = [
            ObservedChain(
                name: "a", attachment: .none,
                rules: [one, other].map { .known(Rule($0, .accept)) })
        ]
        #expect(observed.differences(from: table([one, other])).isEmpty)
        #expect(observed.differences(from: table([other, one])).isEmpty == isExcluded)
    }

    /// By handles alone a rule that somebody else put in would stay.
    @Test func aCoarserGrainTouchesTheWholeChain() throws {
        let kernel = try Self.kernel(holding: Self.chain([1, 2, 3]))
        let transaction = Transaction(
            from: kernel.observed, to: Ruleset(tables: [Self.chain([1, 3])]), by: .chain)
        #expect(
            transaction.statements.map(\.text) == [
                "flush chain inet pexip_fw_a a", "add rule inet pexip_fw_a a tcp dport 1 accept",
                "add rule inet pexip_fw_a a tcp dport 3 accept",
            ])
    }

    /// Changes in place keep the counters' values; a replaced table starts anew.
    @Test(arguments: [
        (table(peers: [5]), true), (table(peers: []), true), (table(policy: .accept), true),
        (table(counters: ["row", "drop.in", "more"]), true), (table(priority: .raw), true),
    ])
    func changesInPlaceWhereThatIsPossible(_ wanted: Table, isInPlace: Bool) throws {
        var kernel = try Self.kernel(holding: Self.table())
        kernel.tables["pexip_fw_a"]?.counters["row"] = CounterValue(packets: 7, bytes: 9)
        let transaction = try Self.lead(&kernel, to: wanted)
        #expect(kernel.tables["pexip_fw_a"]?.counters["row"]?.packets == (isInPlace ? 7 : 0))
        #expect(
            transaction.statements.contains { $0.text.hasPrefix("delete table") } != isInPlace)
    }

    /// What somebody else put into one of our tables goes, whatever it is.
    @Test(
        arguments: [
            (
                "a chain that refers to everything",
                [
                    "add chain inet pexip_fw_a x { type filter hook input priority -300; policy accept; }",
                    "add counter inet pexip_fw_a mine",
                    "add set inet pexip_fw_a other { type ipv6_addr; flags interval; }",
                    "add rule inet pexip_fw_a x ip6 saddr @other counter name \"mine\" jump input_tcp",
                ]
            ),
            ("an extra rule", ["add rule inet pexip_fw_a input accept"]),
            (
                "a jump from our chain to a foreign one",
                [
                    "add chain inet pexip_fw_a x", "add rule inet pexip_fw_a x accept",
                    "add rule inet pexip_fw_a input_tcp jump x",
                ]
            ),
            ("a flushed chain", ["flush chain inet pexip_fw_a input"]),
            (
                "missing objects",
                [
                    "flush chain inet pexip_fw_a input", "flush chain inet pexip_fw_a input_tcp",
                    "delete chain inet pexip_fw_a input_tcp", "delete counter inet pexip_fw_a row",
                    "delete set inet pexip_fw_a peers.v4",
                ]
            ),
            (
                "a set of another type",
                [
                    "flush chain inet pexip_fw_a input_tcp", "delete set inet pexip_fw_a peers.v4",
                    "add set inet pexip_fw_a peers.v4 { type ipv6_addr; flags interval; }",
                ]
            ),
            (
                "a base chain in the place of a plain one",
                [
                    "flush chain inet pexip_fw_a input", "flush chain inet pexip_fw_a input_tcp",
                    "delete chain inet pexip_fw_a input_tcp",
                    "add chain inet pexip_fw_a input_tcp { type filter hook input priority 0; policy accept; }",
                ]
            ),
            (
                "another policy",
                [
                    "add chain inet pexip_fw_a input { type filter hook input priority 0; policy accept; }"
                ]
            ),
        ] as [(String, [String])])
    func foreignChangesAreUndone(_ what: String, _ statements: [String]) throws {
        var kernel = try Self.kernel(holding: Self.table())
        for statement in statements { try kernel.apply(statement) }
        #expect(try !Self.lead(&kernel, to: Self.table()).isEmpty)
    }

    @Test func dormantAndUnknownTablesAreReplaced() throws {
        var kernel = NfTables()
        kernel.tables["pexip_fw_a"] = NfTables.Contents(foreign: ["table flags dormant"])
        let transaction = try Self.lead(&kernel, to: Self.table())
        #expect(transaction.statements.first?.text == "delete table inet pexip_fw_a")
    }

    /// Where a change in place failed: what differs is made anew, what does not is left alone.
    @Test func aRebuildReplacesWhatDiffers() throws {
        var kernel = try Self.kernel(holding: Self.table(), Self.table("pexip_fw_b"))
        let wanted = Ruleset(tables: [Self.table(peers: [0x0a00_0003]), Self.table("pexip_fw_b")])
        let transaction = Transaction(from: kernel.observed, to: wanted, by: .table)
        #expect(transaction.statements.first?.text == "delete table inet pexip_fw_a")
        #expect(!transaction.text.contains("pexip_fw_b"))
        try kernel.apply(transaction)
        for table in wanted.tables {
            let observed = kernel.observed.first { $0.name == table.name }
            #expect(observed?.differences(from: table) == [])
        }
        #expect(Transaction(from: kernel.observed, to: wanted, by: .table).isEmpty)
    }

    @Test func statementsNameWhatTheyAreFor() throws {
        let transaction = Transaction(from: [], to: Ruleset(tables: [Self.table()]))
        for statement in transaction.statements where statement.text.contains("add rule") {
            #expect(["tcp", "drop.in", "row"].contains(statement.subject))
        }
    }

    /// From any table of ours to any other, in one transaction that only refers to what exists.
    @Test(arguments: 0..<40) func randomPairs(_ seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<50 {
            let old = Table.random(&random)
            let new = Bool.random(using: &random) ? Table.random(&random) : old.varied(&random)
            var kernel = try Self.kernel(holding: old)
            #expect(kernel.observed.first.flatMap(Table.init) == old)
            _ = try Self.lead(&kernel, to: new)
            #expect(
                Transaction(from: kernel.observed, to: Ruleset(tables: [new])).isEmpty)
        }
    }
}

/// The fake is only worth something if it refuses what the kernel refuses.
@Suite struct NfTablesTests {
    @Test(arguments: [
        "add chain inet none input", "delete table inet none",
        "add rule inet pexip_fw_a none accept",
        "add rule inet pexip_fw_a input jump none", "add rule inet pexip_fw_a input_tcp jump input",
        "add rule inet pexip_fw_a input_tcp jump input_tcp",
        "add rule inet pexip_fw_a input counter name \"none\" accept",
        "add rule inet pexip_fw_a input ip saddr @none accept",
        "add rule inet pexip_fw_a input ip6 saddr @peers.v4 accept",
        "delete chain inet pexip_fw_a input_tcp", "delete counter inet pexip_fw_a row",
        "delete set inet pexip_fw_a peers.v4", "delete chain inet pexip_fw_a none",
        "add set inet pexip_fw_a peers.v4 { type ipv6_addr; flags interval; }",
        "add element inet pexip_fw_a peers.v4 { 10.0.0.0/24 }",
        "add element inet pexip_fw_a peers.v4 { 2001:db8::1 }",
        "add element inet pexip_fw_a peers.v4 { host.example }",
        "add chain inet pexip_fw_a input { type filter hook output priority 0; policy drop; }",
        "flush chain inet pexip_fw_a none", "flush set inet pexip_fw_a none", "flush ruleset",
    ])
    func refuses(_ statement: String) throws {
        var kernel = try TransactionTests.kernel(holding: TransactionTests.table())
        let before = kernel
        #expect(throws: FakeKernelError.self) { try kernel.apply(statement) }
        #expect(kernel == before)
    }
}

extension Table {
    /// A well-formed table: a few base chains that jump forward to a few plain ones, whose rules
    /// refer to a few counters and sets.
    fileprivate static func random(_ random: inout SeededGenerator) -> Table {
        func some(_ names: [String]) -> [String] {
            names.filter { _ in Bool.random(using: &random) }
        }
        let counters = some(["c1", "c2", "c3", "c.4"])
        let sets = some(["s1", "s2", "s3"]).map { name in
            let family = random.pick(AddressFamily.allCases)
            let kind = random.pick([NamedSet.Kind.intervals, .addresses, .countedAddresses])
            let addresses = (0..<Int.random(in: 0...4, using: &random)).map { _ in
                let low = UInt128(UInt8.random(in: 1...200, using: &random))
                let high = low + UInt128(UInt8.random(in: 0...20, using: &random))
                return IPAddress(
                    family: family, value: low)...IPAddress(family: family, value: high)
            }
            return NamedSet(
                name: name, family: family, kind: kind, addresses: AddressSet(ranges: addresses))
        }
        let plain = some(["p1", "p2", "p3"])
        func rules(jumpingTo targets: [String]) -> [Rule] {
            (0..<Int.random(in: 0...5, using: &random)).map { _ in
                var matches: [Match] = []
                if let set = sets.randomElement(using: &random), Bool.random(using: &random) {
                    matches.append(.sourceIn(set: set.name, set.family))
                }
                if Bool.random(using: &random) {
                    let port = UInt16.random(in: 1...5, using: &random)
                    matches.append(.destinationPorts(.tcp, port...port))
                }
                var verdicts: [Verdict?] = [.accept, .drop, .return, nil]
                verdicts += targets.map(Verdict.jump)
                return Rule(
                    matches, counter: Bool.random(using: &random) ? counters.first : counters.last,
                    verdicts.randomElement(using: &random) ?? nil, comment: "c \(counters.count)")
            }
        }
        var chains = plain.enumerated().map { index, name in
            Chain(name: name, rules: rules(jumpingTo: Array(plain.dropFirst(index + 1))))
        }
        for name in some(["b1", "b2"]) {
            let hook = Hook(
                Bool.random(using: &random) ? .input : .output,
                Bool.random(using: &random) ? .raw : .filter,
                policy: Bool.random(using: &random) ? .accept : .drop)
            chains.append(Chain(name: name, hook: hook, rules: rules(jumpingTo: plain)))
        }
        return Table(
            family: .inet, name: "pexip_fw_r", counters: counters, sets: sets, chains: chains)
    }

    /// The same table with one thing changed, as most updates are.
    fileprivate func varied(_ random: inout SeededGenerator) -> Table {
        var table = self
        if !table.chains.isEmpty, Bool.random(using: &random) {
            let index = Int.random(in: 0..<table.chains.count, using: &random)
            table.chains[index].rules.reverse()
            if table.chains[index].hook != nil {
                table.chains[index].hook?.policy = .accept
            }
            table.chains[index].rules.append(Rule([.hopLimit(9)], .accept))
        }
        if !table.sets.isEmpty, Bool.random(using: &random) {
            let index = Int.random(in: 0..<table.sets.count, using: &random)
            table.sets[index].addresses = AddressSet()
        }
        return table
    }
}
