/// The known name nearest to an unknown one, when it is near enough to be what was meant: at most
/// one typing error in every three characters, letter case aside.
func nearest(to name: String, among known: some Sequence<String>) -> String? {
    let typed = Array(name.lowercased().unicodeScalars)
    let threshold = max(1, typed.count / 3)
    var best: (distance: Int, name: String)?
    for candidate in known {
        let scalars = Array(candidate.lowercased().unicodeScalars)
        guard abs(scalars.count - typed.count) <= threshold else { continue }
        let distance = editDistance(typed, scalars)
        // A distance as long as the name itself would suggest anything.
        guard distance <= threshold, distance < scalars.count else { continue }
        if distance < best?.distance ?? .max { best = (distance, candidate) }
    }
    return best?.name
}

/// The Damerau-Levenshtein distance (optimal string alignment): how many characters are to be
/// inserted, deleted, replaced or exchanged with their neighbour.
private func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in 0..<a.count {
        var current = [i + 1]
        current.reserveCapacity(b.count + 1)
        for j in 0..<b.count {
            var distance = min(
                last[j + 1] + 1, current[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                distance = min(distance, beforeLast[j - 1] + 1)
            }
            current.append(distance)
        }
        beforeLast = last
        last = current
    }
    return last[b.count]
}
