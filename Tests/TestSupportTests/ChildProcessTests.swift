import TestSupport
import Testing

@Suite struct ChildProcessTests {
    @Test func outputStatusAndInputAreKeptApart() throws {
        let text = String(repeating: "0123456789abcdef\n", count: 20_000)
        let copied = try ChildProcess.run(["cat"], input: .text(text))
        #expect(copied.standardOutput == text)
        #expect(copied.status == .exited(0))
        let failed = try ChildProcess.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
        #expect(failed.standardOutput == "out\n")
        #expect(failed.standardError == "err\n")
        #expect(failed.status == .exited(3))
        #expect(throws: TestSupportError.self) { try failed.requireSuccess() }
    }

    @Test func theEnvironmentIsExtended() throws {
        let result = try ChildProcess.run(
            ["sh", "-c", "echo $HARNESS"], environment: ["HARNESS": "yes"])
        #expect(result.standardOutput == "yes\n")
    }

    @Test func aProcessThatTakesTooLongIsKilled() {
        #expect(throws: TestSupportError.self) {
            try ChildProcess.run(["sleep", "60"], timeout: .milliseconds(50))
        }
    }

    @Test func aProcessIsTerminatedAndItsOutputSeenMeanwhile() throws {
        let process = try ChildProcess([
            "sh", "-c", "trap 'echo bye; exit 5' TERM; echo hello; while :; do sleep 0.01; done",
        ])
        #expect(process.isRunning)
        #expect(waitUntil { process.standardOutput == "hello\n" })
        #expect(process.terminate() == .exited(5))
        #expect(process.standardOutput == "hello\nbye\n")
        #expect(!process.isRunning)
        // Of no effect, and on nobody else.
        process.signal(9)
        #expect(process.exitStatus == .exited(5))
    }

    @Test func whatIsMissingIsNamed() {
        #expect(throws: TestSupportError.self) { try ChildProcess(["no-such-program"]) }
        #expect(throws: TestSupportError.self) { try BuiltProducts.path(of: "no-such-product") }
    }

    @Test func waitingEndsWithTheDeadline() {
        let start = ContinuousClock.now
        #expect(!waitUntil(timeout: .milliseconds(30)) { false })
        #expect(ContinuousClock.now - start >= .milliseconds(30))
    }
}
