@preconcurrency internal import Dispatch
internal import Glibc
internal import SystemPackage

/// The mounts of this process's namespace, as a descriptor that tells when they changed since it
/// was opened or asked last.
struct MountTable: Sendable {
    let file: SharedDescriptor

    init() throws(SystemError) {
        file = SharedDescriptor(try OwnedDescriptor(opening: "/proc/self/mountinfo", .readOnly))
    }
}

/// Notices that file systems were mounted or unmounted.
///
/// The kernel tells by POLLPRI, and only once to whoever polls. A dispatch source can't wait for
/// that: it asks for reading, which is always possible here, and an epoll descriptor between them
/// would be polled twice and lose changes. Hence a thread, which sleeps in poll(2).
final class MountWatch: Sendable {
    /// A byte in it ends the thread.
    private let stopper: SharedDescriptor
    /// Its other end, open as long as somebody may write.
    private let stopped: SharedDescriptor

    /// Calls the handler, on a thread of its own, after each change; and once with an error where no
    /// more will be noticed.
    init(
        _ table: MountTable, handler: @escaping @Sendable (SystemError?) -> Void
    ) throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        try systemCall("pipe") { pipe(&ends) }
        stopped = SharedDescriptor(OwnedDescriptor(adopting: FileDescriptor(rawValue: ends[0])))
        stopper = SharedDescriptor(OwnedDescriptor(adopting: FileDescriptor(rawValue: ends[1])))
        for end in ends {
            try systemCall("fcntl") { fcntl(end, F_SETFD, FD_CLOEXEC) }
            try systemCall("fcntl") { fcntl(end, F_SETFL, O_NONBLOCK) }
        }
        DispatchQueue(label: "mount-watch").async { [stopped] in
            do throws(SystemError) {
                while try Self.waitForChange(of: table.file, unless: stopped) { handler(nil) }
            } catch {
                handler(error)
            }
        }
    }

    func stop() {
        var byte: UInt8 = 0
        // Fails only where the pipe is full of earlier calls.
        _ = write(stopper.descriptor.rawValue, &byte, 1)
    }

    deinit { stop() }

    /// False when stopped.
    private static func waitForChange(
        of table: SharedDescriptor, unless stopped: SharedDescriptor
    ) throws(SystemError) -> Bool {
        var polled = [
            pollfd(fd: table.descriptor.rawValue, events: Int16(POLLPRI), revents: 0),
            pollfd(fd: stopped.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
        ]
        try systemCall("poll", "/proc/self/mountinfo") { poll(&polled, 2, -1) }
        return polled[1].revents == 0
    }
}
