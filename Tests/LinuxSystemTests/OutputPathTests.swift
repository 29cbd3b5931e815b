import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import LinuxSystem

/// What is written to what somebody named.
@Suite struct OutputPathTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func write(
        _ text: String, to name: String, replacing: Bool = true, lasting: Bool = true,
        waiting: Bool = true
    ) throws {
        try OutputPath.write(
            Array(text.utf8), to: directory.appending(name),
            mode: [.ownerReadWrite, .groupRead], replacing: replacing, lasting: lasting,
            waiting: waiting)
    }

    private func text(_ name: String) throws -> String {
        String(decoding: try AtomicFile.read(directory.appending(name), limit: 100), as: UTF8.self)
    }

    private func status(_ name: String) throws -> stat {
        var status = stat()
        try #require(lstat(directory.appending(name), &status) == 0)
        return status
    }

    @Test(arguments: [true, false]) func filesAreReplacedWhole(lasting: Bool) throws {
        try write("new", to: "file", lasting: lasting)
        let first = try status("file").st_ino
        let held = try OwnedDescriptor(opening: directory.appending("file"), .readOnly)
        try write("newer", to: "file", lasting: lasting)
        #expect(try text("file") == "newer")
        #expect(try status("file").st_ino != first)
        _ = consume held
        let error = #expect(throws: SystemError.self) {
            try write("no", to: "file", replacing: false)
        }
        #expect(error?.errno == .fileExists)
        #expect(try directory.names() == ["file"])
    }

    @Test(arguments: [true, false]) func linksStayAndTheirTargetsAreReplaced(lasting: Bool) throws {
        try directory.makeDirectory("elsewhere")
        try write("old", to: "elsewhere/file")
        let first = try status("elsewhere/file").st_ino
        #expect(symlink("elsewhere/file", directory.appending("one")) == 0)
        #expect(symlink("one", directory.appending("two")) == 0)
        let held = try OwnedDescriptor(opening: directory.appending("two"), .readOnly)
        try write("new", to: "two", lasting: lasting)
        #expect(try text("elsewhere/file") == "new")
        #expect(try status("elsewhere/file").st_ino != first)
        #expect(try status("one").st_mode & S_IFMT == S_IFLNK)
        #expect(try status("two").st_mode & S_IFMT == S_IFLNK)
        #expect(try directory.names() == ["elsewhere", "one", "two"])
        _ = consume held
    }

    @Test func linksThatLeadNowhereAreRefused() throws {
        #expect(symlink("nowhere", directory.appending("link")) == 0)
        #expect(symlink("round", directory.appending("round")) == 0)
        for (name, reason) in [
            ("link", Errno.noSuchFileOrDirectory), ("round", .tooManySymbolicLinkLevels),
        ] {
            let error = #expect(throws: SystemError.self) { try write("no", to: name) }
            #expect(error?.errno == reason)
        }
        #expect(try directory.names() == ["link", "round"])
    }

    /// A device of the test's own, which a mistake may replace.
    @Test(arguments: ["null", "link"]) func devicesAreWrittenInto(name: String) throws {
        try requireRoot()
        let null = makedev(1, 3)
        try #require(mknod(directory.appending("null"), S_IFCHR | 0o600, null) == 0)
        #expect(symlink("null", directory.appending("link")) == 0)
        try write("text", to: name)
        try write("text", to: name, lasting: false, waiting: false)
        let status = try status("null")
        #expect(status.st_mode & S_IFMT == S_IFCHR)
        #expect(status.st_rdev == null)
        #expect(try directory.names() == ["link", "null"])
    }

    @Test func aFIFOIsWrittenInto() throws {
        let path = directory.appending("fifo")
        try #require(mkfifo(path, 0o600) == 0)
        let alone = #expect(throws: SystemError.self) {
            try write("no", to: "fifo", waiting: false)
        }
        #expect(alone?.errno == .noSuchAddressOrDevice)
        let reader = try OwnedDescriptor(opening: path, .readOnly, options: .nonBlocking)
        try write("text", to: "fifo")
        var bytes = [UInt8](repeating: 0, count: 10)
        let count = read(reader.descriptor.rawValue, &bytes, 10)
        #expect(count == 4)
        #expect(try status("fifo").st_mode & S_IFMT == S_IFIFO)
    }

    @Test func directoriesAreRefused() throws {
        try directory.makeDirectory("there")
        let error = #expect(throws: SystemError.self) { try write("no", to: "there") }
        #expect(error?.errno == .isDirectory)
        #expect(throws: SystemError.self) { try write("no", to: "missing/file") }
    }

    /// What somebody redirected goes on where it is, as a shell's own output does.
    @Test func whatIsOpenAlreadyIsWrittenOn() throws {
        let file = try OwnedDescriptor(
            opening: directory.appending("log"), .writeOnly, options: [.create, .append],
            permissions: .ownerReadWrite)
        try AtomicFile.writeAll(
            Array("first\n".utf8), to: file.descriptor.rawValue, subject: "log")
        try OutputPath.write(
            Array("second\n".utf8), to: "/dev/fd/\(file.descriptor.rawValue)", mode: .ownerReadWrite
        )
        try AtomicFile.writeAll(
            Array("third\n".utf8), to: file.descriptor.rawValue, subject: "log")
        #expect(try text("log") == "first\nsecond\nthird\n")
    }

    private func makedev(_ major: UInt, _ minor: UInt) -> dev_t { major << 8 | minor }
}
