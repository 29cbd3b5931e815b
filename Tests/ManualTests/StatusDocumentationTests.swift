import Foundation
import PortModel
import Ruleset
import Testing

@testable import Enforcement
@testable import Reports
@testable import Site

/// pexip-fwctl(8) describes every member of `status --json`, with its type, and no other.
@Suite struct StatusDocumentationTests {
    /// With everything that there may be.
    private static let full: StatusReport = {
        let counter = StatusReport.CounterReport(packets: 1, bytes: 1)
        let time = Timestamp(seconds: 0)
        return StatusReport(
            state: .pinned, generation: 1, confirmedGeneration: 1,
            pending: .init(deadline: time, secondsLeft: 1, fallback: 1),
            hold: .init(Hold(.rollback, against: "", explanation: "")), generationCreated: time,
            generationOrigin: .start, changedFiles: [""], mode: .enforce,
            nodes: [
                .init(
                    node: EnforcedNode(
                        name: "", role: .management,
                        addresses: [IPAddress(family: .ipv4, value: 1)], table: "",
                        policyClass: "", rows: 1), dropped: counter)
            ], counters: ["NAME": counter], countersSince: time, warnings: [""],
            shadows: [
                Shadow(
                    family: .inet, table: "", chain: "", hook: .input, priority: 1, policy: .drop,
                    why: [.drop], within: [""], owner: .ufw)
            ],
            diagnostics: [
                Diagnostic(.error, at: SourceLocation(file: "", line: 1, column: 1), "")
            ], problem: "",
            drift: .init(
                count: 1, last: .init(time: time, process: "", pid: 1, differences: [""])),
            agent: .init(version: "", pid: 1, started: time))
    }()

    /// With nothing that may be left out.
    private static let bare: StatusReport = {
        var report = full
        report.generation = nil
        report.confirmedGeneration = nil
        report.pending = nil
        report.hold = nil
        report.generationCreated = nil
        report.generationOrigin = nil
        report.changedFiles = nil
        report.mode = nil
        report.nodes[0].node.policyClass = nil
        report.countersSince = nil
        report.shadows[0].chain = nil
        report.shadows[0].hook = nil
        report.shadows[0].priority = nil
        report.shadows[0].policy = nil
        report.shadows[0].owner = nil
        report.diagnostics[0].location = nil
        report.problem = nil
        report.drift.last = nil
        return report
    }()

    /// The paths of all members that are no objects or arrays, with their types.
    private static func members(_ report: StatusReport) throws -> [String: String] {
        var members: [String: String] = [:]
        func walk(_ value: Any, _ path: String) {
            switch value {
            case let object as [String: Any]:
                for (key, value) in object { walk(value, path.isEmpty ? key : "\(path).\(key)") }
            case let array as [Any]: for value in array { walk(value, "\(path)[]") }
            case is String: members[path] = "string"
            case is NSNumber: members[path] = "integer"
            default: members[path] = "unknown"
            }
        }
        walk(try JSONSerialization.jsonObject(with: JSONEncoder().encode(report)), "")
        return members
    }

    @Test func everyMemberIsDescribedWithItsType() throws {
        let page = try ManualPage("pexip-fwctl.8")
        let items = ManualPage.items(in: try page.section("STATUS AS JSON"))
        let described = items.map { item -> (String, String) in
            let words = item.tags[0].split(separator: " ", maxSplits: 4).map(String.init)
            return (words[2], words[4])
        }
        #expect(Set(described.map(\.0)).count == described.count)
        let bare = try Self.members(Self.bare)
        let expected = try Self.members(Self.full).map { path, type in
            (path, bare[path] == nil ? "\(type), optional" : type)
        }
        #expect(
            described.map { "\($0.0): \($0.1)" }.sorted()
                == expected.map { "\($0.0): \($0.1)" }.sorted())
        #expect(items.allSatisfy { !$0.lines.isEmpty })
        let states = try #require(items.first?.lines.joined(separator: " "))
        for state in StatusReport.State.allCases { #expect(states.contains(state.rawValue)) }
    }

    /// A member that comes to the report must come to the values above.
    @Test func nothingIsMissingFromTheReportThatIsCompared() {
        func check(_ value: Any, _ path: String) {
            let mirror = Mirror(reflecting: value)
            #expect(mirror.displayStyle != .optional || !mirror.children.isEmpty, "\(path)")
            #expect(mirror.displayStyle != .collection || !mirror.children.isEmpty, "\(path)")
            for child in mirror.children { check(child.value, "\(path).\(child.label ?? "")") }
        }
        check(Self.full, "")
    }
}
