import Control
import Foundation
import Glibc
import JSONValue
import LinuxSystem
import Testing

@Suite(.timeLimit(.minutes(10))) struct ProtocolTests {
    private func call(
        _ service: TestService, _ method: String, _ parameters: JSONValue = [:]
    ) async throws -> JSONValue {
        let path = service.path
        return try await blocking {
            try VarlinkClient(path: path, timeout: .seconds(10)).call(method, parameters)
        }
    }

    @Test(arguments: ["", ".", "org.example.", "org.example.test.Méthod", "a b"])
    func namesOfNoMethod(text: String) { #expect(VarlinkMethod(text) == nil) }

    @Test(arguments: ["org.example.test.Method", "Method", ".Method"])
    func namesOfMethods(text: String) {
        #expect(VarlinkMethod(text)?.description == text)
    }

    @Test func describesItself() async throws {
        let service = try await TestService()
        let info = try await call(service, "org.varlink.service.GetInfo")
        #expect(
            info == [
                "vendor": "Example", "product": "Test", "version": "1",
                "url": "https://example.org",
                "interfaces": .array(["org.varlink.service", "org.example.test"]),
            ])
        for name in ["org.varlink.service", "org.example.test"] {
            let reply = try await call(
                service, "org.varlink.service.GetInterfaceDescription",
                ["interface": .string(name)])
            #expect(reply["description"]?.string?.contains("interface \(name)\n") == true)
        }
    }

    @Test(
        arguments: [
            (
                "org.example.other.Method", [:], "org.varlink.service.InterfaceNotFound",
                ["interface": "org.example.other"]
            ),
            ("Method", [:], "org.varlink.service.InterfaceNotFound", ["interface": "Method"]),
            (
                "org.example.test.Nothing", [:], "org.varlink.service.MethodNotFound",
                ["method": "org.example.test.Nothing"]
            ),
            (
                "org.example.test.Forgotten", [:], "org.varlink.service.MethodNotImplemented",
                ["method": "org.example.test.Forgotten"]
            ),
            (
                "org.example.test.Typed", ["count": "one"], "org.varlink.service.InvalidParameter",
                ["parameter": "count"]
            ),
            (
                "org.example.test.Typed", [:], "org.varlink.service.InvalidParameter",
                ["parameter": "count"]
            ),
            ("org.example.test.Count", ["to": 3], "org.varlink.service.ExpectedMore", [:]),
            ("org.example.test.Secret", [:], "org.varlink.service.PermissionDenied", [:]),
            ("org.example.test.Refuse", [:], "org.example.test.Refused", ["reason": "because"]),
            ("org.example.test.Crash", [:], "org.example.test.InternalError", [:]),
            (
                "org.varlink.service.GetInterfaceDescription", [:],
                "org.varlink.service.InvalidParameter", ["parameter": "interface"]
            ),
            (
                "org.varlink.service.GetInterfaceDescription", ["interface": "a.b"],
                "org.varlink.service.InterfaceNotFound", ["interface": "a.b"]
            ),
        ] as [(String, JSONValue, String, JSONValue)])
    func answersErrors(
        method: String, parameters: JSONValue, name: String, details: JSONValue
    ) async throws {
        let service = try await TestService()
        await #expect(throws: VarlinkError(name: name, parameters: details)) {
            try await call(service, method, parameters)
        }
        let isLogged = service.log.recorded == ["error: call failed"]
        #expect(isLogged == (method == "org.example.test.Crash"))
    }

    @Test func knowsWhoCalls() async throws {
        let service = try await TestService()
        let reply = try await call(service, "org.example.test.Who")
        #expect(reply == ["pid": .integer(Int64(getpid())), "uid": .integer(Int64(getuid()))])
    }

    @Test func decodesAndEncodesTypes() async throws {
        let service = try await TestService()
        #expect(try await call(service, "org.example.test.Typed", ["count": 7]) == ["count": 7])
    }

    @Test func answersPipelinedCallsInOrder() async throws {
        let service = try await TestService()
        let client = try await service.connect()
        var calls = #"{"method":"org.example.test.Slow","parameters":{"milliseconds":50}}"# + "\0"
        calls += #"{"method":"org.example.test.Echo","parameters":{"x":0},"oneway":true}"# + "\0"
        for number in 1...500 {
            calls += #"{"method":"org.example.test.Echo","parameters":{"x":\#(number)}}"# + "\0"
        }
        calls += #"{"method":"org.example.test.Count","parameters":{"to":2},"more":true}"# + "\0"
        try await client.send(calls)
        #expect(try await client.message() == #"{"parameters":{}}"#)
        for number in 1...500 {
            #expect(try await client.message() == #"{"parameters":{"x":\#(number)}}"#)
        }
        #expect(try await client.message() == #"{"continues":true,"parameters":{"number":1}}"#)
        #expect(try await client.message() == #"{"parameters":{"number":2}}"#)
        // What was asked before the client ended its output is still answered.
        try await client.send(
            #"{"method":"org.example.test.Slow","parameters":{"milliseconds":50}}"# + "\0")
        client.endOutput()
        #expect(try await client.message() == #"{"parameters":{}}"#)
        #expect(try await client.message() == nil)
    }

    @Test func aLongAnswerKeepsNobodyElseWaiting() async throws {
        let service = try await TestService()
        let client = try await service.connect()
        try await client.send(#"{"method":"org.example.test.Block"}"# + "\0")
        var deeds = service.deeds.makeAsyncIterator()
        #expect(await deeds.next(isolation: nil) == "blocked")
        for _ in 0..<20 { try await service.answers() }
        service.gate.signal()
        #expect(try await client.message() == #"{"parameters":{}}"#)
    }

    @Test func refusesUpgrades() async throws {
        let service = try await TestService()
        let client = try await service.connect()
        try await client.send(#"{"method":"org.example.test.Echo","upgrade":true}"# + "\0")
        #expect(
            try await client.message()
                == #"{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"upgrade"}}"#
        )
    }

    @Test func messagesMayComeByteByByte() async throws {
        // However busy the machine.
        var limits = VarlinkLimits()
        limits.messageTime = .seconds(300)
        let service = try await TestService(limits: limits)
        let client = try await service.connect()
        for byte in (#"{"method":"org.example.test.Echo"}"# + "\0").utf8 {
            try await client.send([byte])
        }
        #expect(try await client.message() == #"{"parameters":{}}"#)
    }

    @Test func clientReadsSeveralReplies() async throws {
        let service = try await TestService()
        let path = service.path
        let numbers = try await blocking {
            var numbers: [JSONValue?] = []
            let client = try VarlinkClient(path: path, timeout: .seconds(10))
            try client.callOneway("org.example.test.Echo")
            try client.callMore("org.example.test.Count", ["to": 3]) {
                numbers.append($0["number"])
                return true
            }
            return numbers
        }
        #expect(numbers == [1, 2, 3])
    }

    @Test func clientTellsWhyItGotNoReply() async throws {
        await #expect(throws: VarlinkClientError.notRunning(path: "/nonexistent/control")) {
            try await blocking { _ = try VarlinkClient(path: "/nonexistent/control") }
        }
        let service = try await TestService()
        let path = service.path
        await #expect(throws: VarlinkClientError.timeout(after: .milliseconds(100))) {
            try await blocking {
                try VarlinkClient(path: path, timeout: .milliseconds(100))
                    .call("org.example.test.Slow", ["milliseconds": 2000])
            }
        }
        await service.server.stop()
        #expect(!FileManager.default.fileExists(atPath: path))
        await #expect(throws: VarlinkClientError.notRunning(path: path)) {
            try await blocking { _ = try VarlinkClient(path: path) }
        }
    }

    @Test func stoppingDisconnectsClients() async throws {
        let service = try await TestService()
        let client = try await service.connect()
        try await client.send(#"{"method":"org.example.test.Echo"}"# + "\0")
        #expect(try await client.message() != nil)
        await service.server.stop()
        #expect(try await client.message() == nil)
    }

    private static let slow =
        #"{"method":"org.example.test.Slow","parameters":{"milliseconds":600000}}"# + "\0"

    @Test func aCallEndsWithItsClient() async throws {
        let service = try await TestService()
        do {
            let client = try await service.connect()
            try await client.send(Self.slow)
        }
        var deeds = service.deeds.makeAsyncIterator()
        #expect(await deeds.next(isolation: nil) == "given up")
        try await service.answers()
    }

    @Test func aClientThatSendsNoMoreGetsItsReply() async throws {
        let service = try await TestService()
        let client = try await service.connect()
        try await client.send(
            #"{"method":"org.example.test.Slow","parameters":{"milliseconds":1500}}"# + "\0")
        try client.endSending()
        #expect(try await client.message() == #"{"parameters":{}}"#)
        #expect(try await client.message() == nil)
    }

    @Test func aCallEndsWithAClientThatSentNoMoreBefore() async throws {
        let service = try await TestService()
        do {
            let client = try await service.connect()
            try await client.send(Self.slow)
            try client.endSending()
            try await Task.sleep(for: .milliseconds(100))
        }
        var deeds = service.deeds.makeAsyncIterator()
        #expect(await deeds.next(isolation: nil) == "given up")
    }

    @Test func whatWantsNoReplyGoesOnWithoutItsClient() async throws {
        let service = try await TestService()
        do {
            let client = try await service.connect()
            try await client.send(
                #"{"method":"org.example.test.Slow","parameters":{"milliseconds":200},"oneway":true}"#
                    + "\0")
        }
        var deeds = service.deeds.makeAsyncIterator()
        #expect(await deeds.next(isolation: nil) == "slow")
        try await service.answers()
    }

    @Test func aStreamEndsWithItsClient() async throws {
        let service = try await TestService()
        do {
            let client = try await service.connect()
            try await client.send(#"{"method":"org.example.test.Wait","more":true}"# + "\0")
            #expect(try await client.message() == #"{"continues":true,"parameters":{}}"#)
        }
        var deeds = service.deeds.makeAsyncIterator()
        #expect(await deeds.next(isolation: nil) == "client gone")
    }

    /// An implementation which is not ours.
    @Test func pythonsVarlinkUnderstandsIt() async throws {
        let interpreter = try #require(
            ProcessInfo.processInfo.environment["PEXIP_FW_VARLINK_PYTHON"],
            """
            PEXIP_FW_VARLINK_PYTHON names no Python interpreter with the `varlink` package: run \
            packaging/test, which sets one up
            """)
        let service = try await TestService()
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("varlink_client.py").path
        let path = service.path
        let (status, output) = try await blocking {
            let process = Process()
            let pipe = Pipe()
            process.executableURL = URL(fileURLWithPath: interpreter)
            process.arguments = [script, path]
            process.standardOutput = pipe
            process.standardError = pipe
            try process.run()
            let output = pipe.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return (process.terminationStatus, String(decoding: output, as: UTF8.self))
        }
        #expect(status == 0, "\(output)")
    }
}
