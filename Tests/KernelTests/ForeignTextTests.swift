import Enforcement
import Foundation
import Reports
import Ruleset
import TestSupport
import Testing
import Reports

/// Whatever others call their tables and processes, and whatever is typed or answered: no program of
/// ours hands it to a terminal as it is.
@Suite("Foreign text")
struct ForeignTextTests {
    /// Clears the screen, as two kinds of terminals take it; begins a line; turns the direction of
    /// writing; is not seen.
    private static let hostile = "x\u{1b}[2J\u{9b}2J\n0 drop\r\u{202e}\u{200b}\u{2028}y"

    /// Lines of text, all of which is seen.
    private static func expectPlain(
        _ text: String, _ what: String, isDocument: Bool = false,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let unseen = text.unicodeScalars.filter { scalar in
            if scalar == "\n" || scalar == "\t" { return false }
            return switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: true
            default: scalar.properties.isDefaultIgnorableCodePoint
            }
        }
        #expect(unseen.isEmpty, "\(what): \(text.debugDescription)", sourceLocation: sourceLocation)
        // What was written into a name as a line is none; but HTML knows no lines.
        if isDocument { return }
        #expect(
            !text.split(separator: "\n").contains { $0.hasPrefix("0 drop") },
            "\(what): \(text.debugDescription)", sourceLocation: sourceLocation)
    }

    private static func expectPlain(
        _ result: ProcessResult, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let what = result.arguments.joined(separator: " ").debugDescription
        expectPlain(result.standardOutput, what, sourceLocation: sourceLocation)
        expectPlain(result.standardError, what, sourceLocation: sourceLocation)
        let isSaid = !result.standardOutput.isEmpty || !result.standardError.isEmpty
        #expect(isSaid, "\(what)", sourceLocation: sourceLocation)
    }

    @Test("tables, chains and processes of others")
    func tablesAndProcesses() throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try namespace.configure(["address add 10.0.0.21/32 dev lo"])
            let configuration = """
                nodes: {conf-1: {role: conferencing, address: 10.0.0.21}}
                enforce: [conf-1]
                """
            try AgentFixture.with(configuration, in: namespace) { agent in
                let monitors = try [[], ["--json"]].map { options in
                    try namespace.spawn(
                        [
                            try BuiltProducts.path(of: "pexip-fwctl"), "--socket", agent.socket,
                            "monitor",
                        ] + options)
                }
                #expect(waitUntil { monitors.allSatisfy { !$0.standardOutput.isEmpty } })

                // A table that cuts us, by names that nft's own language would not take.
                let name = "t" + Self.hostile
                let objects: [[String: Any]] = [
                    ["add": ["table": ["family": "inet", "name": name]]],
                    [
                        "add": [
                            "chain": [
                                "family": "inet", "table": name, "name": name, "type": "filter",
                                "hook": "input", "prio": 7, "policy": "drop",
                            ]
                        ]
                    ],
                ]
                let script = String(
                    decoding: try JSONSerialization.data(withJSONObject: ["nftables": objects]),
                    as: UTF8.self)
                try namespace.run(["nft", "-j", "-f", "-"], input: script).requireSuccess()
                // A process that changes ours, by a name of its own.
                let tool = agent.directory.appending(path: Self.hostile).path
                try FileManager.default.copyItem(
                    atPath: try #require(ChildProcess.locate("nft")), toPath: tool)
                try namespace.run([tool, "flush chain inet pexip_fw_conf_1 input"])
                    .requireSuccess()
                try agent.waitForStatus("both") { $0.drift.count == 1 && !$0.shadows.isEmpty }
                let status = try agent.status()
                #expect(status.shadows.first?.chain?.utf8.contains(0x1b) == true, "JSON keeps it")

                for words in [
                    ["status"], ["status", "--json"], ["show", "nodes"], ["show", "rules"],
                    ["show", "counters"], ["show", "generations"], ["plan"], ["doctor"],
                    ["doctor", "--json"], ["metrics"], ["metrics", "--format", "prometheus"],
                    ["explain", "tcp", "10.9.0.1", "10.0.0.21:22"],
                    ["doctor", "--config-dir", agent.configurationDirectory.path],
                ] {
                    Self.expectPlain(
                        try namespace.run(
                            [
                                try BuiltProducts.path(of: "pexip-fwctl"), "--socket",
                                agent.socket,
                            ] + words, timeout: patience))
                }
                for format in ["html", "markdown"] {
                    let report = try agent.control(
                        "report", "--config-dir", agent.configurationDirectory.path, "--format",
                        format)
                    Self.expectPlain(report.standardOutput, format, isDocument: true)
                    Self.expectPlain(report.standardError, format)
                }
                for (monitor, words) in zip(monitors, ["shadow-found", "\"shadow-found\""]) {
                    #expect(waitUntil { monitor.standardOutput.contains(words) })
                    #expect(waitUntil { monitor.standardOutput.contains("repaired") })
                    Self.expectPlain(monitor.standardOutput, "monitor")
                }
                #expect(
                    try agent.control("metrics").standardOutput.contains(
                        #"process="x\\u{1b}[2J\\u{9b}2J\n0"#))
                Self.expectPlain(agent.log, "the log")
                #expect(agent.log.contains(#"x\u{1b}[2J\u{9b}2J\n0 drop\r"#))
            }
        }
    }

    @Test("words of the command line")
    func words() throws {
        let word = Self.hostile
        let missing = "/nowhere/\(word)"
        for arguments in [
            ["--\(word)"], [word], ["status", "--socket", missing], ["status", word],
            ["explain", word, word, word], ["check", missing], ["explain", "tcp", word],
            ["plan", "--config-dir", missing], ["show", word], ["show", "ports", "--node", word],
            ["apply", "--confirm=\(word)"], ["rollback", word], ["diagram", "--format", word],
            ["report", "--config-dir", missing], ["init", "--node", word],
            ["init", "--node", "a:conferencing:\(word)"], ["metrics", "--format=\(word)"],
            ["show", "ports", "--config-dir", missing], ["doctor", "--config-dir", missing],
            ["explain", "--config-dir", missing, "tcp", "10.0.0.1", "10.0.0.2:\(word)"],
            ["report", "--in-force", "--state-dir", missing],
            ["init", "--node", "a:conferencing:10.0.0.1", "--output", "\(missing).yaml"],
        ] {
            let result = try ChildProcess.run(
                [try BuiltProducts.path(of: "pexip-fwctl")] + arguments)
            #expect(result.status != .exited(0), "\(arguments)")
            Self.expectPlain(result)
        }
        for arguments in [
            ["--\(word)"], [word], ["-\(word)"], ["--debug=\(word)"], ["--metrics-file", word],
            ["--s\(word)"],
        ] {
            let result = try ChildProcess.run(
                [try BuiltProducts.path(of: "pexip-fwd")] + arguments)
            #expect(result.status == .exited(64), "\(arguments)")
            Self.expectPlain(result)
        }
    }

    @Test("the configuration's own words")
    func configuration() throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "pexip-fw-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: directory) } }
        // As escapes of YAML, since a file holds no such characters.
        let word = #""x\e[2J\N\x9b2J\n0 drop\r\u202e\u200b\Ly""#
        for text in [
            "nodes: {\(word): {role: conferencing, address: 10.0.0.1}}", "\(word): 1",
            "nodes: {a: {role: \(word), address: 10.0.0.1}}",
            "nodes: {a: {role: conferencing, address: \(word)}}", "version: \(word)",
            "peers: {ssh_clients: [\(word)]}", "guard: {probes: [\(word)]}",
            "nodes: {a: {role: conferencing, address: 10.0.0.1}}\nenforce: [\(word)]",
        ] {
            try Data(text.utf8).write(to: directory.appending(path: "a.yaml"))
            let result = try ChildProcess.run([
                try BuiltProducts.path(of: "pexip-fwctl"), "check", directory.path,
            ])
            #expect(result.status == .exited(1), "\(text)")
            Self.expectPlain(result)
        }
    }

    @Test("what a service answers")
    func answers() throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "pexip-fw-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: directory) } }
        let socket = directory.appending(path: "socket").path
        let text = String(
            decoding: try JSONEncoder().encode(Self.hostile), as: UTF8.self)
        for answer in [
            #"{"error": "org.pexipfw.Control.Refused", "parameters": {"message": \#(text)}}"#,
            #"{"error": \#(text)}"#, #"{"parameters": {"status": \#(text)}}"#,
            #"{"parameters": {"report": {"outcome": "failed", "changes": [], "diagnostics": [], "problem": \#(text)}}}"#,
        ] {
            let server = try ChildProcess([
                "/usr/bin/python3", "-c",
                """
                import os, socket, sys
                s = socket.socket(socket.AF_UNIX)
                if os.path.exists(sys.argv[1]): os.unlink(sys.argv[1])
                s.bind(sys.argv[1])
                s.listen(5)
                print("ready", flush=True)
                while True:
                    c, _ = s.accept()
                    c.recv(65536)
                    c.sendall(sys.argv[2].encode() + b"\\0")
                    c.close()
                """, socket, answer,
            ])
            defer { server.kill() }
            #expect(waitUntil { server.standardOutput == "ready\n" })
            for words in [["status"], ["flush"], ["monitor"], ["show", "drops"]] {
                let result = try ChildProcess.run(
                    [try BuiltProducts.path(of: "pexip-fwctl"), "--socket", socket] + words)
                #expect(result.status != .exited(0), "\(words)")
                Self.expectPlain(result)
            }
        }
    }
}
