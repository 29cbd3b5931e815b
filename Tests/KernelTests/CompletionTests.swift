import Enforcement
import Foundation
import Reports
import TestSupport
import Testing
import Reports

/// The completions that the package installs, as shells use them.
@Suite("Completion")
struct CompletionTests {
    private static let configuration = """
        enforce: [conf-lon-1]
        nodes:
          mgmt: {role: management, address: 10.0.0.10}
          conf-lon-1: {role: conferencing, address: 10.0.0.21}
          conf-lon-2: {role: conferencing, address: 10.0.0.22}
        """

    /// The files as `packaging/completions` writes them, and the programs' directory.
    private final class Installed {
        let root: URL
        let programs: String

        init() throws {
            root = FileManager.default.temporaryDirectory.appending(
                path: "pexip-fw-test-\(UUID().uuidString)")
            let program = try BuiltProducts.path(of: "pexip-fwctl")
            programs = URL(fileURLWithPath: program).deletingLastPathComponent().path
            try ChildProcess.run(
                [
                    URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                        .appending(path: "../../packaging/completions").standardized.path,
                    programs, root.path,
                ], timeout: patience
            ).requireSuccess()
        }

        deinit {
            do {
                try FileManager.default.removeItem(at: root)
            } catch {
                print("left behind: \(root.path): \(error)")
            }
        }

        func path(_ name: String) -> String { root.appending(path: "usr/share/\(name)").path }

        /// What bash offers for the last word of a line, as readline asks it.
        func bash(_ words: String...) throws -> Set<String> { try complete(words) }

        func complete(_ words: [String]) throws -> Set<String> {
            let script = """
                source "$1"
                shift
                COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMPREPLY=()
                COMP_POINT=${#COMP_LINE}
                _pexip-fwctl "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
                ((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "${COMPREPLY[@]}"
                """
            let command =
                [
                    "bash", "--norc", "-c", script, "bash",
                    path("bash-completion/completions/pexip-fwctl"), "\(programs)/pexip-fwctl",
                ] + words
            let result = try ChildProcess.run(command).requireSuccess()
            return Set(result.standardOutput.split(separator: "\n").map(String.init))
        }
    }

    @Test("bash offers subcommands, options, directories, node names and protocols")
    func bash() throws {
        let installed = try Installed()
        #expect(try installed.bash("s") == ["status", "show", "schema"])
        #expect(try installed.bash("show", "").isSuperset(of: ["ports", "rules", "drops"]))
        #expect(
            try installed.bash("apply", "--").isSuperset(of: ["--dry-run", "--confirm", "--force"]))
        #expect(try installed.bash("explain", "t") == ["tcp"])
        #expect(try installed.bash("init", "--placement", "") == ["local", "gateway"])
        #expect(try installed.bash("init", "--feature", "s").contains("sip_udp"))
        #expect(try installed.bash("check", "/usr/s").contains("/usr/share"))
        #expect(!(try installed.bash("check", "/etc/pass").contains("/etc/passwd")))

        let directory = installed.root.appending(path: "pexip-fw.d").path
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        try Data(Self.configuration.utf8).write(to: URL(fileURLWithPath: "\(directory)/a.yaml"))
        for command in [["show", "ports"], ["show", "rules"], ["explain"]] {
            #expect(
                try installed.complete(command + ["--config-dir", directory, "--node", "conf"])
                    == ["conf-lon-1", "conf-lon-2"])
        }
        #expect(
            try installed.complete(["show", "ports", "--config-dir", "/nowhere", "--node", ""])
                == [])
    }

    @Test("bash offers what the agent enforces and has stored")
    func agent() throws {
        try requireRoot()
        let installed = try Installed()
        try NetworkNamespace.with { namespace in
            try AgentFixture.with(Self.configuration, in: namespace) { agent in
                try agent.write("host: {ping: true}\n", as: "20-ping.yaml")
                try agent.waitForStatus("generation 2") { $0.generation == 2 }
                #expect(
                    try installed.complete([
                        "show", "ports", "--socket", agent.socket, "--node", "",
                    ])
                        == ["conf-lon-1"])
                #expect(
                    try installed.complete(["rollback", "--socket", agent.socket, ""])
                        .isSuperset(of: ["1", "2"]))
            }
        }
    }

    @Test("fish offers subcommands and directories")
    func fish() throws {
        let installed = try Installed()
        func offered(_ line: String, program: String = "pexip-fwctl") throws -> [String] {
            try ChildProcess.run([
                "fish", "--private", "--no-config", "-c",
                "source $argv[1]; complete --do-complete $argv[2]",
                installed.path("fish/vendor_completions.d/\(program).fish"), line,
            ]).requireSuccess().standardOutput.split(separator: "\n").map {
                String($0.prefix { $0 != "\t" })
            }
        }
        #expect(Set(try offered("pexip-fwctl s")) == ["status", "show", "schema"])
        #expect(try offered("pexip-fwctl explain t") == ["tcp"])
        #expect(try offered("pexip-fwctl check /usr/shar") == ["/usr/share/"])
        #expect(try offered("pexip-fwd re", program: "pexip-fwd") == ["remove-tables", "restore"])
        #expect(
            try offered("pexip-fwd --m", program: "pexip-fwd")
                == ["--metrics-file", "--metrics-interval"])
    }

    @Test(
        "zsh and bash take the files that are written for them",
        arguments: ["pexip-fwctl", "pexip-fwd"])
    func syntax(_ program: String) throws {
        let installed = try Installed()
        for (shell, file) in [
            ("zsh", "zsh/vendor-completions/_\(program)"),
            ("bash", "bash-completion/completions/\(program)"),
            ("fish", "fish/vendor_completions.d/\(program).fish"),
        ] {
            try ChildProcess.run([shell, "-n", installed.path(file)]).requireSuccess()
        }
        // Where compinit finds what the file is for.
        let first = try String(
            contentsOfFile: installed.path("zsh/vendor-completions/_\(program)"), encoding: .utf8
        ).prefix { !$0.isNewline }
        #expect(first == "#compdef \(program)")
    }
}
