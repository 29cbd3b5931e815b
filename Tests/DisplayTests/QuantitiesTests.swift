import Enforcement
import Testing

@testable import Display

@Suite struct QuantitiesTests {
    @Test(arguments: [
        (-5, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_600, "1 h"),
        (7_500, "2 h 5 min"), (86_399, "23 h 59 min"), (86_400, "1 day"), (90_000, "1 day 1 h"),
        (777_600, "9 days"),
    ])
    func durations(_ seconds: Int64, _ text: String) {
        #expect(Quantities.duration(seconds: seconds) == text)
    }

    @Test(arguments: [
        (-1, "0:00"), (9, "0:09"), (112, "1:52"), (725, "12:05"), (3_600, "1:00:00"),
        (86_399, "23:59:59"),
    ])
    func countdowns(_ seconds: Int, _ text: String) {
        #expect(Quantities.countdown(seconds: seconds) == text)
    }

    @Test(arguments: [
        (0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678"),
        (UInt64.max, "18,446,744,073,709,551,615"),
    ])
    func counts(_ number: UInt64, _ text: String) { #expect(Quantities.count(number) == text) }

    @Test(arguments: [
        (0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (9_999, "9.9 kB"), (10_000, "10 kB"),
        (999_999, "999 kB"), (1_000_000, "1.0 MB"), (1_500_000_000, "1.5 GB"),
        (UInt64.max, "18 EB"),
    ])
    func bytes(_ number: UInt64, _ text: String) { #expect(Quantities.bytes(number) == text) }

    @Test func lists() {
        #expect(Quantities.list(["a", "b"], atMost: 2) == "a, b")
        #expect(Quantities.list(["a", "b", "c", "d"], atMost: 2) == "a, b and 2 more")
    }
}
