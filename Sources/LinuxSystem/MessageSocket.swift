internal import CLinux
internal import Glibc
package import SystemPackage

/// One end of a socket pair between two processes of ours, which keeps messages apart and carries
/// descriptors.
package final class MessageSocket: Sendable {
    private let shared: SharedDescriptor
    /// The socket (AF_UNIX, SOCK_SEQPACKET).
    package var descriptor: FileDescriptor { shared.descriptor }

    /// - Parameter descriptor: such a socket, which this one owns from now on.
    package init(adopting descriptor: FileDescriptor) {
        shared = SharedDescriptor(OwnedDescriptor(adopting: descriptor))
    }

    /// Two ends, connected to each other; both block.
    ///
    /// - Throws: ``SystemError`` of socketpair(2).
    package static func pair() throws(SystemError) -> (MessageSocket, MessageSocket) {
        let ends = try socketPair(SOCK_SEQPACKET)
        return (MessageSocket(adopting: ends.0), MessageSocket(adopting: ends.1))
    }

    /// Sends one message; EPIPE where the other end is closed.
    ///
    /// - Throws: ``SystemError`` of sendmsg(2).
    package func send(
        _ bytes: [UInt8], _ passed: FileDescriptor? = nil
    ) throws(SystemError) {
        let raw = descriptor.rawValue
        try systemCall("sendmsg") {
            clinux_send_descriptor(raw, bytes, bytes.count, passed?.rawValue ?? -1)
        }
    }

    /// A message that came, with its descriptor.
    package struct Received: ~Copyable {
        /// The message.
        package let bytes: [UInt8]
        private var passed: OwnedDescriptor?

        fileprivate init(bytes: [UInt8], passed: consuming OwnedDescriptor?) {
            self.bytes = bytes
            self.passed = passed
        }

        /// The descriptor that came with it, once.
        package mutating func takeDescriptor() -> OwnedDescriptor? { passed.take() }
    }

    /// Waits for one message of at most `limit` bytes; nil when the other end is closed.
    ///
    /// - Throws: for one that is longer or brings several descriptors, of which none stays open.
    package func receive(limit: Int = 64) throws(SystemError) -> Received? {
        let raw = descriptor.rawValue
        var bytes = [UInt8](repeating: 0, count: limit)
        var passed: Int32 = -1
        let count = try systemCall("recvmsg") {
            clinux_receive_descriptor(raw, &bytes, bytes.count, &passed)
        }
        let owned =
            passed == -1 ? nil : OwnedDescriptor(adopting: FileDescriptor(rawValue: passed))
        return count == 0 ? nil : Received(bytes: Array(bytes.prefix(count)), passed: owned)
    }

    /// Lets the other end see the end, whoever else holds this one.
    ///
    /// - Throws: ``SystemError`` of shutdown(2).
    package func shutDown() throws(SystemError) { try descriptor.shutDownSocket() }

    /// Whether a message, or the other end's closing, can be received within the time.
    ///
    /// - Throws: ``SystemError`` of poll(2).
    package func isReadable(within timeout: Duration) throws(SystemError) -> Bool {
        try descriptor.hasEvents(Int16(POLLIN), within: timeout)
    }
}

/// Both ends close-on-exec.
func socketPair(
    _ type: __socket_type
) throws(SystemError) -> (FileDescriptor, FileDescriptor) {
    var ends: [Int32] = [-1, -1]
    let type = Int32(type.rawValue | SOCK_CLOEXEC.rawValue)
    try systemCall("socketpair") { socketpair(AF_UNIX, type, 0, &ends) }
    return (FileDescriptor(rawValue: ends[0]), FileDescriptor(rawValue: ends[1]))
}

/// The kind of a socket of the kernel's.
package struct SocketKind: Hashable, Sendable {
    /// `AF_UNIX`, `AF_NETLINK`, …
    package let domain: Int32
    /// `SOCK_STREAM`, …
    package let type: Int32
    /// Of netlink, the subsystem, such as `NETLINK_NETFILTER`.
    package let number: Int32

    /// A Unix stream socket.
    package static let stream = SocketKind(
        domain: AF_UNIX, type: Int32(SOCK_STREAM.rawValue), number: 0)
    /// A Unix socket that keeps messages apart.
    package static let messages = SocketKind(
        domain: AF_UNIX, type: Int32(SOCK_SEQPACKET.rawValue), number: 0)

    private init(domain: Int32, type: Int32, number: Int32) {
        self.domain = domain
        self.type = type
        self.number = number
    }

    /// - Throws: ENOTSOCK for what is none.
    package init(_ descriptor: FileDescriptor) throws(SystemError) {
        func option(_ option: Int32) throws(SystemError) -> Int32 {
            var value: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            try systemCall("getsockopt") {
                getsockopt(descriptor.rawValue, SOL_SOCKET, option, &value, &length)
            }
            return value
        }
        domain = try option(SO_DOMAIN)
        type = try option(SO_TYPE)
        number = try option(SO_PROTOCOL)
    }
}

extension FileDescriptor {
    func shutDownSocket() throws(SystemError) {
        try systemCall("shutdown") { shutdown(rawValue, Int32(SHUT_RDWR)) }
    }

    /// Waits until one of them can be read, is at its end, or, of processes, has ended; all that
    /// are so now.
    ///
    /// - Throws: ``SystemError`` of poll(2).
    package static func readable(
        among descriptors: [FileDescriptor]
    ) throws(SystemError) -> Set<FileDescriptor> {
        var polled = descriptors.map {
            pollfd(fd: $0.rawValue, events: Int16(POLLIN), revents: 0)
        }
        try systemCall("poll") { poll(&polled, nfds_t(polled.count), -1) }
        return Set(
            polled.filter { $0.revents != 0 }.map { FileDescriptor(rawValue: $0.fd) })
    }

    /// Waits until one of the events, or a hang-up, is there; false where none came in time.
    func hasEvents(_ events: Int16, within timeout: Duration) throws(SystemError) -> Bool {
        var polled = pollfd(fd: rawValue, events: events, revents: 0)
        let milliseconds = Int32(clamping: Int64(timeout / .milliseconds(1)))
        return try systemCall("poll") { poll(&polled, 1, milliseconds) } > 0
    }
}
