import Enforcement
import Reports
import Ruleset
import Testing

@testable import Doctor

@Suite struct FindingLinesTests {
    private static func lines(_ findings: [Finding]) -> [String] {
        DoctorReport(findings, isVerbose: true).lines
    }

    @Test func theWorstComeFirst() {
        let rows = (1...8).map { "row-\($0)" }
        #expect(
            Self.lines([
                Finding(.ok, .kernel, "the kernel is new enough"),
                Finding(.unknown, .routes, "routes: not permitted"),
                Finding(.hint, .connectionTracking, "it is nearly full", why: "calls end then"),
                Finding(
                    .problem, .forwarding, "nothing is forwarded", why: "no call passes",
                    mend: Mend("sysctl net.ipv4.ip_forward=1", permanently: "sysctl.d"),
                    rows: rows),
                Finding(
                    .problem, .bridges, "frames pass by", mend: Mend("modprobe x"), rows: ["a"]),
            ]) == [
                "problem     nothing is forwarded",
                "  why       no call passes",
                "  mend      sysctl net.ipv4.ip_forward=1",
                "  for good  sysctl.d",
                "  rows      row-1, row-2, row-3, row-4, row-5, row-6 and 2 more",
                "problem     frames pass by",
                "  mend      modprobe x",
                "  rows      a",
                "hint        it is nearly full",
                "  why       calls end then",
                "unknown     routes: not permitted",
                "ok          the kernel is new enough",
                "2 problems, 1 hint; 1 thing could not be looked at",
            ])
    }

    @Test func nothingFound() {
        #expect(Self.lines([]) == ["nothing found"])
        #expect(
            Self.lines([
                Finding(.unknown, .routes, "a"), Finding(.unknown, .kernel, "b"),
            ]).last == "nothing found; 2 things could not be looked at")
        #expect(Self.lines([Finding(.hint, .routes, "a")]).last == "0 problems, 1 hint")
    }

    @Test(
        "the agent's plan says whether the kernel takes the rules",
        arguments: [
            (ApplyReport.Outcome.unchanged, nil, .known(nil)), (.applied, nil, .known(nil)),
            (.wouldApply, nil, .known(nil)), (.refused, "it cuts a session", .known(nil)),
            (.failed, "no such chain", .known("no such chain")),
            (.failed, nil, .known("the agent does not say why")),
            (
                .rejected, nil,
                .unknown(
                    "whether the kernel takes the rules: the agent finds the configuration wrong")
            ),
        ] as [(ApplyReport.Outcome, String?, Fact<String?>)])
    func plans(_ outcome: ApplyReport.Outcome, _ problem: String?, _ fact: Fact<String?>) {
        #expect(Fact(plan: ApplyReport(outcome: outcome, generation: 1, problem: problem)) == fact)
    }

    @Test func whatTheAgentDoesNotSay() {
        #expect(
            Fact(unplanned: "the agent is not running")
                == .unknown("whether the kernel takes the rules: the agent is not running"))
        #expect(
            Fact.ofAnotherDirectory
                == .unknown(
                    "whether the kernel takes the rules: the agent, which could try, is not asked about another directory than its own"
                ))
        #expect(
            Fact<[Shadow]>(untold: "the agent is not running")
                == .unknown("other firewalls: the agent is not running"))
    }
}
