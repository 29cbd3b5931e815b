import Foundation
import JSONValue
import LinuxSystem
import Testing

@testable import Control

/// The interface's text against the values that it is made of, and against the types that both ends
/// read and write.
@Suite("Interface")
struct InterfaceTests {
    private static var description: InterfaceText {
        get throws { try InterfaceText(PexipFirewallInterface.description) }
    }

    /// `PEXIP_FW_RECORD_GOLDEN=1` writes it anew and still fails, so that a recording is looked at.
    @Test("the text is what was published")
    func golden() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Golden/\(PexipFirewallInterface.name).varlink")
        let text = PexipFirewallInterface.description
        if ProcessInfo.processInfo.environment["PEXIP_FW_RECORD_GOLDEN"] != nil {
            try Data(text.utf8).write(to: file)
            Issue.record("recorded \(file.lastPathComponent): look at the difference")
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == text)
    }

    @Test("the text has every method, in the order of the values")
    func methods() throws {
        let text = try Self.description
        #expect(text.methods.map(\.name) == ControlMethods.all.map(\.description.name))
    }

    @Test("the heading names the methods that readers may call, and no other")
    func heading() throws {
        let text = try Self.description
        let sentence = try #require(
            text.heading.firstMatch(of: /call what changes nothing: (.*?)\./)?.output.1)
        let named = sentence.replacing(" and ", with: ", ").split(separator: ", ").map(String.init)
        let readable = PexipFirewallInterface.access.filter { $0.value == .readers }.keys
        #expect(
            Set(named.map { "\(PexipFirewallInterface.name).\($0)" })
                == Set(readable.filter { $0.hasPrefix(PexipFirewallInterface.name) }))
        #expect(Set(named).count == named.count)
    }

    @Test("both ends read and write what the text says, field by field")
    func types() throws {
        let text = try Self.description
        var comparison = Comparison(text)
        for (method, declared) in zip(ControlMethods.all, text.methods) {
            comparison.compare(method, declared)
        }
        #expect(comparison.differences == [])
        #expect(comparison.reached == Set(text.types.keys), "some types are nobody's")
        let lines = PexipFirewallInterface.description.split(separator: "\n")
        #expect(text.types.count == lines.count { $0.hasPrefix("type ") })
        // Values that the text lists in words.
        #expect(
            comparison.lists == PexipFirewallInterface.description.matches(of: #/ is one\s/#).count)
    }

    @Test("a difference is found", arguments: Self.changes)
    func control(change: (before: String, after: String)) throws {
        let original = PexipFirewallInterface.description
        let changed = original.replacing(change.before, with: change.after, maxReplacements: 1)
        try #require(changed != original)
        let text = try InterfaceText(changed)
        var comparison = Comparison(text)
        for (method, declared) in zip(ControlMethods.all, text.methods) {
            comparison.compare(method, declared)
        }
        #expect(!comparison.differences.isEmpty)
    }

    private static let changes = [
        ("?DriftOccurrence)", "DriftOccurrence)"), ("policyClass: ?string", "policyClass: string"),
        ("rows: int", "rows: ?int"), ("rows: int\n", "rows: string\n"),
        ("line: int, column: int", "line: int"), ("(error, warning)", "(error)"),
        ("(opened, closed, changed)", "(opened, closed, changed, moved)"),
        ("limit: ?int", "limit: int"), ("table: string,", "table: string, chain: string,"),
        ("sum: float", "sum: int"), ("labels: [string]string", "labels: []string"),
        ("permits: []string", "permits: []int"), ("degraded, unconfigured", "unconfigured"),
        ("(report: MeshReport)", "(report: DropsReport)"),
        ("session: ?string, tables: ?bool)", "session: ?string)"),
    ]

    @Test("each method is answered by its own answer", arguments: ControlMethods.all.indices)
    func dispatch(index: Int) async throws {
        let method = ControlMethods.all[index]
        let answers = RecordedAnswers()
        let call = VarlinkCall(
            method: try #require(VarlinkMethod(method.description.fullName)),
            parameters: try sampleParameters(of: method),
            credentials: PeerCredentials(pid: 1, uid: 0, gid: 0), wantsMore: true,
            send: { _ in true })
        let interface = PexipFirewallInterface.served(by: answers) { answers.record("finished") }
        let reply = try await interface.handler(call)
        #expect(answers.recorded == [method.description.name, "finished"])
        #expect(reply.object?.map(\.key) == [method.description.reply.name])
    }

    private func sampleParameters<Method: InterfaceMethod>(of _: Method) throws -> JSONValue {
        try JSONValue(encoding: Sample.value(Method.Parameters.self, .full))
    }
}
