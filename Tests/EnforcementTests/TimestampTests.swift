import Foundation
import Testing

@testable import Enforcement
@testable import Reports

/// Times as text, beside what Foundation makes of them.
@Suite struct TimestampTests {
    @Test func foundationWritesAndReadsTheSame() throws {
        let style = Date.ISO8601FormatStyle()
        // 1970 to 2100, leap days and ends of years among them.
        var random = SystemRandomNumberGenerator()
        let moments =
            [0, 1, 951_782_399, 951_782_400, 951_868_800, 978_307_199, 4_102_444_800]
            + (0..<500).map { _ in Int64.random(in: 0...4_102_444_800, using: &random) }
        for seconds in moments {
            let timestamp = Timestamp(seconds: seconds)
            let date = Date(timeIntervalSince1970: Double(seconds))
            #expect(timestamp.description == date.formatted(style))
            #expect(Timestamp(timestamp.description) == timestamp)
        }
    }

    @Test(arguments: [
        "", "now", "2026-11-26", "2026-11-26T10:00Z", "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-11-26T24:00:00Z", "2026-11-26T10:00:60Z",
        "2026-1-26T10:00:00Z", "2026-11-26T10:00:00", "2026-11-26T10:00:00+01:00",
        "2026-11-26T10:00:00.5Z", "2026:11:26-10-00-00T", "99999999999-01-01T00:00:00Z",
        "2147483647-12-31T23:59:59Z", "+026-11-26T10:00:00Z",
    ])
    func otherTextsAreNone(text: String) { #expect(Timestamp(text) == nil) }

    /// At the ends of what a calendar can count.
    @Test(arguments: [
        Int64.min, .max, 67_768_036_191_676_799, 67_768_036_191_676_800, -67_768_040_609_740_800,
        67_767_976_233_532_799, 67_767_976_233_532_800,
    ])
    func everyMomentHasWords(seconds: Int64) {
        #expect(Timestamp(seconds: seconds).description != "")
    }
}
