import Foundation
import PortModel
import Testing

@Suite("Profile infinity-14")
struct Infinity14Tests {
    private let profile = Profile.infinity14

    private func rows(_ role: String, _ direction: String) -> [Row] {
        profile.rows(
            of: role == "Management Node" ? .management : .conferencing,
            direction == "Inbound" ? .inbound : .outbound)
    }

    @Test("every row prints as it was transcribed")
    func transcribed() {
        #expect(profile.rows.count == 48)
        for table in transcription {
            #expect(rows(table.role, table.direction).map(profile.documentedLine) == table.lines)
        }
    }

    /// Where the vendor's text is at hand, `packaging/test` names it in this variable; the
    /// transcription above stands for it elsewhere.
    @Test(
        "every row prints as the specification's own text has it",
        .enabled(
            if: ProcessInfo.processInfo.environment["PEXIP_FW_SPECIFICATION"] != nil,
            "PEXIP_FW_SPECIFICATION names no file"))
    func specified() throws {
        let path = try #require(ProcessInfo.processInfo.environment["PEXIP_FW_SPECIFICATION"])
        var printed: [String] = []
        var role = ""
        var direction = ""
        var specified: [String] = []
        for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n") {
            switch line {
            case "Management Node", "Conferencing Nodes": role = String(line)
            case "Inbound", "Outbound":
                direction = String(line)
                printed += rows(role, direction).map(profile.documentedLine)
            default:
                let isRow = ["TCP", "UDP", "ESP"].contains { line.hasPrefix($0) }
                if isRow, !direction.isEmpty { specified.append(String(line)) }
            }
        }
        #expect(specified.count == 48)
        #expect(printed == specified)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        for footnote in profile.footnotes { #expect(text.contains("\n\(footnote.line)\n")) }
        for remark in profile.remarks { #expect(text.contains("\(remark)\n")) }
    }

    @Test("ids are unique, stable in form and say where the row stands")
    func ids() {
        #expect(Set(profile.rows.map(\.id)).count == 48)
        for row in profile.rows {
            let parts = row.id.split(separator: ".")
            #expect(parts.count == 3)
            #expect(parts[0] == row.role.rawValue)
            #expect(parts[1] == (row.direction == .inbound ? "in" : "out"))
            #expect(row.id.utf8.count <= 100, "a counter's name has room for 128 bytes")
            #expect(
                row.id.allSatisfy { $0.isASCII && ($0.isLetter || "0123456789-.".contains($0)) })
        }
    }

    @Test("a mark says what may be configured")
    func marks() {
        for row in profile.rows {
            #expect(
                (row.feature != nil)
                    == (row.footnotes.contains(.featureOnly)
                        || row.footnotes.contains(.administrativeAccess)),
                "\(row.id)")
            let isRange = [row.source, row.destination].contains {
                $0 == .range(.signaling) || $0 == .range(.media)
            }
            #expect(isRange == row.footnotes.contains(.rangeConfigurable), "\(row.id)")
            #expect(
                row.hasConfigurableTransport == (row.marks[.protocol] == .portConfigurable),
                "\(row.id)")
        }
    }

    @Test("every mark has a text")
    func footnotes() {
        #expect(Set(profile.footnotes.map(\.mark)).count == profile.footnotes.count)
        for row in profile.rows {
            for mark in row.footnotes { #expect(profile.footnote(mark) != nil, "\(row.id)") }
        }
    }

    @Test("inter-node rows are the routing guidance's, in both directions and both roles")
    func interNode() {
        let mesh = profile.rows.filter { if case .nodes = $0.peer { true } else { false } }
        #expect(mesh.count == 8)
        for row in mesh {
            #expect(row.plane == .primary)
            #expect(
                (row.protocols == [.udp] && row.source == .port(500)
                    && row.destination == .port(500)) || row.protocols == [.esp])
            #expect(
                row.peer
                    == .nodes(
                        row.role == .management ? [.conferencing] : [.management, .conferencing]))
        }
    }

    @Test("signaling and media rows are those of devices that call or are called")
    func planes() {
        for row in profile.rows where row.plane == .signalingAndMedia {
            #expect(row.role == .conferencing)
            guard case .devices(let peer) = row.peer else {
                Issue.record("\(row.id) is not a device's row")
                continue
            }
            #expect(
                [.endpoints, .mediaEndpoints, .rtmpServers, .stunTurnServers].contains(peer),
                "\(row.id)")
        }
    }
}
