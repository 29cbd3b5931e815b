@testable import Control
import Glibc
import JSONValue
import LinuxSystem
import SystemPackage
import Testing

/// Whatever a client does, the service goes on answering the others.
@Suite(.timeLimit(.minutes(10))) struct BadClientTests {
    @Test(arguments: [
        "not JSON", "", "[]", "42", "{}", #"{"method":1}"#, #"{"method":"a.b","more":1}"#,
        #"{"method":"a.b","parameters":[]}"#, #"{"method":"a.b","oneway":true,"more":true}"#,
        #"{"method":"a.b"} {"#, "{\"method\":\"a\u{1}.b\"}",
    ])
    func garbageEndsTheConnection(text: String) async throws {
        let service = try await TestService()
        let client = try await service.connect()
        try await client.send(text + "\0")
        #expect(try await client.message() == nil)
        #expect(service.log.recorded.allSatisfy { $0.hasPrefix("debug: client disconnected: ") })
        #expect(service.log.recorded.count == 1)
        try await service.answers()
    }

    @Test func deepNestingIsGarbage() async throws {
        let service = try await TestService()
        for open in ["[", #"{"a":"#] {
            let client = try await service.connect()
            try await client.send(
                #"{"method":"a.b","parameters":"# + String(repeating: open, count: 100_000) + "\0")
            #expect(try await client.message() == nil)
        }
        try await service.answers()
    }

    /// Texts that take `String` the square of their length to walk backwards, to hash and to compare.
    @Test(arguments: ["\u{1f1e6}", "a\u{0301}\u{0316}"])
    func hostileTextCostsNothing(character: String) async throws {
        let service = try await TestService()
        let text = String(repeating: character, count: 1_000_000 / character.utf8.count)
        let marks = "a" + String(repeating: "\u{0301}\u{0316}", count: 120_000)
        for message in [
            #"{"method":"\#(text)"}"#, #"{"method":"a.\#(text)"}"#,
            #"{"method":"a.b","\#(text)":1}"#,
            #"{"\#(marks)":1,"method":"a.b","\#(marks)":1}"#,
            #"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"\#(marks)"}}"#,
        ] {
            // Both handlers have something to do.
            for _ in 0..<2 {
                let client = try await service.connect()
                try await client.send(message + "\0")
                _ = consume client
            }
            try await service.answers()
        }
    }

    @Test func hugeMessagesAreCutOff() async throws {
        let service = try await TestService()
        let client = try await service.connect()
        try await client.send(#"{"method":""#)
        let error = await #expect(throws: SystemError.self) {
            try await client.send([UInt8](repeating: UInt8(ascii: "x"), count: 100_000_000))
        }
        #expect(error?.errno == .brokenPipe || error?.errno == .connectionReset)
        #expect(
            service.log.recorded == ["error: client disconnected: message over 1048576 bytes"])
        try await service.answers()
    }

    @Test func theLargestMessageIsAnswered() async throws {
        let service = try await TestService()
        let client = try await service.connect()
        let frame = #"{"method":"org.example.test.Echo","parameters":{"text":""}}"#
        let text = String(repeating: "x", count: (1 << 20) - frame.utf8.count)
        let message = #"{"method":"org.example.test.Echo","parameters":{"text":"\#(text)"}}"#
        try await client.send(message + "\0")
        #expect(try await client.message() == #"{"parameters":{"text":"\#(text)"}}"#)
        try await client.send(message + " \0")
        #expect(try await client.message() == nil)
    }

    @Test func halfMessagesTimeOut() async throws {
        var limits = VarlinkLimits()
        // Long enough for a busy machine to answer the first.
        limits.messageTime = .seconds(4)
        let service = try await TestService(limits: limits)
        let idle = try await service.connect()
        let client = try await service.connect()
        try await client.send(#"{"method":"org.example.test.Echo"}"# + "\0" + #"{"method":"#)
        #expect(try await client.message() == #"{"parameters":{}}"#)
        // More bytes do not buy more time.
        let slow = Task { [client] in
            while true {
                try await client.send(" ")
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        #expect(try await client.message() == nil)
        _ = await slow.result
        // A connection may be idle between messages.
        try await idle.send(#"{"method":"org.example.test.Echo"}"# + "\0")
        #expect(try await idle.message() == #"{"parameters":{}}"#)
    }

    @Test func halfAMessageAndThenNoMore() async throws {
        let service = try await TestService()
        let client = try await service.connect()
        try await client.send(#"{"method":"#)
        client.endOutput()
        #expect(try await client.message() == nil)
    }

    /// Who is gone takes no place until some time has passed.
    @Test func halfAMessageAndThenGone() async throws {
        let rounds = 100
        // They may come faster than the server sees them go.
        var limits = TestService.patient
        limits.clients = rounds * 2 + limits.reservedForRoot
        limits.clientsPerProcess = rounds * 2
        limits.clientsPerUser = rounds * 2
        let service = try await TestService(limits: limits)
        let echo = #"{"method":"org.example.test.Echo"}"# + "\0"
        for _ in 0..<rounds {
            for text in [#"{"method":"#, echo + #"{"meth"#] {
                let client = try await service.connect()
                try await client.send(text)
                _ = consume client
            }
        }
        while service.log.recorded.count < rounds * 2 {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(!service.log.recorded.contains { $0.contains("in time") })
        try await service.answers()
    }

    /// What waits its turn is answered when the client has gone, and then its place is free.
    @Test func moreThanMayWaitAndThenGone() async throws {
        let service = try await TestService()
        func call(_ method: String, _ parameters: String) -> String {
            #"{"method":"org.example.test.\#(method)","oneway":true,"parameters":{\#(parameters)}}"#
                + "\0"
        }
        let rounds = 10
        for _ in 0..<rounds {
            let client = try await service.connect()
            let text = String(repeating: "x", count: 1_000_000)
            try await client.send(
                call("Slow", #""milliseconds":500"#) + call("Echo", #""text":"\#(text)""#))
            // What the socket takes at once, so that the end comes with it.
            try await client.send(
                call("Echo", #""text":"\#(text.prefix(100_000))""#) + #"{"method":"#)
            _ = consume client
        }
        while service.log.recorded.count < rounds {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(service.log.recorded.allSatisfy { $0.hasSuffix("half a message") })
        try await service.answers()
    }

    @Test func tooManyConnectionsAreTurnedAway() async throws {
        let service = try await TestService()
        let first = try await service.connect()
        try await first.send(#"{"method":"org.example.test.Echo"}"# + "\0")
        #expect(try await first.message() != nil)
        var clients: [RawClient] = []
        for _ in 0..<200 { clients.append(try await service.connect()) }
        // One process may have no more, even root's.
        let allowed = 16
        for client in clients[(allowed - 1)...] { #expect(try await client.message() == nil) }
        for client in [first] + clients[..<(allowed - 1)] {
            try await client.send(#"{"method":"org.example.test.Echo"}"# + "\0")
            #expect(try await client.message() == #"{"parameters":{}}"#)
        }
        clients = []
        try await first.send(#"{"method":"org.example.test.Echo"}"# + "\0")
        #expect(try await first.message() != nil)
        try await service.answers()
    }

    @Test func oneProcessCannotLockOutTheOthers() {
        let limits = VarlinkLimits()
        func processes(_ counts: [(pid: Int32, uid: UInt32, Int)]) -> [PeerCredentials] {
            counts.flatMap { pid, uid, count in
                Array(
                    repeating: PeerCredentials(pid: pid, uid: uid, gid: 0, groups: []), count: count
                )
            }
        }
        let root = processes([(7, 0, 1)])[0]
        #expect(limits.admits(root, beside: processes([(7, 0, 15), (8, 0, 16), (9, 0, 16)])))
        #expect(!limits.admits(root, beside: processes([(7, 0, 16)])))
        #expect(limits.admits(root, beside: processes([(8, 0, 63)])))
        #expect(!limits.admits(root, beside: processes([(8, 0, 64)])))
        let user = processes([(7, 1000, 1)])[0]
        #expect(!limits.admits(user, beside: processes([(8, 1000, 8), (9, 1000, 8)])))
    }

    @Test func oneUserCannotLockOutTheOthers() {
        let limits = VarlinkLimits()
        func users(_ counts: [UInt32: Int]) -> [UInt32] {
            counts.flatMap { Array(repeating: $0.key, count: $0.value) }
        }
        #expect(limits.admits(1000, beside: users([1000: 15])))
        #expect(!limits.admits(1000, beside: users([1000: 16])))
        #expect(limits.admits(1001, beside: users([1000: 16])))
        #expect(!limits.admits(1003, beside: users([1000: 16, 1001: 16, 1002: 16])))
        #expect(limits.admits(0, beside: users([1000: 16, 1001: 16, 1002: 16])))
        #expect(limits.admits(0, beside: users([0: 63])))
        #expect(!limits.admits(0, beside: users([0: 64])))
        #expect(!limits.admits(1000, beside: users([0: 64])))
    }

    @Test func aReaderThatNeverReadsIsCutOff() async throws {
        var limits = VarlinkLimits()
        limits.drainTime = .milliseconds(500)
        let service = try await TestService(limits: limits)
        let client = try await service.connect()
        let call = #"{"method":"org.example.test.Big","parameters":{"bytes":1000000}}"# + "\0"
        try await client.send(String(repeating: call, count: 100))
        try await service.answers()
        try await service.waitForLog("warning: client disconnected: it does not read its replies")
        try await service.answers()
    }

    @Test func aStreamNobodyReadsIsCutOff() async throws {
        var limits = VarlinkLimits()
        limits.outgoing = 1 << 20
        // For its size, however busy the machine.
        limits.drainTime = .seconds(300)
        let service = try await TestService(limits: limits)
        let client = try await service.connect()
        try await client.send(
            #"{"method":"org.example.test.Count","parameters":{"to":1000000},"more":true}"# + "\0")
        try await service.waitForLog(
            "warning: client disconnected: over 1048576 bytes of replies wait for it")
        try await service.answers()
        _ = client
    }

    @Test func aReaderThatIsSlowGetsEverything() async throws {
        let service = try await TestService()
        let client = try await service.connect()
        let call = #"{"method":"org.example.test.Big","parameters":{"bytes":4200000}}"# + "\0"
        try await client.send(call + call)
        for _ in 0..<2 {
            try await Task.sleep(for: .milliseconds(50))
            #expect(try await client.message()?.utf8.count == 4_200_026)
        }
    }

    /// However fast clients come and go, nobody is left with what was theirs. (libdispatch frees what
    /// it still looks at where a descriptor hangs up.)
    @Test func clientsThatComeAndGo() async throws {
        var limits = TestService.patient
        limits.connections = .init(burst: 1_000_000, perSecond: 1_000_000)
        limits.connectionsOfRoot = limits.connections
        let service = try await TestService(limits: limits)
        let path = service.path
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    try await blocking {
                        for _ in 0..<2_000 {
                            let socket = try UnixSocket.connect(to: path, timeout: .seconds(600))
                            _ = try socket.send(Array(#"{"method":"a.B"}"#.utf8)[...])
                            _ = consume socket
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        try await service.answers()
    }

    @Test func anythingMayBeSent() async throws {
        let service = try await TestService()
        var random = SystemRandomNumberGenerator()
        let valid = Array(#"{"method":"org.example.test.Echo","parameters":{"a":[1,"é\n"]}}"#.utf8)
        for _ in 0..<100 {
            var bytes = valid
            for _ in 0..<3 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255)
            }
            let client = try await service.connect()
            try await client.send(bytes + [0])
            // A reply or the end.
            _ = try await client.message()
        }
        try await service.answers()
    }
}

extension TestService {
    /// Waits until the line has been logged.
    func waitForLog(_ line: String) async throws {
        while !log.recorded.contains(line) { try await Task.sleep(for: .milliseconds(10)) }
    }
}
