import Foundation
import PortModel
import TestSupport
import Testing

@testable import Configuration
@testable import Site

/// The manual pages say what the parsers take, no more and no less.
@Suite struct ManualTests {
    // MARK: pexip-fw.d(5)

    @Test func everyKeyOfTheConfigurationIsDescribed() throws {
        let page = try ManualPage("pexip-fw.d.5")
        func keys(_ section: String) throws -> [String] {
            try ManualPage.items(in: page.section(section)).flatMap { item in
                item.tags.flatMap { ManualPage.words(of: "Cm", in: $0) }
            }.sorted()
        }
        let described: [(String, [String])] = [
            ("KEYS", RootKey.allCases.map(\.rawValue)),
            ("Nodes", NodeKey.allCases.map(\.rawValue)),
            ("Ports", PortKey.allCases.map(\.rawValue)),
            ("Features", Feature.allCases.map(\.rawValue)),
            ("Peers", PeerClass.allCases.map(\.rawValue)),
            ("Host", HostKey.allCases.map(\.rawValue)),
            ("Rules", RuleKey.allCases.map(\.rawValue)),
            ("Guard", GuardKey.allCases.map(\.rawValue)),
            ("Refusals", RefusalKey.allCases.map(\.rawValue)),
        ]
        for (section, parsed) in described { #expect(try keys(section) == parsed.sorted()) }
        let items = ManualPage.items(in: try page.section("KEYS"))
        func root(_ key: RootKey) throws -> ManualPage.Item {
            try #require(items.first { $0.tags == [".It Cm \(key.rawValue)"] })
        }
        for key in TransportKey.allCases {
            #expect(try root(.transports).words(of: "Cm").contains(key.rawValue))
        }
        for (key, values) in [
            (RootKey.profile, Profile.all.map(\.name)),
            (.placement, Placement.allCases.map(\.rawValue)),
            (.mode, Mode.allCases.map(\.rawValue)),
        ] {
            #expect(try Set(values).isSubset(of: root(key).words(of: "Ql")))
        }
    }

    @Test func documentedPortsAreTold() throws {
        let page = try ManualPage("pexip-fw.d.5")
        let items = ManualPage.items(in: try page.section("Ports"))
        let ports = Profile.standard.ports
        for key in PortKey.allCases {
            let item = try #require(items.first { $0.tags == [".It Cm \(key.rawValue)"] })
            let expected =
                switch key {
                case .range(let range):
                    "\(ports[range].lowerBound)-\(ports[range].upperBound)."
                case .port(let port) where ports[port].count == 1: "\(ports[port][0])."
                case .port(let port): "\(ports[port])."
                }
            #expect(item.lines.joined(separator: " ").hasSuffix(expected), "\(item)")
        }
    }

    @Test func theExampleLoadsWithoutDiagnostics() throws {
        let page = try ManualPage("pexip-fw.d.5")
        let examples = page.literals(in: try page.section("EXAMPLES"))
        #expect(examples.count == 1)
        let loaded = LoadedConfiguration(
            parsing: examples.map { ConfigurationSource(path: "example.yaml", text: $0) })
        #expect(loaded.diagnostics == [])
        #expect(loaded.deployment?.nodes.count == 3)
    }

    // MARK: Programs

    /// What `--experimental-dump-help` tells of a command.
    private struct Command: Decodable {
        struct Argument: Decodable {
            struct Name: Decodable { var name: String }
            var kind: String
            var names: [Name]?
            var valueName: String?
            var shouldDisplay: Bool
        }
        var commandName: String
        var shouldDisplay: Bool
        var subcommands: [Command]?
        var arguments: [Argument]?

        var shown: [Command] { (subcommands ?? []).filter(\.shouldDisplay) }

        /// Commands that do something, with the words that call them.
        func leaves(_ path: [String] = []) -> [(path: [String], command: Command)] {
            shown.flatMap { child in
                let path = path + [child.commandName]
                return child.shown.isEmpty ? [(path, child)] : child.leaves(path)
            }
        }

        func options() -> Set<String> {
            Set(
                (arguments ?? []).filter { $0.shouldDisplay && $0.kind != "positional" }
                    .flatMap { $0.names ?? [] }
                    .map { $0.name.count == 1 ? $0.name : "-\($0.name)" })
        }

        var positionals: Set<String> {
            Set(
                (arguments ?? []).filter { $0.shouldDisplay && $0.kind == "positional" }
                    .compactMap(\.valueName))
        }
    }

    private struct Help: Decodable { var command: Command }

    private static func help(_ program: String) throws -> Command {
        let result = try ChildProcess.run([
            try BuiltProducts.path(of: program), "--experimental-dump-help",
        ]).requireSuccess()
        return try JSONDecoder().decode(Help.self, from: Data(result.standardOutput.utf8)).command
    }

    @Test func everyCommandOfTheControlProgramIsDescribed() throws {
        let program = try Self.help("pexip-fwctl")
        let page = try ManualPage("pexip-fwctl.8")
        let common = ManualPage.items(in: try page.section("DESCRIPTION"))
            .reduce(into: Set<String>()) { $0.formUnion($1.words(of: "Fl")) }
        #expect(common == program.options())
        let items = try ["Looking", "Changing"].flatMap {
            ManualPage.items(in: try page.section($0))
        }
        var described: Set<String> = []
        for (path, command) in program.leaves() {
            let call = path.joined(separator: " ")
            let item = try #require(
                items.first { item in
                    item.tags.contains {
                        $0 == ".It Ic \(call)" || $0.hasPrefix(".It Ic \(call) O")
                    }
                }, "\(call)")
            described.formUnion(item.tags)
            let tag = ManualPage.Item(tags: item.tags, lines: [])
            #expect(tag.words(of: "Fl") == command.options().subtracting(common), "\(call)")
            let arguments = tag.words(of: "Ar").filter { $0 != $0.uppercased() }
            #expect(arguments == command.positionals.subtracting(["directory"]), "\(call)")
        }
        #expect(Set(items.flatMap(\.tags)) == described)
    }

    /// The agent's `--help` is not made of what it reads: each of its words is tried.
    @Test func everyOptionOfTheAgentIsDescribed() throws {
        let page = try ManualPage("pexip-fwd.8")
        let program = try BuiltProducts.path(of: "pexip-fwd")
        let help = try ChildProcess.run([program, "--help"]).requireSuccess().standardOutput
        let options = help.matches(of: #/--([a-z][a-z-]+)(=[A-Z]+)? /#)
        let described = ManualPage.items(in: try page.section("DESCRIPTION"))
            .reduce(into: Set<String>()) { $0.formUnion($1.words(of: "Fl")) }
        #expect(described == Set(options.map { "-\($0.1)" }).union(["h"]))
        for option in options {
            let value = option.2 == nil ? "" : option.1 == "metrics-file" ? "=a.prom" : "=1"
            let result = try ChildProcess.run([program, "--\(option.1)\(value)", "--version"])
            #expect(result.succeeded, "\(result.standardError)")
        }
        let commands = try #require(help.firstMatch(of: #/Commands:\n((?:  .*\n)+)/#)).1
            .matches(of: #/(?m)^  ([a-z][a-z-]+) /#).map(\.1)
        #expect(!commands.isEmpty)
        for command in commands { #expect(page.lines.contains(".Ic \(command)")) }
    }

    @Test(arguments: [
        (["--metrics-interval=0"], "--metrics-interval is a number of seconds from 1 to 3600"),
        (["--metrics-interval", "1x"], "--metrics-interval is a number of seconds from 1 to 3600"),
        (
            ["--metrics-file=a"],
            "--metrics-file must end in .prom: node_exporter reads no other file"
        ),
        (["--odd"], "unrecognized option '--odd'"),
        (["--socket"], "option '--socket' requires an argument"),
        (["--debug=1"], "option '--debug' doesn't allow an argument"),
        (["--socke"], "option '--socket' requires an argument"),
        (
            ["--metrics=1"],
            "option '--metrics=1' is ambiguous; possibilities: '--metrics-file' '--metrics-interval'"
        ),
        (["-x"], "invalid option -- 'x'"), (["--odd=1"], "unrecognized option '--odd=1'"),
        (["--\u{1b}\n"], #"unrecognized option '--\u{1b}\n'"#),
        (["restart"], "unexpected argument \"restart\""),
        (["restore", "remove-tables"], "unexpected argument \"remove-tables\""),
        (["restore", "--odd"], "unrecognized option '--odd'"),
    ])
    func theAgentRefusesWhatItCannotUnderstand(_ arguments: [String], _ problem: String) throws {
        let program = try BuiltProducts.path(of: "pexip-fwd")
        let result = try ChildProcess.run([program] + arguments)
        #expect(result.status == .exited(64))
        #expect(result.standardError.hasSuffix("pexip-fwd: \(problem)\nTry pexip-fwd --help.\n"))
        #expect(result.standardOutput.isEmpty)
    }
}
