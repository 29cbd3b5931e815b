internal import Glibc

/// How long tests wait for what is to happen: ten times what it takes on a busy machine.
package let patience = Duration.seconds(100)

/// Asks for a condition again and again, for what announces itself by no event; false if it did
/// not come true in time.
package func waitUntil(
    timeout: Duration = patience, every interval: Duration = .milliseconds(5),
    _ condition: () throws -> Bool
) rethrows -> Bool {
    let deadline = ContinuousClock.now + timeout
    while true {
        if try condition() { return true }
        if ContinuousClock.now >= deadline { return false }
        usleep(UInt32(interval / .microseconds(1)))
    }
}

/// As ``waitUntil(timeout:every:_:)``, but leaves the thread to other tasks between two looks: for a
/// condition that a task of the same test makes true.
package func waitSuspended(
    timeout: Duration = patience, every interval: Duration = .milliseconds(5),
    _ condition: () throws -> Bool
) async throws -> Bool {
    let deadline = ContinuousClock.now + timeout
    while true {
        if try condition() { return true }
        if ContinuousClock.now >= deadline { return false }
        try await Task.sleep(for: interval)
    }
}
