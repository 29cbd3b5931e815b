import CPacket
import Enforcement
import Foundation
import Nftables
import PortModel
import Reports
import Ruleset
import TestSupport
import Reports

/// How long it takes from what somebody did to what the kernel holds, and what the agent costs
/// meanwhile.
struct ControlPlane {
    var rounds: Int
    /// How long the agent waits for writes to end: not part of what is measured.
    private static let settling = 200e6

    // MARK: Without the agent

    /// Transactions through our worker, beside the program `nft` with the same rules.
    func transactions() async throws -> [Row] {
        let local = try await applyLocal()
        let join = try await join()
        return [local, join, try await nodeMemory()]
    }

    private func applyLocal() async throws -> Row {
        var ours: [Double] = []
        var nft: [Double] = []
        let other = try NetworkNamespace()
        try await Self.withKernel { kernel in
            let names = try Rules.compile(
                Rules.load(["10-site.yaml": Rules.local(signaling: 33_000)])
            ).tableIDs
            for round in 0..<2 * rounds + 2 {
                let deployment = Rules.load(
                    ["10-site.yaml": Rules.local(signaling: 33_000 + round % 2)])
                _ = try await kernel.tables(compiled: names)
                let started = pexip_now()
                let ruleset = try Rules.compile(deployment)
                let observed = try await kernel.structure(compiled: ruleset.tableIDs).tables
                try await kernel.commit(Transaction(from: observed, to: ruleset))
                let own = Double(pexip_now() - started)
                let program = try Self.runNft(Rules.script(ruleset), in: other)
                // The first of each kind makes the table, and warms up.
                guard round > 1 else { continue }
                ours.append(own)
                nft.append(program)
            }
        }
        try other.close()
        return done(
            Row(
                "apply of one local node, in-process from its deployment to the commit ÷ running nft -f",
                target: 0.1, zip(ours, nft).map { $0 / $1 },
                "\(ours.median.asTime) ÷ \(nft.median.asTime)"))
    }

    private func join() async throws -> Row {
        var times: [[Double]] = [[], []]
        let counts = [1, 1_000]
        try await Self.withKernel { one in
            try await Self.withKernel { thousand in
                let kernels = [one, thousand]
                var rulesets: [[Ruleset]] = []
                for (index, count) in counts.enumerated() {
                    // Two Conferencing Nodes at least, so that no class comes or goes.
                    rulesets.append(
                        try [count + 2, count + 3].map { try Rules.compile(Rules.gateway($0)) })
                    try await kernels[index].commit(
                        Transaction(from: [], to: rulesets[index][0]))
                }
                for round in 0..<rounds {
                    for index in round % 2 == 0 ? [0, 1] : [1, 0] {
                        for target in [1, 0] {
                            let observed = try await kernels[index].tables(
                                compiled: rulesets[index][target].tableIDs
                            ).tables
                            let transaction = Transaction(
                                from: observed, to: rulesets[index][target])
                            let started = pexip_now()
                            try await kernels[index].commit(transaction)
                            if target == 1 { times[index].append(Double(pexip_now() - started)) }
                        }
                    }
                }
            }
        }
        return done(
            Row(
                "one node joins 1,000 ÷ joins 1, transaction", target: 4,
                zip(times[1], times[0]).map { $0 / $1 },
                "\(times[1].median.asTime) ÷ \(times[0].median.asTime)"))
    }

    private func nodeMemory() async throws -> Row {
        let counts = [1_000, 21_000]
        let rulesets = try counts.map { try Rules.compile(Rules.gateway($0, files: 20)) }
        var memory: [[Double]] = [[], []]
        for _ in 0..<min(rounds, 5) {
            for (index, ruleset) in rulesets.enumerated() {
                try await Self.withKernel { kernel in
                    let before = try Memory.kernel()
                    try await kernel.commit(Transaction(from: [], to: ruleset))
                    memory[index].append(try Memory.kernel() - before)
                }
            }
        }
        return done(
            Row(
                "kernel memory for one more node in gateway placement, bytes", target: 512,
                zip(memory[1], memory[0]).map { ($0 - $1) / Double(counts[1] - counts[0]) },
                "\(Int(memory[1].median / 1024)) kB with \(counts[1]) nodes, "
                    + "\(Int(memory[0].median / 1024)) kB with \(counts[0])"))
    }

    /// Gives the body a kernel in a namespace of its own.
    static func withKernel(_ body: (NftablesKernel) async throws -> Void) async throws {
        let namespace = try NetworkNamespace()
        let keeper = try namespace.inside {
            try KernelKeeper(program: BuiltProducts.path(of: "pexip-fwd"))
        }
        let kernel = NftablesKernel(keeper, deadline: .seconds(120)) { print($0) }
        do {
            try await body(kernel)
        } catch {
            try await kernel.stop()
            try namespace.close()
            throw error
        }
        try await kernel.stop()
        try namespace.close()
    }

    /// How long running `nft -f` takes, in nanoseconds.
    static func runNft(_ script: String, in namespace: NetworkNamespace) throws -> Double {
        let file = FileManager.default.temporaryDirectory.appending(
            path: "pexip-fw-bench-\(UUID().uuidString).nft")
        try Data(script.utf8).write(to: file)
        defer { leavingBehind { try FileManager.default.removeItem(at: file) } }
        return try namespace.inside {
            try nanoseconds {
                try ChildProcess.run(["nft", "-f", file.path], timeout: .seconds(600))
                    .requireSuccess()
            }
        }
    }

    // MARK: The agent on a node

    /// From a renamed file and from a foreign change to the kernel, beside `nft` and firewalld.
    func agent(_ firewalld: Firewalld?) throws -> [Row] {
        let topology = try Topology.nodeAndPeers(
            nodeAddresses: Array(Rules.nodeAddresses.values),
            peerAddresses: Array(Rules.peerAddresses.values))
        let other = try NetworkNamespace()
        let third = try NetworkNamespace()
        defer {
            leavingBehind { try topology.close() }
            leavingBehind { try other.close() }
            leavingBehind { try third.close() }
        }
        try firewalld?.start(in: third)
        return try AgentFixture.with(Rules.local(), in: topology.node) { agent in
            try agent.waitForStatus("in sync") { $0.state == .inSync }
            let (listener, otherListener) = try (
                topology.node.inside { try check("listen", pexip_ruleset_listener()) },
                other.inside { try check("listen", pexip_ruleset_listener()) }
            )
            defer {
                close(listener)
                close(otherListener)
            }
            var rows = try changes(agent, listener, other, firewalld)
            rows += try repairs(agent, listener, other, otherListener)
            rows += try idle(agent, firewalld)
            return rows
        }
    }

    private func changes(
        _ agent: AgentFixture, _ listener: Int32, _ other: NetworkNamespace, _ firewalld: Firewalld?
    ) throws -> [Row] {
        var enforced: [Double] = []
        var nft: [Double] = []
        var reload: [Double] = []
        for round in 0..<rounds + 1 {
            let text = Rules.local(signaling: 33_001 + round % 2)
            try Self.drain(listener)
            let started = pexip_now()
            try agent.write(text)
            let heard = try check("the agent commits", pexip_next_generation(listener, 10_000))
            let script = Rules.script(try Rules.compile(["10-site.yaml": text]))
            let program = try Self.runNft(script, in: other)
            let other = try firewalld?.reload()
            guard round > 0 else { continue }
            enforced.append(Double(heard - started) - Self.settling)
            nft.append(program)
            if let other { reload.append(other) }
        }
        var rows = [
            done(
                Row(
                    "file renamed into the directory → enforced, without the settling window ÷ "
                        + "running nft -f", target: 0.5, zip(enforced, nft).map { $0 / $1 },
                    "\(enforced.median.asTime) ÷ \(nft.median.asTime)"))
        ]
        if !reload.isEmpty {
            rows.append(
                done(
                    Row(
                        "reload of a changed port ÷ firewalld's", target: 0.02,
                        zip(enforced, reload).map { $0 / $1 },
                        "\(enforced.median.asTime) ÷ \(reload.median.asTime)")))
        }
        return rows
    }

    private func repairs(
        _ agent: AgentFixture, _ listener: Int32, _ other: NetworkNamespace, _ otherListener: Int32
    ) throws -> [Row] {
        let ruleset = try Rules.compile(["10-site.yaml": Rules.local()])
        let table = ruleset.tables[0].name
        let script = Rules.script(ruleset)
        _ = try Self.runNft(script, in: other)
        var rows: [Row] = []
        for (name, stays) in [
            ("foreign change → repaired", true),
            (
                "the same by a program that ends at once, while the kernel holds nf_tables for it",
                false
            ),
        ] {
            // Few and slow enough to be no fight, in which the agent would hold back.
            var times: [[Double]] = [[], []]
            for round in 0..<min(rounds, 9) + 1 {
                let change = "flush chain inet \(table) \(["input", "output"][round % 2])"
                for index in round % 2 == 0 ? [0, 1] : [1, 0] {
                    let (namespace, heard) = [(agent.namespace, listener), (other, otherListener)][
                        index]
                    let foreign = try ForeignNft(in: namespace, stays: stays)
                    try Self.drain(heard)
                    try foreign.run(change)
                    let broken = try check(
                        "the foreign change", pexip_next_generation(heard, 1_000))
                    if index == 1 { _ = try Self.runNft(script, in: other) }
                    let repaired = try check("the repair", pexip_next_generation(heard, 10_000))
                    try foreign.end()
                    if round > 0 { times[index].append(Double(repaired - broken)) }
                }
                usleep(800_000)
            }
            rows.append(
                done(
                    Row(
                        "\(name) ÷ repaired by running nft -f", target: 0.33,
                        zip(times[0], times[1]).map { $0 / $1 },
                        "\(times[0].median.asTime) ÷ \(times[1].median.asTime)")))
        }
        return rows
    }

    /// Forgets what was announced so far.
    static func drain(_ listener: Int32) throws {
        while pexip_next_generation(listener, 50) >= 0 {}
        guard errno == ETIMEDOUT else { throw BenchmarkError.system("listen") }
    }

    private func idle(_ agent: AgentFixture, _ firewalld: Firewalld?) throws -> [Row] {
        guard let pid = agent.process?.pid else { throw BenchmarkError("no agent runs") }
        sleep(5)
        let processes = try ProcessTree.descendants(of: pid)
        let before = try processes.map { try ProcessTree.switches(of: $0) }
        sleep(60)
        let after = try processes.map { try ProcessTree.switches(of: $0) }
        let woken = zip(after, before).map { after, before in
            after.reduce(0) { $0 + $1.value - (before[$1.key] ?? 0) }
        }.reduce(0, +)
        var rows = [
            done(
                Row(
                    "wake-ups of the agent and its processes in 60 idle seconds", target: 0,
                    [Double(woken)], "\(processes.count) processes"))
        ]
        if let firewalld {
            let own = try processes.map { try Memory.proportional($0) }.reduce(0, +)
            let other = try firewalld.residentMemory
            rows.append(
                done(
                    Row(
                        "resident memory of the agent and its processes ÷ firewalld's",
                        target: 0.35,
                        [own / other], "\(Int(own / 1024)) kB ÷ \(Int(other / 1024)) kB")))
        }
        return rows
    }

    // MARK: Many nodes

    /// 1,000 nodes beside `nft -f`, then ten times as much of everything.
    func scale() throws -> [Row] {
        var rows: [Row] = []
        let files = Rules.gateway(1_000, files: 10)
        let script = Rules.script(try Rules.compile(files))
        var changed: [Double] = []
        var started: [Double] = []
        // Before and after each: the machine's pace changes within a round.
        var nft: [Double] = []
        func runNft() throws {
            let namespace = try NetworkNamespace()
            nft.append(try Self.runNft(script, in: namespace))
            try namespace.close()
        }
        try runNft()
        for _ in 0..<rounds {
            changed.append(try fill(files))
            try runNft()
            started.append(try start(files).time)
            try runNft()
        }
        func ratios(_ times: [Double], _ first: Int) -> [Double] {
            times.enumerated().map { 2 * $1 / (nft[2 * $0 + first] + nft[2 * $0 + first + 1]) }
        }
        rows.append(
            done(
                Row(
                    "1,000 nodes: files renamed into the directory → verified in the kernel, "
                        + "without the settling window ÷ running nft -f", target: 2,
                    ratios(changed, 0),
                    "\(changed.median.asTime) ÷ \(nft.median.asTime)")))
        rows.append(
            done(
                Row(
                    "the same from the start of the agent's program", target: nil,
                    ratios(started, 1),
                    "\(started.median.asTime) ÷ \(nft.median.asTime)")))

        let fewer = Rules.gateway(1_000, files: 10, clients: 10_000)
        let more = Rules.gateway(10_000, files: 100, clients: 100_000)
        let pairs = try (0..<min(rounds, 3)).map { _ in
            (small: try start(fewer), large: try start(more))
        }
        let times = (pairs.map(\.small.time).median, pairs.map(\.large.time).median)
        let memory = (pairs.map(\.small.memory).median, pairs.map(\.large.memory).median)
        rows.append(
            done(
                Row(
                    "10,000 nodes in 100 files and 100,000 addresses, from a tenth: time, exponent",
                    target: 1.15, pairs.map { log10($0.large.time / $0.small.time) },
                    "\(times.0.asTime) → \(times.1.asTime)")))
        rows.append(
            done(
                Row(
                    "the same: most memory of the agent and its processes, exponent", target: 1.15,
                    pairs.map { log10($0.large.memory / $0.small.memory) },
                    "\(Int(memory.0 / 1e6)) MB → \(Int(memory.1 / 1e6)) MB")))
        return rows
    }

    /// Starts an agent with these files and waits until it says that the kernel holds them.
    private func start(_ files: [String: String]) throws -> (time: Double, memory: Double) {
        try withAgent { agent, notifications in
            for (name, text) in files { try agent.write(text, as: name) }
            let started = pexip_now()
            try agent.spawn()
            // Said when the kernel was read back, or when there is nothing to be done about it.
            try notifications.awaitLine("READY=1", timeout: 300_000)
            let time = Double(pexip_now() - started)
            try agent.waitForStatus("in sync") { $0.state == .inSync }
            guard let pid = agent.process?.pid else { throw BenchmarkError("no agent runs") }
            let memory = try ProcessTree.descendants(of: pid).map { try Memory.peak($0) }.reduce(
                0, +)
            return (time, memory)
        }
    }

    /// How long a running agent takes that had no files before.
    private func fill(_ files: [String: String]) throws -> Double {
        try withAgent { agent, notifications in
            try agent.spawn()
            try notifications.awaitLine("READY=1", timeout: 10_000)
            for (name, text) in files { try agent.write(text, as: name) }
            let started = pexip_now()
            try notifications.awaitLine("STATUS=in-sync", timeout: 60_000)
            return Double(pexip_now() - started) - Self.settling
        }
    }

    private func withAgent<Success>(
        _ body: (AgentFixture, Socket) throws -> Success
    ) throws -> Success {
        let namespace = try NetworkNamespace()
        defer { leavingBehind { try namespace.close() } }
        let agent = try AgentFixture(in: namespace, configuration: nil)
        let path = agent.directory.appending(path: "notify").path
        let notifications = try Socket.notifications(at: path)
        agent.environment = ["NOTIFY_SOCKET": path]
        let result = try body(agent, notifications)
        try agent.stop()
        return result
    }

    private func done(_ row: Row) -> Row {
        progress(row)
        return row
    }
}

/// Somebody else's `nft`, who changes something once.
final class ForeignNft {
    private let process: ChildProcess?
    private let namespace: NetworkNamespace
    private var started: ChildProcess?

    /// - Parameter stays: whether the program goes on after its change. The kernel closes the socket
    ///   of one that ends with nf_tables locked until every processor has passed a quiescent state
    ///   (`nft_rcv_nl_event`), which is long against a repair.
    init(in namespace: NetworkNamespace, stays: Bool) throws {
        self.namespace = namespace
        process =
            try stays ? namespace.inside { try ChildProcess(["nft", "-i"], input: .socket) } : nil
    }

    /// Does not wait for the change.
    func run(_ command: String) throws {
        guard let process else {
            started = try namespace.inside { try ChildProcess(["nft", command]) }
            return
        }
        let line = command + "\n"
        guard write(process.socket, line, line.utf8.count) == line.utf8.count else {
            throw BenchmarkError.system("write to nft")
        }
    }

    func end() throws {
        if let process { _ = process.terminate() }
        try started?.finish().requireSuccess()
    }
}
