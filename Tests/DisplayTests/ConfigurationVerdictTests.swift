import Site
import Testing

@testable import Display

@Suite struct ConfigurationVerdictTests {
    private static let error = Diagnostic(.error, at: nil, "e")
    private static let warning = Diagnostic(.warning, at: nil, "w")

    @Test(
        "errors, warnings and nodes are counted",
        arguments: [
            ([], 3, true, "/etc/d: correct: 3 nodes, 0 warnings"),
            ([warning], 1, true, "/etc/d: correct: 1 node, 1 warning"),
            ([], nil, false, "/etc/d: no .yaml file configures any node"),
            ([warning, error, error], nil, false, "/etc/d: 2 errors, 1 warning"),
            ([error], 3, false, "/etc/d: 1 error, 0 warnings"),
        ] as [([Diagnostic], Int?, Bool, String)])
    func verdicts(_ diagnostics: [Diagnostic], nodes: Int?, isCorrect: Bool, words: String) {
        let verdict = ConfigurationVerdict(of: "/etc/d", diagnostics: diagnostics, nodes: nodes)
        #expect(verdict.isCorrect == isCorrect)
        #expect(verdict.words == words)
    }

    @Test("what is missing, and what to do", arguments: allMissing)
    func missing(_ input: MissingInput, _ words: String) { #expect(input.words == words) }

    private static let allMissing: [(MissingInput, String)] = [
        (.target(directory: "/d"), "/d compiles to nothing; --node names a node to take"),
        (
            .deployment(place: "/d", hasErrors: true),
            "/d configures no deployment: correct what is wrong there"
        ),
        (
            .deployment(
                place: "/d", hasErrors: true,
                hint: "; with --in-force the report tells what is in force"),
            "/d configures no deployment: correct what is wrong there; with --in-force the report tells what is in force"
        ),
        (
            .deployment(
                place: MissingInput.place(ofGeneration: 4, in: "/var/lib/pexip-fw"),
                hasErrors: false, hint: "; unused"),
            "generation 4 in /var/lib/pexip-fw configures no deployment: name its nodes in a .yaml file there, or another directory with --config-dir"
        ),
        (.portTables(directory: "/d"), "/d configures no deployment"),
        (
            .node("conf-3", known: ["conf-1", "conf-2"]),
            "there is no node conf-3: known are conf-1, conf-2"
        ),
        (
            .standingGeneration(stateDirectory: "/s"),
            "no generation is in force by /s: without --in-force the report tells what the configuration's files say"
        ),
        (
            .storedGeneration("generation 4 is damaged"),
            "generation 4 is damaged; without --in-force the report tells what the configuration's files say"
        ),
    ]
}
