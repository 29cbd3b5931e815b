import Testing

@testable import Display

@Suite struct WrittenDraftTests {
    private static func text(_ configuration: String?, path: String, isRoots: Bool) -> String {
        WrittenDraft(
            path: path, configuration: configuration, live: "/etc/pexip-fw.d", nodes: 2,
            time: "5m", isRoots: isRoots
        ).page.lines(width: nil, isColoured: false).joined(separator: "\n")
    }

    @Test func aDraftOfItsOwnDirectory() {
        #expect(
            Self.text("pexip-fw.d", path: "pexip-fw.d/10-site.yaml", isRoots: false) == """
                wrote pexip-fw.d/10-site.yaml, with 2 nodes; nothing is enforced by it yet
                next:
                  pexip-fwctl check pexip-fw.d                                  is it right
                  pexip-fwctl plan --config-dir pexip-fw.d                      what it would change
                  sudo install -m 644 pexip-fw.d/10-site.yaml /etc/pexip-fw.d/  enforced at once, for 5m
                  sudo pexip-fwctl confirm                                      to keep it
                """)
    }

    @Test func aFileThatStandsAlone() {
        #expect(
            Self.text(nil, path: "/tmp/a.yaml", isRoots: true) == """
                wrote /tmp/a.yaml, with 2 nodes; nothing is enforced by it yet
                next:
                  mv /tmp/a.yaml /etc/pexip-fw.d/  enforced at once, for 5m
                  pexip-fwctl confirm              to keep it
                """)
    }

    @Test func aFileOfTheAgentsDirectory() {
        #expect(
            Self.text("/etc/pexip-fw.d", path: "/etc/pexip-fw.d/a.yaml", isRoots: true) == """
                wrote /etc/pexip-fw.d/a.yaml, with 2 nodes: the agent takes it up at once, and takes it back in 5m unless that is confirmed
                next:
                  pexip-fwctl check    is it right
                  pexip-fwctl status   is it in force
                  pexip-fwctl confirm  to keep it
                """)
    }

    @Test func cuts() {
        #expect(
            WrittenDraft.warning(ofCut: "it cuts SSH from 10.1.0.9")
                == "warning: in force, it cuts SSH from 10.1.0.9")
    }

    @Test(
        "why a file was not written",
        arguments: [
            (
                FileProblem.exists("a.yaml"),
                "a.yaml is there already: --force replaces it; nothing was written"
            ),
            (.wrongDraft, "the file would be wrong as said above; nothing was written"),
            (.draft("a.yaml", reason: "no space"), "a.yaml can't be written: no space"),
            (.standardOutput, "standard output can't be written"),
            (
                .output("a.html", reason: "No such file or directory"),
                "can't write a.html: No such file or directory: name a file in a directory that exists and that you may write to"
            ),
            (.unansweredQuestion, "input ends before the last answer; nothing was written"),
        ])
    func problems(_ problem: FileProblem, _ words: String) { #expect(problem.words == words) }
}
