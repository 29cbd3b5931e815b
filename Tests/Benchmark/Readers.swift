import CPacket
import Control
import Enforcement
import Foundation
import JSONValue
import Reports
import TestSupport
import Reports

/// What readers of the control socket cost: each method by itself, and what root and repairs wait while
/// several users ask for all they may.
struct Readers {
    var rounds: Int

    func rows() throws -> [Row] { try methods(10_000) + underAttack(4_001) }

    // MARK: Each method

    /// Every read at so many nodes: seconds to its last reply, and megabytes that it adds to the agent.
    private func methods(_ nodes: Int) throws -> [Row] {
        let address = Rules.node(2)
        let calls: [(method: String, parameters: JSONValue)] = [
            ("Status", [:]), ("Metrics", [:]), ("Counters", [:]), ("Generations", [:]),
            ("Ports", [:]), ("Rules", [:]), ("Drops", [:]), ("Mesh", [:]), ("Mesh", ["all": true]),
            (
                "Explain",
                [
                    "protocol": "tcp", "source": "192.0.2.7",
                    "destination": .string("\(address):443"),
                ]
            ),
            ("Plan", [:]),
        ]
        return try withAgent(Rules.gateway(nodes, files: 10)) { agent, _ in
            guard let pid = agent.process?.pid else { throw BenchmarkError("no agent runs") }
            return try calls.map { method, parameters in
                var times: [Double] = []
                var memory: [Double] = []
                for _ in 0..<min(rounds, 5) {
                    // What the call before took has gone back by then.
                    sleep(2)
                    let before = try Memory.resident(pid)
                    try Memory.resetPeak(pid)
                    times.append(try nanoseconds { try Self.call(method, parameters, agent) } / 1e9)
                    memory.append((try Memory.peak(pid) - before) / 1e6)
                }
                let isPlan = method == "Plan"
                let what = parameters["all"] == true ? "\(method), all pairs" : method
                return [
                    done(
                        Row(
                            "\(what) of \(nodes) nodes, seconds", target: isPlan ? nil : 2, times)),
                    done(
                        Row(
                            "\(what) of \(nodes) nodes, MB more in the agent meanwhile",
                            target: isPlan ? nil : 64, memory)),
                ]
            }.flatMap(\.self)
        }
    }

    private static func call(
        _ method: String, _ parameters: JSONValue, _ agent: AgentFixture
    ) throws {
        let client = try VarlinkClient(path: agent.socket, timeout: .seconds(600))
        try client.callMore("\(PexipFirewallInterface.name).\(method)", parameters) { _ in true }
    }

    // MARK: Many at once

    /// What root and a deleted table wait for, while readers ask for all that they may.
    private func underAttack(_ nodes: Int) throws -> [Row] {
        try withAgent(Rules.gateway(nodes, files: 10)) { agent, readers in
            // Two generations that differ in one peer.
            let first = try agent.status().generation
            try agent.write(
                "groups:\n  floor: [192.0.2.7]\npeers: {ssh_clients: [\"@floor\"]}\n",
                as: "90-floor.yaml")
            try Self.call("Apply", ["confirmSeconds": 86_400], agent)
            let second = try agent.status().generation
            guard let first, let second, first != second else {
                throw BenchmarkError("the second generation is not in force")
            }
            let listener = try agent.namespace.inside {
                try check("listen", pexip_ruleset_listener())
            }
            defer { close(listener) }
            var rows: [Row] = []
            for isAttacked in [false, true] {
                if isAttacked { try readers.begin() }
                let condition = isAttacked ? "while readers ask for all they may" : "with no reader"
                var waits: [String: [Double]] = [:]
                func measure(_ what: String, _ body: () throws -> Void) throws {
                    waits[what, default: []].append(try nanoseconds(body) / 1e9)
                }
                for _ in 0..<max(10, rounds * 10) {
                    try measure("root's Status") { try Self.call("Status", [:], agent) }
                    try measure("root's Confirm") { try Self.call("Confirm", [:], agent) }
                    waits["deleted table → back", default: []].append(
                        try deletedTable(agent, listener) / 1e9)
                    // No fight, in which the agent would hold back.
                    usleep(300_000)
                }
                // Each puts the other generation in force.
                for round in 0..<max(4, rounds) {
                    let generation = JSONValue.integer(
                        Int64(round.isMultiple(of: 2) ? first : second))
                    try measure("root's Rollback") {
                        try Self.call("Rollback", ["generation": generation], agent)
                    }
                }
                for (what, target) in [
                    ("root's Status", 1.0), ("root's Confirm", 1), ("root's Rollback", 1),
                    ("deleted table → back", 0.2),
                ] {
                    let sorted = waits[what, default: []].sorted()
                    let late = sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
                    rows.append(
                        done(
                            Row(
                                "\(what), \(nodes) nodes, \(condition): the 99th of 100, seconds",
                                target: isAttacked ? target : nil, [late],
                                "\((sorted.median * 1e9).asTime) in the middle, \(((sorted.last ?? 0) * 1e9).asTime) at most, of \(sorted.count)"
                            )))
                }
            }
            try readers.end()
            return rows
        }
    }

    /// How long our table is away, in nanoseconds.
    private func deletedTable(_ agent: AgentFixture, _ listener: Int32) throws -> Double {
        let foreign = try ForeignNft(in: agent.namespace, stays: true)
        try ControlPlane.drain(listener)
        try foreign.run("delete table inet pexip_fw_gateway")
        let gone = try check("the table's end", pexip_next_generation(listener, 5_000))
        let back = try check("the repair", pexip_next_generation(listener, 60_000))
        try foreign.end()
        return Double(back - gone)
    }

    private func withAgent<Success>(
        _ files: [String: String], _ body: (AgentFixture, HostileReaders) throws -> Success
    ) throws -> Success {
        let namespace = try NetworkNamespace()
        defer { leavingBehind { try namespace.close() } }
        let agent = try AgentFixture(in: namespace, configuration: nil)
        for (name, text) in files { try agent.write(text, as: name) }
        let readers = try HostileReaders(of: agent)
        try agent.start(timeout: .seconds(120))
        try agent.waitForStatus("in sync", timeout: .seconds(120)) { $0.state == .inSync }
        let result = try body(agent, readers)
        try agent.stop()
        return result
    }

    private func done(_ row: Row) -> Row {
        progress(row)
        return row
    }
}
