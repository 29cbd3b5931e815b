internal import CPacket
internal import Foundation
internal import Glibc
package import PortModel
internal import Synchronization

/// Packets of several flows without a pause, between two namespaces, and how many of them arrive.
///
/// Not for use from several threads at once.
package final class PacketStream: Sendable {
    /// Packets of one protocol from one address to another.
    package struct Flow: Sendable {
        package enum Kind: String, Sendable {
            /// One way only: to connection tracking each packet begins a flow.
            case new
            /// The first packet is answered: the flow is established. UDP only.
            case answered
        }

        package let ipProtocol: IPProtocol
        /// The source ports go round, from the endpoint's on.
        package let source: ProbeEndpoint
        package let sourcePorts: Int
        package let destination: ProbeEndpoint
        package let kind: Kind
        /// The rules permit it, before and after every change.
        package let isAllowed: Bool
        /// The second namespace sends, not the first.
        package let isReverse: Bool

        package init(
            _ ipProtocol: IPProtocol, from source: ProbeEndpoint, sourcePorts: Int = 1_000,
            to destination: ProbeEndpoint, _ kind: Kind = .new, isAllowed: Bool,
            isReverse: Bool = false
        ) {
            self.ipProtocol = ipProtocol
            self.source = source
            self.sourcePorts = sourcePorts
            self.destination = destination
            self.kind = kind
            self.isAllowed = isAllowed
            self.isReverse = isReverse
        }

        fileprivate var command: String {
            "flow \(isReverse ? 1 : 0) \(ipProtocol == .tcp ? "tcp" : "udp") \(source.address) "
                + "\(source.port) \(sourcePorts) \(destination.address) \(destination.port) "
                + kind.rawValue
        }
    }

    /// What became of a flow's packets.
    package struct Count: Sendable {
        package let flow: Flow
        package let sent: Int
        package let arrived: Int
        /// The most packets that were missing one after the other.
        package let longestGap: Int
    }

    private let process: ChildProcess
    private let flows: [Flow]
    private let unread = Mutex<[UInt8]>([])

    package init(
        between first: NetworkNamespace, and second: NetworkNamespace, _ flows: [Flow]
    ) throws {
        self.flows = flows
        process = try ChildProcess(
            [try BuiltProducts.path(of: "packet-stream"), first.name, second.name], input: .socket)
        for flow in flows { _ = try ask(flow.command) }
    }

    package func close() { process.kill() }

    /// Sends while the body runs.
    ///
    /// - Throws: where queues dropped packets, since then nothing is known about the rules.
    package func counts(while body: () throws -> Void) throws -> [Count] {
        _ = try ask("start")
        let result = Result { try body() }
        let lines = try ask("stop")
        try result.get()
        var counts: [Count] = []
        for (line, flow) in zip(lines, flows) {
            let numbers = line.split(separator: " ").compactMap { Int($0) }
            guard numbers.count == 5 else {
                throw TestSupportError("packet-stream counts `\(line)`")
            }
            counts.append(
                Count(flow: flow, sent: numbers[1], arrived: numbers[2], longestGap: numbers[4]))
        }
        guard counts.count == flows.count, lines.last == "done 0" else {
            throw TestSupportError("queues dropped packets: \(lines)")
        }
        return counts
    }

    /// The lines of the answer, of which `done` is the last.
    private func ask(_ command: String) throws -> [Substring] {
        let line = Array((command + "\n").utf8)
        guard send(process.socket, line, line.count, Int32(MSG_NOSIGNAL)) == line.count else {
            throw failure("does not listen")
        }
        return try unread.withLock { unread in
            unread = []
            while true {
                let lines = String(decoding: unread, as: UTF8.self).split(separator: "\n")
                if unread.last == UInt8(ascii: "\n"), lines.last?.hasPrefix("done") == true {
                    return lines
                }
                var polled = pollfd(fd: process.socket, events: Int16(POLLIN), revents: 0)
                let ready = poll(&polled, 1, 20_000)
                if ready < 0 && errno == EINTR { continue }
                guard ready > 0 else { throw failure("does not answer `\(command)`") }
                var chunk = [UInt8](repeating: 0, count: 4096)
                let count = recv(process.socket, &chunk, chunk.count, 0)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { throw failure("ended at `\(command)`") }
                unread += chunk.prefix(count)
            }
        }
    }

    private func failure(_ what: String) -> TestSupportError {
        process.wait(timeout: .milliseconds(100))
        process.kill()
        return TestSupportError("packet-stream \(what): \(process.standardError)")
    }
}
