import Glibc
import SystemPackage
import Testing

@testable import LinuxSystem

@Suite struct MessageSocketTests {
    /// The writing end of a pipe that is passed, and whether anybody still has it.
    private final class Passed {
        private let reading: OwnedDescriptor
        private var writing: OwnedDescriptor?

        init() throws {
            var ends: [Int32] = [-1, -1]
            try #require(pipe(&ends) == 0)
            reading = OwnedDescriptor(adopting: FileDescriptor(rawValue: ends[0]))
            writing = OwnedDescriptor(adopting: FileDescriptor(rawValue: ends[1]))
        }

        var raw: Int32 { writing?.descriptor.rawValue ?? -1 }

        /// True where the end that was passed is closed as well.
        func isGone() -> Bool {
            writing = nil
            var polled = pollfd(
                fd: reading.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
            return poll(&polled, 1, 0) == 1 && polled.revents & Int16(POLLHUP) != 0
        }
    }

    /// Sends descriptors in so many control messages, as no sender of ours does.
    private func send(
        _ bytes: [UInt8], _ descriptors: [Int32], inMessagesOf size: Int, to socket: Int32
    ) throws {
        var control: [UInt8] = []
        for start in stride(from: 0, to: descriptors.count, by: size) {
            let part = descriptors[start..<min(start + size, descriptors.count)]
            var header = cmsghdr()
            header.cmsg_len = MemoryLayout<cmsghdr>.size + part.count * 4
            header.cmsg_level = SOL_SOCKET
            header.cmsg_type = Int32(SCM_RIGHTS)
            withUnsafeBytes(of: header) { control += $0.prefix(MemoryLayout<cmsghdr>.size) }
            for descriptor in part { withUnsafeBytes(of: descriptor) { control += $0 } }
            while control.count % 8 != 0 { control.append(0) }
        }
        var bytes = bytes
        let sent = bytes.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { control in
                var data = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                return withUnsafeMutablePointer(to: &data) { data in
                    var message = msghdr()
                    message.msg_iov = data
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = control.count
                    return sendmsg(socket, &message, 0)
                }
            }
        }
        try #require(sent == bytes.count, "sendmsg: \(String(cString: strerror(errno)))")
    }

    /// Of the next message; nil at the end.
    private static func bytes(from socket: MessageSocket) throws -> [UInt8]? {
        guard let received = try socket.receive() else { return nil }
        return received.bytes
    }

    @Test func oneDescriptorArrives() throws {
        let (one, other) = try MessageSocket.pair()
        let passed = try Passed()
        try one.send([1, 2], FileDescriptor(rawValue: passed.raw))
        guard var received = try other.receive(), let descriptor = received.takeDescriptor() else {
            Issue.record("nothing came")
            return
        }
        let bytes = received.bytes
        #expect(bytes == [1, 2])
        let flags = fcntl(descriptor.descriptor.rawValue, F_GETFD)
        #expect(flags == FD_CLOEXEC)
        #expect(!passed.isGone())
        _ = consume descriptor
        #expect(passed.isGone())
    }

    @Test func oneThatNobodyTakesIsClosed() throws {
        let (one, other) = try MessageSocket.pair()
        let passed = try Passed()
        try one.send([1], FileDescriptor(rawValue: passed.raw))
        _ = try other.receive()
        #expect(passed.isGone())
    }

    @Test(arguments: [(2, 2), (2, 1), (3, 1), (253, 253), (200, 50)])
    func severalAreRefusedAndClosed(_ count: Int, _ size: Int) throws {
        let (one, other) = try MessageSocket.pair()
        let (first, last) = (try Passed(), try Passed())
        var descriptors = Array(repeating: first.raw, count: count)
        descriptors[count - 1] = last.raw
        try send([1, 2], descriptors, inMessagesOf: size, to: one.descriptor.rawValue)
        try one.send([3])
        let error = #expect(throws: SystemError.self) { _ = try other.receive() }
        #expect(error?.errno == .badMessage)
        #expect(first.isGone())
        #expect(last.isGone())
        #expect(try Self.bytes(from: other) == [3])
    }

    @Test func oneThatIsTooLongIsRefused() throws {
        let (one, other) = try MessageSocket.pair()
        let passed = try Passed()
        try one.send(Array(repeating: 1, count: 65), FileDescriptor(rawValue: passed.raw))
        try one.send(Array(repeating: 2, count: 64))
        let error = #expect(throws: SystemError.self) { _ = try other.receive(limit: 64) }
        #expect(error?.errno == .messageTooLong)
        #expect(passed.isGone())
        #expect(try Self.bytes(from: other) == Array(repeating: 2, count: 64))
    }

    @Test func socketsAreToldApart() throws {
        let (stream, _) = try UnixSocket.pair()
        #expect(try SocketKind(stream.shared.descriptor) == .stream)
        let (messages, _) = try MessageSocket.pair()
        #expect(try SocketKind(messages.descriptor) == .messages)
        let error = #expect(throws: SystemError.self) {
            _ = try SocketKind(FileDescriptor(rawValue: 2))
        }
        #expect(error?.errno == .notSocket)
    }
}
