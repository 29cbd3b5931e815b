import Ruleset
import Site
import Testing

@testable import Enforcement
@testable import Reports

/// Each difference is news once.
@Suite struct AnnouncementsTests {
    private static let shadow = Shadow(legacy: "filter", family: .ip6)

    @Test func theStateIsNewsWhereItWasKnownToBeAnotherOne() {
        var announcements = Announcements()
        func former(_ state: StatusReport.State) -> StatusReport.State? {
            announcements.news(state: state, shadows: [], translationWarning: nil).formerState
        }
        #expect(former(.unconfigured) == nil)
        #expect(former(.unconfigured) == nil)
        #expect(former(.inSync) == .unconfigured)
        #expect(former(.inSync) == nil)
    }

    @Test func shadowsAreNewsWhenTheyComeAndWhenTheyGo() {
        var announcements = Announcements()
        func news(_ shadows: [Shadow]) -> Announcements.News {
            announcements.news(state: .inSync, shadows: shadows, translationWarning: nil)
        }
        #expect(news([Self.shadow]).foundShadows == [Self.shadow])
        // Rules that moved within a table.
        var moved = Self.shadow
        moved.within = ["other"]
        let after = news([moved])
        #expect(after.foundShadows.isEmpty)
        #expect(after.goneShadows.isEmpty)
        #expect(news([]).goneShadows == [moved])
        #expect(news([]).goneShadows.isEmpty)
    }

    @Test func aWarningIsNewsWhereItIsAnotherOne() {
        var announcements = Announcements()
        func warning(_ text: String?) -> String? {
            announcements.news(state: .inSync, shadows: [], translationWarning: text)
                .translationWarning
        }
        #expect(warning("a") == "a")
        #expect(warning("a") == nil)
        #expect(warning(nil) == nil)
        #expect(warning("a") == "a")
    }
}
