internal import LinuxSystem
internal import SystemPackage

/// Frames over a stream socket that blocks: a length of four bytes, a kind of one, and so many
/// bytes of payload.
///
/// Not thread-safe.
final class FrameChannel {
    enum Failure: Error {
        /// The other end is closed.
        case ended
        case timedOut
        /// The other end does not keep to the protocol, or the socket fails; the reason is for
        /// people.
        case broken(String)
    }

    struct Frame {
        var kind: UInt8
        var payload: [UInt8]
    }

    static let headerLength = 5

    private let socket: UnixSocket
    private var chunk = [UInt8](repeating: 0, count: 16 * 1024)
    private var pending: [UInt8] = []

    init(_ socket: UnixSocket) { self.socket = socket }

    /// Bounds each wait for the other end.
    func setTimeout(_ timeout: Duration) throws(Failure) {
        do throws(SystemError) {
            try socket.setTimeout(timeout)
        } catch {
            throw .broken(error.description)
        }
    }

    /// Whether the other end is closed already.
    func isHungUp() throws(Failure) -> Bool {
        do throws(SystemError) {
            return try socket.isHungUp()
        } catch {
            throw .broken(error.description)
        }
    }

    /// Waits until a frame begins to come, or the other end is closed; false where neither was in
    /// time.
    func hasInput(within timeout: Duration) throws(Failure) -> Bool {
        if !pending.isEmpty { return true }
        do throws(SystemError) {
            return try socket.isReadable(within: timeout)
        } catch {
            throw .broken(error.description)
        }
    }

    /// - Parameter writer: the payload, after ``headerLength`` reserved bytes.
    func send(kind: UInt8, _ writer: consuming WireWriter) throws(Failure) {
        writer.set(UInt32(writer.bytes.count - Self.headerLength), at: 0)
        writer.set(kind, at: 4)
        var rest = writer.bytes[...]
        while !rest.isEmpty {
            switch try transfer({ () throws(SystemError) in try socket.send(rest) }) {
            case .bytes(let count): rest = rest.dropFirst(count)
            case .wouldBlock: throw .timedOut
            case .ended: throw .ended
            }
        }
    }

    /// Waits for a frame.
    ///
    /// - Parameter limit: bytes of payload that are taken at most.
    func receive(limit: Int) throws(Failure) -> Frame {
        while pending.count < Self.headerLength { try fill() }
        let length = pending.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard length <= limit else {
            throw .broken("a message of \(length) bytes is longer than \(limit)")
        }
        let kind = pending[4]
        pending.removeFirst(Self.headerLength)
        pending.reserveCapacity(length)
        while pending.count < length { try fill() }
        guard pending.count == length else {
            let payload = Array(pending.prefix(length))
            pending.removeFirst(length)
            return Frame(kind: kind, payload: payload)
        }
        defer { pending = [] }
        return Frame(kind: kind, payload: pending)
    }

    private func fill() throws(Failure) {
        switch try transfer({ () throws(SystemError) in try socket.receive(into: &chunk) }) {
        case .bytes(let count): pending += chunk.prefix(count)
        case .wouldBlock: throw .timedOut
        case .ended: throw .ended
        }
    }

    private func transfer(
        _ call: () throws(SystemError) -> UnixSocket.Transfer
    ) throws(Failure) -> UnixSocket.Transfer {
        do throws(SystemError) {
            return try call()
        } catch {
            if [Errno.brokenPipe, .connectionReset].contains(error.errno) { throw .ended }
            throw .broken(error.description)
        }
    }
}
