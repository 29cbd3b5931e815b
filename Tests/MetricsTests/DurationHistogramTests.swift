import Testing

@testable import Metrics

@Suite("Durations")
struct DurationHistogramTests {
    @Test("bounds from half a millisecond to beyond a minute, each twice the one before")
    func bounds() {
        let bounds = DurationHistogram().histogram.buckets.map(\.upTo)
        #expect(
            bounds == [
                0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024,
                2.048, 4.096, 8.192, 16.384, 32.768, 65.536,
            ])
    }

    @Test("a bound belongs to its bucket; buckets hold those before; nothing is lost beyond them")
    func counting() {
        var durations = DurationHistogram()
        for duration: Duration in [
            .microseconds(500), .microseconds(501), .milliseconds(3), .milliseconds(3),
            .seconds(66), .seconds(3_600), .seconds(-1),
        ] { durations.record(duration) }
        let histogram = durations.histogram
        #expect(histogram.buckets.prefix(4).map(\.count) == [2, 3, 3, 5])
        #expect(histogram.buckets.dropFirst(4).allSatisfy { $0.count == 5 })
        #expect(histogram.count == 7)
        #expect(histogram.sum == 3_666.007_001)
    }
}
