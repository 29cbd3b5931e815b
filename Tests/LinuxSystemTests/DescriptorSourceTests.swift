import Dispatch
import Glibc
import LinuxSystem
import Synchronization
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(1))) struct DescriptorSourceTests {
    /// A source for one end of a socket pair, whose calls are told one by one.
    private struct Watched {
        let other: UnixSocket
        let source: DescriptorSource
        let socket: SharedDescriptor
        let calls: AsyncStream<Void>

        init(
            _ direction: DescriptorSource.Direction = .readable,
            _ onCall: @escaping @Sendable (SharedDescriptor) -> Void = { _ in }
        ) throws {
            let (one, other) = try UnixSocket.pair()
            let (calls, calling) = AsyncStream.makeStream(of: Void.self)
            self.other = other
            self.calls = calls
            socket = one.shared
            let shared = one.shared
            source = DescriptorSource(shared, direction, queue: DispatchQueue(label: "test")) {
                calling.yield()
                onCall(shared)
            }
        }

        func send() throws { _ = try other.send([1]) }
    }

    /// Which file a descriptor refers to; nil where it is closed.
    private static func file(of descriptor: Int32) -> UInt? {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? status.st_ino : nil
    }

    @Test func isToldUntilWhatMadeItReadyIsGone() async throws {
        let left = Atomic<Int>(3)
        let watched = try Watched { socket in
            if left.subtract(1, ordering: .relaxed).newValue > 0 { return }
            var byte: UInt8 = 0
            _ = read(socket.descriptor.rawValue, &byte, 1)
        }
        watched.source.resume()
        var calls = watched.calls.makeAsyncIterator()
        try watched.send()
        for _ in 0..<3 { await calls.next() }
        // The next byte makes the next call.
        left.store(1, ordering: .relaxed)
        try watched.send()
        await calls.next()
        watched.source.cancel()
    }

    @Test func aPausedOneIsNotTold() async throws {
        let watched = try Watched(.readable) { socket in
            var byte: UInt8 = 0
            _ = read(socket.descriptor.rawValue, &byte, 1)
        }
        var calls = watched.calls.makeAsyncIterator()
        watched.source.resume()
        watched.source.pause()
        try watched.send()
        try await Task.sleep(for: .milliseconds(50))
        var byte: UInt8 = 0
        #expect(recv(watched.socket.descriptor.rawValue, &byte, 1, Int32(MSG_PEEK)) == 1)
        watched.source.resume()
        await calls.next()
        watched.source.cancel()
    }

    @Test(arguments: [DescriptorSource.Direction.readable, .writable])
    func aHangUpIsTold(direction: DescriptorSource.Direction) async throws {
        let watched = try Watched(direction)
        var calls = watched.calls.makeAsyncIterator()
        try watched.other.shutDown()
        for _ in 0..<3 {
            watched.source.resume()
            await calls.next()
            watched.source.pause()
        }
        watched.source.cancel()
    }

    @Test func readersAndWritersOfOneDescriptorAreApart() async throws {
        let watched = try Watched(.readable) { socket in
            var byte: UInt8 = 0
            _ = read(socket.descriptor.rawValue, &byte, 1)
        }
        let (writable, telling) = AsyncStream.makeStream(of: Void.self)
        let writer = DescriptorSource(
            watched.socket, .writable, queue: DispatchQueue(label: "test")
        ) { telling.yield() }
        watched.source.resume()
        writer.resume()
        for await _ in writable.prefix(1) {}
        writer.cancel()
        var calls = watched.calls.makeAsyncIterator()
        try watched.send()
        await calls.next()
        watched.source.cancel()
    }

    @Test func aFileIsAlwaysReady() async throws {
        let file = SharedDescriptor(try OwnedDescriptor(opening: "/proc/self/status", .readOnly))
        let (calls, calling) = AsyncStream.makeStream(of: Void.self)
        let source = DescriptorSource(file, .readable, queue: DispatchQueue(label: "test")) {
            calling.yield()
        }
        source.resume()
        for await _ in calls.prefix(2) {}
        source.cancel()
    }

    @Test func theDescriptorIsClosedWithTheLastOwner() async throws {
        var socket: SharedDescriptor?
        let (one, other) = try UnixSocket.pair()
        socket = one.shared
        let raw = one.shared.descriptor.rawValue
        let file = Self.file(of: raw)
        let (calls, calling) = AsyncStream.makeStream(of: Void.self)
        let source = DescriptorSource(
            try #require(socket), .readable, queue: DispatchQueue(label: "test")
        ) { calling.yield() }
        source.resume()
        try other.shutDown()
        for await _ in calls.prefix(1) {}
        socket = nil
        _ = consume one
        #expect(Self.file(of: raw) == file)
        source.cancel()
        // Where a call of the handler was under way, it ends soon.
        while Self.file(of: raw) == file { try await Task.sleep(for: .milliseconds(1)) }
    }
}
