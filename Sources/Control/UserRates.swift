/// The rest of a rate: tokens that come back with time, up to the burst.
struct TokenBucket: Hashable, Sendable {
    private let rate: VarlinkLimits.Rate
    private var tokens: Double
    private var updated: ContinuousClock.Instant

    init(_ rate: VarlinkLimits.Rate, now: ContinuousClock.Instant) {
        self.rate = rate
        tokens = Double(rate.burst)
        updated = now
    }

    /// Takes a token; nil where there was one, and otherwise when there will be one.
    mutating func take(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        refill(now)
        guard tokens < 1 else {
            tokens -= 1
            return nil
        }
        return now + .seconds((1 - tokens) / rate.perSecond)
    }

    /// Whether it is as good as new.
    mutating func isFull(now: ContinuousClock.Instant) -> Bool {
        refill(now)
        return tokens >= Double(rate.burst)
    }

    private mutating func refill(_ now: ContinuousClock.Instant) {
        guard now > updated else { return }
        tokens = min(Double(rate.burst), tokens + (now - updated) / .seconds(1) * rate.perSecond)
        updated = now
    }
}

/// How often each user may still call and connect.
struct UserRates: Sendable {
    private struct Buckets {
        var calls: TokenBucket
        var connections: TokenBucket
    }

    /// Users that are remembered before those who have been quiet are forgotten.
    private static let remembered = 64

    private let limits: VarlinkLimits
    private var users: [UInt32: Buckets] = [:]

    init(_ limits: VarlinkLimits) { self.limits = limits }

    /// Counts a call; nil where it may be made now, and otherwise when to ask again.
    mutating func call(of user: UInt32, now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        withBuckets(of: user, now) { $0.calls.take(now: now) }
    }

    /// Counts a connection; nil where it may be served now, and otherwise when to ask again.
    mutating func connection(
        of user: UInt32, now: ContinuousClock.Instant
    ) -> ContinuousClock.Instant? {
        withBuckets(of: user, now) { $0.connections.take(now: now) }
    }

    /// How many users are remembered.
    var userCount: Int { users.count }

    private mutating func withBuckets(
        of user: UInt32, _ now: ContinuousClock.Instant,
        _ body: (inout Buckets) -> ContinuousClock.Instant?
    ) -> ContinuousClock.Instant? {
        if users[user] == nil, users.count >= Self.remembered { forgetQuiet(now) }
        let isRoot = user == 0
        var buckets =
            users[user]
            ?? Buckets(
                calls: TokenBucket(isRoot ? limits.callsOfRoot : limits.calls, now: now),
                connections: TokenBucket(
                    isRoot ? limits.connectionsOfRoot : limits.connections, now: now))
        defer { users[user] = buckets }
        return body(&buckets)
    }

    private mutating func forgetQuiet(_ now: ContinuousClock.Instant) {
        for (user, var buckets) in users
        where buckets.calls.isFull(now: now) && buckets.connections.isFull(now: now) {
            users[user] = nil
        }
    }
}
