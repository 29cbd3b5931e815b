import Glibc
import LinuxSystem
import SystemPackage
import Testing

@Suite struct AtomicFileTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func replacesWholeFilesWithTheModeAskedFor() throws {
        let path = directory.appending("state")
        try AtomicFile.write(Array("old".utf8), to: path)
        try AtomicFile.write(Array("new".utf8), to: path, mode: .ownerReadWrite)
        #expect(try AtomicFile.read(path, limit: 3) == Array("new".utf8))
        #expect(try directory.names() == ["state"])
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
    }

    @Test func replacesAFileWithoutFlushingIt() throws {
        let path = directory.appending("metrics")
        // What a kill left, or somebody put there, is not written into.
        try directory.makeDirectory("other")
        #expect(symlink("other/file", directory.appending(".metrics.tmp")) == 0)
        for text in ["old", "new"] {
            try AtomicFile.replace(
                Array(text.utf8), at: path, mode: [.ownerReadWrite, .groupRead, .otherRead])
            #expect(try AtomicFile.read(path, limit: 3) == Array(text.utf8))
        }
        #expect(try directory.names() == ["metrics", "other"])
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o644)
        try directory.makeDirectory("taken/inside")
        let error = #expect(throws: SystemError.self) {
            try AtomicFile.replace([1], at: directory.appending("taken"), mode: .ownerReadWrite)
        }
        #expect(error?.description == "rename \(directory.path)/taken: Is a directory")
        #expect(try directory.names() == ["metrics", "other", "taken"])
    }

    @Test func leavesAloneWhatIsThereIfAskedTo() throws {
        let path = directory.appending("state")
        try AtomicFile.write(Array("old".utf8), to: path, replacing: false)
        let error = #expect(throws: SystemError.self) {
            try AtomicFile.write(Array("new".utf8), to: path, replacing: false)
        }
        #expect(error?.errno == .fileExists)
        #expect(try AtomicFile.read(path, limit: 3) == Array("old".utf8))
        #expect(try directory.names() == ["state"])
    }

    @Test func leavesNothingBehindWhenItFails() throws {
        try directory.makeDirectory("taken/inside")
        let error = #expect(throws: SystemError.self) {
            try AtomicFile.write([1], to: directory.appending("taken"))
        }
        #expect(error?.description == "rename \(directory.path)/taken: Is a directory")
        #expect(try directory.names() == ["taken"])
    }

    @Test func saysWhatFailed() {
        let path = directory.appending("missing/file")
        let error = #expect(throws: SystemError.self) { try AtomicFile.read(path, limit: 1) }
        #expect(error?.description == "open \(path): No such file or directory")
        #expect(throws: SystemError.self) { try AtomicFile.write([], to: path) }
    }

    @Test func boundsWhatItReads() throws {
        let path = directory.appending("big")
        try AtomicFile.write([UInt8](repeating: 1, count: 100_000), to: path)
        #expect(try AtomicFile.read(path, limit: 100_000).count == 100_000)
        let error = #expect(throws: SystemError.self) { try AtomicFile.read(path, limit: 99_999) }
        #expect(error?.errno == .fileTooLarge)
        #expect(try AtomicFile.read(path, limit: 10, truncating: true).count == 10)
    }

    /// Opening a FIFO must not wait for somebody who writes to it.
    @Test(.timeLimit(.minutes(10))) func readsNothingButRegularFiles() throws {
        try directory.makeDirectory("directory")
        #expect(mkfifo(directory.appending("fifo"), 0o600) == 0)
        #expect(symlink("fifo", directory.appending("link")) == 0)
        for name in ["directory", "fifo", "link"] {
            let error = #expect(throws: SystemError.self) {
                try AtomicFile.read(directory.appending(name), limit: 10)
            }
            #expect(error?.description.contains("\(name), which is no regular file") == true)
        }
    }

    /// A file without end is not read until the limit is reached.
    @Test func refusesAHugeFileUnread() throws {
        let path = directory.appending("huge")
        try AtomicFile.write([], to: path)
        #expect(truncate(path, 1 << 40) == 0)
        let error = #expect(throws: SystemError.self) {
            try AtomicFile.read(path, limit: 1 << 39)
        }
        #expect(error?.errno == .fileTooLarge)
    }

    @Test func descriptorsAreClosed() throws {
        let raw: Int32
        do {
            let file = try OwnedDescriptor(opening: directory.path, .readOnly)
            raw = file.descriptor.rawValue
            #expect(fcntl(raw, F_GETFD) == FD_CLOEXEC)
        }
        var status = stat()
        var own = stat()
        #expect(stat(directory.path, &own) == 0)
        // Another test may have got the number meanwhile.
        #expect(fstat(raw, &status) != 0 || status.st_ino != own.st_ino)
    }
}
