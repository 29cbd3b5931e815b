import DeploymentGenerator
import PortModel
import Site
import Testing

@testable import Drawing

/// Nothing overlaps and nothing leaves its place, whatever is drawn.
@Suite("Layout")
struct LayoutTests {
    private static func check(_ diagram: Diagram) {
        let layout = DiagramLayout(diagram)
        let page = DiagramLayout.Area(
            x: 0, y: 0, width: DiagramLayout.width, height: layout.height)
        for frame in layout.frames { #expect(page.contains(frame.area)) }
        for (index, text) in layout.texts.enumerated() {
            #expect(page.contains(text.area), "\(text)")
            for frame in layout.frames where frame.area.overlaps(text.area) {
                #expect(frame.area.contains(text.area), "\(text) crosses \(frame)")
            }
            for other in layout.texts[..<index] {
                #expect(!other.area.overlaps(text.area), "\(text) overlaps \(other)")
            }
            for arrow in layout.arrows {
                let line = DiagramLayout.Area(
                    x: arrow.fromX, y: arrow.y - 1, width: arrow.toX - arrow.fromX, height: 2)
                #expect(!line.overlaps(text.area), "\(text) is struck through")
            }
        }
        for (index, frame) in layout.frames.enumerated() {
            for other in layout.frames[..<index] { #expect(!other.area.overlaps(frame.area)) }
        }
        // From one frame's edge to another's.
        for arrow in layout.arrows {
            for (x, isLeft) in [(arrow.fromX, true), (arrow.toX, false)] {
                #expect(
                    layout.frames.contains {
                        (isLeft ? $0.area.right : $0.area.x) == x && $0.area.y <= arrow.y
                            && arrow.y <= $0.area.bottom
                    })
            }
        }
        #expect(layout.arrows.count == diagram.devices.reduce(0) { $0 + $1.arrows.count })
    }

    @Test("generated deployments", arguments: 0..<60)
    func generated(seed: Int) {
        var generator = DeploymentGenerator(seed: UInt64(seed))
        let deployment = generator.deployment(
            placement: seed.isMultiple(of: 2) ? .local : .gateway,
            nodeCount: seed.isMultiple(of: 5) ? 30 : nil)
        for diagram in deployment.diagrams(of: deployment.nodes) { Self.check(diagram) }
    }

    @Test("the longest names, addresses and lists")
    func longest() throws {
        let deployment = try Sites.longest
        let diagrams = deployment.diagrams(of: deployment.nodes)
        #expect(diagrams.count == 4)
        for diagram in diagrams { Self.check(diagram) }
    }

    @Test("a node to which nothing is open")
    func nothing() throws {
        let deployment = try Sites.deployment(Sites.office)
        for var diagram in deployment.diagrams(of: deployment.nodes) {
            diagram.devices = []
            Self.check(diagram)
            #expect(SVG.document([diagram]).contains("No row is open."))
            #expect(Mermaid.text(diagram).contains("No row is open"))
        }
    }

    @Test("lines are no wider than they may be, and lose nothing")
    func wrapping() {
        for typeface in [Typeface(size: 12, isBold: true), Typeface(size: 11, isBold: false)] {
            for text in [
                "one two three", String(repeating: "W", count: 63),
                "2001:db8:1111:2222:3333:4444:5555:6666-2001:db8:1111:2222:3333:4444:5555:7777",
                "Web browser / API interface / Lync / Skype for Business system", "日本語の名前",
                "a " + String(repeating: "i", count: 300) + " b",
            ] {
                for width in [40, 100, 174, 400] {
                    let lines = typeface.lines(of: text, width: width)
                    #expect(lines.allSatisfy { typeface.width(of: $0) <= width })
                    #expect(
                        lines.joined().filter { $0 != " " } == text.filter { $0 != " " })
                }
            }
        }
        let address = Typeface(size: 11, isBold: false).lines(
            of: "2001:db8:1111:2222:3333:4444:5555:6666", width: 174)
        #expect(address == ["2001:db8:1111:2222:3333:", "4444:5555:6666"])
    }
}
