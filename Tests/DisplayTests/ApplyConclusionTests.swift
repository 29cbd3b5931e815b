import Reports
import Site
import Reports
import Testing

@testable import Display

@Suite struct ApplyConclusionTests {
    private static func report(
        _ outcome: ApplyReport.Outcome, generation: Int? = 7, errors: Int = 0, warnings: Int = 0,
        endedFlows: Int? = nil, problem: String? = nil
    ) -> ApplyReport {
        let diagnostics =
            Array(repeating: Diagnostic(.error, at: nil, "e"), count: errors)
            + Array(repeating: Diagnostic(.warning, at: nil, "w"), count: warnings)
        return ApplyReport(
            outcome: outcome, generation: generation, diagnostics: diagnostics,
            endedFlows: endedFlows, problem: problem)
    }

    @Test(
        "what is in force, and which flows ended",
        arguments: [
            (report(.applied), "applied: generation 7 is in force"),
            (report(.applied, endedFlows: 0), "applied: generation 7 is in force"),
            (
                report(.applied, endedFlows: 1),
                "applied: generation 7 is in force; ended 1 established flow"
            ),
            (
                report(.applied, generation: nil, endedFlows: 2),
                "applied: nothing is enforced; ended 2 established flows"
            ),
            (report(.unchanged), "unchanged: generation 7 is in force"),
            (report(.wouldApply), "would-apply: generation 7 is in force"),
        ])
    func conclusions(_ report: ApplyReport, _ words: String) {
        #expect(report.conclusion == words)
    }

    @Test(
        "why nothing was changed",
        arguments: [
            (
                report(.rejected, errors: 2, warnings: 3),
                "the configuration has 2 errors; nothing was changed: generation 7 is in force"
            ),
            (
                report(.rejected, generation: nil, errors: 1),
                "the configuration has 1 error; nothing was changed: nothing is enforced"
            ),
            (
                report(.refused, problem: "it cuts your session"),
                "it cuts your session; nothing was changed: generation 7 is in force"
            ),
            (report(.refused), "refused; nothing was changed: generation 7 is in force"),
            (report(.failed, problem: "the kernel refuses"), "the kernel refuses"),
            (report(.failed, generation: nil), "failed; nothing is enforced"),
        ])
    func refusals(_ report: ApplyReport, _ words: String) { #expect(report.refusal == words) }

    @Test(
        "what a plan would do",
        arguments: [
            (
                report(.unchanged),
                "nothing would change: generation 7 is what the configuration says"
            ),
            (
                report(.unchanged, generation: nil),
                "nothing would change: nothing is what the configuration says"
            ),
            (report(.wouldApply), "would apply: no row changes; now generation 7 is in force"),
            (
                report(.wouldApply, generation: nil, endedFlows: 1),
                "would apply: no row changes; 1 established flow would end; now nothing is in force"
            ),
        ])
    func plans(_ report: ApplyReport, _ words: String) { #expect(report.planConclusion == words) }

    @Test(
        "why a plan can't be carried out",
        arguments: [
            (report(.rejected, errors: 1), "the configuration has 1 error: apply would refuse it"),
            (
                report(.refused, problem: "it cuts your session"),
                "it cuts your session; nothing was changed: generation 7 is in force"
            ),
            (report(.failed, problem: "the kernel refuses"), "the kernel refuses"),
        ])
    func refusedPlans(_ report: ApplyReport, _ words: String) {
        #expect(report.planConclusion == nil)
        #expect(report.planRefusal == words)
    }

    @Test func confirmations() {
        #expect(
            Self.report(.applied).confirmation == .kept("confirmed: generation 7 stays"))
        #expect(
            Self.report(.unchanged).confirmation == .nothingWaits("nothing waits for confirmation"))
        for outcome in [ApplyReport.Outcome.wouldApply, .rejected, .refused, .failed] {
            #expect(Self.report(outcome).confirmation == .other)
        }
        #expect(
            ApplyReport.reminder(toConfirmWithin: 60)
                == "say pexip-fwctl confirm within 60 s, or it is taken back")
    }

    @Test(
        "what a plan was compared with",
        arguments: [
            (
                PlanBasis.stored(generation: 3),
                "compared with the stored generation 3; the kernel was not asked, and flows were not counted"
            ),
            (.nothing, "no generation is in force: everything is new"),
            (
                .unknown("/var/lib/pexip-fw can't be read"),
                "/var/lib/pexip-fw can't be read: everything is shown as new; the agent knows what is in force"
            ),
        ])
    func bases(_ basis: PlanBasis, _ words: String) { #expect(basis.words == words) }
}
