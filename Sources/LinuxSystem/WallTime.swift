internal import Glibc

/// `CLOCK_REALTIME`, by which files are dated.
package enum WallTime {
    /// Time since 1970-01-01 UTC.
    package static var now: Duration {
        var time = timespec()
        // Fails for clocks that the kernel does not have only.
        clock_gettime(CLOCK_REALTIME, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
