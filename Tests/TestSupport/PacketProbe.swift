internal import Foundation
internal import Glibc
package import PortModel
internal import ProbeProtocol
internal import Synchronization

/// A `packet-probe` in a namespace: the hand of a test there.
///
/// Not for use from several threads at once; probes are independent of each other.
package final class PacketProbe: Sendable {
    /// Where the probe is.
    package let namespace: NetworkNamespace
    private let process: ChildProcess
    private let unread = Mutex<[UInt8]>([])
    /// Numbers of sent packets, unique in this process, so that a late packet of one exchange is
    /// never taken for one of the next.
    private static let lastNumber = Atomic<UInt32>(0)

    /// Starts a probe, which observes from here on.
    package init(in namespace: NetworkNamespace) throws {
        self.namespace = namespace
        process = try namespace.spawn([try BuiltProducts.path(of: "packet-probe")], input: .socket)
        guard case .ready = try receive(timeout: patience) else {
            throw TestSupportError("packet-probe did not begin with its greeting")
        }
    }

    /// Ends the probe and its connections; the namespace does so too.
    package func close() {
        process.kill()
    }

    // MARK: Packets

    /// A packet as it arrived.
    package struct Arrival: Hashable, Sendable {
        package let source: IPAddress
        package let destination: IPAddress
        package let hopLimit: UInt8
        /// Of the transport header and the payload, reassembled.
        package let length: Int
    }

    /// What became of the packets of an exchange, by their ids.
    package struct Exchange: Sendable {
        /// Passed the receiver's input hook.
        package internal(set) var arrived: [UInt32: Arrival] = [:]
        /// Refused by the sender's kernel: dropped by a rule of its output hook.
        package internal(set) var refused: Set<UInt32> = []
    }

    /// Sends packets from one namespace to another and returns the ids of those that arrived.
    ///
    /// - Parameter sentinel: a packet that is known to pass, by preference UDP or an echo request.
    ///   All packets take one processor's queues in order, so what is not there when a sentinel
    ///   sent afterwards is there does not come any more. Its id is not used.
    /// - Throws: if a packet can't be sent for a reason other than a rule, if a sentinel does not
    ///   arrive within the timeout, or if the observer had to miss packets.
    package static func exchange(
        _ packets: [ProbePacket], from sender: PacketProbe, to receiver: PacketProbe,
        sentinel: ProbePacket, timeout: Duration = .seconds(20)
    ) throws -> Set<UInt32> {
        Set(
            try trace(packets, from: sender, to: receiver, sentinel: sentinel, timeout: timeout)
                .arrived.keys)
    }

    /// Like ``exchange(_:from:to:sentinel:timeout:)``, with all that was seen.
    package static func trace(
        _ packets: [ProbePacket], from sender: PacketProbe, to receiver: PacketProbe,
        sentinel: ProbePacket, timeout: Duration = .seconds(20)
    ) throws -> Exchange {
        guard Set(packets.map(\.id)).count == packets.count else {
            throw TestSupportError("two packets of a batch have the same id")
        }
        let protocols = Set((packets + [sentinel]).map { $0.identity(0).protocolNumber })
        guard
            case .done = try receiver.ask(
                .observe(protocols: Array(protocols)), timeout: patience)
        else { throw TestSupportError("packet-probe does not observe") }

        var result = Exchange()
        var start = packets.startIndex
        while start < packets.endIndex {
            // Bounded, so that no queue on the way overflows: a backlog takes 1,000 packets, and
            // fragments are held in 4 MiB.
            var end = start
            var bytes = 0
            while end < packets.endIndex, end - start < 256, bytes < 1 << 20 {
                bytes += packets[end].payloadLength
                end += 1
            }
            try exchange(
                packets[start..<end], from: sender, to: receiver, sentinel: sentinel,
                timeout: timeout, into: &result)
            start = end
        }
        return result
    }

    private static func exchange(
        _ packets: ArraySlice<ProbePacket>, from sender: PacketProbe, to receiver: PacketProbe,
        sentinel: ProbePacket, timeout: Duration, into result: inout Exchange
    ) throws {
        var numbered: [(packet: ProbePacket, number: UInt32)] = []
        for packet in packets + [sentinel] {
            numbered.append((packet, lastNumber.wrappingAdd(1, ordering: .relaxed).newValue))
        }
        let batch = numbered.map { $0.packet.outgoing($0.number) }
        guard case .sent(let failures) = try sender.ask(.send(packets: batch), timeout: timeout)
        else { throw TestSupportError("packet-probe does not send") }
        for failure in failures {
            let packet = numbered[failure.index].packet
            guard failure.errorNumber == EPERM, failure.index < packets.count else {
                throw TestSupportError(
                    "sending \(packet.content) from \(packet.source) to \(packet.destination)",
                    errorNumber: failure.errorNumber)
            }
            result.refused.insert(packet.id)
        }

        var wanted: [WireIdentity: UInt32] = [:]
        for (packet, number) in numbered.dropLast() { wanted[packet.identity(number)] = packet.id }
        let fence = sentinel.identity(numbered.last!.number)
        let deadline = ContinuousClock.now + timeout
        var fenced = false
        while true {
            // The sockets are read one after the other: when the sentinel was found in one, the
            // others hold everything, but must be read once more.
            let left = fenced ? .zero : deadline - ContinuousClock.now
            let observed = try receiver.collect(wait: max(.zero, left))
            for packet in observed {
                guard let identity = WireIdentity(packet) else { continue }
                if let id = wanted[identity] { result.arrived[id] = try Arrival(packet) }
            }
            if fenced { return }
            fenced = observed.contains { WireIdentity($0) == fence }
            guard fenced || ContinuousClock.now < deadline else {
                throw TestSupportError(
                    "the sentinel \(sentinel.content) from \(sentinel.source) to "
                        + "\(sentinel.destination) did not arrive within \(timeout)")
            }
        }
    }

    private func collect(wait: Duration) throws -> [ObservedPacket] {
        let milliseconds = Int(wait / .milliseconds(1))
        let reply = try ask(
            .collect(waitMilliseconds: milliseconds), timeout: wait + .seconds(5))
        guard case .collected(let packets, let lost) = reply else {
            throw TestSupportError("packet-probe does not hand over what it observed")
        }
        guard lost == 0 else {
            throw TestSupportError("the observer in \(namespace.name) missed \(lost) packets")
        }
        return packets
    }

    // MARK: TCP

    /// How an attempt to connect, or an echo on a connection, went.
    package enum Outcome: Hashable, Sendable {
        /// The handshake was completed, and a byte went there and back.
        case established
        /// The handshake was completed, but the byte did not come back in time.
        case silent
        /// No handshake in time.
        case timedOut
        /// The peer, or a rule that rejects, sent a reset.
        case refused
        /// The connection was ended.
        case reset
        /// Any other error of the kernel, such as `EHOSTUNREACH`.
        case failed(errorNumber: Int32)

        fileprivate init(_ outcome: WireOutcome) {
            self =
                switch outcome {
                case .established: .established
                case .silent: .silent
                case .timedOut: .timedOut
                case .failed(ECONNREFUSED): .refused
                case .failed(ECONNRESET), .failed(EPIPE): .reset
                case .failed(let number): .failed(errorNumber: number)
                }
        }
    }

    /// Accepts connections at these addresses and ports, and echoes what they send.
    package func listen(at endpoints: [ProbeEndpoint]) throws {
        guard
            case .done = try ask(
                .listen(endpoints: endpoints.map(\.wire)), timeout: patience)
        else { throw TestSupportError("packet-probe does not listen") }
    }

    /// Sends a byte on every accepted connection, unasked.
    package func push() throws {
        guard case .done = try ask(.push, timeout: patience) else {
            throw TestSupportError("packet-probe does not push")
        }
    }

    /// Connects by TCP, has a byte echoed, and ends the connection. Source port 0 means any.
    package func connect(
        from source: ProbeEndpoint, to destination: ProbeEndpoint,
        timeout: Duration = .seconds(1)
    ) throws -> Outcome {
        let (connection, outcome) = try open(from: source, to: destination, timeout: timeout)
        try connection?.close()
        return outcome
    }

    /// Connects like ``connect(from:to:timeout:)``, and keeps the connection if its handshake was
    /// completed.
    package func open(
        from source: ProbeEndpoint, to destination: ProbeEndpoint,
        timeout: Duration = .seconds(1)
    ) throws -> (connection: Connection?, outcome: Outcome) {
        let reply = try ask(
            .connect(
                source: source.wire, destination: destination.wire,
                timeoutMilliseconds: Int(timeout / .milliseconds(1))),
            timeout: timeout + .seconds(5))
        guard case .connection(let id, let outcome) = reply else {
            throw TestSupportError("packet-probe does not connect")
        }
        return switch outcome {
        case .established, .silent: (Connection(probe: self, id: id), Outcome(outcome))
        case .timedOut, .failed: (nil, Outcome(outcome))
        }
    }

    /// A connection that stays open.
    package struct Connection: Sendable {
        fileprivate let probe: PacketProbe
        fileprivate let id: Int

        /// Has another byte echoed: ``Outcome/established`` if it came back. After a reset the
        /// connection is gone.
        package func echo(timeout: Duration = .seconds(1)) throws -> Outcome {
            let reply = try probe.ask(
                .echo(connection: id, timeoutMilliseconds: Int(timeout / .milliseconds(1))),
                timeout: timeout + .seconds(5))
            guard case .connection(id, let outcome) = reply else {
                throw TestSupportError("packet-probe does not echo")
            }
            return Outcome(outcome)
        }

        /// Waits for what the other end sends unasked, and sends nothing: ``Outcome/established`` if
        /// something came.
        package func hear(timeout: Duration = .seconds(1)) throws -> Outcome {
            let reply = try probe.ask(
                .hear(connection: id, timeoutMilliseconds: Int(timeout / .milliseconds(1))),
                timeout: timeout + .seconds(5))
            guard case .connection(id, let outcome) = reply else {
                throw TestSupportError("packet-probe does not hear")
            }
            return Outcome(outcome)
        }

        /// Ends the connection with a reset.
        package func close() throws {
            guard case .done = try probe.ask(.close(connection: id), timeout: patience) else {
                throw TestSupportError("packet-probe does not close")
            }
        }
    }

    /// Makes the kernel forget every tracked connection of the namespace, so that one exchange
    /// does not open the way back for the next.
    package func flushConnectionTracking() throws {
        guard case .done = try ask(.flushConnectionTracking, timeout: patience) else {
            throw TestSupportError("packet-probe does not flush connection tracking")
        }
    }

    // MARK: Protocol

    private func ask(_ command: ProbeCommand, timeout: Duration) throws -> ProbeReply {
        var line = [UInt8](try JSONEncoder().encode(command))
        line.append(UInt8(ascii: "\n"))
        var written = 0
        while written < line.count {
            let count = line[written...].withUnsafeBytes {
                send(process.socket, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                written += count
            } else if errno != EINTR {
                throw failure("does not listen to commands")
            }
        }
        let reply = try receive(timeout: timeout)
        if case .failed(let message) = reply {
            throw TestSupportError("packet-probe in \(namespace.name): \(message)")
        }
        return reply
    }

    private func receive(timeout: Duration) throws -> ProbeReply {
        let deadline = ContinuousClock.now + timeout
        return try unread.withLock { unread in
            var searched = 0
            while true {
                if let end = unread[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                    let line = Data(unread[..<end])
                    unread.removeSubrange(...end)
                    return try JSONDecoder().decode(ProbeReply.self, from: line)
                }
                searched = unread.count
                let left = max(.zero, deadline - ContinuousClock.now)
                var polled = pollfd(fd: process.socket, events: Int16(POLLIN), revents: 0)
                let ready = poll(
                    &polled, 1, Int32(clamping: Int64(left / .milliseconds(1)) + 1))
                if ready < 0 && errno == EINTR { continue }
                guard ready > 0 else { throw failure("did not answer within \(timeout)") }
                var chunk = [UInt8](repeating: 0, count: 1 << 16)
                let count = recv(process.socket, &chunk, chunk.count, 0)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { throw failure("ended") }
                unread += chunk.prefix(count)
            }
        }
    }

    private func failure(_ what: String) -> TestSupportError {
        // A late answer must not be taken for the next one; its last words come before its end.
        process.wait(timeout: .milliseconds(100))
        process.kill()
        return TestSupportError(
            "packet-probe in \(namespace.name) \(what): \(process.standardError)")
    }
}

extension PacketProbe.Arrival {
    fileprivate init(_ packet: ObservedPacket) throws {
        guard let source = IPAddress(packet.source), let destination = IPAddress(packet.destination)
        else { throw TestSupportError("packet-probe names an address that is none") }
        self.init(
            source: source, destination: destination, hopLimit: packet.hopLimit,
            length: packet.length)
    }
}
