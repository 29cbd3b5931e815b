internal import CPacket
internal import FoundationEssentials
internal import Glibc
internal import PortModel
internal import ProbeProtocol

/// One thread, one poll loop, one command at a time.
final class Probe {
    /// A command whose answer has to wait for the network.
    private enum Pending {
        case collect(deadline: ContinuousClock.Instant)
        case handshake(connection: Int, deadline: ContinuousClock.Instant)
        case echo(connection: Int, deadline: ContinuousClock.Instant)
        case hear(connection: Int, deadline: ContinuousClock.Instant)

        var deadline: ContinuousClock.Instant {
            switch self {
            case .collect(let deadline), .handshake(_, let deadline), .echo(_, let deadline),
                .hear(_, let deadline):
                deadline
            }
        }
    }

    private static let alwaysObserved: [Int] = [
        Int(IPPROTO_TCP), Int(IPPROTO_UDP), Int(IPPROTO_ESP), Int(IPPROTO_ICMP),
        Int(IPPROTO_ICMPV6),
    ]

    private let sockets = RawSockets()
    private var listeners: Set<Int32> = []
    /// Accepted connections, whose input is echoed.
    private var sessions: Set<Int32> = []
    /// Connections made by command.
    private var connections: [Int: Int32] = [:]
    private var lastConnection = 0
    /// What the last echo was asked to return; each asks for another byte.
    private var lastByte: UInt8 = 0
    private var pending: Pending?
    private var input: [UInt8] = []
    private let encoder = JSONEncoder()
    private let decoder = JSONDecoder()

    /// Obeys until the standard input ends.
    func run() throws {
        for number in Self.alwaysObserved { try sockets.observe(UInt8(number)) }
        try reply(.ready)
        while true {
            let ready = try waitForInput()
            try sockets.drain()
            for descriptor in ready where listeners.contains(descriptor) { try accept(descriptor) }
            for descriptor in ready where sessions.contains(descriptor) { try serve(descriptor) }
            try proceed(ready)
            if ready.contains(STDIN_FILENO) {
                guard try readCommands() else { return }
            }
        }
    }

    /// Waits until something is ready or the pending command's deadline passed.
    private func waitForInput() throws -> Set<Int32> {
        var polled = ([STDIN_FILENO] + sockets.pollable + listeners + sessions).map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        var timeout: Int32 = -1
        if let pending {
            switch pending {
            case .handshake(let connection, _):
                polled.append(
                    pollfd(fd: connections[connection]!, events: Int16(POLLOUT), revents: 0))
            case .echo(let connection, _), .hear(let connection, _):
                polled.append(
                    pollfd(fd: connections[connection]!, events: Int16(POLLIN), revents: 0))
            case .collect:
                break
            }
            // Rounded up, or the last millisecond would be spent spinning.
            let left = pending.deadline - ContinuousClock.now
            timeout = max(0, Int32(left / .milliseconds(1)) + (left > .zero ? 1 : 0))
        }
        guard poll(&polled, nfds_t(polled.count), timeout) >= 0 || errno == EINTR else {
            throw SystemCallError("poll")
        }
        return Set(polled.filter { $0.revents != 0 }.map(\.fd))
    }

    // MARK: Commands

    /// Reads what the controller wrote and obeys each whole line; false at the end of input.
    private func readCommands() throws -> Bool {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(STDIN_FILENO, &chunk, chunk.count)
        guard count >= 0 else {
            if errno == EINTR { return true }
            throw SystemCallError("reading commands")
        }
        guard count > 0 else { return false }
        input += chunk.prefix(count)
        while let end = input.firstIndex(of: UInt8(ascii: "\n")) {
            let line = Data(input[..<end])
            input.removeSubrange(...end)
            let answer: ProbeReply?
            do {
                guard pending == nil else {
                    throw CommandError(description: "the previous command is not finished")
                }
                answer = try obey(decoder.decode(ProbeCommand.self, from: line))
            } catch let error as SystemCallError {
                answer = .failed(message: error.description)
            } catch {
                answer = .failed(message: String(describing: error))
            }
            if let answer { try reply(answer) }
        }
        return true
    }

    /// Carries out a command; nil if the answer follows from ``proceed(_:)``.
    private func obey(_ command: ProbeCommand) throws -> ProbeReply? {
        switch command {
        case .observe(let protocols):
            for number in protocols { try sockets.observe(number) }
            return .done
        case .send(let packets):
            return .sent(failures: try sockets.send(packets))
        case .collect(let wait):
            try sockets.drain()
            guard sockets.records.isEmpty else { return collected() }
            pending = .collect(deadline: deadline(wait))
            return nil
        case .listen(let endpoints):
            for endpoint in endpoints { try listen(endpoint) }
            return .done
        case .connect(let source, let destination, let timeout):
            return try connect(source, destination, deadline: deadline(timeout))
        case .echo(let connection, let timeout):
            return try startEcho(connection, deadline: deadline(timeout))
        case .push:
            for session in sessions where send(session, [0], 1, Int32(MSG_NOSIGNAL)) != 1 {
                throw SystemCallError("pushing")
            }
            return .done
        case .hear(let connection, let timeout):
            guard connections[connection] != nil else {
                throw CommandError(description: "there is no connection \(connection)")
            }
            pending = .hear(connection: connection, deadline: deadline(timeout))
            return nil
        case .close(let connection):
            guard let descriptor = connections.removeValue(forKey: connection) else {
                throw CommandError(description: "there is no connection \(connection)")
            }
            close(descriptor)
            return .done
        case .flushConnectionTracking:
            guard pexip_flush_conntrack() == 0 else {
                throw SystemCallError("flushing connection tracking")
            }
            return .done
        }
    }

    private func deadline(_ milliseconds: Int) -> ContinuousClock.Instant {
        .now + .milliseconds(milliseconds)
    }

    private func collected() -> ProbeReply {
        .collected(packets: sockets.takeRecords(), lost: sockets.lostPackets)
    }

    /// Brings the pending command forward with what became ready.
    private func proceed(_ ready: Set<Int32>) throws {
        guard let current = pending else { return }
        let late = ContinuousClock.now >= current.deadline
        switch current {
        case .collect:
            guard late || !sockets.records.isEmpty else { return }
            pending = nil
            try reply(collected())
        case .handshake(let connection, let deadline):
            let descriptor = connections[connection]!
            if ready.contains(descriptor) {
                let error = pexip_socket_error(descriptor)
                guard error >= 0 else { throw SystemCallError("SO_ERROR") }
                pending = nil
                if error != 0 {
                    try finish(connection, .failed(errorNumber: error))
                } else if let answer = try startEcho(connection, deadline: deadline) {
                    try reply(answer)
                }
            } else if late {
                try finish(connection, .timedOut)
            }
        case .echo(let connection, _), .hear(let connection, _):
            let descriptor = connections[connection]!
            if ready.contains(descriptor) {
                var bytes = [UInt8](repeating: 0, count: 256)
                let count = recv(descriptor, &bytes, bytes.count, 0)
                if count > 0 {
                    // Echoes of former, silent attempts may come first.
                    if case .echo = current, !bytes.prefix(count).contains(lastByte) { return }
                    try finish(connection, .established)
                } else if count == 0 {
                    try finish(connection, .failed(errorNumber: ECONNRESET))
                } else if errno != EAGAIN && errno != EINTR {
                    try finish(connection, .failed(errorNumber: errno))
                }
            } else if late {
                try finish(connection, .silent)
            }
        }
    }

    /// Answers for a connection, which stays open where its handshake was completed.
    private func finish(_ connection: Int, _ outcome: WireOutcome) throws {
        pending = nil
        switch outcome {
        case .established, .silent: break
        case .timedOut, .failed:
            if let descriptor = connections.removeValue(forKey: connection) { close(descriptor) }
        }
        try reply(.connection(id: connection, outcome: outcome))
    }

    private func reply(_ reply: ProbeReply) throws {
        var line = [UInt8](try encoder.encode(reply))
        line.append(UInt8(ascii: "\n"))
        var written = 0
        while written < line.count {
            let count = line[written...].withUnsafeBytes {
                write(STDOUT_FILENO, $0.baseAddress!, $0.count)
            }
            if count >= 0 {
                written += count
            } else if errno != EINTR {
                throw SystemCallError("answering")
            }
        }
    }

    // MARK: TCP

    private func listen(_ endpoint: WireEndpoint) throws {
        let address = try IPAddress(checking: endpoint.address)
        let descriptor = pexip_tcp_socket(address.family.domain, address.bytes, endpoint.port)
        guard descriptor >= 0 else {
            throw SystemCallError("binding to \(endpoint.address) port \(endpoint.port)")
        }
        guard Glibc.listen(descriptor, 128) == 0 else {
            let error = SystemCallError("listening on \(endpoint.address) port \(endpoint.port)")
            close(descriptor)
            throw error
        }
        listeners.insert(descriptor)
    }

    private func accept(_ listener: Int32) throws {
        while true {
            let descriptor = pexip_accept(listener)
            if descriptor >= 0 {
                sessions.insert(descriptor)
                continue
            }
            switch errno {
            case EAGAIN: return
            // A connection that ended before it was accepted is not the listener's trouble.
            case EINTR, ECONNABORTED, EPERM, EPROTO: continue
            default: throw SystemCallError("accept")
            }
        }
    }

    /// Echoes what a session sent; ends it when the peer did.
    private func serve(_ session: Int32) throws {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(session, &buffer, buffer.count, 0)
        if count > 0, send(session, buffer, count, Int32(MSG_NOSIGNAL)) == count { return }
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
        sessions.remove(session)
        close(session)
    }

    private func connect(
        _ source: WireEndpoint, _ destination: WireEndpoint, deadline: ContinuousClock.Instant
    ) throws -> ProbeReply? {
        let from = try IPAddress(checking: source.address)
        let to = try IPAddress(checking: destination.address)
        let descriptor = pexip_tcp_socket(from.family.domain, from.bytes, source.port)
        guard descriptor >= 0 else {
            throw SystemCallError("binding to \(source.address) port \(source.port)")
        }
        lastConnection += 1
        if pexip_connect(descriptor, to.family.domain, to.bytes, destination.port) < 0,
            errno != EINPROGRESS
        {
            let error = errno
            close(descriptor)
            return .connection(id: lastConnection, outcome: .failed(errorNumber: error))
        }
        connections[lastConnection] = descriptor
        pending = .handshake(connection: lastConnection, deadline: deadline)
        return nil
    }

    private func startEcho(
        _ connection: Int, deadline: ContinuousClock.Instant
    ) throws -> ProbeReply? {
        guard let descriptor = connections[connection] else {
            throw CommandError(description: "there is no connection \(connection)")
        }
        lastByte &+= 1
        guard send(descriptor, [lastByte], 1, Int32(MSG_NOSIGNAL)) == 1 else {
            let error = errno
            connections[connection] = nil
            close(descriptor)
            return .connection(id: connection, outcome: .failed(errorNumber: error))
        }
        pending = .echo(connection: connection, deadline: deadline)
        return nil
    }
}
