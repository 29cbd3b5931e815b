@preconcurrency internal import Dispatch
internal import Glibc
internal import Synchronization
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
        do throws(SystemError) {
            let socket = try begin(address, port)
            let attempt = Attempt()
            return await withCheckedContinuation { attempt.wait(for: socket, limit: limit, $0) }
        } catch {
            return .failure(error)
        }
    }

    /// A socket whose connection is on its way, or stands.
    private static func begin(
        _ address: [UInt8], _ port: UInt16
    ) throws(SystemError) -> SharedDescriptor {
        let family = address.count == 4 ? AF_INET : AF_INET6
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        let raw = try systemCall("socket") { socket(family, Int32(type), 0) }
        let owned = SharedDescriptor(OwnedDescriptor(adopting: FileDescriptor(rawValue: raw)))
        do throws(SystemError) {
            try systemCall("connect") {
                address.count == 4 ? connect4(raw, address, port) : connect6(raw, address, port)
            }
        } catch {
            guard error.errno == .nowInProgress else { throw error }
        }
        return owned
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
}

/// The wait for one connection, which the socket or the time ends, whichever comes first.
private final class Attempt: Sendable {
    private struct Waiting {
        var continuation: CheckedContinuation<Result<Void, SystemError>, Never>
        var source: DescriptorSource
        var timer: DeadlineTimer
    }

    /// Of all attempts: nothing on it blocks.
    private static let queue = DispatchQueue(label: "connection-attempts")

    private let waiting = Mutex<Waiting?>(nil)

    func wait(
        for socket: SharedDescriptor, limit: Duration,
        _ continuation: CheckedContinuation<Result<Void, SystemError>, Never>
    ) {
        // Both keep this alive until it ends.
        let source = DescriptorSource(socket, .writable, queue: Self.queue) {
            self.end(Result { () throws(SystemError) in try Self.check(socket) })
        }
        let timer = DeadlineTimer(queue: Self.queue) {
            self.end(.failure(SystemError(operation: "connect", errno: .timedOut)))
        }
        waiting.withLock {
            $0 = Waiting(continuation: continuation, source: source, timer: timer)
        }
        source.resume()
        timer.set(.now + limit)
    }

    private func end(_ result: Result<Void, SystemError>) {
        let ended = waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting
        }
        guard let ended else { return }
        ended.source.cancel()
        ended.continuation.resume(returning: result)
    }

    /// Throws why the connection failed.
    private static func check(_ socket: SharedDescriptor) throws(SystemError) {
        let raw = socket.descriptor.rawValue
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        try systemCall("getsockopt") { getsockopt(raw, SOL_SOCKET, SO_ERROR, &code, &length) }
        if code != 0 {
            throw SystemError(operation: "connect", errno: Errno(rawValue: code))
        }
    }
}
