import Enforcement
import Foundation
import PortModel
import Reports
import TestSupport
import Testing
import Reports

/// What an auditor reads is what a real agent and its kernel hold.
@Suite("Report of a real agent")
struct ReportTests {
    private static func configuration(ssh: Bool) -> String {
        """
        features: {ssh: \(ssh)}
        nodes:
          conf-1: {role: conferencing, address: 10.0.0.21}
          conf-2: {role: conferencing, address: 10.0.0.22}
        """
    }

    /// A Markdown report, and the cells of its row about `id`.
    private static func report(
        _ agent: AgentFixture, row id: String
    ) throws -> (text: String, cells: [String]) {
        let text = try agent.control(
            "report", "--config-dir", agent.configurationDirectory.path, "--format", "markdown"
        ).requireSuccess().standardOutput
        let line = try #require(
            text.split(separator: "\n").first { $0.hasPrefix("| `\(id)` | TCP") })
        return (text, line.split(separator: "|").map { $0.trimmingPrefix(" ") }.map(trimmed))
    }

    private static func trimmed(_ cell: Substring) -> String {
        cell.trimmingCharacters(in: .whitespaces)
    }

    @Test("rows are enforced as long as what is in force is what the files say, and are counted")
    func agreement() throws {
        try requireRoot()
        let node = try #require(IPAddress("10.0.0.21"))
        let peer = try #require(IPAddress("192.0.2.7"))
        let topology = try Topology.nodeAndPeers(nodeAddresses: [node], peerAddresses: [peer])
        try topology.use { topology in
            try AgentFixture.with(Self.configuration(ssh: true), in: topology.node) { agent in
                let inside = try PacketProbe(in: topology.node)
                let outside = try PacketProbe(in: topology.outside)
                try inside.listen(at: [ProbeEndpoint(node, port: 22)])
                let (connection, outcome) = try outside.open(
                    from: ProbeEndpoint(peer, port: 20_001), to: ProbeEndpoint(node, port: 22))
                try #require(connection != nil, "\(outcome)")

                let inForce = try Self.report(agent, row: "conferencing.in.ssh")
                #expect(inForce.cells[4...5] == ["**enforced**", "1 packet<br>60 B"])
                #expect(inForce.text.contains("**as configured**: the tables in force are"))
                let rule = try #require(
                    inForce.text.split(separator: "\n").first {
                        $0.hasSuffix("comment \"conferencing.in.ssh\"")
                    })
                #expect(rule.hasPrefix("input_tcp: "))
                #expect(
                    try agent.control("show", "rules").standardOutput.contains(
                        rule.dropFirst("input_tcp: ".count)))
                // The digest is the one that the kernel's table carries.
                let digest = try #require(
                    inForce.text.firstMatch(
                        of: /Digest of table pexip\\_fw\\_conf\\_1\*\* \| `([0-9a-f]{64})`/))
                #expect(try agent.rulesInKernel().contains("generation 1 sha256 \(digest.1)"))

                // What a rollback holds is not what the files say.
                try agent.write(Self.configuration(ssh: false))
                try agent.waitForStatus("generation 2") { $0.generation == 2 }
                #expect(
                    try Self.report(agent, row: "conferencing.in.ssh").cells[4...5] == [
                        "off: features.ssh is off", "–",
                    ])
                try agent.control("rollback", "1").requireSuccess()
                let differing = try Self.report(agent, row: "conferencing.in.sip")
                #expect(differing.cells[4...5] == ["configured", "not known"])
                #expect(differing.text.contains("> The rules in force differ from what"))
                #expect(differing.text.contains("**pinned**"))
                // What is stored is what is in force, and even where the files are wrong.
                try agent.write("nonsense: 1")
                try agent.waitForStatus("rejected") { $0.state == .rejected }
                let wrong = try agent.control(
                    "report", "--config-dir", agent.configurationDirectory.path)
                #expect(wrong.status == .exited(1))
                #expect(wrong.standardOutput == "")
                #expect(wrong.standardError.contains("with --in-force the report tells"))
                let stored = try agent.control(
                    "report", "--in-force", "--state-dir", agent.stateDirectory.path, "--format",
                    "markdown"
                ).requireSuccess().standardOutput
                #expect(stored.contains("**as configured**: the tables in force are"))
                #expect(stored.contains("the configuration of generation 1, stored in"))
                #expect(stored.contains("**REJECTED**"))
                #expect(stored.contains("nonsense"))
            }
        }
    }

    @Test("nobody's report tells what the files say, and that the agent may not be asked")
    func unprivileged() throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try namespace.configure(["address add 10.0.0.21/32 dev lo"])
            try AgentFixture.with(Self.configuration(ssh: true), in: namespace) { agent in
                let result = try namespace.run([
                    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                    try BuiltProducts.path(of: "pexip-fwctl"), "report", "--socket", agent.socket,
                    "--config-dir", agent.configurationDirectory.path, "--format", "markdown",
                ]).requireSuccess()
                #expect(result.standardOutput.contains("The agent did not answer: not permitted"))
                #expect(result.standardOutput.contains("1 of 2 nodes of the deployment"))
                try agent.stop()
                let silent = try agent.control(
                    "report", "--config-dir", agent.configurationDirectory.path
                ).requireSuccess().standardOutput
                #expect(silent.contains("The agent did not answer: the agent is not running"))
                try agent.start()
            }
        }
    }

    @Test("pictures and pages are written to files, and what can't be is told")
    func files() throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "pexip-fw-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer {
            do {
                try FileManager.default.removeItem(at: directory)
            } catch {
                Issue.record("left behind: \(directory.path): \(error)")
            }
        }
        let site = directory.appending(path: "site").path
        try FileManager.default.createDirectory(
            atPath: site, withIntermediateDirectories: false)
        try Data(Self.configuration(ssh: true).utf8).write(
            to: URL(filePath: site + "/10-site.yaml"))
        let program = try BuiltProducts.path(of: "pexip-fwctl")
        func run(_ arguments: String...) throws -> ProcessResult {
            try ChildProcess.run([program] + arguments)
        }
        let drawn = try run("diagram", "--config-dir", site, "--output", directory.path)
        #expect(
            drawn.standardOutput
                == ["inbound", "outbound"].map {
                    "\(directory.path)/conferencing-\($0).svg\n"
                }.joined())
        for line in drawn.standardOutput.split(separator: "\n") {
            let text = try String(contentsOfFile: String(line), encoding: .utf8)
            #expect(text.hasPrefix("<svg xmlns"))
        }
        let page = directory.appending(path: "report.html").path
        #expect(try run("report", "--config-dir", site, "--output", page).standardOutput == "")
        #expect(try String(contentsOfFile: page, encoding: .utf8).hasPrefix("<!DOCTYPE html>"))
        for (arguments, message) in [
            (["diagram", "--output", "/nowhere"], "can't write /nowhere/conferencing-inbound.svg"),
            (["report", "--output", "/nowhere/x"], "can't write /nowhere/x: "),
            (["diagram", "--node", "conf-3"], "there is no node conf-3: known are conf-1, conf-2"),
            (["report", "--node", "conf-3"], "there is no node conf-3: known are conf-1, conf-2"),
        ] {
            let result = try ChildProcess.run([program] + arguments + ["--config-dir", site])
            #expect(result.status == .exited(1))
            #expect(result.standardError.contains(message), "\(result.standardError)")
            #expect(result.standardOutput == "")
        }
        let nothing = try run("diagram", "--config-dir", directory.path)
        #expect(nothing.standardError.contains("configures no deployment: name its nodes"))
    }

    /// Devices of the test's own, since a mistake would replace the host's.
    @Test("what is no file is written into, by every command that writes")
    func devices() throws {
        try requireRoot()
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "pexip-fw-test-\(UUID().uuidString)")
        let configuration = directory.appending(path: "pexip-fw.d")
        try FileManager.default.createDirectory(
            at: configuration, withIntermediateDirectories: true)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: directory) } }
        try Data(Self.configuration(ssh: true).utf8).write(
            to: configuration.appending(path: "10-site.yaml"))
        let program = try BuiltProducts.path(of: "pexip-fwctl")
        let node = "conf-1:conferencing:10.0.0.21"
        for link in [false, true] {
            for (name, arguments) in [
                ("report.html", ["report", "--config-dir", configuration.path, "--output"]),
                ("site.yaml", ["init", "--force", "--node", node, "--output"]),
            ] {
                let path = directory.appending(path: name).path
                let device = link ? directory.appending(path: "null").path : path
                try #require(mknod(device, S_IFCHR | 0o666, 1 << 8 | 3) == 0)
                if link { try #require(symlink("null", path) == 0) }
                try ChildProcess.run([program] + arguments + [path]).requireSuccess()
                var status = stat()
                #expect(lstat(device, &status) == 0)
                #expect(status.st_mode & S_IFMT == S_IFCHR, "\(name)")
                if link { try FileManager.default.removeItem(atPath: device) }
                try FileManager.default.removeItem(atPath: path)
            }
        }
        // As output of the shell's own, and behind what is there.
        let log = directory.appending(path: "log").path
        let script = """
            echo first; "$1" report --config-dir "$2" --output /dev/stdout --format markdown
            echo last
            """
        try ChildProcess.run(
            ["sh", "-c", "exec >>'\(log)'; \(script)", "sh", program, configuration.path]
        ).requireSuccess()
        let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        #expect(lines.first == "first")
        #expect(lines.last == "last")
        #expect(lines.count > 50)
    }
}
