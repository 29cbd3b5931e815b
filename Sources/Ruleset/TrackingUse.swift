/// How full connection tracking is.
package struct TrackingUse: Hashable, Sendable {
    /// Entries of this network namespace.
    package var entries: Int
    /// As many it takes at most; 0 where it takes any number.
    package var limit: Int

    /// - Parameter limit: 0 where there is none.
    package init(entries: Int, limit: Int) {
        self.entries = entries
        self.limit = limit
    }
}
