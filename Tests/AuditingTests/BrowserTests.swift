import Drawing
import Foundation
import PortModel
import Site
import Testing
import TestSupport

@testable import Auditing
@testable import Enforcement

/// Pages and pictures as Chromium shows and prints them, and flowcharts as Mermaid draws them.
///
/// `PEXIP_FW_MERMAID` names the library; the browser reaches no network.
@Suite("Browser", .serialized)
struct BrowserTests {
    private static let script = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "browser.py").path

    /// What the browser finds wrong with the files.
    private static func look(_ files: [String: String]) throws -> ProcessResult {
        let mermaid = try #require(
            ProcessInfo.processInfo.environment["PEXIP_FW_MERMAID"],
            "PEXIP_FW_MERMAID names no mermaid.min.js: run packaging/test, which prepares one")
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "pexip-fw-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer {
            do {
                try FileManager.default.removeItem(at: directory)
            } catch {
                Issue.record("left behind: \(directory.path): \(error)")
            }
        }
        for (name, text) in files {
            try Data(text.utf8).write(to: directory.appending(path: name))
        }
        return try ChildProcess.run(
            [
                "unshare", "--net", "--", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh",
                "/usr/bin/python3", script, directory.path, mermaid,
            ], timeout: .seconds(300))
    }

    private static func charts(_ name: String, _ diagrams: [Diagram]) throws -> [String: String] {
        struct Expectation: Encodable {
            var arrows: Int
            var texts: [String]
        }
        var files: [String: String] = [:]
        for (index, diagram) in diagrams.enumerated() {
            let arrows = diagram.devices.flatMap(\.arrows)
            let texts =
                arrows.flatMap { [$0.id, $0.traffic] } + [diagram.subject.name]
                + diagram.devices.map(\.box.name)
            let isPlain = { (text: String) in text.unicodeScalars.allSatisfy(\.isPrintable) }
            files["\(name)-\(index).mmd"] = Mermaid.text(diagram)
            files["\(name)-\(index).json"] = String(
                decoding: try JSONEncoder().encode(
                    Expectation(arrows: arrows.count, texts: texts.filter(isPlain))),
                as: UTF8.self)
        }
        return files
    }

    @Test("nothing overlaps, overflows, vanishes or is hard to read, on screens and on paper")
    func pages() throws {
        let office = Subjects.answered(
            try Subjects.subject(Subjects.office, node: "conf-lon-1"))
        let silent = try Subjects.subject(Subjects.office)
        let gateway = Subjects.answered(try Subjects.subject(Subjects.gateway(250)))
        let nasty = try Subjects.nastySubject()
        var files: [String: String] = [:]
        for (name, subject) in [
            ("office", office), ("silent", silent), ("gateway", gateway), ("nasty", nasty),
        ] {
            files["\(name).html"] = HTMLPage.text(subject.report)
            let diagrams = subject.deployment.diagrams(of: subject.nodes)
            files["\(name).svg"] = SVG.document(diagrams)
            files["\(name)-one.svg"] = SVG.document([diagrams[diagrams.count - 1]])
            files.merge(try Self.charts(name, diagrams)) { $1 }
        }
        let result = try Self.look(files)
        #expect(result.succeeded, "\(result.standardOutput)\(result.standardError)")
        #expect(
            result.standardOutput == "looked at 4 pages, 8 pictures, 22 flowcharts\n",
            "\(result.standardError)")
    }

    /// What is to be found must be found where it is.
    @Test("a page with every fault is found out")
    func faults() throws {
        let page = """
            <!DOCTYPE html><html><head><title>x</title><style>p{width:2000px}
            .pale{color:#999;background:#fff}</style></head><body>
            <h1>a</h1><h3>b</h3><p>wide</p><p class="pale">pale</p>
            <div style="width:50px;white-space:nowrap">a line that is too long for its place</div>
            <a href="#nowhere">x</a><a href="https://example.org/">x</a><b id="c"></b><b id="c"></b>
            <table><tr><th>x</th></tr></table><script>console.error('said')</script>
            <svg role="img" viewBox="0 0 100 100" aria-labelledby="d"><title id="t"></title>
            <rect x="0" y="0" width="50" height="50"/>
            <text x="10" y="20">crosses the frame</text><text x="12" y="22">overlaps</text></svg>
            <figure><svg role="img" viewBox="0 0 10 10"><title>not on a page</title></svg></figure>
            </body></html>
            """
        let result = try Self.look([
            "faults.html": page, "wrong.mmd": "flowchart LR\n a[\"b\" --> c",
        ])
        #expect(result.status == .exited(1), "\(result.standardError)")
        for problem in [
            "wider than the window", "leaves", "overflows", "contrast of 2.", "leads nowhere",
            "leaves the page", "two elements are #c", "without a scope", "a heading is skipped",
            "said", "there is a script", "crosses a frame", "overlaps", "a picture without a title",
            "no label #d", "no language", "printed text is", "does not begin a page",
            "wrong.mmd: ",
        ] {
            #expect(result.standardOutput.contains(problem), "\(problem)")
        }
    }
}
