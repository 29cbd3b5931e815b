import Deployment
import PortModel
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

    /// Each is small and means a lot, or costs a naive reader a lot.
    @Test(
        .timeLimit(.minutes(1)),
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

    @Test func manyDiagnosticsAreCounted() {
        let loaded = load("nodes: {" + (0..<10_005).map { "n\($0): 1, " }.joined() + "}")
        #expect(loaded.diagnostics.count == ConfigurationLimits.diagnostics + 1)
        #expect(
            loaded.diagnostics.first?.description
                == "error: 5 more diagnostics are left out: correct these and load again")
    }

    @Test(.timeLimit(.minutes(1))) func tenThousandNodesInAHundredFiles() {
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
