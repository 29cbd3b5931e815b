internal import Glibc

/// `CLOCK_BOOTTIME`.
package enum BootTime {
    /// Time since the host was started, suspension included.
    package static var now: Duration {
        var time = timespec()
        // Fails for clocks that the kernel does not have only.
        clock_gettime(CLOCK_BOOTTIME, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
