import Testing

@testable import Display

@Suite struct AgentProblemTests {
    @Test("the reason and what to do", arguments: all)
    func words(_ problem: AgentProblem, _ words: String) { #expect(problem.words == words) }

    private static let all: [(AgentProblem, String)] = [
        (
            .notRunning(socket: "/run/pexip-fw/control"),
            "the agent is not running (nothing listens at /run/pexip-fw/control): start it with systemctl start pexip-fw; the rules in the kernel are as it left them"
        ),
        (
            .notAdmitted(socket: "/run/c", readers: "pexip-fw"),
            "not permitted to connect to /run/c: run this as root, or as a member of the group pexip-fw to look only"
        ),
        (
            .notPermitted(readers: "pexip-fw"),
            "only root may do this; members of the group pexip-fw may look"
        ),
        (
            .silent("no reply within 30.0 seconds"),
            "the agent does not answer: no reply within 30.0 seconds"
        ),
        (.refusing("a.b.Error"), "the agent refuses: a.b.Error"),
        (
            .unreadable("no \"status\""),
            "the agent answers in another version's words (no \"status\"): restart it"
        ),
        (.ended, "the agent has ended; the rules stay in force"),
    ]
}
