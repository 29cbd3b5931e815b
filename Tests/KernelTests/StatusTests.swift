import Enforcement
import Foundation
import Reports
import TestSupport
import Testing
import Reports

/// What an operator sees of a real agent, on a terminal and in a pipe.
@Suite("Status")
struct StatusTests {
    private static let base = """
        features: {ssh: true}
        nodes:
          conf-1: {role: conferencing, address: 10.0.0.21}
          conf-2: {role: conferencing, address: 10.0.0.22}
        """

    private static func scene(_ body: (AgentFixture) throws -> Void) throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try namespace.configure(["address add 10.0.0.21/32 dev lo"])
            try AgentFixture.with(base, in: namespace, body)
        }
    }

    /// What a terminal of 80 columns gets from `pexip-fwctl`.
    private static func onTerminal(
        _ agent: AgentFixture, _ arguments: String, environment: [String: String] = [:]
    ) throws -> String {
        let program = try BuiltProducts.path(of: "pexip-fwctl")
        return try agent.namespace.run(
            [
                "script", "--quiet", "--return", "--command",
                "stty columns 80 rows 24; \(program) --socket \(agent.socket) \(arguments)",
                "/dev/null",
            ], environment: ["TERM": "xterm", "NO_COLOR": ""].merging(environment) { $1 }
        ).standardOutput
    }

    @Test("origin, countdown, whose drift it is, and since when it counts, without long lines")
    func screen() throws {
        try Self.scene { agent in
            try agent.write("guard: {confirm: 1h}\nfeatures: {ssh: false}", as: "50-ssh.yaml")
            try agent.waitForStatus("pending") { $0.state == .pendingConfirmation }
            try Nft.run(in: agent.namespace, "delete table inet pexip_fw_conf_1")
            try agent.waitForStatus("drift") { $0.drift.count == 1 && $0.problem == nil }
            let status = try agent.status()
            #expect(status.changedFiles == [agent.configurationDirectory.path + "/50-ssh.yaml"])
            let since = try #require(status.countersSince)
            #expect(try #require(status.drift.last).time.seconds <= since.seconds + 1)

            let text = try agent.control("status").requireSuccess().standardOutput
            #expect(text.contains("PENDING CONFIRMATION"))
            #expect(text.contains(" left, then generation 1 comes back"))
            #expect(text.contains("by a change of 50-ssh.yaml; confirmed is 1"))
            #expect(text.contains("by nft"))
            #expect(text.contains("since \(since) ("))
            #expect(!text.contains("\u{1b}"))

            let screen = try Self.onTerminal(agent, "status")
            #expect(screen.contains("\u{1b}[1;33mPENDING CONFIRMATION\u{1b}[0m"))
            let plain = try Self.onTerminal(agent, "status", environment: ["NO_COLOR": "1"])
            #expect(plain.contains("PENDING CONFIRMATION"))
            #expect(!plain.contains("\u{1b}"))
            #expect(plain.split(whereSeparator: \.isNewline).allSatisfy { $0.count <= 80 })
            // Made anew after a start, the tables are older than the agent.
            try agent.stop()
            try agent.start()
            #expect(try agent.status().countersSince == nil)
            #expect(
                try agent.control("status").standardOutput.contains(
                    "since before the agent started"))
        }
    }

    @Test("--watch follows events in place, and gives the terminal back when interrupted")
    func watch() throws {
        try Self.scene { agent in
            let program = try BuiltProducts.path(of: "pexip-fwctl")
            let watch = "status --watch --socket \(agent.socket)"
            let screen = try agent.namespace.spawn([
                "env", "TERM=xterm", "script", "--quiet", "--return", "--command",
                "stty columns 80 rows 24; timeout --foreground --signal=INT 6 \(program) \(watch)",
                "/dev/null",
            ])
            let pipe = try agent.namespace.spawn([
                program, "status", "--watch", "--socket", agent.socket,
            ])
            #expect(waitUntil { pipe.standardOutput.contains("in sync") })
            #expect(waitUntil { screen.standardOutput.contains("in sync") })
            try agent.write("nonsense: 1", as: "60-wrong.yaml")
            for process in [pipe, screen] {
                #expect(
                    waitUntil { process.standardOutput.contains("REJECTED") }
                )
            }
            #expect(screen.wait(timeout: patience) != nil)
            #expect(screen.standardOutput.hasPrefix("\u{1b}[?1049h\u{1b}[?25l\u{1b}[H"))
            #expect(screen.standardOutput.hasSuffix("\u{1b}[?25h\u{1b}[?1049l"))
            #expect(!pipe.standardOutput.contains("\u{1b}"))

            // It waits for an agent that is started again.
            try agent.stop()
            #expect(waitUntil { pipe.standardOutput.contains("NO ANSWER") })
            try agent.start()
            let seen = pipe.standardOutput.count
            #expect(
                waitUntil {
                    pipe.standardOutput.dropFirst(seen).contains("REJECTED")
                })
            pipe.signal(SIGINT)
            #expect(pipe.wait(timeout: patience) == .exited(0))
        }
    }
}
