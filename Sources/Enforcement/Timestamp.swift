package import FoundationEssentials

/// A moment of the wall clock, written as RFC 3339 in UTC with whole seconds.
package struct Timestamp: Hashable, Sendable, Comparable {
    /// Seconds since 1970-01-01 UTC.
    package let seconds: Int64

    package init(seconds: Int64) { self.seconds = seconds }

    package static var now: Timestamp {
        Timestamp(seconds: Int64(Date().timeIntervalSince1970.rounded(.down)))
    }

    package var date: Date { Date(timeIntervalSince1970: Double(seconds)) }

    package static func < (a: Self, b: Self) -> Bool { a.seconds < b.seconds }
}

extension Timestamp: CustomStringConvertible {
    package var description: String { date.formatted(Date.ISO8601FormatStyle()) }
}

extension Timestamp: Codable {
    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        let date = try Date.ISO8601FormatStyle().parse(text)
        self.init(seconds: Int64(date.timeIntervalSince1970))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
