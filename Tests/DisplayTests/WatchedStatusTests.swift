import Testing

@testable import Display
@testable import Reports

@Suite struct WatchedStatusTests {
    private static let now = Timestamp(seconds: 1_800_000_000)

    private static func lines(_ page: Page) -> [String] {
        page.lines(width: nil, isColoured: false)
    }

    @Test func aSilentAgent() {
        let silence = WatchedStatus.silence("the agent is not running")
        #expect(
            Self.lines(silence.page(now: Self.now, elapsed: 3))
                == ["pexip-fw: NO ANSWER: the agent is not running"])
        #expect(
            Self.lines(silence.screen(now: Self.now, elapsed: 3, interval: 2)) == [
                "pexip-fw: NO ANSWER: the agent is not running", "",
                "2027-01-15T08:00:00Z, again at each event and every 2 s; Ctrl-C ends",
            ])
    }

    @Test("a deadline comes nearer while the agent is not asked")
    func countdown() {
        let status = WatchedStatus.report(
            StatusScreenTests.report {
                $0.pending = .init(deadline: Self.now, secondsLeft: 60, fallback: nil)
            })
        #expect(
            Self.lines(status.page(now: Self.now, elapsed: 0)).contains {
                $0.contains(" 1:00 left")
            })
        #expect(
            Self.lines(status.page(now: Self.now, elapsed: 2)).contains {
                $0.contains(" 0:58 left")
            })
    }

    @Test func longPagesAreCut() {
        let lines = ["a", "b", "c", "d"]
        #expect(WatchedStatus.cut(lines, rows: nil) == lines)
        #expect(WatchedStatus.cut(lines, rows: 4) == lines)
        #expect(
            WatchedStatus.cut(lines, rows: 3) == ["a", "b", "2 more lines: pexip-fwctl status"])
        #expect(WatchedStatus.cut(lines, rows: 2) == ["a", "3 more lines: pexip-fwctl status"])
        #expect(WatchedStatus.cut(lines, rows: 1) == lines)
    }
}
