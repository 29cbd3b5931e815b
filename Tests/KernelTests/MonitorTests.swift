import Enforcement
import Foundation
import Reports
import Ruleset
import TestSupport
import Testing

/// `pexip-fwctl monitor` beside a real agent.
@Suite("Monitor")
struct MonitorTests {
    private static let base = """
        features: {ssh: false}
        nodes:
          conf-1: {role: conferencing, address: 10.0.0.21}
          conf-2: {role: conferencing, address: 10.0.0.22}
        """

    private static func agent(_ body: (AgentFixture) throws -> Void) throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try namespace.configure(["address add 10.0.0.21/32 dev lo"])
            let agent = try AgentFixture(in: namespace, configuration: base)
            do {
                try agent.start()
                try body(agent)
            } catch {
                throw TestSupportError("\(error)\nThe agent logged:\n\(agent.log)")
            }
        }
    }

    private static func monitor(_ agent: AgentFixture, _ options: String...) throws -> ChildProcess
    {
        try agent.namespace.spawn(
            [try BuiltProducts.path(of: "pexip-fwctl"), "monitor", "--socket", agent.socket]
                + options)
    }

    private static func lines(_ process: ChildProcess) -> [String] {
        process.standardOutput.split(separator: "\n").map(String.init)
    }

    private static func waitForLine(
        _ process: ChildProcess, _ isWanted: (String) -> Bool
    ) throws {
        let came = waitUntil { lines(process).contains(where: isWanted) }
        guard came else {
            throw TestSupportError(
                "no such event came: \(process.standardOutput)\(process.standardError)")
        }
    }

    @Test("the present state first, then each event as it happens, until it is interrupted")
    func follow() throws {
        try Self.agent { agent in
            let text = try Self.monitor(agent)
            let json = try Self.monitor(agent, "--json")
            for process in [text, json] { try Self.waitForLine(process) { _ in true } }
            #expect(Self.lines(text)[0].contains(" present      in-sync      generation 1"))

            try agent.write("features: {ssh: true}", as: "50-ssh.yaml")
            try Self.waitForLine(json) { $0.contains(#""kind":"applied""#) }
            try Nft.run(in: agent.namespace, "flush chain inet pexip_fw_conf_1 input_tcp")
            try Self.waitForLine(json) { $0.contains(#""kind":"repaired""#) }
            try agent.write("nonsense: true", as: "60-wrong.yaml")
            try Self.waitForLine(json) { $0.contains(#""kind":"rejected""#) }
            try agent.remove("60-wrong.yaml")
            try Nft.run(
                in: agent.namespace,
                "table inet t { chain c { type filter hook input priority 9; meta mark 7 drop; }; }"
            )
            try Self.waitForLine(json) { $0.contains(#""kind":"shadow-found""#) }
            #expect(try agent.control("rollback").succeeded)
            #expect(try agent.control("flush").succeeded)
            try Self.waitForLine(json) { $0.contains(#""kind":"flushed""#) }
            try Self.waitForLine(text) { $0.contains(" flushed ") }

            json.signal(SIGINT)
            #expect(json.wait(timeout: patience) == .exited(0))
            let events = try Self.lines(json).map { line in
                try JSONDecoder().decode(Event.self, from: Data(line.utf8))
            }
            #expect(events.first?.kind == .present)
            let kinds = events.map(\.kind).filter { $0 != .state }
            #expect(
                kinds.starts(with: [
                    .present, .applied, .repaired, .rejected, .shadowFound, .rolledBack, .flushed,
                ]), "\(kinds)")
            let applied = try #require(events.first { $0.kind == .applied })
            #expect(applied.generation == 2)
            #expect(applied.state == .inSync)
            let repaired = try #require(events.first { $0.kind == .repaired })
            #expect(repaired.process?.contains("nft") == true)
            #expect(repaired.pid.map { $0 > 0 } == true)
            #expect(events.first { $0.kind == .shadowFound }?.shadow?.table == "t")
            #expect(events.allSatisfy { $0.lost == nil })
            #expect(
                events.filter { $0.kind == .state }.map(\.state).prefix(2) == [.rejected, .inSync])
            #expect(Self.lines(text).contains { $0.contains("repaired") && $0.contains("(by ") })
            #expect(Self.lines(text).allSatisfy { $0.contains("Z ") })

            // The other one hears the end, and ends with it.
            try agent.stop()
            #expect(text.wait(timeout: patience) == .exited(3))
            #expect(Self.lines(text).last?.contains(" stopping ") == true)
            #expect(text.standardError.contains("the agent has ended"))
        }
    }

    @Test("it ends quietly when nobody reads its output any more")
    func brokenPipe() throws {
        try Self.agent { agent in
            let program = try BuiltProducts.path(of: "pexip-fwctl")
            let shell = try agent.namespace.spawn([
                "bash", "-c",
                """
                set -o pipefail
                "$0" monitor --socket "$1" | head -n 1
                echo "${PIPESTATUS[0]}" >&2
                """, program, agent.socket,
            ])
            #expect(waitUntil { shell.standardOutput.contains("present") })
            // It notices with the next events: one may still fit into the pipe.
            for round in 1...10 where shell.isRunning {
                try agent.write("features: {ssh: \(round % 2 == 1)}", as: "50-ssh.yaml")
                try agent.waitForStatus("a generation") { $0.generation ?? 0 > round }
            }
            #expect(shell.wait(timeout: patience) == .exited(0))
            #expect(shell.standardError == "0\n")
            try agent.stop()
        }
    }

    @Test("without an agent it says so; to a stranger it is not permitted; many may watch")
    func limits() throws {
        try Self.agent { agent in
            let watchers = try (0..<20).map { _ in try Self.monitor(agent) }
            for watcher in watchers { try Self.waitForLine(watcher) { $0.contains(" present ") } }
            // Who stands still holds nobody up.
            for watcher in watchers.prefix(10) { watcher.signal(SIGSTOP) }
            for round in 1...5 {
                try agent.write("features: {ssh: \(round % 2 == 1)}", as: "50-ssh.yaml")
                try agent.waitForStatus("a generation") { $0.generation ?? 0 > round }
            }
            for watcher in watchers.suffix(10) {
                try Self.waitForLine(watcher) { _ in
                    Self.lines(watcher).filter { $0.contains(" applied ") }.count == 5
                }
            }
            for watcher in watchers.prefix(10) { watcher.signal(SIGCONT) }
            for watcher in watchers.prefix(10) {
                try Self.waitForLine(watcher) { _ in
                    Self.lines(watcher).filter { $0.contains(" applied ") }.count == 5
                }
            }
            let stranger = try agent.namespace.run([
                "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                try BuiltProducts.path(of: "pexip-fwctl"), "monitor", "--socket", agent.socket,
            ])
            #expect(stranger.status != .exited(0))
            try agent.stop()
            let result = try agent.control("monitor")
            #expect(result.status == .exited(3))
        }
    }
}
