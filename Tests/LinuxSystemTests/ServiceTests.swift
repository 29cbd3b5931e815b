import Glibc
import LinuxSystem
import Logging
import SystemPackage
import Testing

/// A datagram socket in systemd's place.
private struct NotifySocket: ~Copyable {
    private let owned: OwnedDescriptor

    init(_ name: [UInt8]) throws {
        owned = OwnedDescriptor(
            adopting: FileDescriptor(rawValue: socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let bound = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(owned.descriptor.rawValue, $0, socklen_t(2 + name.count))
            }
        }
        try #require(bound == 0)
    }

    func receive() -> String {
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = recv(owned.descriptor.rawValue, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}

@Suite struct ServiceNotifierTests {
    @Test(arguments: [true, false]) func speaksTheProtocol(abstract: Bool) throws {
        let directory = try TemporaryDirectory()
        let path = directory.appending("notify")
        let socket = try NotifySocket(abstract ? [0] + path.utf8 : Array(path.utf8))
        let notifier = ServiceNotifier(
            environment: ["NOTIFY_SOCKET": abstract ? "@\(path)" : path])
        try notifier.ready(status: "2 nodes\nin sync")
        #expect(socket.receive() == "READY=1\nSTATUS=2 nodes in sync")
        try notifier.status("busy")
        #expect(socket.receive() == "STATUS=busy")
        try notifier.reloading()
        #expect(socket.receive().wholeMatch(of: /RELOADING=1\nMONOTONIC_USEC=[0-9]+/) != nil)
        try notifier.watchdog()
        #expect(socket.receive() == "WATCHDOG=1")
        try notifier.stopping()
        #expect(socket.receive() == "STOPPING=1")
    }

    @Test func isSilentWithoutASocketAndTellsErrors() throws {
        try ServiceNotifier(environment: [:]).ready(status: "ready")
        let notifier = ServiceNotifier(environment: ["NOTIFY_SOCKET": "/nonexistent/notify"])
        let error = #expect(throws: SystemError.self) { try notifier.stopping() }
        #expect(error?.description == "sendto /nonexistent/notify: No such file or directory")
    }

    @Test func knowsTheWatchdogsInterval() {
        func interval(_ environment: [String: String]) -> Duration? {
            ServiceNotifier(environment: environment).watchdogInterval
        }
        #expect(interval(["WATCHDOG_USEC": "2500000"]) == .seconds(2.5))
        #expect(interval(["WATCHDOG_USEC": "1", "WATCHDOG_PID": "\(getpid())"]) != nil)
        #expect(interval(["WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"]) == nil)
        #expect(interval(["WATCHDOG_USEC": "often"]) == nil)
        #expect(interval([:]) == nil)
    }
}

@Suite(.timeLimit(.minutes(10))) struct SignalsTests {
    @Test func deliversSignalsInsteadOfDying() async throws {
        var signals = try Signals.caught([.hangUp, .terminate]).makeAsyncIterator()
        kill(getpid(), SIGHUP)
        #expect(await signals.next(isolation: nil) == .hangUp)
        kill(getpid(), SIGTERM)
        #expect(await signals.next(isolation: nil) == .terminate)
        // One at a time: a signal still on its way when the stream ends would end the process.
        kill(getpid(), SIGHUP)
        #expect(await signals.next(isolation: nil) == .hangUp)
    }
}

@Suite struct JournalLogHandlerTests {
    @Test(
        arguments: [
            ("one\ntwo\u{1b}[0m", [:], true, "<6>one\\ntwo\\u{1b}[0m\n"),
            ("hello", ["b": "x y", "a": "1"], false, "info: hello a=1 b=\"x y\"\n"),
            (
                "hello", ["q": "say \"a\"", "e": "", "n": "a\nb"], true,
                "<6>hello e=\"\" n=a\\nb q=\"say \\\"a\\\"\"\n"
            ),
        ] as [(String, Logger.Metadata, Bool, String)])
    func writesLines(message: String, metadata: Logger.Metadata, isJournal: Bool, line: String) {
        #expect(
            JournalLogHandler.line(
                level: .info, message: message, metadata: metadata, isJournal: isJournal) == line)
    }

    @Test func mapsLevelsToPriorities() {
        let priorities = Logger.Level.allCases.map {
            JournalLogHandler.line(level: $0, message: "", metadata: [:], isJournal: true)
        }
        #expect(priorities == ["<7>\n", "<7>\n", "<6>\n", "<5>\n", "<4>\n", "<3>\n", "<2>\n"])
    }

    @Test func recognisesTheJournalsStream() throws {
        let (reading, writing) = try FileDescriptor.pipe()
        defer {
            try? reading.close()
            try? writing.close()
        }
        var status = stat()
        #expect(fstat(writing.rawValue, &status) == 0)
        for (variable, prefix) in [
            ("\(status.st_dev):\(status.st_ino)", "<4>"), ("1:2", "warning: "),
        ] {
            var logger = Logger(label: "test") { _ in
                JournalLogHandler(environment: ["JOURNAL_STREAM": variable], descriptor: writing)
            }
            logger[metadataKey: "node"] = "conf-1"
            logger.debug("not this")
            logger.warning("drift", metadata: ["count": "2"])
            var bytes = [UInt8](repeating: 0, count: 200)
            let count = try bytes.withUnsafeMutableBytes { try reading.read(into: $0) }
            #expect(
                String(decoding: bytes.prefix(count), as: UTF8.self)
                    == "\(prefix)drift count=2 node=conf-1\n")
        }
    }
}

@Suite struct ProcessIdentityTests {
    @Test func describesProcesses() {
        let own = ProcessIdentity(pid: getpid())
        #expect(own.name != nil)
        #expect(own.commandLine?.contains("\0") == false)
        #expect(own.description.hasSuffix(" (\(getpid()))"))
        #expect(ProcessIdentity(pid: .max).description == "process \(Int32.max)")
        #expect(ProcessIdentity.currentThread > 0)
    }
}
