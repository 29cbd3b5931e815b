import Foundation
import PortModel
import Site
import Testing

@testable import Drawing

@Suite("Rendering")
struct RenderingTests {
    /// The pictures of an ordinary node, kept beside the tests.
    ///
    /// `PEXIP_FW_RECORD_GOLDEN=1` writes them anew and still fails, so that a recording is looked
    /// at.
    @Test("a node is drawn as recorded", arguments: ["svg", "mmd"])
    func golden(format: String) throws {
        let deployment = try Sites.deployment(Sites.office)
        let node = try #require(deployment.node(named: "conf-lon-1"))
        let diagrams = deployment.diagrams(of: [node])
        let text = format == "svg" ? SVG.document(diagrams) : Mermaid.document(diagrams)
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Golden/conf-lon-1.\(format)")
        if ProcessInfo.processInfo.environment["PEXIP_FW_RECORD_GOLDEN"] != nil {
            try Data(text.utf8).write(to: file)
            Issue.record("recorded \(file.lastPathComponent): look at the difference")
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == text)
    }

    @Test("what others wrote is text, in XML and in Mermaid")
    func escaping() {
        let nasty = "</title><script>alert('1')</script>&\"]]>\u{0}\u{1b}\u{202e}\u{fffe}`#;"
        #expect(
            Markup.escaped(nasty)
                == "&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;]]&gt;\u{fffd}\u{fffd}\u{fffd}\u{fffd}`#;"
        )
        let mermaid = Mermaid.escaped(nasty)
        #expect(!mermaid.contains { "<>\"'&]`".contains($0) })
        #expect(mermaid.hasPrefix("#60;/title#62;#60;script#62;alert(#39;1#39;)"))
        #expect(mermaid.contains("#65533;#65533;#65533;#65533;#96;#35;#59;"))
    }

    @Test("one picture fits a sheet of A4 and of Letter")
    func sheet() throws {
        let deployment = try Sites.longest
        for diagram in deployment.diagrams(of: deployment.nodes) {
            let text = SVG.document([diagram])
            let size = try #require(
                text.firstMatch(of: /width="([0-9.]+)mm" height="([0-9.]+)mm"/))
            #expect(try #require(Double(size.1)) <= 190)
            #expect(try #require(Double(size.2)) <= 255.01)
        }
    }
}
