import CPacket
import Foundation

/// One line of the benchmark's table: a ratio, or a count, of things measured in turn in one run.
struct Row: Codable {
    /// What is measured, in the words of the table.
    var what: String
    /// The most that is good enough; nil where the line is for comparison only.
    var target: Double?
    /// One value for each round.
    var samples: [Double]
    /// What the ratio is made of, such as "412 ns ÷ 618 ns".
    var detail: String

    /// The middle sample, which one disturbed round does not move.
    var median: Double { samples.median }
    var lowest: Double { samples.min() ?? .nan }
    var highest: Double { samples.max() ?? .nan }
    var isMet: Bool? { target.map { median <= $0 } }

    private enum CodingKeys: String, CodingKey {
        case what, target, median, lowest, highest, samples, isMet, detail
    }

    init(_ what: String, target: Double? = nil, _ samples: [Double], _ detail: String = "") {
        precondition(!samples.isEmpty, "\(what): nothing was measured")
        self.what = what
        self.target = target
        self.samples = samples
        self.detail = detail
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        what = try container.decode(String.self, forKey: .what)
        target = try container.decodeIfPresent(Double.self, forKey: .target)
        samples = try container.decode([Double].self, forKey: .samples)
        detail = try container.decode(String.self, forKey: .detail)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(what, forKey: .what)
        try container.encodeIfPresent(target, forKey: .target)
        try container.encode(median, forKey: .median)
        try container.encode(lowest, forKey: .lowest)
        try container.encode(highest, forKey: .highest)
        try container.encode(samples, forKey: .samples)
        try container.encodeIfPresent(isMet, forKey: .isMet)
        try container.encode(detail, forKey: .detail)
    }
}

extension [Double] {
    /// The middle value, or the mean of the middle two.
    var median: Double {
        guard !isEmpty else { return .nan }
        let sorted = self.sorted()
        return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
    }

    /// How much more these are than others that were measured in turn with them.
    func medianAbove(_ others: [Double]) -> Double { zip(self, others).map { $0 - $1 }.median }
}

/// Calls `visit` for every variant in every round: forward in one round and backward in the next, so
/// that a drift of the machine meets all variants alike.
///
/// - Returns: what each variant's visits returned, by round.
func inTurn(
    rounds: Int, variants: Int, _ visit: (_ variant: Int, _ round: Int) throws -> Double
) rethrows -> [[Double]] {
    var values = [[Double]](repeating: [], count: variants)
    for round in 0..<rounds {
        let forward = Array(0..<variants)
        for variant in round.isMultiple(of: 2) ? forward : forward.reversed() {
            values[variant].append(try visit(variant, round))
        }
    }
    return values
}

/// What went wrong while measuring.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    /// The last system call's error.
    static func system(_ what: String) -> BenchmarkError {
        BenchmarkError("\(what): \(String(cString: strerror(errno)))")
    }
}

/// Returns the value of a C function, or throws its error where it is negative.
func check<Value: SignedInteger>(_ what: String, _ value: Value) throws -> Value {
    guard value >= 0 else { throw BenchmarkError.system(what) }
    return value
}

/// How long the body takes, in nanoseconds.
func nanoseconds(_ body: () throws -> Void) rethrows -> Double {
    let started = pexip_now()
    try body()
    return Double(pexip_now() - started)
}

extension Double {
    /// Nanoseconds in the unit that suits them.
    var asTime: String {
        switch self {
        case ..<10_000: "\(Int(rounded())) ns"
        case ..<1e7: String(format: "%.0f µs", self / 1e3)
        case ..<1e10: String(format: "%.1f ms", self / 1e6)
        default: String(format: "%.1f s", self / 1e9)
        }
    }

    /// A figure of the table: three digits that mean something.
    var asFigure: String {
        if self == rounded(), abs(self) < 1e6 { return String(Int(self)) }
        return String(format: abs(self) < 10 ? "%.3f" : "%.1f", self)
    }
}
