package import Reports

/// How times, numbers and amounts of bytes are told, everywhere the same.
package enum Quantities {
    /// A span of time by its two largest units: `12 s`, `3 min`, `2 h 5 min`, `3 days 4 h`.
    package static func duration(seconds: Int64) -> String {
        let seconds = max(0, seconds)
        let (minutes, hours) = (seconds / 60, seconds / 3_600)
        if minutes == 0 { return "\(seconds) s" }
        if hours == 0 { return "\(minutes) min" }
        if hours < 24 {
            return "\(hours) h" + (minutes % 60 == 0 ? "" : " \(minutes % 60) min")
        }
        let days = Int(hours / 24).counted("day")
        return days + (hours % 24 == 0 ? "" : " \(hours % 24) h")
    }

    /// How long ago a moment was; clocks that were set back make it no time.
    package static func age(of time: Timestamp, at now: Timestamp) -> String {
        duration(seconds: now.seconds - time.seconds)
    }

    /// The rest of a time: `0:09`, `12:05`, `1:00:00`.
    package static func countdown(seconds: Int) -> String {
        func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let seconds = max(0, seconds)
        let rest = "\(twoDigits(seconds / 60 % 60)):\(twoDigits(seconds % 60))"
        if seconds < 3_600 { return "\(seconds / 60):\(twoDigits(seconds % 60))" }
        return "\(seconds / 3_600):\(rest)"
    }

    /// With a comma at each thousand.
    package static func count(_ number: UInt64) -> String {
        var text = ""
        let digits = String(number)
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text.append(",") }
            text.append(digit)
        }
        return text
    }

    /// `1 packet`, `1,234 packets`.
    package static func counted(_ number: UInt64, _ noun: String) -> String {
        "\(count(number)) \(noun)\(number == 1 ? "" : "s")"
    }

    /// In units of 1000, with three digits at most before the unit: `840 B`, `1.2 kB`, `96 MB`.
    package static func bytes(_ number: UInt64) -> String {
        if number < 1_000 { return "\(number) B" }
        var unit: UInt64 = 1_000
        var names = ["kB", "MB", "GB", "TB", "PB", "EB"][...]
        while let name = names.popFirst() {
            let tenths = number / (unit / 10)
            if tenths < 100 { return "\(tenths / 10).\(tenths % 10) \(name)" }
            if tenths < 10_000 || names.isEmpty { return "\(tenths / 10) \(name)" }
            unit *= 1_000
        }
        return "\(number) B"
    }

    /// The first of a list, and how many more there are.
    package static func list(_ items: some Collection<String>, atMost limit: Int) -> String {
        let shown = items.prefix(limit).joined(separator: ", ")
        return items.count > limit ? "\(shown) and \(items.count - limit) more" : shown
    }
}
