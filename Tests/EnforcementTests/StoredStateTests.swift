import Glibc
import JSONValue
import KernelFake
import Logging
import PortModel
import Ruleset
import Testing

@testable import Enforcement
@testable import Reports

extension TemporaryDirectory {
    /// Rewrites what is stored, with a digest that says that nobody did.
    func forge(_ name: String, _ change: (inout String) throws -> Void) throws {
        let bytes = try bytes(of: name)
        let body = try #require(bytes.firstIndex(of: UInt8(ascii: "\n")))
        var text = String(decoding: bytes[(body + 1)...], as: UTF8.self)
        let before = text
        try change(&text)
        #expect(text != before, "nothing was forged")
        try writeStored(text, to: name)
    }

    /// Writes a file as the store does.
    func writeStored(_ text: String, to name: String) throws {
        let body = Array(text.utf8)
        let header = "sha256 \(SHA256Digest(of: [body]).hexadecimal)\n"
        try write(Array(header.utf8) + body, to: name)
    }
}

extension String {
    /// Replaces the value of each member of this name, up to the line's end.
    fileprivate mutating func setMembers(_ name: String, to value: String) {
        let lines = split(separator: "\n", omittingEmptySubsequences: false).map { line in
            guard let start = line.firstRange(of: "\"\(name)\": ") else { return String(line) }
            return line[..<start.upperBound] + value + (line.hasSuffix(",") ? "," : "")
        }
        self = lines.joined(separator: "\n")
    }
}

/// What is stored is judged as if a stranger had written it, whatever its digest says.
@Suite struct StoredStateTests {
    static let highest = "9223372036854775807"

    @Test(arguments: [
        ("number", highest), ("number", "-1"), ("number", "0"), ("number", "1e18"),
        ("rows", highest), ("rows", "-1"), ("table", "\"pexip_fw_other\""),
        ("name", "\"a b\""), ("configurationDigest", "\"\\u001b[2J\""),
        ("created", "\"2147483647-01-01T00:00:00Z\""), ("mode", "\"off\""),
        ("role", "\"a b\""), ("role", "\"Conferencing\""), ("role", "\"\""),
        ("policyClass", "\"a\\nb\""), ("addresses", "[]"), ("addresses", "[\"::/0\"]"),
    ])
    func aGenerationOfNoAgentIsRefused(_ member: String, _ value: String) async throws {
        let bench = try await Bench.holding(1)
        var changed = try generation(2, 2)
        changed.nodes[0].policyClass = "a"
        let store = GenerationStore(directory: bench.directory.path)
        try store.write(changed)
        try bench.directory.forge("generations/2.json") { $0.setMembers(member, to: value) }
        let error = #expect(throws: StoreError.self) { try store.generation(2) }
        #expect((error?.description.utf8.count ?? .max) < 1_000)
    }

    @Test(arguments: [
        // Places of rows, policies and lists of peers that there are not.
        ("policy", "1"), ("policy", "-1"), ("peers", "7"), ("peers", "-1"),
        // The nodes have other addresses; rows have none of their own.
        ("primary", "[\"10.0.0.22\"]"),
        ("description", "\"\(String(repeating: "x", count: 1_001))\""),
        ("state", "{}"), ("sourcePorts", "{\"groups\": {\"_0\": [[[2, 1]]]}}"),
    ])
    func rowsOfNoAgentAreRefused(_ member: String, _ value: String) throws {
        let directory = try TemporaryDirectory()
        let store = GenerationStore(directory: directory.path)
        try store.prepare()
        try store.write(try generation(1))
        try directory.forge("generations/1.json") { $0.setMembers(member, to: value) }
        #expect(throws: StoreError.self) { try store.generation(1) }
    }

    /// Another version stored no rows, or in a form of its own: they follow from the files, once.
    @Test(arguments: [nil, "{\"format\": 1000, \"more\": []}"])
    func rowsOfAnotherVersionAreDerivedOnce(_ form: String?) async throws {
        let bench = try await Bench.holding(1)
        let store = GenerationStore(directory: bench.directory.path)
        let written = try store.generation(1)
        #expect(written.rows == configuration(1).target?.rows)
        var older = written
        older.rows = nil
        try store.write(older)
        if let form {
            try bench.directory.forge("generations/1.json") {
                $0.replace(
                    "\"revokesEstablished\"",
                    with: "\"resolvedRows\": \(form), \"revokesEstablished\"")
            }
        }
        #expect(try store.generation(1).rows == nil)
        await bench.kernel.forgetCommits()
        let again = try bench.restarted()
        await again.reconciler.start(configuration(1))
        #expect(await bench.kernel.commits.isEmpty)
        #expect(try store.generation(1) == written)
        let entry = try bench.directory.bytes(of: "generations/1.json")
        await (try bench.restarted()).reconciler.start(configuration(1))
        #expect(try bench.directory.bytes(of: "generations/1.json") == entry)
    }

    /// Rows that could not be stored would keep it from being confirmed.
    @Test func filesOfOtherNodesGiveNoRows() throws {
        let compilation = configuration(1)
        let target = try #require(compilation.target)
        var own = Generation(number: 1, target, compilation, .directory, after: nil)
        own.rows = nil
        var other = own
        own.resolveRows()
        #expect(own.rows == target.rows)
        other.nodes[0].addresses = [IPAddress(family: .ipv4, value: 0x0a00_0016)]
        other.resolveRows()
        #expect(other.rows == nil)
        try other.validate()
    }

    /// What an earlier version reads of a generation is all that it wrote itself.
    @Test func rowsStandBesideEverythingElse() throws {
        let new = try generation(1)
        var old = new
        old.rows = nil
        guard case .object(var members) = try JSONValue(encoding: new),
            case .object(let olderMembers) = try JSONValue(encoding: old)
        else { return #expect(Bool(false)) }
        #expect(members["resolvedRows"] != nil)
        members["resolvedRows"] = nil
        #expect(members == olderMembers)
    }

    @Test(
        arguments: [
            #"{"generation": \#(highest), "newest": 1}"#,
            #"{"generation": 1, "newest": \#(highest)}"#,
            #"{"generation": 0, "newest": 1}"#,
            #"{"generation": 1, "newest": -9223372036854775808}"#,
            #"{"generation": 1, "newest": 1, "hold": {"reason": "probe", "against": "a b"}}"#,
        ]
            + ["-9223372036854775808", "-1", highest, "1e15"].map { milliseconds in
                #"{"generation": 1, "newest": 1, "pending": {"fallback": 1, "configurationDigest": "d", "deadline": {"bootID": "first", "milliseconds": \#(milliseconds), "time": "2026-01-01T00:00:00Z"}}}"#
            } + [
                #"{"generation": 1, "newest": 1, "pending": {"fallback": \#(highest), "configurationDigest": "d", "deadline": {"bootID": "first", "milliseconds": 1, "time": "2026-01-01T00:00:00Z"}}}"#
            ])
    func aRecordOfNoAgentIsDamage(_ text: String) async throws {
        let bench = try await Bench.holding(1, 2)
        try bench.directory.writeStored(text, to: "standing.json")
        await bench.kernel.tamper { $0 = NfTables() }
        let next = try bench.restarted()
        await next.reconciler.start(wrongConfiguration)
        let status = await next.reconciler.inspector.status()
        #expect(status.generation == 2)
        #expect(status.state == .degraded)
        #expect(status.problem?.contains("standing.json holds what is never stored") == true)
        await next.expectKernel(try generation(2, 2).stamped)
        _ = await next.reconciler.timeToNextDeadline
        await next.apply(3)
        try await next.expectInForce(3, 3)
    }

    /// Numbers end, and what is in force stays when they do.
    @Test func thereIsALastNumber() async throws {
        let bench = try await Bench.holding(1)
        let last = Generation.numbers.upperBound
        try GenerationStore(directory: bench.directory.path).write(
            Standing(generation: 1, newest: last))
        let next = try bench.restarted()
        await next.reconciler.start(wrongConfiguration)
        let report = await next.reconciler.applied(configuration(2))
        #expect(report.outcome == .failed)
        #expect(report.problem?.contains("no number left") == true)
        #expect(await next.reconciler.inspector.status().generation == 1)
    }

    @Test func filesOfNumbersThatThereAreNotAreNoGenerations() async throws {
        let bench = try await Bench.holding(1)
        try bench.directory.write([1], to: "generations/\(Self.highest).json")
        try bench.directory.remove("standing.json")
        let next = try bench.restarted()
        await next.reconciler.start(wrongConfiguration)
        await next.apply(2)
        try await next.expectInForce(2, 2)
    }

    // MARK: Rules

    @Test func aChainThatJumpsToItselfIsNotExplained() async throws {
        let bench = try await Bench.holding(1, 2)
        try bench.directory.forge("generations/2.json") { text in
            text = text.replacing("jump input_tcp ", with: "jump input_udp ")
                .replacing("\"counter name \\\"drop.out\\\" drop", with: "\"jump input_tcp")
            let rules = try #require(text.firstRange(of: "\"udp dport "))
            text.replaceSubrange(
                rules.lowerBound..<rules.upperBound, with: "\"jump input_udp\", \"udp dport ")
        }
        let next = try bench.restarted()
        await next.reconciler.start(wrongConfiguration)
        let status = await next.reconciler.inspector.status()
        #expect(status.generation == 1)
        #expect(status.problem?.contains("generations/2.json holds what is never stored") == true)
    }

    @Test(arguments: [
        "accept\\\" ; flush ruleset", "drop comment \\\"\\n flush ruleset\\\"", "jump nowhere",
        "ip saddr @nowhere drop", "ip6 saddr @mesh.v4 drop", "counter name \\\"none\\\" drop",
        "update @mesh.v4 { ip saddr . ip daddr }", "ct state ,  drop", "tcp dport 65536 drop",
        "update @mesh.v4 { ip saddr . ip daddr } accept",
    ])
    func aRuleOfNoCompilerIsRefused(_ rule: String) async throws {
        let bench = try await Bench.holding(1, 2)
        try bench.directory.forge("generations/2.json") { text in
            let range = try #require(text.firstRange(of: "\"counter name"))
            text.replaceSubrange(range, with: "\"\(rule)\", \"counter name")
        }
        let next = try bench.restarted()
        await next.reconciler.start(wrongConfiguration)
        #expect(await next.reconciler.inspector.status().generation == 1)
        await next.expectKernel(try generation(1, 1).stamped)
    }

    /// A set of single addresses is written one by one.
    @Test(arguments: ["0.0.0.0/0", "10.0.0.0/8"])
    func aPrefixIsNotCountedOut(_ prefix: String) throws {
        let directory = try TemporaryDirectory()
        let store = GenerationStore(directory: directory.path)
        try store.prepare()
        var forged = try generation(1)
        forged.ruleset.tables[0].sets.insert(
            NamedSet(
                name: "a", family: .ipv4, kind: .addresses,
                addresses: AddressSet([IPAddress(family: .ipv4, value: 0x0a09_0909)])), at: 0)
        try store.write(forged)
        try directory.forge("generations/1.json") {
            $0 = $0.replacing("\"10.9.9.9\"\n", with: "\"\(prefix)\"\n")
        }
        let error = #expect(throws: StoreError.self) { try store.generation(1) }
        #expect(
            error?.description.contains("too many single addresses") == true,
            "\(String(describing: error))")
    }

    /// A file of 256 MB would take some 3 GB as values.
    @Test func manyValuesAreNotKept() throws {
        let directory = try TemporaryDirectory()
        try directory.makeDirectory("generations")
        let zeros = String(repeating: "0,", count: 4_100_000)
        try directory.writeStored("{\"number\": [\(zeros)0]}", to: "generations/1.json")
        let error = #expect(throws: StoreError.self) {
            try GenerationStore(directory: directory.path).generation(1)
        }
        #expect(error?.description.contains("too many values") == true)
    }

    @Test func whatCouldNotBeReadBackIsNotWritten() throws {
        let directory = try TemporaryDirectory()
        let store = GenerationStore(directory: directory.path)
        var wrong = try generation(1)
        wrong.ruleset.tables[0].name = "filter"
        #expect(throws: StoreError.self) { try store.write(wrong) }
        #expect(throws: StoreError.self) { try store.write(Standing(generation: 0, newest: 0)) }
        let hold = Hold(.probe, against: "d", explanation: String(repeating: "é", count: 50_000))
        try store.write(Standing(generation: 1, newest: 1, hold: hold))
        #expect(try store.standing()?.hold == hold)
    }

    // MARK: What the kernel refuses

    /// An agent's start on a kernel that holds nothing and refuses so many commits.
    func started(
        _ bench: Bench, _ compilation: Compilation, refusing count: Int
    ) async throws -> Bench {
        await bench.kernel.tamper { $0 = NfTables() }
        let next = try bench.restarted()
        await next.kernel.failCommits(.refuse, times: count)
        await next.reconciler.start(compilation)
        return next
    }

    @Test func aStartPutsAnOlderOneInForceWhereTheKernelRefuses() async throws {
        let bench = try await Bench.holding(1, 2, 3)
        // The restore and, since nothing is to be applied, the second try.
        let next = try await started(bench, wrongConfiguration, refusing: 2)
        let status = await next.reconciler.inspector.status()
        #expect(status.generation == 2)
        #expect(status.state == .degraded)
        #expect(status.problem?.contains("the kernel refuses generation 3: ") == true)
        await next.expectKernel(try generation(2, 2).stamped)
        // What is to be in force is not forgotten.
        #expect(try GenerationStore(directory: next.directory.path).standing()?.generation == 3)
        await next.reconciler.secure()
        #expect(try GenerationStore(directory: next.directory.path).standing()?.generation == 3)
        let again = try bench.restarted()
        await again.reconciler.start(configuration(3))
        try await again.expectInForce(3, 3)
    }

    @Test func whatIsConfiguredIsTriedAgain() async throws {
        let bench = try await Bench.holding(1, 2, 3)
        // The restore, the apply of the same, and the last try.
        let next = try await started(bench, configuration(3), refusing: 3)
        #expect(await next.reconciler.inspector.status().generation == 2)
        #expect(next.reconciler.inspector.overview.state() == .degraded)
        #expect(await next.reconciler.hasFailedApply)
        await next.reconciler.configurationChanged(configuration(3), origin: .directory)
        try await next.expectInForce(4, 3)
    }

    @Test func whatWasNeverConfirmedStandsInForNothing() async throws {
        let bench = try await Bench.holding(1)
        // 2 is taken back, 3 comes in force.
        _ = await bench.reconciler.applied(
            configuration(2), Reconciler.ApplyRequest(confirm: .seconds(60)))
        bench.clock.advance(by: .seconds(61))
        await bench.reconciler.keepDeadlines()
        await bench.apply(3)
        #expect(try bench.storedNumbers() == [1, 2, 3])
        let next = try await started(bench, wrongConfiguration, refusing: 2)
        #expect(await next.reconciler.inspector.status().generation == 1)
        await next.expectKernel(try generation(1, 1).stamped)
    }

    @Test func whereNothingIsTakenNothingIsForgotten() async throws {
        let bench = try await Bench.holding(1, 2)
        let next = try await started(bench, wrongConfiguration, refusing: 10)
        let status = await next.reconciler.inspector.status()
        #expect(status.generation == 2)
        #expect(status.state == .degraded)
        await next.kernel.failCommits()
        #expect(await next.reconciler.repair(after: nil) == nil)
        try await next.expectInForce(2, 2, .rejected)
    }

    @Test func whatIsOverdueGoesBackToAnOlderOneWhereTheKernelRefuses() async throws {
        let bench = try await Bench.holding(1, 2)
        _ = await bench.reconciler.applied(
            configuration(3), Reconciler.ApplyRequest(confirm: .seconds(60)))
        bench.clock.advance(by: .seconds(61))
        await bench.kernel.failCommits(.refuse)
        await bench.reconciler.keepDeadlines()
        try await bench.expectInForce(1, 1, .reverted)
    }
}
