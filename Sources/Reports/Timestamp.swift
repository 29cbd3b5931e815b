internal import Glibc

/// A moment of the wall clock, written as RFC 3339 in UTC with whole seconds.
package struct Timestamp: Hashable, Sendable, Comparable {
    /// Seconds since 1970-01-01 UTC.
    package let seconds: Int64

    /// - Parameter seconds: since 1970-01-01 UTC; negative before.
    package init(seconds: Int64) { self.seconds = seconds }

    /// nil for any other way to write it.
    package init?(_ text: String) {
        guard text.utf8.count == 20 else { return nil }
        let fields = text.split(
            omittingEmptySubsequences: false, whereSeparator: { "-T:Z".contains($0) }
        ).map { Int32($0) }
        guard fields.count == 7, let year = fields[0], let month = fields[1], let day = fields[2],
            let hour = fields[3], let minute = fields[4], let second = fields[5]
        else { return nil }
        var date = tm()
        date.tm_year = year - 1900
        date.tm_mon = month - 1
        date.tm_mday = day
        date.tm_hour = hour
        date.tm_min = minute
        date.tm_sec = second
        self.init(seconds: Int64(timegm(&date)))
        // Neither the 31st of February nor missing zeros.
        if description != text { return nil }
    }

    package static func < (a: Self, b: Self) -> Bool { a.seconds < b.seconds }
}

extension Timestamp: CustomStringConvertible {
    package var description: String {
        var seconds = time_t(seconds)
        var date = tm()
        guard gmtime_r(&seconds, &date) != nil else {
            // Years that no 32 bits hold.
            return "\(self.seconds) s since 1970"
        }
        func padded(_ value: some BinaryInteger, to width: Int = 2) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        return
            "\(padded(Int(date.tm_year) + 1900, to: 4))-\(padded(date.tm_mon + 1))-\(padded(date.tm_mday))"
            + "T\(padded(date.tm_hour)):\(padded(date.tm_min)):\(padded(date.tm_sec))Z"
    }
}

extension Timestamp: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let timestamp = Timestamp(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is no time as RFC 3339 has it")
        }
        self = timestamp
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
