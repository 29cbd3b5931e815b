import Glibc
import LinuxSystem
import SystemPackage
import Testing

@Suite struct UnixSocketTests {
    let directory: TemporaryDirectory
    var path: String { directory.appending("control") }

    init() throws { directory = try TemporaryDirectory() }

    private func listen() throws -> UnixListener {
        try UnixListener(path: path, mode: [.ownerReadWrite, .groupReadWrite])
    }

    @Test func connectsAndTellsWhoThePeerIs() throws {
        let listener = try listen()
        #expect(try listener.accept() == nil)
        let client = try UnixSocket.connect(to: path, timeout: .seconds(5))
        let server = try #require(try listener.accept())
        let credentials = try server.peerCredentials()
        #expect(credentials.pid == getpid())
        #expect(credentials.uid == getuid())
        #expect(credentials.gid == getgid())
        #expect(credentials.isMember(of: getgid()))
        #expect(Set(credentials.groups).isSuperset(of: try supplementaryGroups()))

        var buffer = [UInt8](repeating: 0, count: 10)
        #expect(try server.receive(into: &buffer) == .wouldBlock)
        #expect(try client.send([1, 2, 3]) == .bytes(3))
        #expect(try server.receive(into: &buffer) == .bytes(3))
        try client.setTimeout(.milliseconds(10))
        #expect(try client.receive(into: &buffer) == .wouldBlock)
    }

    private func supplementaryGroups() throws -> [gid_t] {
        var groups = [gid_t](repeating: 0, count: 1000)
        let count = getgroups(1000, &groups)
        return Array(groups.prefix(Int(count)))
    }

    @Test func aPeerThatHasGoneIsAnErrorAndNoSignal() throws {
        let listener = try listen()
        let client = try UnixSocket.connect(to: path, timeout: .seconds(5))
        _ = try listener.accept()
        let error = #expect(throws: SystemError.self) {
            for _ in 0..<3 { _ = try client.send([1]) }
        }
        #expect(error?.errno == .brokenPipe)
    }

    @Test func theFileHasItsModeAndGoesWithTheListener() throws {
        do {
            let listener = try listen()
            var status = stat()
            #expect(lstat(listener.path, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o660)
        }
        #expect(try directory.names() == [])
    }

    @Test func aDeadServersFileIsReplacedAndALivingOnesIsNot() throws {
        // A socket that was bound and never cleaned up.
        do {
            let dead = try listen()
            #expect(link(dead.path, directory.appending("kept")) == 0)
        }
        try directory.move("kept", to: "control")
        let living = try listen()
        let error = #expect(throws: SystemError.self) { _ = try listen() }
        #expect(error?.errno == .addressInUse)
        #expect(
            try UnixSocket.connect(to: living.path, timeout: .seconds(1)).peerCredentials().uid
                == getuid())
    }

    @Test func anotherServersFileIsLeftAlone() throws {
        let old = try listen()
        try directory.remove("control")
        let new = try listen()
        withExtendedLifetime(old) {}
        _ = consume old
        #expect(try directory.names() == ["control"])
        withExtendedLifetime(new) {}
    }

    @Test func refusesBadPaths() throws {
        func errno(_ path: String) -> Errno? {
            #expect(throws: SystemError.self) {
                _ = try UnixListener(path: path, mode: .ownerReadWrite)
            }?.errno
        }
        #expect(errno("/tmp/" + String(repeating: "x", count: 103)) == .fileNameTooLong)
        #expect(errno(directory.appending("missing/control")) == .noSuchFileOrDirectory)
        #expect(errno("") == .invalidArgument)
        try directory.write("precious", to: "file")
        #expect(errno(directory.appending("file")) == .fileExists)
        #expect(try directory.names() == ["file"])
    }
}
