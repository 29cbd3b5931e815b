/// Counts durations by their size, for as long as the process lives.
package struct DurationHistogram: Hashable, Sendable {
    /// Half a millisecond, and each twice the one before, up to 65.536 seconds: never changed, so
    /// that what was collected before an upgrade stays comparable.
    package static let bounds: [Duration] = (0..<18).map { .microseconds(500 << $0) }

    /// One for each bound, and one for what is beyond the last.
    private var counts = [UInt64](repeating: 0, count: bounds.count + 1)
    private var sum = Duration.zero

    /// Nothing recorded.
    package init() {}

    /// Counts the duration; a negative one counts as zero.
    package mutating func record(_ duration: Duration) {
        let duration = max(.zero, duration)
        counts[Self.bounds.firstIndex { duration <= $0 } ?? Self.bounds.count] += 1
        sum += duration
    }

    /// Everything that was recorded, in seconds.
    package var histogram: Histogram {
        var total: UInt64 = 0
        let buckets = zip(Self.bounds, counts).map { bound, count in
            total += count
            return Histogram.Bucket(upTo: bound.inSeconds, count: total)
        }
        return Histogram(
            buckets: buckets, count: counts.reduce(0, +), sum: sum.inSeconds)
    }
}

extension Duration {
    /// To a microsecond, which a number of this type still tells after centuries.
    fileprivate var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds * 1_000_000 + attoseconds / 1_000_000_000_000) / 1_000_000
    }
}
