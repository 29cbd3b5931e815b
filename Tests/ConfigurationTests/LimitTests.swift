import Configuration
import PortModel
import Site
import Testing

@Suite struct LimitTests {
    @Test(arguments: [
        (
            [0x61, 0x0a, 0xc3, 0x28],
            "2:1: error: byte 0xc3 at offset 2 is not UTF-8: save the file as UTF-8"
        ),
        (
            [0xff, 0xfe, 0x61, 0x00],
            "1:1: error: byte 0xff at offset 0 is not UTF-8: save the file as UTF-8"
        ),
        (
            [0xc3, 0xa9, 0x00],
            "1:2: error: a NUL character at offset 2 has no place in a text file: remove it"
        ),
        (
            [0x0d, 0x0a, 0x61, 0x1b],
            "2:2: error: the control character U+001B at offset 3 has no place in a text file: remove it"
        ),
        (
            [0x23, 0xe2, 0x80, 0xae],
            "1:2: error: the control character U+202E at offset 1 has no place in a text file: remove it"
        ),
        ([0xc0, 0x80], "1:1: error: byte 0xc0 at offset 0 is not UTF-8: save the file as UTF-8"),
        (
            [0x61, 0xf0, 0x9f],
            "1:2: error: byte 0xf0 at offset 1 is not UTF-8: save the file as UTF-8"
        ),
    ])
    func bytesThatAreNoText(bytes: [UInt8], expected: String) {
        let loaded = LoadedConfiguration(
            parsing: [ConfigurationSource(path: "a.yaml", bytes: bytes)])
        #expect(loaded.diagnostics.map(\.description) == ["a.yaml:" + expected])
    }

    /// Texts that `String` takes hours to compare.
    @Test(.timeLimit(.minutes(1)), arguments: [31, 100_000])
    func marksInARow(count: Int) {
        let marks = String(repeating: "\u{0316}", count: count)
        let loaded = load("a\u{0301}: 1\na\(marks): 1\nnodes: {}\n")
        #expect(
            loaded.diagnostics.map(\.description) == [
                "a.yaml:2:32: error: more than 30 combining marks stand on one character: remove them"
            ])
    }

    /// Each is small and means a lot, or costs a naive reader a lot.
    @Test(
        .timeLimit(.minutes(10)),
        arguments: [
            "a: &a [x, x]\n" + (1...60).map { "b\($0): &b\($0) [*a, *a]\n" }.joined(),
            String(repeating: "[", count: 100_000),
            String(repeating: "{a: ", count: 100_000),
            String(repeating: "- ", count: 100_000),
            String(repeating: "? ", count: 100_000),
            (0..<2_000).map { String(repeating: " ", count: $0 % 200) + "a:\n" }.joined(),
            "a: " + String(repeating: "x", count: 500_000),
            String(repeating: "x", count: 500_000) + ": 1",
            "a: [" + String(repeating: ",", count: 100_000) + "]",
            "nodes: {" + String(repeating: "a: 1, ", count: 20_000) + "}",
        ])
    func bombs(text: String) {
        let loaded = load(text)
        #expect(loaded.hasErrors)
        #expect(loaded.deployment == nil)
        #expect(loaded.diagnostics.allSatisfy { $0.message.utf8.count < 1_000 })
    }

    @Test func tooManyValues() {
        let list = "a: [" + String(repeating: "1,", count: ConfigurationLimits.yamlNodes / 2) + "]"
        #expect(
            load(files: list, list).diagnostics.map(\.message).contains(
                "more than 500000 keys and values in all files: write fewer"))
    }

    @Test func groupsInALongRow() throws {
        let count = 20_000
        let groups = (0..<count).map { "  g\($0): [\"@g\($0 + 1)\"]\n" }.joined()
        let loaded = load(
            "groups:\n\(groups)  g\(count): [10.0.0.9]\npeers: {endpoints: [\"@g0\"]}\n" + node)
        #expect(loaded.diagnostics == [])
        #expect(
            loaded.deployment?.nodes[0].peers[.endpoints]
                == .only(try DecodingTests.set("10.0.0.9")))
    }

    @Test func groupsThatExpandTooFar() {
        let addresses = (0..<4_000).map { "10.0.\($0 / 125).\($0 % 125 * 2)" }
            .joined(separator: ", ")
        let users = (0..<600).map { "  g\($0): [\"@big\", 10.1.0.\($0 % 200)]\n" }.joined()
        let loaded = load("groups:\n  big: [\(addresses)]\n\(users)" + node)
        #expect(
            loaded.diagnostics.first?.message
                == "the groups in use come to more than 2000000 address ranges: use a common group of them where there is one"
        )
    }

    /// Ports without neighbours, so that each is a range of its own.
    private static func separatePorts(_ count: Int) -> String {
        "[" + (1...count).map { "\($0 * 2)" }.joined(separator: ", ") + "]"
    }

    private static func rule(_ name: Int, _ ports: String) -> String {
        "  - {name: r\(name), nodes: all, direction: inbound, protocol: tcp, \(ports)}\n"
    }

    /// A small file that would become 2,250,000 rules in the kernel.
    @Test(
        .timeLimit(.minutes(10)),
        arguments: [
            (
                "source_ports: \(separatePorts(1_500)), destination_ports: \(separatePorts(1_500))",
                "rule r1 names 1500 separate source ports with 1500 separate destination ports, 2250000 pairs; 1024 are the most: join ports into ranges, or split the rule"
            ),
            (
                "source_ports: \(separatePorts(1_025))",
                "rule r1 names 1025 separate ports; 1024 are the most: join ports into ranges, or split the rule"
            ),
            ("source_ports: \(separatePorts(32)), destination_ports: \(separatePorts(32))", nil),
            ("destination_ports: \(separatePorts(1_024))", nil),
        ])
    func pairsOfPortsOfARule(_ ports: String, _ expected: String?) {
        let loaded = load(node + "rules:\n" + Self.rule(1, ports))
        #expect(loaded.diagnostics.map(\.message) == (expected.map { [$0] } ?? []))
        #expect(loaded.diagnostics.allSatisfy { $0.location?.line == 3 })
        #expect(loaded.hasErrors == (expected != nil))
    }

    @Test(arguments: [
        (100, "destination_ports: 80", 1_000), (10, "destination_ports: [80, 82]", 5_000),
    ])
    func pairsOfPortsOfAllRules(_ rules: Int, _ ports: String, _ count: Int) {
        let nodes = (0..<count).map {
            "  n\($0): {role: conferencing, address: 10.1.\($0 / 250).\($0 % 250)}\n"
        }
        func messages(_ rules: Int) -> [String] {
            let rules = (1...rules).map { Self.rule($0, ports) }.joined()
            return load("nodes:\n\(nodes.joined())rules:\n\(rules)").diagnostics
                .filter { $0.severity == .error && $0.location != nil }.map(\.message)
        }
        #expect(messages(rules) == [])
        #expect(
            messages(rules + 1) == [
                "the rules come to more than 100000 pairs of ports for their nodes together: join ports into ranges, join rules that have the same peers, or name fewer nodes"
            ])
    }

    @Test(arguments: [64, 65]) func portsOfARow(count: Int) {
        let loaded = load(node + "ports: {psom: \(Self.separatePorts(count))}\n")
        let expected =
            "a.yaml:2:15: error: ports.psom names 65 ports; 64 are the most: write a rule of your own with a range"
        #expect(loaded.diagnostics.map(\.description) == (count > 64 ? [expected] : []))
    }

    @Test func manyDiagnosticsAreCounted() {
        let loaded = load("nodes: {" + (0..<10_005).map { "n\($0): 1, " }.joined() + "}")
        #expect(loaded.diagnostics.count == ConfigurationLimits.diagnostics + 1)
        #expect(
            loaded.diagnostics.first?.description
                == "error: 5 more diagnostics are left out: correct these and load again")
    }

    @Test(.timeLimit(.minutes(10))) func tenThousandNodesInAHundredFiles() {
        let sources = (0..<100).map { file in
            let nodes = (0..<100).map { number in
                """
                  node-\(file)-\(number):
                    role: conferencing
                    address: [10.0.\(file).\(number), "2001:db8:\(file)::\(number + 1)"]
                    secondary_address: 10.1.\(file).\(number)
                    features: {snmp: true}

                """
            }
            return ConfigurationSource(
                path: "\(100 + file).yaml", text: "nodes:\n" + nodes.joined())
        }
        let loaded = LoadedConfiguration(parsing: sources)
        #expect(loaded.diagnostics == [])
        #expect(loaded.deployment?.nodes.count == 10_000)
    }
}
