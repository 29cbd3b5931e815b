import Configuration
import Site
import Testing

@Suite struct RefusalTests {
    private static func decode(_ files: String...) -> LoadedConfiguration {
        LoadedConfiguration(
            parsing: (files + [node]).enumerated().map {
                ConfigurationSource(path: "\($0 + 1).yaml", text: $1)
            })
    }

    @Test func areNotSampledUnlessThatIsSaid() throws {
        for text in ["", "refusals:", "refusals: {}", "refusals: {group: 7, rate: 3}"] {
            let loaded = Self.decode(text)
            #expect(loaded.diagnostics == [])
            #expect(try #require(loaded.deployment).refusals.isSampled == false)
        }
        #expect(Refusals() == Refusals())
    }

    @Test func takeEveryKey() throws {
        let loaded = Self.decode("refusals: {sample: true, group: 65535, rate: 1000}")
        #expect(loaded.diagnostics == [])
        let refusals = try #require(loaded.deployment).refusals
        #expect(refusals.isSampled)
        #expect(refusals.group == 65_535)
        #expect(refusals.rate == 1_000)
    }

    @Test func mergeKeyByKey() throws {
        let loaded = Self.decode(
            "refusals: {sample: true, rate: 5}", "refusals: {group: 9, rate: 6}")
        #expect(loaded.diagnostics == [])
        let refusals = try #require(loaded.deployment).refusals
        #expect(refusals.isSampled)
        #expect(refusals.group == 9)
        #expect(refusals.rate == 6)
    }

    @Test(arguments: [
        ("refusals: true", "1.yaml:1:11: error: refusals must be a mapping of keys, not \"true\""),
        (
            "refusals: {sampel: true}",
            "1.yaml:1:12: error: unknown key \"sampel\" in refusals (did you mean \"sample\"?)"
        ),
        (
            "refusal: {sample: true}",
            "1.yaml:1:1: error: unknown key \"refusal\" (did you mean \"refusals\"?)"
        ),
        (
            "refusals: {sample: yes}",
            "1.yaml:1:20: error: refusals.sample must be true or false: write true, not yes"
        ),
        (
            "refusals: {group: 0}",
            "1.yaml:1:19: error: refusals.group must be a number from 1 to 65535, not \"0\""
        ),
        (
            "refusals: {group: 65536}",
            "1.yaml:1:19: error: refusals.group must be a number from 1 to 65535, not \"65536\""
        ),
        (
            "refusals: {rate: 20/second}",
            "1.yaml:1:18: error: refusals.rate must be a number from 1 to 1000, not \"20/second\""
        ),
        (
            "refusals: {rate: -1}",
            "1.yaml:1:18: error: refusals.rate must be a number from 1 to 1000, not \"-1\""
        ),
        (
            "refusals: {rate: 99999999999999999999}",
            "1.yaml:1:18: error: refusals.rate must be a number from 1 to 1000, not \"99999999999999999999\""
        ),
        (
            "refusals: {rate: \"20\"}",
            "1.yaml:1:18: error: refusals.rate must not be in quotes, which make it a text: write 20, not \"20\""
        ),
        (
            "refusals: {rate: [20]}",
            "1.yaml:1:18: error: refusals.rate must be a number from 1 to 1000, not a list"
        ),
        (
            "nodes: {a: {refusals: {sample: true}}}",
            "1.yaml:1:13: error: unknown key \"refusals\" in nodes.a: known are role, address, secondary_address, features, ports, transports and peers"
        ),
    ])
    func areRefusedWithWhatWouldBeRight(_ text: String, _ diagnostic: String) {
        #expect(Self.decode(text).diagnostics.map(\.description) == [diagnostic])
    }
}
