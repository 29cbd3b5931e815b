import KernelFake
import PortModel
import Ruleset
import Site
import Testing

@testable import Enforcement

@Suite struct VerifiedKernelTests {
    private static let name = "pexip_fw_a"

    private static func ruleset(_ ports: [UInt16]) -> Ruleset {
        Ruleset(tables: [
            Table(
                family: .inet, name: name, counters: [], sets: [],
                chains: [
                    Chain(
                        name: "input",
                        rules: ports.map { Rule([.destinationPorts(.tcp, $0...$0)], .accept) })
                ])
        ])
    }

    /// What was found by its handle may be gone, or stand beside something new, when the commit
    /// comes: then the whole chain is written.
    @Test(arguments: [
        ("all rules are gone", "flush chain inet pexip_fw_a input"),
        ("another rule stands there", "insert rule inet pexip_fw_a input handle 1 accept"),
        ("the rule to be taken away is gone", "delete rule inet pexip_fw_a input handle 3"),
    ])
    func whatComesBeforeTheCommitIsOverwritten(_ what: String, _ statement: String) async throws {
        let kernel = FakeKernel()
        let verified = VerifiedKernel(kernel: kernel)
        try await verified.put(Self.ruleset([1, 2, 3, 4]), from: [])
        await kernel.forgetCommits()
        await kernel.failCommits(
            .race {
                do {
                    try $0.apply(statement)
                } catch {
                    Issue.record(error)
                }
            })
        let wanted = Self.ruleset([1, 2, 4, 5])
        try await verified.put(wanted, from: await kernel.state.observed)
        #expect(await kernel.state.observed.differences(from: wanted) == [])
        let commits = await kernel.commits
        #expect(commits.map { $0.text.contains("flush chain") } == [false, true])
    }

    /// Where nobody interferes a refusal is the kernel's own, and stays one.
    @Test func aRefusalIsNotTriedAgain() async throws {
        let kernel = FakeKernel()
        let verified = VerifiedKernel(kernel: kernel)
        try await verified.put(Self.ruleset([1, 2]), from: [])
        await kernel.failCommits(.refuse)
        await #expect(throws: ApplyFailure.self) {
            try await verified.put(Self.ruleset([1, 3]), from: await kernel.state.observed)
        }
        #expect(await kernel.commits.count == 2)
    }
}
