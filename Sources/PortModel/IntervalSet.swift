/// A set of integers kept as sorted, disjoint, non-adjacent closed intervals.
///
/// Ports and addresses are both sets of this kind; equality is equality of members, because the
/// representation is canonical.
package struct IntervalSet<Bound: FixedWidthInteger & UnsignedInteger & Sendable>: Hashable,
    Sendable
{
    /// The members as sorted, disjoint, non-adjacent closed intervals.
    package private(set) var intervals: [ClosedRange<Bound>]

    /// The empty set.
    package init() { intervals = [] }

    /// The union of the given intervals, which may overlap and stand in any order.
    package init(_ intervals: some Sequence<ClosedRange<Bound>>) {
        self.intervals = Array(intervals)
        // Most have one.
        if self.intervals.count < 2 { return }
        self.intervals = []
        for next in intervals.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = self.intervals.last,
                last.upperBound == Bound.max || next.lowerBound <= last.upperBound + 1
            {
                self.intervals[self.intervals.count - 1] =
                    last.lowerBound...max(last.upperBound, next.upperBound)
            } else {
                self.intervals.append(next)
            }
        }
    }

    /// Every value of the type.
    package static var all: Self { Self([Bound.min...Bound.max]) }

    /// Whether there is no member.
    package var isEmpty: Bool { intervals.isEmpty }
    /// Whether every value of the type is a member.
    package var isAll: Bool { intervals.first == Bound.min...Bound.max }

    /// Whether the value is a member, by a binary search of the intervals.
    package func contains(_ value: Bound) -> Bool {
        var low = 0
        var high = intervals.count
        while low < high {
            let middle = (low + high) / 2
            if intervals[middle].upperBound < value { low = middle + 1 } else { high = middle }
        }
        return low < intervals.count && intervals[low].lowerBound <= value
    }

    /// The set of the first intervals.
    func first(_ count: Int) -> Self {
        var first = Self()
        first.intervals = Array(intervals.prefix(count))
        return first
    }

    /// The members of either set.
    package func union(_ other: Self) -> Self { Self(intervals + other.intervals) }

    /// The members that both sets have.
    package func intersection(_ other: Self) -> Self {
        var result: [ClosedRange<Bound>] = []
        var left = intervals[...]
        var right = other.intervals[...]
        while let a = left.first, let b = right.first {
            let low = max(a.lowerBound, b.lowerBound)
            let high = min(a.upperBound, b.upperBound)
            if low <= high { result.append(low...high) }
            if a.upperBound < b.upperBound { left.removeFirst() } else { right.removeFirst() }
        }
        return Self(result)
    }

    /// Every value that is not a member.
    package var complement: Self {
        var result: [ClosedRange<Bound>] = []
        var next: Bound? = Bound.min
        for interval in intervals {
            if let start = next, start < interval.lowerBound {
                result.append(start...(interval.lowerBound - 1))
            }
            next = interval.upperBound == Bound.max ? nil : interval.upperBound + 1
        }
        if let start = next { result.append(start...Bound.max) }
        return Self(result)
    }
}

extension IntervalSet: ExpressibleByArrayLiteral {
    /// The union of the intervals, as ``init(_:)`` has it.
    package init(arrayLiteral elements: ClosedRange<Bound>...) { self.init(elements) }
}

/// Ports of TCP or UDP.
package typealias PortSet = IntervalSet<UInt16>
