import Reports
import JSONValue
import Reports
import Testing

@testable import Display

/// Texts of one line for each thing, and explanations, which are lines too.
@Suite struct LineTests {
    private static let time = Timestamp(seconds: 1_800_000_000)

    @Test func events() {
        var event = Event(
            .repaired, time: Self.time, message: "a foreign change was undone", state: .inSync,
            generation: 4)
        #expect(
            event.line
                == "2027-01-15T08:00:00Z repaired     in-sync      a foreign change was undone")
        event.process = "nft flush ruleset"
        event.lost = 1
        #expect(
            event.line.hasSuffix("undone (by nft flush ruleset) [1 event before this one lost]"))
        event.pid = 812
        event.lost = 2
        #expect(
            event.line.hasSuffix(
                "undone (by nft flush ruleset, pid 812) [2 events before this one lost]"))
        event.state = .pendingConfirmation
        #expect(event.line.contains(" repaired     pending-confirmation a foreign"))
    }

    @Test func generations() throws {
        let summary = try JSONValue.object([
            "number": 12, "created": "2027-01-15T08:00:00Z", "origin": "command",
            "nodes": ["conf-1", "conf\t2"],
        ]).decoded(as: GenerationSummary.self)
        #expect(summary.line == "12\t2027-01-15T08:00:00Z\tcommand\tconf-1, conf\\t2")
    }

    private static func report(_ passes: Bool) throws -> ExplainReport {
        let rules: JSONValue = [
            [
                "table": "pexip_fw_conf_1", "chain": "input", "number": 4,
                "rule": "tcp dport 443 accept", "counter": "conferencing.in.https",
            ],
            ["table": "pexip_fw_conf_1", "chain": "input", "number": 5, "rule": "drop"],
        ]
        let miss: JSONValue = [
            "row": "conferencing.in.ssh",
            "differences": ["the port 443 is not 22", "the source is no client"],
        ]
        let explanation: JSONValue = [
            "verdict": passes ? "accept" : "drop", "rules": rules,
            "permits": .array(passes ? ["conferencing.in.https"] : []),
            "reason": passes ? "a row permits it" : "no inbound row permits it",
            "nearest": .array(passes ? [] : [miss]),
        ]
        let row: JSONValue = ["line": "TCP <any> 443 HTTPS", "footnotes": ["† note"]]
        return try JSONValue.object([
            "explanation": explanation, "rows": ["conferencing.in.https": row],
            "inactive": .array(passes ? [] : ["conferencing.in.snmp"]),
            "incomplete": "the files can't be read",
            "counters": ["conferencing.in.https": ["packets": 3, "bytes": 180]],
            "crossings": [],
        ]).decoded(as: ExplainReport.self)
    }

    @Test func explanationsOfWhatPasses() throws {
        #expect(
            try Self.report(true).lines == [
                "verdict     accept: a row permits it",
                "row         conferencing.in.https",
                "            TCP <any> 443 HTTPS",
                "            † note",
                "rule        pexip_fw_conf_1 input 4: tcp dport 443 accept",
                "            conferencing.in.https: 3 packets, 180 bytes so far",
                "rule        pexip_fw_conf_1 input 5: drop",
            ])
    }

    @Test func explanationsOfWhatIsRefused() throws {
        #expect(
            try Self.report(false).lines == [
                "verdict     drop: no inbound row permits it",
                "rule        pexip_fw_conf_1 input 4: tcp dport 443 accept",
                "            conferencing.in.https: 3 packets, 180 bytes so far",
                "rule        pexip_fw_conf_1 input 5: drop",
                "nearest     conferencing.in.ssh",
                "            but the port 443 is not 22, and the source is no client",
                "inactive    conferencing.in.snmp",
                "            would permit it, but its feature is off",
                "unknown     the files can't be read",
            ])
    }
}
