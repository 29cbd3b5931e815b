@preconcurrency internal import Dispatch
internal import Glibc
internal import SystemPackage

/// A TCP connection that is only tried.
package enum TCPConnection {
    /// Connects and closes at once.
    ///
    /// - Parameters:
    ///   - address: 4 bytes of an IPv4 or 16 of an IPv6 address, in network order.
    ///   - limit: how long the other end may take; a connection that takes longer fails with
    ///     ETIMEDOUT.
    package static func attempt(
        to address: [UInt8], port: UInt16, limit: Duration
    ) async -> Result<Void, SystemError> {
        // The calls block, which must not happen on Swift's cooperative pool.
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(
                    returning: Result { () throws(SystemError) in
                        try connect(to: address, port: port, limit: limit)
                    })
            }
        }
    }

    private static func connect(
        to address: [UInt8], port: UInt16, limit: Duration
    ) throws(SystemError) {
        let family = address.count == 4 ? AF_INET : AF_INET6
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        let raw = try systemCall("socket") { socket(family, Int32(type), 0) }
        let owned = SharedDescriptor(OwnedDescriptor(adopting: FileDescriptor(rawValue: raw)))
        try withExtendedLifetime(owned) { () throws(SystemError) in
            do throws(SystemError) {
                try systemCall("connect") {
                    address.count == 4
                        ? connect4(raw, address, port) : connect6(raw, address, port)
                }
            } catch {
                guard error.errno == .nowInProgress else { throw error }
                try wait(for: raw, limit: limit)
            }
        }
    }

    private static func connect4(_ socket: Int32, _ address: [UInt8], _ port: UInt16) -> Int32 {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        withUnsafeMutableBytes(of: &name.sin_addr) { $0.copyBytes(from: address) }
        return withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private static func connect6(_ socket: Int32, _ address: [UInt8], _ port: UInt16) -> Int32 {
        var name = sockaddr_in6()
        name.sin6_family = sa_family_t(AF_INET6)
        name.sin6_port = port.bigEndian
        withUnsafeMutableBytes(of: &name.sin6_addr) { $0.copyBytes(from: address) }
        return withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
    }

    /// Waits until a connection stands or has failed.
    private static func wait(for socket: Int32, limit: Duration) throws(SystemError) {
        let deadline = ContinuousClock.now + limit
        while true {
            let left = (deadline - .now) / .milliseconds(1)
            var poll = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
            let ready = try systemCall("poll") {
                Glibc.poll(&poll, 1, Int32(max(0, left.rounded(.up))))
            }
            if ready > 0 { break }
            if left <= 0 {
                throw SystemError(operation: "connect", subject: nil, errno: .timedOut)
            }
        }
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        try systemCall("getsockopt") { getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &length) }
        if code != 0 {
            throw SystemError(operation: "connect", subject: nil, errno: Errno(rawValue: code))
        }
    }
}
