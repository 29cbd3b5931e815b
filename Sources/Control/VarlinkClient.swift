package import JSONValue
package import LinuxSystem
internal import SystemPackage

/// The reason for which a call got no reply. An error that the server replies is a ``VarlinkError``.
package enum VarlinkClientError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Nothing listens at the path.
    case notRunning(path: String)
    /// The socket's mode keeps this user out.
    case permissionDenied(path: String)
    case timeout(after: Duration)
    /// The server sent what Varlink does not allow, or ended the connection early.
    case protocolError(String)
    case system(SystemError)

    /// The reason in words for people.
    package var description: String {
        switch self {
        case .notRunning(let path): "no service is running at \(path)"
        case .permissionDenied(let path): "no permission to connect to \(path)"
        case .timeout(let time): "no reply within \(time)"
        case .protocolError(let reason): "protocol error: \(reason)"
        case .system(let error): "\(error)"
        }
    }
}

/// A connection to a Varlink service which blocks its thread: for command-line tools.
///
/// After any error but a ``VarlinkError`` the connection is of no more use.
package final class VarlinkClient {
    /// A reply may be this long, in bytes.
    private static let largestReply = 64 << 20

    private let socket: UnixSocket
    private let timeout: Duration
    private var input = MessageBuffer()
    private var scratch = [UInt8](repeating: 0, count: 65536)

    /// Connects; `timeout` bounds connecting, sending a call, and the wait for each reply.
    ///
    /// - Throws: ``VarlinkClientError``.
    package init(path: String, timeout: Duration = .seconds(30)) throws(VarlinkClientError) {
        self.timeout = timeout
        do {
            socket = try UnixSocket.connect(to: path, timeout: timeout)
        } catch {
            switch error.errno {
            case .noSuchFileOrDirectory, .connectionRefused: throw .notRunning(path: path)
            case .permissionDenied, .notPermitted: throw .permissionDenied(path: path)
            case .resourceTemporarilyUnavailable: throw .timeout(after: timeout)
            default: throw .system(error)
            }
        }
    }

    /// The reply's parameters. Throws ``VarlinkClientError`` or ``VarlinkError``.
    package func call(
        _ method: String, _ parameters: JSONValue = .object([:])
    ) throws -> JSONValue {
        try send(method, parameters)
        let reply = try receive(within: timeout)
        if reply.continues { throw VarlinkClientError.protocolError("several replies to one call") }
        return reply.parameters
    }

    /// Calls `body` with each reply's parameters until the last one, or until it returns false;
    /// the connection is of no more use then. Each reply may take `replyTimeout`, or for ever where
    /// it is nil. Throws ``VarlinkClientError``, ``VarlinkError``, and what `body` throws.
    package func callMore(
        _ method: String, _ parameters: JSONValue = .object([:]), replyTimeout: Duration? = nil,
        _ body: (JSONValue) throws -> Bool
    ) throws {
        try send(method, parameters) { $0.more = true }
        while true {
            let reply = try receive(within: replyTimeout)
            guard try body(reply.parameters), reply.continues else { return }
        }
    }

    /// Makes a call that has no reply.
    ///
    /// - Throws: ``VarlinkClientError``.
    package func callOneway(
        _ method: String, _ parameters: JSONValue = .object([:])
    ) throws(VarlinkClientError) {
        try send(method, parameters) { $0.oneway = true }
    }

    private func send(
        _ method: String, _ parameters: JSONValue,
        _ change: (inout VarlinkRequest) -> Void = { _ in }
    ) throws(VarlinkClientError) {
        guard let name = VarlinkMethod(method) else {
            throw .protocolError("there can be no method \(method)")
        }
        var request = VarlinkRequest(method: name, parameters: parameters)
        change(&request)
        let limit = TimeLimit(timeout)
        var bytes = (request.serialized + [0])[...]
        while !bytes.isEmpty {
            switch try attempt(limit, { () throws(SystemError) in try socket.send(bytes) }) {
            case .bytes(let count): bytes.removeFirst(count)
            case .wouldBlock, .ended: continue
            }
        }
    }

    /// The next reply, in whatever time it takes where `time` is nil.
    private func receive(within time: Duration?) throws -> VarlinkReply {
        let limit = time.map { TimeLimit($0) }
        while true {
            if let message = input.next() {
                let reply: VarlinkReply
                do {
                    reply = try VarlinkReply(parsing: message)
                } catch {
                    throw VarlinkClientError.protocolError("\(error)")
                }
                if let name = reply.error {
                    throw VarlinkError(name: name, parameters: reply.parameters)
                }
                return reply
            }
            guard input.count <= Self.largestReply else {
                throw VarlinkClientError.protocolError("reply over \(Self.largestReply) bytes")
            }
            let transfer = try attempt(limit) { () throws(SystemError) in
                try socket.receive(into: &scratch)
            }
            switch transfer {
            case .bytes(let count): _ = input.append(scratch[..<count])
            case .ended: throw VarlinkClientError.protocolError("the service closed the connection")
            case .wouldBlock: continue
            }
        }
    }

    private struct TimeLimit {
        let duration: Duration
        let deadline: ContinuousClock.Instant

        init(_ duration: Duration) {
            self.duration = duration
            deadline = .now + duration
        }
    }

    /// One blocking transfer, within what is left of the time.
    private func attempt(
        _ limit: TimeLimit?,
        _ transfer: () throws(SystemError) -> UnixSocket.Transfer
    ) throws(VarlinkClientError) -> UnixSocket.Transfer {
        do throws(SystemError) {
            // Without a limit it is asked again after each hour.
            let left = limit.map { $0.deadline - .now } ?? .seconds(3600)
            guard left > .zero else { throw SystemError(operation: "wait", errno: .timedOut) }
            try socket.setTimeout(left)
            return try transfer()
        } catch {
            switch error.errno {
            case .timedOut: throw .timeout(after: limit?.duration ?? timeout)
            case .brokenPipe, .connectionReset:
                throw .protocolError("the service closed the connection")
            default: throw .system(error)
            }
        }
    }
}
