import Foundation
import Glibc
import JSONValue
import LinuxSystem
import SystemPackage
import Testing

@testable import Control

/// How often a user may call and connect, and that one who does it too often costs only itself.
@Suite("Rates", .timeLimit(.minutes(10)))
struct RateTests {
    private static let start = ContinuousClock.now

    /// A bucket that can be taken from in an expectation.
    private final class Bucket {
        private var bucket: TokenBucket
        init(burst: Int, perSecond: Double) {
            bucket = TokenBucket(.init(burst: burst, perSecond: perSecond), now: RateTests.start)
        }
        func take(_ now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
            bucket.take(now: now)
        }
        func isFull(_ now: ContinuousClock.Instant) -> Bool { bucket.isFull(now: now) }
    }

    private final class Rates {
        private var rates: UserRates
        init(_ limits: VarlinkLimits) { rates = UserRates(limits) }
        var userCount: Int { rates.userCount }
        func call(_ user: UInt32, _ now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
            rates.call(of: user, now: now)
        }
        func connection(_ user: UInt32, _ now: ContinuousClock.Instant)
            -> ContinuousClock.Instant?
        {
            rates.connection(of: user, now: now)
        }
    }

    @Test("a bucket gives its burst, and then what comes back with time")
    func bucket() {
        var now = Self.start
        let bucket = Bucket(burst: 3, perSecond: 2)
        for _ in 0..<3 { #expect(bucket.take(now) == nil) }
        #expect(bucket.take(now) == now + .seconds(0.5))
        // Asking is free.
        #expect(bucket.take(now) == now + .seconds(0.5))
        now += .seconds(0.25)
        #expect(bucket.take(now) == now + .seconds(0.25))
        now += .seconds(0.25)
        #expect(bucket.take(now) == nil)
        #expect(bucket.take(now) != nil)
        // However long nobody calls, no more than the burst comes together.
        now += .seconds(3600)
        #expect(bucket.isFull(now))
        for _ in 0..<3 { #expect(bucket.take(now) == nil) }
        #expect(bucket.take(now) != nil)
        #expect(!bucket.isFull(now))
    }

    @Test("a clock that stands or goes back gives nothing away")
    func standingClock() {
        let bucket = Bucket(burst: 1, perSecond: 1000)
        #expect(bucket.take(Self.start) == nil)
        #expect(bucket.take(Self.start - .seconds(5)) != nil)
        #expect(bucket.take(Self.start) != nil)
    }

    @Test("users have rates of their own, and root a larger one")
    func users() {
        let limits = VarlinkLimits()
        let rates = Rates(limits)
        func calls(_ user: UInt32) -> Int {
            var count = 0
            while rates.call(user, Self.start) == nil { count += 1 }
            return count
        }
        #expect(calls(1000) == limits.calls.burst)
        #expect(calls(1001) == limits.calls.burst)
        #expect(calls(1000) == 0)
        #expect(calls(0) == limits.callsOfRoot.burst)
        #expect(limits.callsOfRoot.burst > limits.calls.burst)
        // Connections are counted apart.
        #expect(rates.connection(1000, Self.start) == nil)
    }

    @Test("many users are forgotten when they are quiet, and not before")
    func forgetting() {
        var limits = VarlinkLimits()
        limits.calls = .init(burst: 1, perSecond: 1)
        let rates = Rates(limits)
        #expect(rates.call(1, Self.start) == nil)
        for user in UInt32(100)..<400 {
            #expect(rates.call(user, Self.start) == nil)
        }
        #expect(rates.call(1, Self.start) != nil)
        let later = Self.start + .seconds(60)
        #expect(rates.call(9999, later) == nil)
        #expect(rates.userCount < 10)
    }

    @Test("calls beyond the rate are answered later, in order, and none is refused")
    func waiting() async throws {
        var limits = VarlinkLimits()
        limits.calls = .init(burst: 2, perSecond: 100)
        limits.callsOfRoot = limits.calls
        let service = try await TestService(limits: limits)
        let client = try await service.connect()
        var calls = ""
        for number in 0..<20 {
            calls +=
                #"{"method":"org.example.test.Echo","parameters":{"n":\#(number)}}"# + "\0"
        }
        try await client.send(calls)
        for number in 0..<20 {
            #expect(try await client.message() == #"{"parameters":{"n":\#(number)}}"#)
        }
    }

    @Test("connections beyond the rate are served later")
    func connections() async throws {
        var limits = VarlinkLimits()
        limits.connections = .init(burst: 2, perSecond: 50)
        limits.connectionsOfRoot = limits.connections
        let service = try await TestService(limits: limits)
        var clients: [RawClient] = []
        for _ in 0..<10 { clients.append(try await service.connect()) }
        for client in clients.reversed() {
            try await client.send(#"{"method":"org.example.test.Echo"}"# + "\0")
            #expect(try await client.message() == #"{"parameters":{}}"#)
        }
    }

    /// Calls on many connections without reading, as another user; says how many replies came when
    /// its standard input ends.
    private static let flood = """
        import select, socket, sys
        call = b'{"method":"org.example.test.Echo"}\\0' * 500
        connections = []
        for _ in range(12):
            s = socket.socket(socket.AF_UNIX)
            s.connect(sys.argv[1])
            s.sendall(call)
            connections.append(s)
        replies = 0
        while replies < int(sys.argv[2]):
            for s in select.select(connections, [], [])[0]:
                replies += s.recv(65536).count(b'\\0')
        print("flooding", flush=True)
        sys.stdin.read()
        while select.select(connections, [], [], 0)[0]:
            for s in select.select(connections, [], [], 0)[0]:
                replies += s.recv(65536).count(b'\\0')
        print(replies, flush=True)
        """

    @Test("a user that floods gets its share, and another user's calls are all answered meanwhile")
    func fairness() async throws {
        try #require(getuid() == 0, "another user's process is started: this needs root")
        var limits = VarlinkLimits()
        // No token comes back while the test runs.
        limits.calls = .init(burst: 5, perSecond: 1e-6)
        limits.callsOfRoot = .init(burst: 1000, perSecond: 1e-6)
        let service = try await TestService(
            limits: limits, mode: [.ownerReadWrite, .otherReadWrite])
        let path = service.path
        let flooder = Process()
        let (input, output) = (Pipe(), Pipe())
        flooder.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
        flooder.arguments = [
            "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c",
            Self.flood, path,
            "5",
        ]
        flooder.standardInput = input
        flooder.standardOutput = output
        try flooder.run()
        defer { flooder.terminate() }
        let lines = output.fileHandleForReading
        func heard() async throws -> String {
            try await blocking {
                var text = ""
                while !text.hasSuffix("\n") {
                    let data = lines.availableData
                    if data.isEmpty { break }
                    text += String(decoding: data, as: UTF8.self)
                }
                return text
            }
        }
        let beginning = try await heard()
        #expect(beginning == "flooding\n")

        // Thousands of calls wait now.
        for _ in 0..<10 {
            let client = try await service.connect()
            for _ in 0..<50 {
                try await client.send(#"{"method":"org.example.test.Echo"}"# + "\0")
                #expect(try await client.message() == #"{"parameters":{}}"#)
            }
        }
        try input.fileHandleForWriting.close()
        let replies = try await heard()
        #expect(replies == "5\n")
    }

    @Test("whatever handlers of other users do, root's calls are answered")
    func rootHasItsOwn() async throws {
        try #require(getuid() == 0, "another user's process is started: this needs root")
        let service = try await TestService(mode: [.ownerReadWrite, .otherReadWrite])
        let blocker = Process()
        blocker.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
        blocker.arguments = [
            "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c",
            """
            import socket, sys, time
            held = []
            for _ in range(4):
                s = socket.socket(socket.AF_UNIX)
                s.connect(sys.argv[1])
                s.sendall(b'{"method":"org.example.test.Block"}\\0')
                held.append(s)
            sys.stdin.read()
            """, service.path,
        ]
        let input = Pipe()
        blocker.standardInput = input
        try blocker.run()
        defer { blocker.terminate() }
        var deeds = service.deeds.makeAsyncIterator()
        for _ in 0..<2 { #expect(await deeds.next(isolation: nil) == "blocked") }
        try await service.answers()
        for _ in 0..<4 { service.gate.signal() }
    }

    @Test(
        "a stream that waits for its reader holds one reply, and ends with a reader that never reads"
    )
    func drainedStream() async throws {
        var limits = VarlinkLimits()
        limits.drainTime = .milliseconds(500)
        let service = try await TestService(limits: limits)
        let client = try await service.connect()
        try await client.send(#"{"method":"org.example.test.Drip","more":true}"# + "\0")
        var deeds = service.deeds.makeAsyncIterator()
        #expect(await deeds.next(isolation: nil) == "drip ended")
        try await service.waitForLog("warning: client disconnected: it does not read its replies")
        try await service.answers()
        _ = client
    }

    @Test("the server waits for streams that are about to end, and no longer than it is told")
    func farewell() async throws {
        let service = try await TestService()
        await service.server.waitForStreams(atMost: .seconds(60))
        let client = try await service.connect()
        try await client.send(
            #"{"method":"org.example.test.Later","parameters":{},"more":true}"# + "\0")
        #expect(try await client.message() == #"{"continues":true,"parameters":{}}"#)
        await service.server.waitForStreams(atMost: .seconds(60))
        #expect(try await client.message() == #"{"parameters":{"last":true}}"#)

        let endless = try await service.connect()
        try await endless.send(#"{"method":"org.example.test.Wait","more":true}"# + "\0")
        #expect(try await endless.message() != nil)
        await service.server.waitForStreams(atMost: .milliseconds(50))
        try await service.answers()
    }
}
