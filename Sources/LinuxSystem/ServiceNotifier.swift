internal import Glibc
internal import PlainText
internal import SystemPackage

/// Tells systemd how the service is, by its sd_notify protocol: datagrams of `NAME=value` lines.
/// Does nothing where nobody listens (no `NOTIFY_SOCKET`).
package struct ServiceNotifier: Sendable {
    private let socketPath: String?

    /// Systemd wants a ``watchdog()`` at least this often: `WATCHDOG_USEC`, where `WATCHDOG_PID`
    /// means this process or nobody in particular. Send them twice as often.
    package let watchdogInterval: Duration?

    package init() {
        self.init(
            environment: ProcessEnvironment.values(
                of: "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"))
    }

    package init(environment: [String: String]) {
        socketPath = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
        let isForUs = environment["WATCHDOG_PID"].map { Int32($0) == getpid() } ?? true
        watchdogInterval =
            if isForUs, let microseconds = environment["WATCHDOG_USEC"].flatMap({ Int64($0) }),
                microseconds > 0
            { .microseconds(microseconds) } else { nil }
    }

    /// Start-up, or a reload, is complete.
    ///
    /// - Throws: ``SystemError``.
    package func ready(status: String) throws(SystemError) {
        try send(["READY=1", Self.line(status)])
    }

    /// One line for `systemctl status`.
    ///
    /// - Throws: ``SystemError``.
    package func status(_ status: String) throws(SystemError) {
        try send([Self.line(status)])
    }

    /// A reload begins; ``ready(status:)`` ends it.
    ///
    /// - Throws: ``SystemError``.
    package func reloading() throws(SystemError) {
        var now = timespec()
        try systemCall("clock_gettime") { clock_gettime(CLOCK_MONOTONIC, &now) }
        let microseconds = UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec) / 1000
        try send(["RELOADING=1", "MONOTONIC_USEC=\(microseconds)"])
    }

    package func stopping() throws(SystemError) { try send(["STOPPING=1"]) }

    /// Still alive.
    ///
    /// - Throws: ``SystemError``.
    package func watchdog() throws(SystemError) { try send(["WATCHDOG=1"]) }

    private static func line(_ status: String) -> String {
        "STATUS=" + status.blanked
    }

    private func send(_ lines: [String]) throws(SystemError) {
        guard let socketPath else { return }
        let address = try UnixAddress(socketPath)
        let type = SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue
        let raw = try systemCall("socket") { socket(AF_UNIX, Int32(type), 0) }
        let owned = OwnedDescriptor(adopting: FileDescriptor(rawValue: raw))
        let message = Array(lines.joined(separator: "\n").utf8)
        try systemCall("sendto", socketPath) {
            address.withPointer {
                sendto(
                    owned.descriptor.rawValue, message, message.count,
                    Int32(MSG_NOSIGNAL), $0, $1)
            }
        }
    }
}
