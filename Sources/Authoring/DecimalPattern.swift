/// A regular expression, as JSON Schema has them (ECMA 262), for the numbers of a range in decimal
/// without leading zeros.
func decimalPattern(_ range: ClosedRange<Int>) -> String {
    precondition(range.lowerBound >= 0)
    var alternatives: [String] = []
    var low = range.lowerBound
    while low <= range.upperBound {
        // Those with as many digits as `low`, as far as there are any.
        let first = digits(of: low)
        let nines = first.reduce(0) { sum, _ in sum * 10 + 9 }
        let high = min(nines, range.upperBound)
        alternatives += patterns(from: first[...], to: digits(of: high)[...])
        low = high + 1
    }
    return "(?:\(alternatives.joined(separator: "|")))"
}

private func digits(of number: Int) -> [Int] { "\(number)".utf8.map { Int($0) - 48 } }

/// Patterns for the numbers from one to another of the same length.
private func patterns(from low: ArraySlice<Int>, to high: ArraySlice<Int>) -> [String] {
    guard let first = low.first, let last = high.first else { return [""] }
    let rest = (low: low.dropFirst(), high: high.dropFirst())
    if first == last { return patterns(from: rest.low, to: rest.high).map { "\(first)\($0)" } }
    let zeros = rest.low.map { _ in 0 }
    let nines = rest.low.map { _ in 9 }
    var result: [String] = []
    var whole = first...last
    if rest.low.contains(where: { $0 != 0 }) {
        result += patterns(from: rest.low, to: nines[...]).map { "\(first)\($0)" }
        whole = first + 1...last
    }
    var tail: [String] = []
    if rest.high.contains(where: { $0 != 9 }) {
        tail = patterns(from: zeros[...], to: rest.high).map { "\(last)\($0)" }
        guard whole.lowerBound < last else { return result + tail }
        whole = whole.lowerBound...last - 1
    }
    let digit =
        whole.count == 1 ? "\(whole.lowerBound)" : "[\(whole.lowerBound)-\(whole.upperBound)]"
    let others = zeros.isEmpty ? "" : zeros.count == 1 ? "[0-9]" : "[0-9]{\(zeros.count)}"
    return result + [digit + others] + tail
}
