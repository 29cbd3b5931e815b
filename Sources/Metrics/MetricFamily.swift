/// Measurements of one kind and what they mean, as Prometheus and OpenMetrics know them.
package struct MetricFamily: Hashable, Sendable, Codable {
    /// The types of OpenMetrics that are used here.
    package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        /// A value that goes up and down.
        case gauge
        /// A value that never falls, but to zero where its counting begins anew.
        case counter
        /// Something that does not change while it runs, told by labels; the value is 1.
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
    /// Says how values are to be read, and which suffix samples have.
    package var kind: Kind
    /// nil for values without a unit. Prometheus' format has it in the name alone.
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
    /// Values by the labels' names; may be empty.
    package var labels: [String: String]
    /// nil for a histogram.
    package var value: Double?
    /// nil for a single value.
    package var histogram: Histogram?

    /// A single value, of any kind but a histogram.
    package init(_ value: Double, _ labels: [String: String] = [:]) {
        self.labels = labels
        self.value = value
    }

    /// The values of a histogram.
    package init(_ histogram: Histogram, _ labels: [String: String] = [:]) {
        self.labels = labels
        self.histogram = histogram
    }
}

/// How observations are spread.
package struct Histogram: Hashable, Sendable, Codable {
    /// Counts the observations up to one bound.
    package struct Bucket: Hashable, Sendable, Codable {
        /// The greatest value in it.
        package var upTo: Double
        /// Of all observations up to there, those of the buckets before included.
        package var count: UInt64
    }

    /// In the order of their bounds, without the last one, which has none and holds them all.
    package var buckets: [Bucket]
    /// Of all observations, those beyond the last bound included.
    package var count: UInt64
    /// Of all observations, in the family's unit.
    package var sum: Double
}
