import Authoring
import Configuration
import Enforcement
import Foundation
import JSONValue
import PortModel
import Reports
import Site
import Testing
import TestSupport
import Reports

/// `pexip-fwctl init`, by options and at a terminal, and `pexip-fwctl schema`.
@Suite("Init")
struct InitTests {
    /// A host with a node's address, and a directory to write in.
    private struct Scene {
        let namespace: NetworkNamespace
        let directory: String
        var path: String { "\(directory)/\(StartingFile.name)" }

        /// Runs `pexip-fwctl init` by an SSH session, if any.
        func run(_ arguments: String..., session: String = "") throws -> ProcessResult {
            try namespace.run(
                [try BuiltProducts.path(of: "pexip-fwctl"), "init"] + arguments,
                environment: ["SSH_CONNECTION": session])
        }

        /// Holds a conversation at a terminal: what is typed, each at the end of a question.
        func converse(
            _ steps: [[String]], _ arguments: String..., session: String = ""
        ) throws -> ProcessResult {
            let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appending(path: "conversation.py").path
            let input = try JSONEncoder().encode(["steps": steps])
            return try namespace.run(
                [
                    "/usr/bin/python3", script, try BuiltProducts.path(of: "pexip-fwctl"), "init",
                ] + arguments,
                input: String(decoding: input, as: UTF8.self), timeout: patience,
                environment: ["SSH_CONNECTION": session])
        }

        func files() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
        }

        func load() throws -> Deployment {
            let loaded = ConfigurationDirectory(directory).load()
            #expect(loaded.diagnostics == [])
            return try #require(loaded.deployment)
        }

        /// The exit status of `explain` for a packet.
        func explain(_ packet: String...) throws -> TestSupport.ExitStatus {
            try namespace.run(
                [try BuiltProducts.path(of: "pexip-fwctl"), "explain", "--config-dir", directory]
                    + packet
            ).status
        }
    }

    private func scene(_ body: (Scene) throws -> Void) throws {
        try requireRoot()
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "pexip-fw-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755]
        )
        defer {
            do {
                try FileManager.default.removeItem(at: directory)
            } catch {
                Issue.record(error)
            }
        }
        try NetworkNamespace.with { namespace in
            try namespace.configure([
                "address add 10.0.0.21/32 dev lo", "address add 198.51.100.21/32 dev lo",
            ])
            try body(Scene(namespace: namespace, directory: directory.path))
        }
    }

    private static let own = "conf-1:conferencing:10.0.0.21,198.51.100.21"

    @Test("writes a whole file once, which others may read, and says what comes next")
    func options() throws {
        try scene { scene in
            let arguments = [
                "--config-dir", scene.directory, "--node", "mgmt:management:10.0.0.10", "--node",
                Self.own, "--feature", "snmp", "--feature", "syslog", "--ssh-from", "10.1.0.0/16",
            ]
            let program = try BuiltProducts.path(of: "pexip-fwctl")
            func run(_ more: String...) throws -> ProcessResult {
                try scene.namespace.run(
                    [program, "init"] + arguments + more, environment: ["SSH_CONNECTION": ""])
            }
            let first = try run().requireSuccess()
            #expect(first.standardError == "")
            #expect(
                first.standardOutput.split(separator: "\n").map {
                    $0.split(separator: " ", omittingEmptySubsequences: true)
                        .joined(separator: " ")
                } == [
                    "wrote \(scene.path), with 2 nodes; nothing is enforced by it yet", "next:",
                    "pexip-fwctl check \(scene.directory) is it right",
                    "pexip-fwctl plan --config-dir \(scene.directory) what it would change",
                    "mv \(scene.path) /etc/pexip-fw.d/ enforced at once, for 5m",
                    "pexip-fwctl confirm to keep it",
                ])
            #expect(try scene.files() == [StartingFile.name])
            let attributes = try FileManager.default.attributesOfItem(atPath: scene.path)
            #expect(attributes[.posixPermissions] as? Int == 0o644)
            let deployment = try scene.load()
            #expect(deployment.nodes.map(\.name) == ["conf-1", "mgmt"])
            #expect(deployment.nodes[0].features == [.ssh, .snmp, .syslog])
            #expect(try scene.explain("tcp", "10.1.0.5", "10.0.0.21:22") == .exited(0))
            #expect(try scene.explain("tcp", "203.0.113.7", "10.0.0.21:22") == .exited(2))

            let again = try run()
            #expect(again.status == .exited(1))
            #expect(again.standardError.contains("is there already: --force replaces it"))
            try run("--force").requireSuccess()
            #expect(try scene.files() == [StartingFile.name])
        }
    }

    @Test("keeps the session that it is typed in, also at another port and address")
    func session() throws {
        try scene { scene in
            func write(_ session: String, _ more: String...) throws -> ProcessResult {
                try scene.namespace.run(
                    [
                        try BuiltProducts.path(of: "pexip-fwctl"), "init", "--force",
                        "--config-dir", scene.directory, "--node", Self.own,
                    ] + more, environment: ["SSH_CONNECTION": session]
                ).requireSuccess()
            }
            let usual = try write("203.0.113.7 40000 10.0.0.21 22")
            #expect(
                usual.standardError
                    == "SSH stays open from 203.0.113.0/24, the network of this session; --ssh-from says otherwise\n"
            )
            #expect(try scene.load().rules == [])
            #expect(try scene.explain("tcp", "203.0.113.9", "10.0.0.21:22") == .exited(0))
            #expect(try scene.explain("tcp", "203.0.114.9", "10.0.0.21:22") == .exited(2))

            for (session, destination) in [
                ("203.0.113.7 40000 10.0.0.21 2222", "10.0.0.21:2222"),
                ("203.0.113.7 40000 198.51.100.21 22", "198.51.100.21:22"),
            ] {
                #expect(!(try write(session).standardError.contains("warning")))
                #expect(try scene.load().rules.map(\.name) == ["admin-ssh"])
                #expect(try scene.explain("tcp", "203.0.113.7", destination) == .exited(0))
                #expect(try scene.explain("tcp", "203.0.114.9", destination) == .exited(2))
            }

            // What is asked for is done, and its consequence told.
            for access in ["none", "10.1.0.0/16"] {
                let told = try write("203.0.113.7 40000 10.0.0.21 22", "--ssh-from", access)
                #expect(
                    told.standardError.hasPrefix(
                        "warning: in force, it would cut the SSH session that it was typed in"))
                #expect(try scene.explain("tcp", "203.0.113.7", "10.0.0.21:22") == .exited(2))
            }

            // A gateway does not judge its own sessions.
            let gateway = try write("203.0.113.7 40000 10.0.0.1 22", "--placement", "gateway")
            #expect(!gateway.standardError.contains("SSH"))
            #expect(try scene.load().nodes[0].features == [])
        }
    }

    @Test("opens nothing for the session of a host that is none of the nodes")
    func otherHost() throws {
        try scene { scene in
            let result = try scene.run(
                "--config-dir", scene.directory, "--node", "conf-9:conferencing:10.0.0.99",
                session: "203.0.113.7 40000 10.0.0.21 22"
            ).requireSuccess()
            #expect(result.standardError.hasPrefix("warning: enforce: auto finds no node"))
            #expect(try scene.load().nodes[0].features == [])
        }
    }

    @Test("writes nothing that is wrong, alone or with the other files")
    func refused() throws {
        try scene { scene in
            let other = "nodes: {conf.1: {role: conferencing, address: 10.0.0.22}}\n"
            try Data(other.utf8).write(to: URL(fileURLWithPath: "\(scene.directory)/20.yaml"))
            let result = try scene.run("--config-dir", scene.directory, "--node", Self.own)
            #expect(result.status == .exited(1))
            #expect(result.standardError.contains("would both have the table"))
            #expect(result.standardError.contains("nothing was written"))
            #expect(try scene.files() == ["20.yaml"])
            for wrong in [
                ["--node", "conf-1"], ["--node", Self.own, "--node", Self.own], [],
                ["--node", Self.own, "--ssh-from", "office"],
                ["--node", Self.own, "--output", "a.txt"],
                ["--node", Self.own, "--output", "a.yaml", "--config-dir", "."],
            ] {
                let result = try scene.namespace.run(
                    [try BuiltProducts.path(of: "pexip-fwctl"), "init"] + wrong)
                #expect(result.status == .exited(64), "\(wrong): \(result)")
            }
        }
    }

    @Test("prints the file where it is asked to")
    func standardOutput() throws {
        try scene { scene in
            let result = try scene.run("--node", Self.own, "--output", "-").requireSuccess()
            var answers = Answers()
            try answers.add(NodeAnswer(parsing: Self.own))
            #expect(result.standardOutput == StartingFile(answers).text)
            #expect(try scene.files() == [])
        }
    }

    @Test("asks at a terminal, and takes what is proposed")
    func conversation() throws {
        try scene { scene in
            let result = try scene.converse(
                [
                    ["[local] ", "\n"], ["] ", "conf-1\n"],
                    ["[conferencing] ", "\n"], ["[10.0.0.21] ", "\n"], ["[none] ", "10.0.0.21\n"],
                    ["[none] ", "198.51.100.21\n"], ["for no more) ", "mgmt\n"],
                    ["[conferencing] ", "management\n"], ["joined by + ", "10.0.0.10\n"],
                    ["for no more) ", ".\n"], ["[none] ", "snmp\n"], ["[203.0.113.0/24] ", "\n"],
                    ["[no] ", "\n"],
                ], "--config-dir", scene.directory, session: "203.0.113.7 40000 10.0.0.21 22"
            ).requireSuccess()
            #expect(
                result.standardOutput.contains("10.0.0.21 is the node's primary address already"))
            let deployment = try scene.load()
            #expect(deployment.nodes.map(\.name) == ["conf-1", "mgmt"])
            #expect(deployment.nodes[0].features == [.ssh, .snmp])
            #expect(deployment.nodes[0].secondaryAddresses == [IPAddress("198.51.100.21")])
        }
    }

    @Test("leaves nothing behind where it is interrupted", arguments: ["\u{3}", "\u{4}"])
    func interrupted(key: String) throws {
        try scene { scene in
            let result = try scene.converse(
                [["[local] ", "gateway\n"], ["Name of a node ", key]],
                "--config-dir", scene.directory)
            #expect(result.status == .exited(key == "\u{3}" ? 128 + 2 : 1))
            #expect(
                result.standardOutput.contains("nothing was written\r\n") == (key == "\u{4}"))
            #expect(try scene.files() == [])
        }
    }

    @Test("what it writes is applied by the agent without cutting the session")
    func enforced() throws {
        try scene { scene in
            let session = "203.0.113.7 40000 10.0.0.21 2222"
            try scene.run(
                "--config-dir", scene.directory, "--node", Self.own, session: session
            ).requireSuccess()
            let text = try String(contentsOfFile: scene.path, encoding: .utf8)
            try AgentFixture.with(text, in: scene.namespace) { agent in
                let status = try agent.status()
                #expect(status.state == .pendingConfirmation)
                #expect(try agent.control("confirm").succeeded)
                let apply = try scene.namespace.run(
                    [try BuiltProducts.path(of: "pexip-fwctl"), "--socket", agent.socket, "apply"],
                    environment: ["SSH_CONNECTION": session])
                #expect(apply.succeeded, "\(apply)")
            }
        }
    }

    @Test("prints the schema")
    func schema() throws {
        let result = try ChildProcess.run([
            try BuiltProducts.path(of: "pexip-fwctl"), "schema",
        ]).requireSuccess()
        #expect(
            try JSONValue(parsing: Array(result.standardOutput.utf8))
                == ConfigurationSchema.document)
    }
}
