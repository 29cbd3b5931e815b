/// Measurements of one kind and what they mean, as Prometheus and OpenMetrics know them.
package struct MetricFamily: Hashable, Sendable, Codable {
    package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        /// A value that goes up and down.
        case gauge
        /// A value that never falls, but to zero where its counting begins anew.
        case counter
        /// What does not change while it runs, told by labels; the value is 1.
        case info
        /// How many durations were up to each of some bounds.
        case histogram
    }

    /// Base units, as names end with them.
    package enum Unit: String, Hashable, Sendable, Codable, CaseIterable {
        case seconds
        case bytes
    }

    /// Without what the kind adds to it, such as `_total`.
    package var name: String
    package var kind: Kind
    package var unit: Unit?
    /// For people.
    package var help: String
    /// None where there is nothing to tell now.
    package var metrics: [Metric]

    /// - Parameter name: ends with the unit where one is given.
    package init(
        _ name: String, _ kind: Kind, unit: Unit? = nil, help: String, _ metrics: [Metric]
    ) {
        precondition(unit.map { name.hasSuffix("_\($0.rawValue)") } ?? true)
        self.name = name
        self.kind = kind
        self.unit = unit
        self.help = help
        self.metrics = metrics
    }
}

/// A value, or the values of a histogram, and what tells it from the others of its family.
package struct Metric: Hashable, Sendable, Codable {
    package var labels: [String: String]
    /// nil for a histogram.
    package var value: Double?
    package var histogram: Histogram?

    package init(_ value: Double, _ labels: [String: String] = [:]) {
        self.labels = labels
        self.value = value
    }

    package init(_ histogram: Histogram, _ labels: [String: String] = [:]) {
        self.labels = labels
        self.histogram = histogram
    }
}

/// How observations are spread.
package struct Histogram: Hashable, Sendable, Codable {
    package struct Bucket: Hashable, Sendable, Codable {
        /// The greatest value in it.
        package var upTo: Double
        /// Of all observations up to there, those of the buckets before included.
        package var count: UInt64
    }

    /// In the order of their bounds, without the last one, which has none and holds them all.
    package var buckets: [Bucket]
    package var count: UInt64
    package var sum: Double
}
