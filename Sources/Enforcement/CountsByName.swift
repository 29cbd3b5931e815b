internal import PlainText

/// Counts by names that others choose: a bounded number of names, however many there are.
struct CountsByName: Hashable, Sendable {
    /// So many names are counted by themselves, those that came first: one that lost its place to
    /// another later would be a counter that falls.
    static let names = 15
    /// Counts what bears any other name.
    static let rest = "other"

    private(set) var counts = [rest: 0]

    /// - Parameter name: counted as people would read it, since it becomes a label, for whose ends of
    ///   lines collectors' formats have an escape.
    mutating func count(_ name: String) {
        let name = name.visibleLines
        let isKnown = counts[name] != nil || counts.count <= Self.names
        counts[isKnown ? name : Self.rest, default: 0] += 1
    }
}
