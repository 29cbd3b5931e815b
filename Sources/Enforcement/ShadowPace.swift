/// When to look for shadows: soon after others changed their tables, seldom where they never rest.
package struct ShadowPace: Hashable, Sendable {
    /// From the first change to looking.
    package static let shortest = Duration.seconds(1)
    /// The most that one look waits, however often others change their tables.
    package static let longest = Duration.seconds(30)

    private var interval = shortest
    private var last: ContinuousClock.Instant?

    /// Nobody has looked yet: the first look comes soon.
    package init() {}

    /// How long to wait after a change.
    package func delay(now: ContinuousClock.Instant) -> Duration {
        isBusy(now) ? interval : Self.shortest
    }

    /// Looked because of changes: where that was so a moment ago too, the next time is farther off.
    package mutating func looked(now: ContinuousClock.Instant) {
        interval = isBusy(now) ? min(interval * 2, Self.longest) : Self.shortest
        last = now
    }

    private func isBusy(_ now: ContinuousClock.Instant) -> Bool {
        last.map { now < $0 + interval * 2 } ?? false
    }
}
