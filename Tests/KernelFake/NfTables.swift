package import PortModel
package import Ruleset
internal import Site

/// nf_tables of family `inet` in memory: takes the statements that transactions consist of, and
/// holds them to the kernel's own rules about references.
package struct NfTables: Hashable, Sendable {
    /// The longest name and comment that nft 1.0.6 and the kernel take.
    private static let longestName = 128

    package struct ObjectSet: Hashable, Sendable {
        package var family: AddressFamily
        package var kind: NamedSet.Kind
        package var addresses = AddressSet()

        package init(family: AddressFamily, kind: NamedSet.Kind) {
            self.family = family
            self.kind = kind
        }
    }

    package struct Contents: Hashable, Sendable {
        package var counters: [String: CounterValue] = [:]
        package var sets: [String: ObjectSet] = [:]
        package var chains: [String: ObservedChain] = [:]
        fileprivate var handles = Handles()
        /// Flags and objects that no transaction of ours makes.
        package var foreign: [String]

        package init(foreign: [String] = []) { self.foreign = foreign }
    }

    /// Numbers for rules, none of them twice. They are no part of what a table holds.
    fileprivate struct Handles: Hashable, Sendable {
        private var last: UInt64 = 0

        mutating func next() -> UInt64 {
            last += 1
            return last
        }

        static func == (one: Handles, other: Handles) -> Bool { true }

        func hash(into hasher: inout Hasher) {}
    }

    package var tables: [String: Contents] = [:]
    /// What connection tracking knows, in the order of its table.
    package var flows: [Flow] = []

    package init() {}

    /// In an order that is not the compiler's, as the kernel's is its own.
    package var observed: [ObservedTable] {
        tables.sorted { $0.key > $1.key }.map { name, contents in
            ObservedTable(
                TableID(.inet, name), counters: contents.counters,
                sets: contents.sets.sorted { $0.key > $1.key }.map { name, set in
                    ObservedSet(
                        name: name,
                        set: NamedSet(
                            name: name, family: set.family, kind: set.kind,
                            addresses: set.addresses))
                },
                chains: contents.chains.values.sorted { $0.name > $1.name },
                foreign: contents.foreign)
        }
    }

    /// Takes the transaction whole, or throws and is as before.
    package mutating func apply(_ transaction: Transaction) throws(FakeKernelError) {
        var next = self
        for statement in transaction.statements { try next.apply(statement.text) }
        self = next
    }

    /// Takes one statement of nft's language.
    package mutating func apply(_ statement: String) throws(FakeKernelError) {
        let words = statement.split(separator: " ", maxSplits: 4).map(String.init)
        guard words.count >= 4, words[2] == "inet" else {
            throw FakeKernelError("not understood: \(statement)")
        }
        let (verb, kind, table) = (words[0], words[1], words[3])
        if kind == "table" {
            guard words.count == 4 else { throw FakeKernelError("too long: \(statement)") }
            return try changeTable(verb, table, statement)
        }
        guard var contents = tables[table] else {
            throw FakeKernelError("No such file or directory: \(statement)")
        }
        guard words.count == 5 else { throw FakeKernelError("cut off: \(statement)") }
        let parts = words[4].split(separator: " ", maxSplits: 1).map(String.init)
        guard parts[0].utf8.count <= Self.longestName else {
            throw FakeKernelError("Name too long: \(statement)")
        }
        do throws(FakeKernelError) {
            try contents.change(
                verb, kind, parts[0], rest: parts.count == 2 ? parts[1] : nil)
        } catch {
            throw FakeKernelError("\(error): \(statement)")
        }
        tables[table] = contents
    }

    private mutating func changeTable(
        _ verb: String, _ name: String, _ statement: String
    ) throws(FakeKernelError) {
        switch verb {
        case "add":
            if tables[name] == nil { tables[name] = Contents() }
        case "delete":
            guard tables.removeValue(forKey: name) != nil else {
                throw FakeKernelError("No such file or directory: \(statement)")
            }
        case "flush":
            guard var contents = tables[name] else {
                throw FakeKernelError("No such file or directory: \(statement)")
            }
            for chain in contents.chains.keys {
                contents.chains[chain]?.rules = []
                contents.chains[chain]?.handles = []
            }
            tables[name] = contents
        default:
            throw FakeKernelError("not understood: \(statement)")
        }
    }
}

extension NfTables.Contents {
    private static let missing = FakeKernelError("No such file or directory")
    private static let exists = FakeKernelError("File exists")
    private static let busy = FakeKernelError("Device or resource busy")
    private static let syntax = FakeKernelError("not understood")
    private static let longestComment = 128

    fileprivate mutating func change(
        _ verb: String, _ kind: String, _ name: String, rest: String?
    ) throws(FakeKernelError) {
        switch (verb, kind, rest) {
        case ("add", "counter", nil):
            if counters[name] == nil { counters[name] = CounterValue() }
        case ("delete", "counter", nil):
            guard counters[name] != nil else { throw Self.missing }
            if rules.contains(where: { $0.counter == name }) { throw Self.busy }
            counters[name] = nil
        case ("add", "set", let type?):
            let set = try Self.set(type)
            guard sets[name].map({ $0.family == set.family && $0.kind == set.kind }) ?? true else {
                throw Self.exists
            }
            if sets[name] == nil { sets[name] = set }
        case ("flush", "set", nil):
            guard sets[name] != nil else { throw Self.missing }
            sets[name]?.addresses = AddressSet()
        case ("delete", "set", nil):
            guard sets[name] != nil else { throw Self.missing }
            if rules.contains(where: { $0.sets.contains { $0.name == name } }) { throw Self.busy }
            sets[name] = nil
        case ("add", "element", let list?):
            try addElements(list, to: name)
        case ("delete", "element", let list?):
            try deleteElements(list, from: name)
        case ("add", "chain", let hook):
            try addChain(name, try hook.map { text throws(FakeKernelError) in try Hook(nft: text) })
        case ("flush", "chain", nil):
            guard chains[name] != nil else { throw Self.missing }
            chains[name]?.rules = []
            chains[name]?.handles = []
        case ("delete", "chain", nil):
            guard let chain = chains[name] else { throw Self.missing }
            guard chain.rules.isEmpty, !rules.contains(where: { $0.target == name }) else {
                throw Self.busy
            }
            chains[name] = nil
        case ("add", "rule", let text?):
            try addRule(try Self.rule(text), to: name)
        case ("insert", "rule", let text?):
            let (handle, rest) = try Self.handle(text)
            guard let rest else { throw Self.syntax }
            try addRule(try Self.rule(rest), to: name, before: handle)
        case ("delete", "rule", let text?):
            let (handle, rest) = try Self.handle(text)
            if rest != nil { throw Self.syntax }
            let index = try index(of: handle, in: name)
            chains[name]?.rules.remove(at: index)
            chains[name]?.handles.remove(at: index)
        default:
            throw Self.syntax
        }
    }

    /// `handle 7`, and what follows it.
    private static func handle(_ text: String) throws(FakeKernelError) -> (UInt64, String?) {
        let words = text.split(separator: " ", maxSplits: 2).map(String.init)
        guard words.count > 1, words[0] == "handle", let handle = UInt64(words[1]) else {
            throw syntax
        }
        return (handle, words.count == 3 ? words[2] : nil)
    }

    private func index(of handle: UInt64, in chain: String) throws(FakeKernelError) -> Int {
        guard let chain = chains[chain], chain.handles.count == chain.rules.count,
            let index = chain.handles.firstIndex(of: handle)
        else { throw Self.missing }
        return index
    }

    private static func rule(_ text: String) throws(FakeKernelError) -> Rule {
        do throws(RuleSyntaxError) {
            return try Rule(nft: text)
        } catch {
            throw FakeKernelError(error.description)
        }
    }

    private static func set(_ text: String) throws(FakeKernelError) -> NfTables.ObjectSet {
        for (name, family) in [("ipv4_addr", AddressFamily.ipv4), ("ipv6_addr", .ipv6)] {
            switch text {
            case "{ type \(name); flags interval; }":
                return NfTables.ObjectSet(family: family, kind: .intervals)
            case "{ type \(name); }":
                return NfTables.ObjectSet(family: family, kind: .addresses)
            case "{ type \(name); counter; }":
                return NfTables.ObjectSet(family: family, kind: .countedAddresses)
            case "{ type \(name) . \(name); flags dynamic,timeout; timeout 604800s; size 16384; }":
                return NfTables.ObjectSet(family: family, kind: .pairs)
            case "{ type \(name) . \(name); flags dynamic,timeout; timeout 3600s; size 1024; }":
                return NfTables.ObjectSet(family: family, kind: .strayPairs)
            case "{ type inet_proto; flags timeout; }":
                return NfTables.ObjectSet(family: .ipv4, kind: .adoption)
            default: continue
            }
        }
        throw syntax
    }

    private static func elements(
        _ list: String, of set: NfTables.ObjectSet
    ) throws(FakeKernelError) -> [ClosedRange<IPAddress>] {
        guard list.hasPrefix("{ "), list.hasSuffix(" }") else { throw syntax }
        var ranges: [ClosedRange<IPAddress>] = []
        for element in list.dropFirst(2).dropLast(2).split(separator: ",") {
            let range: ClosedRange<IPAddress>
            do throws(AddressSyntaxError) {
                range = try parseAddressRange(String(element.drop { $0 == " " }))
            } catch {
                throw FakeKernelError("\(element) \(error.message)")
            }
            guard range.lowerBound.family == set.family,
                set.kind == .intervals || range.lowerBound == range.upperBound
            else { throw syntax }
            ranges.append(range)
        }
        return ranges
    }

    /// Elements that overlap are refused, as the kernel does where `auto-merge` is not set.
    private mutating func addElements(
        _ list: String, to name: String
    ) throws(FakeKernelError) {
        guard var set = sets[name] else { throw Self.missing }
        if set.kind == .adoption {
            // It ends by itself, and is no part of what is observed.
            guard list == "{ 6 timeout 30s }" else { throw Self.syntax }
            return
        }
        for range in try Self.elements(list, of: set) {
            if set.addresses.ranges.contains(where: { $0.overlaps(range) }) { throw Self.exists }
            set.addresses = set.addresses.union(AddressSet(ranges: [range]))
        }
        sets[name] = set
    }

    private mutating func deleteElements(
        _ list: String, from name: String
    ) throws(FakeKernelError) {
        guard var set = sets[name] else { throw Self.missing }
        for range in try Self.elements(list, of: set) {
            guard set.addresses.contains(range.lowerBound) else { throw Self.missing }
            set.addresses = set.addresses.subtracting(AddressSet(ranges: [range]))
        }
        sets[name] = set
    }

    /// An existing base chain takes another policy, and nothing else.
    private mutating func addChain(_ name: String, _ hook: Hook?) throws(FakeKernelError) {
        guard let old = chains[name] else {
            chains[name] = ObservedChain(name: name, attachment: .init(hook), rules: [])
            return
        }
        guard let hook else { return }
        guard case .hook(let oldHook) = old.attachment, oldHook.point == hook.point,
            oldHook.priority == hook.priority
        else { throw Self.exists }
        chains[name]?.attachment = .hook(hook)
    }

    private mutating func addRule(
        _ rule: Rule, to name: String, before successor: UInt64? = nil
    ) throws(FakeKernelError) {
        guard let chain = chains[name] else { throw Self.missing }
        if let comment = rule.comment, comment.utf8.count > Self.longestComment {
            throw FakeKernelError("Comment too long")
        }
        if let counter = rule.counter, counters[counter] == nil { throw Self.missing }
        for use in rule.sets {
            guard let set = sets[use.name] else { throw Self.missing }
            if set.family != use.family || use.isNoted != (set.kind.noteLimits != nil) {
                throw FakeKernelError("Invalid argument")
            }
        }
        let index: Int
        if let successor {
            index = try self.index(of: successor, in: name)
        } else {
            index = chain.rules.count
        }
        // A test that tampers with rules does not number them.
        if chain.handles.count == chain.rules.count {
            chains[name]?.handles.insert(handles.next(), at: index)
        }
        chains[name]?.rules.insert(.known(rule), at: index)
        if let target = rule.target {
            guard let chain = chains[target] else { throw Self.missing }
            guard chain.attachment == .none else { throw FakeKernelError("Not supported") }
            if reaches(name, from: target) {
                throw FakeKernelError("Too many levels of symbolic links")
            }
        }
    }

    private func reaches(_ wanted: String, from chain: String) -> Bool {
        var open = [chain]
        var seen: Set<String> = []
        while let next = open.popLast() {
            if next == wanted { return true }
            if !seen.insert(next).inserted { continue }
            for case .known(let rule) in chains[next]?.rules ?? [] {
                if let target = rule.target { open.append(target) }
            }
        }
        return false
    }

    private var rules: [Rule] {
        chains.values.flatMap(\.rules).compactMap {
            if case .known(let rule) = $0 { rule } else { nil }
        }
    }
}

extension Rule {
    /// The chain that it leads to.
    fileprivate var target: String? {
        switch verdict {
        case .jump(let name), .goto(let name): name
        case .accept, .drop, .return, nil: nil
        }
    }

    fileprivate var sets: [(name: String, family: AddressFamily, isNoted: Bool)] {
        matches.compactMap {
            switch $0 {
            case .sourceIn(let set, let family), .destinationIn(let set, let family):
                (set, family, false)
            case .isAdopted: (Table.adoptionSet, .ipv4, false)
            default: nil
            }
        } + (note.map { [($0.set, $0.family, true)] } ?? [])
    }
}

extension Hook {
    /// `{ type filter hook input priority 0; policy drop; }`
    fileprivate init(nft text: String) throws(FakeKernelError) {
        let words = text.split(separator: " ").map(String.init)
        guard words.count == 10, Array(words[...3]) == ["{", "type", "filter", "hook"],
            let point = Point(rawValue: words[4]), words[5] == "priority",
            let number = Int(words[6].dropLast()), words[6] == "\(number);",
            let priority = Priority(rawValue: number), words[7] == "policy",
            let policy = ["accept;": Verdict.accept, "drop;": .drop][words[8]], words[9] == "}"
        else { throw FakeKernelError("no hook: \(text)") }
        self.init(point, priority, policy: policy)
    }
}
