import Enforcement
import Foundation
import Reports
import TestSupport
import Testing

/// Whatever members of the reading group ask for, root is answered and the rules are kept.
@Suite("Readers")
struct ReaderTests {
    private static let nodes = 1_000

    private static func configuration(_ ssh: Bool) -> String {
        "placement: gateway\nfeatures: {ssh: \(ssh)}\nnodes:\n"
            + (0..<nodes).map { index in
                let role = index == 0 ? "management" : "conferencing"
                return
                    "  n\(index): {role: \(role), address: 10.1.\(index / 250).\(index % 250 + 1)}\n"
            }.joined()
    }

    @Test("root's status, confirm and rollback are answered, and a deleted table comes back")
    func rootAndRepairs() throws {
        let namespace = try NetworkNamespace()
        let agent = try AgentFixture(in: namespace, configuration: Self.configuration(true))
        let readers = try HostileReaders(of: agent)
        try agent.start(timeout: .seconds(120))
        try agent.waitForStatus("in sync", timeout: .seconds(120)) { $0.state == .inSync }
        try readers.begin()

        // Ten times what each may take, and twice that for a debug build beside other tests.
        let patience = Duration.seconds(20)
        func answered(_ what: String, _ arguments: String...) throws {
            let started = ContinuousClock.now
            let result = try namespace.run(
                [try BuiltProducts.path(of: "pexip-fwctl"), "--socket", agent.socket] + arguments,
                timeout: .seconds(120))
            #expect(result.status == .exited(0), "\(what): \(result)")
            let took = ContinuousClock.now - started
            #expect(took < patience, "\(what) took \(took)")
        }
        for round in 0..<3 {
            try answered("status", "status")
            try namespace.run(["nft", "delete", "table", "inet", "pexip_fw_gateway"])
                .requireSuccess()
            let isBack = try waitUntil(timeout: patience) {
                try namespace.run(["nft", "list", "tables"]).requireSuccess().standardOutput
                    .contains("pexip_fw_gateway")
            }
            #expect(isBack, "round \(round)")
        }
        try agent.write(Self.configuration(false))
        try agent.waitForStatus("generation 2", timeout: .seconds(120)) { $0.generation == 2 }
        try answered("rollback", "rollback")
        let applied = try agent.control("apply", "--confirm", "10m", timeout: .seconds(120))
        #expect(applied.status == .exited(0), "\(applied)")
        try answered("confirm", "confirm")
        #expect(try agent.status().state == .inSync)
        // Threads that readers' made for queues of all serve those at the usual priority.
        for (name, nice) in try Self.threads(of: #require(agent.process?.pid)) {
            let isReaders = ["varlink-calls", "plans"].contains(name)
            #expect(isReaders ? nice == 10 : [0, -4].contains(nice), "\(name)")
        }
        try readers.end()
        try agent.stop()
        try namespace.close()
    }

    /// Names and nice values, see proc_pid_stat(5).
    private static func threads(of pid: Int32) throws -> [(name: String, nice: Int)] {
        let tasks = "/proc/\(pid)/task"
        return try FileManager.default.contentsOfDirectory(atPath: tasks).compactMap { task in
            // One that has ended meanwhile.
            guard
                let text = try? String(contentsOfFile: "\(tasks)/\(task)/stat", encoding: .utf8),
                let start = text.firstIndex(of: "("), let end = text.lastIndex(of: ")")
            else { return nil }
            let fields = text[text.index(end, offsetBy: 2)...].split(separator: " ")
            return (String(text[text.index(after: start)..<end]), try #require(Int(fields[16])))
        }
    }
}
