import Control
import DeploymentGenerator
import Enforcement
import Foundation
import JSONValue
import Reports
import Site
import Testing
import TestSupport
import Reports

/// The agent under what goes on for long: kills, foreign changes, applies.
///
/// `PEXIP_FW_ENDURANCE=full` takes the numbers that a release is judged by; otherwise they are a
/// twentieth.
@Suite("Endurance")
struct EnduranceTests {
    private static let isFull = ProcessInfo.processInfo.environment["PEXIP_FW_ENDURANCE"] == "full"

    private static func times(_ full: Int) -> Int { isFull ? full : full / 20 }

    /// Configurations of the host's node that differ in rules, sets and counters.
    private static func configuration(_ variant: Int) -> String {
        """
        enforce: [conf-1]
        features: {ssh: true, snmp: \(variant == 0)}
        peers: {ssh_clients: [10.9.\(variant).0/24, 10.8.0.1], dns_servers: [10.0.0.2]}
        ports: {media: \(40_000 + variant)-49999}
        nodes:
          conf-1: {role: conferencing, address: 10.0.0.21}
          conf-2: {role: conferencing, address: 10.0.0.22}
        """
    }

    /// Everything in the kernel but the stamp, in no order.
    private static func contents(_ agent: AgentFixture) throws -> [Substring] {
        try agent.rulesInKernel().split(separator: "\n").filter {
            !$0.contains("comment \"generation ")
        }.sorted()
    }

    // MARK: Kills

    /// Processes of the agent: itself, and those that it started.
    private static func processes(_ agent: AgentFixture) throws -> [Int32] {
        let first = try #require(agent.process?.pid)
        var found = [first]
        var next = 0
        while next < found.count {
            let path = "/proc/\(found[next])/task/\(found[next])/children"
            // Gone in the meantime.
            let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            found += text.split(separator: " ").compactMap { Int32($0) }
            next += 1
        }
        return found
    }

    /// Each of the agent's processes is killed at a random moment of an apply.
    @Test("500 kills: the kernel holds the old or the new generation, whole", arguments: [1, 2])
    func kills(_ seed: UInt64) throws {
        try requireRoot()
        var random = SeededGenerator(seed: seed)
        try NetworkNamespace.with { namespace in
            let agent = try AgentFixture(in: namespace, configuration: Self.configuration(0))
            try agent.start()
            let first = try Self.contents(agent)
            try agent.write(Self.configuration(1))
            _ = try agent.control("apply").requireSuccess()
            var known = [first, try Self.contents(agent)]
            try #require(known[0] != known[1])

            var inForce = 1
            var changed = 0
            var longest = Duration.milliseconds(50)
            for number in 0..<Self.times(500) / 2 {
                let wanted = 1 - inForce
                let victims = try Self.processes(agent)
                let victim = victims[number % victims.count]
                let client = try VarlinkClient(path: agent.socket)
                try agent.write(Self.configuration(wanted))
                // Until the apply is done, as measured every tenth time.
                if number % 10 == 9 {
                    longest = try ContinuousClock().measure {
                        _ = try client.call("\(PexipFirewallInterface.name).Apply")
                    }
                    inForce = wanted
                    continue
                }
                try client.callOneway("\(PexipFirewallInterface.name).Apply")
                let microseconds = Int(longest / .microseconds(1))
                usleep(UInt32(Int.random(in: 0...microseconds * 5 / 4, using: &random)))
                Glibc.kill(victim, SIGKILL)

                if victim == victims[0] {
                    _ = agent.process?.wait(timeout: patience)
                    let left = try Self.contents(agent)
                    try #require(
                        known.contains(left),
                        "seed \(seed), kill \(number): neither the old nor the new generation")
                    if left == known[wanted] { changed += 1 }
                    try agent.start()
                }
                let heals = try waitUntil {
                    if agent.process?.isRunning == false { try agent.start() }
                    // It may be about to end, since it can't go on without what was killed.
                    return try Self.contents(agent) == known[wanted]
                        && agent.control("status").status == .exited(0)
                }
                guard heals else {
                    throw TestSupportError(
                        "seed \(seed), kill \(number) of \(victim): \(try agent.control("status"))\n\(agent.log)"
                    )
                }
                inForce = wanted
            }
            known = []
            print("seed \(seed): \(changed) kills left the new generation in force")
            try agent.stop()
        }
    }

    // MARK: Foreign changes

    private struct Tampering: Decodable {
        var repaired: Int
        var kinds: [String: Int]
        var milliseconds: [String: Double]
        var scripted: [String: Double]
        var ratio: Double
    }

    @Test("10,000 random foreign changes are all repaired")
    func foreignChanges() throws {
        try requireRoot()
        let count = Self.times(10_000)
        let seed = Int.random(in: 0..<1_000_000)
        try NetworkNamespace.with { namespace in
            try AgentFixture.with(Self.configuration(0), in: namespace) { agent in
                let script = URL(filePath: #filePath).deletingLastPathComponent().appending(
                    path: "tamper.py")
                let pid = try #require(agent.process?.pid)
                try agent.waitForAdoptionsEnd()
                let result = try namespace.run(
                    ["python3", script.path, "pexip_fw_conf_1", "\(count)", "\(seed)", "\(pid)"],
                    timeout: .seconds(1_800))
                try #require(result.succeeded, "seed \(seed): \(result.standardError)")
                let told = try JSONDecoder().decode(
                    Tampering.self, from: Data(result.standardOutput.utf8))
                print("seed \(seed): \(result.standardOutput)")
                #expect(told.repaired == count)
                #expect(told.kinds.count == 12)
                try agent.waitForStatus("in sync") { $0.state == .inSync }
                let drift = try agent.status().drift
                // On a busy machine two that are alike and come one upon the other may count once.
                #expect(drift.count >= count * 3 / 4)
                #expect(try #require(drift.last).process.contains("tamper.py"))
            }
        }
    }

    /// Notifications of one foreign transaction overflow the socket's buffer, and with them goes the
    /// notice of what the transaction did to our table.
    @Test("a foreign transaction of 5,000 rules during our reads is noticed")
    func lostEvents() throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try AgentFixture.with(Self.configuration(0), in: namespace) { agent in
                let rules = try Self.contents(agent).filter { !$0.contains("foreign") }
                let pid = try #require(agent.process?.pid)
                let flood =
                    (0..<5_000).map {
                        "add rule ip foreign rules ip saddr 192.0.2.1 udp dport \($0 + 1) counter comment \"a rule of somebody else, number \($0)\""
                    }.joined(separator: "\n")
                    + "\nflush chain inet pexip_fw_conf_1 input\n"
                for isStopped in [false, true] {
                    _ = try namespace.run(
                        ["nft", "-f", "/dev/stdin"],
                        input: "add table ip foreign\nadd chain ip foreign rules\n"
                    ).requireSuccess()
                    let before = try agent.status().drift.count
                    if isStopped { Glibc.kill(pid, SIGSTOP) }
                    for _ in 0..<(isStopped ? 8 : 2) {
                        _ = try namespace.run(
                            ["nft", "-f", "/dev/stdin"], input: flood, timeout: patience
                        ).requireSuccess()
                        // Reads meanwhile.
                        if !isStopped { _ = try agent.status() }
                    }
                    Glibc.kill(pid, SIGCONT)
                    _ = try namespace.run(["nft", "delete", "table", "ip", "foreign"])
                        .requireSuccess()
                    try agent.waitForStatus("a repair") {
                        $0.state == .inSync && $0.drift.count > before
                    }
                    #expect(try Self.contents(agent) == rules)
                }
                #expect(agent.log.contains("notifications were lost"))
            }
        }
    }

    // MARK: Applies

    private struct Usage {
        var descriptors = 0
        /// Bytes that all processes of the agent allocated.
        var allocated = 0

        init(_ agent: AgentFixture) throws {
            for pid in try EnduranceTests.processes(agent) {
                descriptors += try FileManager.default.contentsOfDirectory(
                    atPath: "/proc/\(pid)/fd"
                ).count
                let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
                let line = try #require(
                    status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") })
                allocated += 1024 * (Int(line.split(separator: " ")[1]) ?? 0)
            }
        }
    }

    private typealias Sample = (apply: Double, amount: Double)

    @Test("10,000 applies of alternating policies leave memory and descriptors as they were")
    func applies() throws {
        try requireRoot()
        let count = Self.times(10_000)
        // They fill caches, however many come after.
        let filling = 2_500
        try NetworkNamespace.with { namespace in
            try AgentFixture.with(Self.configuration(0), in: namespace) { agent in
                let client = try VarlinkClient(path: agent.socket)
                var samples: [Sample] = []
                var descriptors: [Int] = []
                for number in 1...filling + count {
                    try agent.write(Self.configuration(number % 2))
                    let answer = try client.call("\(PexipFirewallInterface.name).Apply")
                    // By the directory's change, where that came first.
                    try #require(
                        answer["report"]?["generation"]?.integer == Int64(number + 1),
                        "\(number): \(answer)")
                    if number > filling, number % (count / 50) == 0 {
                        let usage = try Usage(agent)
                        samples.append((Double(number), Double(usage.allocated)))
                        descriptors.append(usage.descriptors)
                    }
                }
                let slope = Self.slope(samples)
                let growth = slope * Double(count)
                print(
                    "\(count) applies: \(slope) bytes an apply, from \(samples[0].amount) to \(samples[samples.count - 1].amount) bytes; \(Set(descriptors).sorted()) descriptors"
                )
                #expect(growth < 1_000_000, "\(slope) bytes an apply")
                // A worker that is asked for at the moment has one more.
                // Workers end where they rest, and come again: what stays is what is always there.
                let half = descriptors.count / 2
                let least = [descriptors.prefix(half), descriptors.dropFirst(half)].map {
                    $0.min() ?? 0
                }
                #expect(least[1] - least[0] <= 2)
                #expect(
                    try GenerationStore(directory: agent.stateDirectory.path).numbers().count
                        == GenerationStore.kept + 1)
                // Each with what lists tell of it.
                #expect(
                    try FileManager.default.contentsOfDirectory(
                        atPath: agent.stateDirectory.appending(path: "generations").path
                    ).count == 2 * (GenerationStore.kept + 1))
            }
        }
    }

    /// Of the straight line through the samples with the least squares.
    private static func slope(_ samples: [Sample]) -> Double {
        let count = Double(samples.count)
        let x = samples.reduce(0) { $0 + $1.apply } / count
        let y = samples.reduce(0) { $0 + $1.amount } / count
        let above = samples.reduce(0) { $0 + ($1.apply - x) * ($1.amount - y) }
        let below = samples.reduce(0) { $0 + ($1.apply - x) * ($1.apply - x) }
        return above / below
    }
}
