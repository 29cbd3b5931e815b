import PortModel
import Testing

@testable import Configuration
@testable import Site

@Suite struct GuardTests {
    private func decode(_ text: String) throws -> (Deployment?, [Diagnostic]) {
        var findings = Findings()
        var budget = ConfigurationLimits.yamlNodes
        let source = ConfigurationSource(path: "a.yaml", text: text + "\n" + node)
        let root = try #require(
            YAMLMapping(parsing: source, budget: &budget, findings: &findings))
        var decoder = DeploymentDecoder(findings: findings, isComplete: true)
        let deployment = decoder.deployment(from: root)
        return (deployment, decoder.findings.sorted())
    }

    @Test(
        arguments: [
            ("10s", .seconds(10)), ("60s", .seconds(60)), ("5m", .seconds(300)),
            ("24h", .seconds(86_400)), ("86400s", .seconds(86_400)), ("0", nil), ("off", nil),
        ] as [(String, Duration?)])
    func confirm(text: String, expected: Duration?) throws {
        let (deployment, diagnostics) = try decode("guard: {confirm: \(text)}")
        #expect(diagnostics == [])
        #expect(deployment?.guards.confirm == expected)
    }

    @Test(arguments: [
        "9s", "25h", "999999999999999999999h", "-5m", "1.5m", "m", "60", "1d", "on", "",
    ])
    func refusedTimes(text: String) throws {
        let (_, diagnostics) = try decode("guard: {confirm: \"\(text)\"}")
        #expect(diagnostics.count == 1)
        #expect(diagnostics.first?.severity == .error)
    }

    @Test func probes() throws {
        let (deployment, diagnostics) = try decode(
            "guard: {probes: [\"tcp://10.0.0.1:443\", \"tcp://[2001:db8::1]:8443\"]}")
        #expect(diagnostics == [])
        #expect(
            deployment?.guards.probes == [
                Probe(address: try DecodingTests.address("10.0.0.1"), port: 443),
                Probe(address: try DecodingTests.address("2001:db8::1"), port: 8443),
            ])
    }

    /// `String` takes hours to compare such a text.
    @Test(.timeLimit(.minutes(1))) func timesOfMarksAreRefusedAtOnce() {
        let marks = String(repeating: "\u{0301}\u{0316}", count: 250_000)
        #expect(Guard.seconds("6\(marks)s") == nil)
        #expect(Guard.seconds("999999h") == 999_999 * 3_600)
    }

    @Test func gateway() throws {
        let (deployment, diagnostics) = try decode("placement: gateway\nenforce: [a]")
        #expect(diagnostics == [])
        #expect(deployment?.placement == .gateway)
    }
}
