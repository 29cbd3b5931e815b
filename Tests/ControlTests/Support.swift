import Control
import Dispatch
import Foundation
import Glibc
import JSONValue
import LinuxSystem
import Logging
import Synchronization
import SystemPackage
import Testing

/// A server of `org.example.test` on a socket of its own.
final class TestService: Sendable {
    let path: String
    let server: VarlinkServer
    let log = LogRecorder()
    /// What handlers have done, apart from their replies.
    let deeds: AsyncStream<String>
    /// Lets one handler of `Block` go on.
    let gate = DispatchSemaphore(value: 0)

    /// As patient as a busy machine takes; tests of patience say how much they have.
    static var patient: VarlinkLimits {
        var limits = VarlinkLimits()
        limits.messageTime = .seconds(600)
        limits.drainTime = .seconds(600)
        return limits
    }

    init(
        limits: VarlinkLimits = patient, mode: FilePermissions = .ownerReadWrite
    ) async throws {
        path = "/tmp/pexip-fw-test-\(UUID().uuidString.prefix(8)).socket"
        let (deeds, done) = AsyncStream.makeStream(of: String.self)
        self.deeds = deeds
        let log = log
        server = VarlinkServer(
            identity: VarlinkIdentity(
                vendor: "Example", product: "Test", version: "1", url: "https://example.org"),
            interfaces: [.test(done, gate)], limits: limits,
            logger: Logger(label: "test") { _ in log }
        ) { method, credentials in
            method != "org.example.test.Secret"
                && (credentials.uid == getuid() || method == "org.example.test.Block")
        }
        try await server.start(UnixListener(path: path, mode: mode))
    }

    /// The service answers a client that behaves.
    func answers(_ sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let path = path
        let reply = try await blocking {
            try VarlinkClient(path: path, timeout: .seconds(10))
                .call("org.example.test.Echo", ["text": "hello"])
        }
        #expect(reply == ["text": "hello"], sourceLocation: sourceLocation)
    }

    func connect() async throws -> RawClient {
        try RawClient(UnixSocket.connect(to: path, timeout: .seconds(10)))
    }
}

extension VarlinkInterface {
    static func test(
        _ done: AsyncStream<String>.Continuation, _ gate: DispatchSemaphore
    ) -> VarlinkInterface {
        VarlinkInterface(
            name: "org.example.test",
            description: """
                # For tests.
                interface org.example.test

                method Echo(text: string) -> (text: string)
                method Count(to: int) -> (number: int)
                method Who() -> (pid: int, uid: int)
                method Typed(count: int) -> (count: int)
                method Big(bytes: int) -> (text: string)
                method Slow(milliseconds: int) -> ()
                method Block() -> ()
                method Wait() -> ()
                method Drip() -> ()
                method Later() -> (last: bool)
                method Refuse() -> ()
                method Crash() -> ()
                method Secret() -> ()
                method Forgotten() -> ()

                error Refused (reason: string)
                error InternalError ()

                """,
            methods: [
                "Echo", "Count", "Who", "Typed", "Big", "Slow", "Block", "Wait", "Drip", "Later",
                "Refuse", "Crash", "Secret", "Forgotten",
            ]
        ) { call in
            switch call.methodName {
            case "Echo": return call.parameters
            case "Count":
                let last = call.parameters["to"]?.integer ?? 1
                for number in 1..<last {
                    let reply: JSONValue = ["number": .integer(number)]
                    guard try await call.reply(continuing: reply) else { break }
                }
                return ["number": .integer(last)]
            case "Who":
                return [
                    "pid": .integer(Int64(call.credentials.pid)),
                    "uid": .integer(Int64(call.credentials.uid)),
                ]
            case "Typed":
                struct Parameters: Codable { let count: Int }
                return try JSONValue(encoding: call.parameters(as: Parameters.self))
            case "Big":
                let count = call.parameters["bytes"]?.integer ?? 0
                return ["text": .string(String(repeating: "x", count: Int(count)))]
            case "Slow":
                do {
                    try await Task.sleep(
                        for: .milliseconds(call.parameters["milliseconds"]?.integer ?? 0))
                } catch {
                    done.yield("given up")
                    throw error
                }
                done.yield("slow")
                return .null
            case "Block":
                block(done, gate)
                return .null
            case "Wait":
                try await call.reply(continuing: [:])
                do {
                    return try await call.whileConnected {
                        try await Task.sleep(for: .seconds(60))
                        return .null
                    }
                } catch {
                    done.yield("client gone")
                    throw error
                }
            case "Drip":
                let reply: JSONValue = ["text": .string(String(repeating: "x", count: 10_000))]
                while try await call.reply(continuing: reply), await call.drained() {}
                done.yield("drip ended")
                return .null
            case "Later":
                try await call.reply(continuing: [:])
                try await Task.sleep(for: .milliseconds(50))
                return ["last": .bool(true)]
            case "Refuse":
                throw VarlinkError(
                    name: "org.example.test.Refused", parameters: ["reason": "because"])
            case "Crash": throw Crash()
            case "Secret": return ["secret": "42"]
            default: throw VarlinkError.methodNotImplemented(call.method.description)
            }
        }
    }
}

/// Keeps its thread, as a long computation does.
private func block(_ done: AsyncStream<String>.Continuation, _ gate: DispatchSemaphore) {
    done.yield("blocked")
    gate.wait()
}

struct Crash: Error {}

/// Keeps what is logged.
final class LogRecorder: LogHandler, Sendable {
    private let lines = Mutex<[String]>([])

    var recorded: [String] { lines.withLock { $0 } }

    func log(event: LogEvent) {
        lines.withLock { $0.append("\(event.level): \(event.message)") }
    }

    var logLevel: Logger.Level {
        get { .trace }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }
}

/// A client that sends what it likes.
final class RawClient: Sendable {
    private let socket: UnixSocket
    private let received = Mutex<[UInt8]>([])

    init(_ socket: UnixSocket) { self.socket = socket }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) async throws {
        try await blocking { [socket] in
            var rest = bytes[...]
            while !rest.isEmpty {
                guard case .bytes(let count) = try socket.send(rest) else { throw Timeout() }
                rest.removeFirst(count)
            }
        }
    }

    /// Sends no more, and goes on reading.
    func endSending() throws {
        let raw = socket.shared.descriptor.rawValue
        guard shutdown(raw, Int32(SHUT_WR)) == 0 else { throw Errno(rawValue: errno) }
    }

    /// The next message; nil where the server has closed the connection.
    func message() async throws -> String? {
        try await blocking { [self] in
            var buffer = [UInt8](repeating: 0, count: 65536)
            var scanned = 0
            while true {
                let whole: String? = received.withLock { received in
                    guard let end = received[scanned...].firstIndex(of: 0) else {
                        scanned = received.count
                        return nil
                    }
                    defer { received.removeFirst(end + 1) }
                    return String(decoding: received[..<end], as: UTF8.self)
                }
                if let whole { return whole }
                do {
                    switch try socket.receive(into: &buffer) {
                    case .bytes(let count): received.withLock { $0 += buffer[..<count] }
                    case .ended: return nil
                    case .wouldBlock: throw Timeout()
                    }
                } catch let error as SystemError where error.errno == .connectionReset {
                    // It was closed with something of ours unread.
                    return nil
                }
            }
        }
    }

    func endOutput() { shutdown(socket.shared.descriptor.rawValue, Int32(SHUT_WR)) }
}

struct Timeout: Error {}

/// Runs what blocks on a thread of its own: the cooperative pool has few, and the server's handlers
/// need them.
func blocking<Result: Sendable>(
    _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread {
            continuation.resume(with: Swift.Result { try body() })
        }
    }
}
