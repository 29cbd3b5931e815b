// Times to confirm in, as people write them.

extension Guard {
    /// The values of `confirm` that stand for no confirmation at all.
    package static let unguarded = ["off", "0"]
    /// The suffixes of times, with their lengths in seconds.
    package static let units: [(suffix: String, seconds: Int)] = [
        ("s", 1), ("m", 60), ("h", 3_600),
    ]
    /// Characters of a time. Six digits are more than a day in any unit, and never overflow.
    package static let longestTime = 7

    /// The seconds that a time such as `60s`, `5m` or `1h` stands for; nil where it is none.
    package static func seconds(_ text: String) -> Int? {
        guard text.utf8.count <= longestTime,
            let unit = units.first(where: { text.hasSuffix($0.suffix) }),
            let number = Int(text.dropLast()),
            text.dropLast().utf8.allSatisfy({ (48...57).contains($0) })
        else { return nil }
        return number * unit.seconds
    }
}
