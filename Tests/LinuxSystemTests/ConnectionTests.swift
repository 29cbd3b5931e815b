import Glibc
import SystemPackage
import Testing

@testable import LinuxSystem

@Suite struct ConnectionTests {
    /// A socket bound to a port of its own at 127.0.0.1, listening or not.
    private static func bound(listening: Bool) throws -> (socket: Int32, port: UInt16) {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try #require(raw >= 0)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let results = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                (bind(raw, $0, length), getsockname(raw, $0, &length))
            }
        }
        try #require(results == (0, 0))
        if listening { try #require(listen(raw, 1) == 0) }
        return (raw, UInt16(bigEndian: name.sin_port))
    }

    @Test func aListenerIsReached() async throws {
        let (socket, port) = try Self.bound(listening: true)
        defer { close(socket) }
        let result = await TCPConnection.attempt(
            to: [127, 0, 0, 1], port: port, limit: .seconds(5))
        try result.get()
    }

    @Test func whereNobodyListensTheReasonIsTold() async throws {
        let (socket, port) = try Self.bound(listening: false)
        defer { close(socket) }
        let result = await TCPConnection.attempt(
            to: [127, 0, 0, 1], port: port, limit: .seconds(5))
        let error = #expect(throws: SystemError.self) { try result.get() }
        #expect(error?.errno == .connectionRefused)
    }

    @Test func bothFamiliesAreTried() async throws {
        let result = await TCPConnection.attempt(
            to: [UInt8](repeating: 0, count: 15) + [1], port: 1, limit: .seconds(5))
        let error = #expect(throws: SystemError.self) { try result.get() }
        #expect(error?.errno == .connectionRefused || error?.errno == .addressNotAvailable)
    }

    /// A listener whose queue is full answers nothing.
    @Test func silenceEndsAtTheLimit() async throws {
        let (socket, port) = try Self.bound(listening: true)
        defer { close(socket) }
        var results: [Result<Void, SystemError>] = []
        for _ in 0..<8 {
            results.append(
                await TCPConnection.attempt(
                    to: [127, 0, 0, 1], port: port, limit: .milliseconds(200)))
        }
        let errors = results.compactMap { result -> Errno? in
            if case .failure(let error) = result { error.errno } else { nil }
        }
        #expect(errors.count >= 1)
        #expect(Set(errors) == [.timedOut])
    }

    /// However many are tried at once, each is told its own end.
    @Test func manyAreTriedAtOnce() async throws {
        let (open, reached) = try Self.bound(listening: true)
        let (closed, refused) = try Self.bound(listening: false)
        defer {
            close(open)
            close(closed)
        }
        // Nobody accepts: what finds the queue full goes unanswered. The pool's threads may be held
        // by other tests.
        let (ends, time) = await withTaskExecutorPreference(QueueTaskExecutor(label: "test")) {
            let start = ContinuousClock.now
            let ends = await withTaskGroup { group in
                for index in 0..<300 {
                    group.addTask {
                        let isRefused = index % 3 == 0
                        let result = await TCPConnection.attempt(
                            to: [127, 0, 0, 1], port: isRefused ? refused : reached,
                            limit: .seconds(5))
                        return (isRefused, result.error?.errno)
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            return (ends, ContinuousClock.now - start)
        }
        // One after the other would be 200 times the limit at most.
        #expect(time < .seconds(100))
        #expect(ends.filter(\.0).map(\.1) == Array(repeating: .connectionRefused, count: 100))
        let others = ends.filter { !$0.0 }.map(\.1)
        #expect(others.count == 200)
        #expect(Set(others) == [nil, .timedOut])
    }

    @Test func ancestorsAndTheirEnvironmentsAreFound() throws {
        let parent = try #require(ProcessAncestry.parent(of: ProcessAncestry.own))
        #expect(parent == getppid())
        let path = try #require(getenv("PATH").map { String(cString: $0) })
        #expect(ProcessAncestry.variable("PATH", of: ProcessAncestry.own) == path)
        #expect(ProcessAncestry.parent(of: -1) == nil)
        #expect(ProcessAncestry.variable("PATH", of: -1) == nil)
    }

    @Test func aVariableIsTheFirstOfItsName() {
        func value(_ environment: String) -> String? {
            ProcessAncestry.value(of: "A", in: Array(environment.utf8))
        }
        #expect(value("AA=1\0A=2=3\0A=4\0") == "2=3")
        #expect(value("A=\0") == "")
        #expect(value("A\0B=A=1\0") == nil)
        #expect(value("") == nil)
    }

    /// `String` takes hours to hash such a name.
    @Test(.timeLimit(.minutes(1))) func namesOfMarksTakeTimeInProportion() {
        let marks = String(repeating: "\u{0301}\u{0316}", count: 250_000)
        let environment = Array("a\(marks)=1\0A=2\0".utf8)
        #expect(ProcessAncestry.value(of: "A", in: environment) == "2")
    }

    @Test func aParentIsFoundBehindAnyName() {
        func parent(_ stat: String) -> Int32? {
            ProcessAncestry.parent(inStat: Array(stat.utf8))
        }
        #expect(parent("7 (a) S 1 2) R 42 7") == 42)
        #expect(parent("7 (a") == nil)
        #expect(parent("7 (a)") == nil)
        #expect(parent("7 (a) S x") == nil)
    }
}

extension Result where Success == Void, Failure == SystemError {
    fileprivate var error: SystemError? {
        if case .failure(let error) = self { error } else { nil }
    }
}
