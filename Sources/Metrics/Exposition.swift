/// The texts that collectors read.
package enum ExpositionFormat: String, Hashable, Sendable, CaseIterable {
    /// OpenMetrics 1.0, for Prometheus and others.
    case openMetrics = "openmetrics"
    /// Prometheus' text format 0.0.4, for node_exporter's textfile collector and `promtool`. It
    /// differs in how families are named, knows neither units nor infos, and has no end.
    case prometheus
}

extension [MetricFamily] {
    /// All of them as text, in the given order; labels are sorted by name.
    package func text(as format: ExpositionFormat) -> String {
        var exposition = Exposition(format)
        for family in self { exposition.add(family) }
        return exposition.text
    }
}

private struct Exposition {
    private let format: ExpositionFormat
    private var lines = ""

    init(_ format: ExpositionFormat) { self.format = format }

    var text: String { format == .openMetrics ? lines + "# EOF\n" : lines }

    mutating func add(_ family: MetricFamily) {
        let suffix =
            switch family.kind {
            case .gauge, .histogram: ""
            case .counter: "_total"
            case .info: "_info"
            }
        let sample = family.name + suffix
        switch format {
        case .openMetrics:
            describe(family, as: family.name, type: family.kind.rawValue)
        case .prometheus:
            describe(
                family, as: sample, type: (family.kind == .info ? .gauge : family.kind).rawValue)
        }
        for metric in family.metrics {
            let labels = metric.labels.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
            if let value = metric.value { add(sample, labels, value.metricText) }
            if let histogram = metric.histogram { add(family.name, labels, histogram) }
        }
    }

    private mutating func describe(_ family: MetricFamily, as name: String, type: String) {
        lines += "# TYPE \(name) \(type)\n"
        if format == .openMetrics, let unit = family.unit {
            lines += "# UNIT \(name) \(unit.rawValue)\n"
        }
        lines += "# HELP \(name) \(escaped(family.help, withQuotes: format == .openMetrics))\n"
    }

    private mutating func add(
        _ name: String, _ labels: [(String, String)], _ histogram: Histogram
    ) {
        for bucket in histogram.buckets {
            add("\(name)_bucket", labels + [("le", "\(bucket.upTo)")], "\(bucket.count)")
        }
        add("\(name)_bucket", labels + [("le", "+Inf")], "\(histogram.count)")
        add("\(name)_sum", labels, histogram.sum.metricText)
        add("\(name)_count", labels, "\(histogram.count)")
    }

    private mutating func add(_ name: String, _ labels: [(String, String)], _ value: String) {
        lines += name
        if !labels.isEmpty {
            lines += "{"
            for (index, (name, value)) in labels.enumerated() {
                lines += index == 0 ? "" : ","
                lines += "\(name)=\"\(escaped(value, withQuotes: true))\""
            }
            lines += "}"
        }
        lines += " \(value)\n"
    }

    private func escaped(_ text: String, withQuotes: Bool) -> String {
        guard text.utf8.contains(where: { [0x22, 0x5c, 0x0a].contains($0) }) else { return text }
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where withQuotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

extension Double {
    /// Whole numbers without a fraction, as far as each of them has a value of its own.
    fileprivate var metricText: String {
        if let whole = Int64(exactly: self), abs(self) < 0x1p53 { return "\(whole)" }
        if isNaN { return "NaN" }
        return isInfinite ? (self < 0 ? "-Inf" : "+Inf") : "\(self)"
    }
}
