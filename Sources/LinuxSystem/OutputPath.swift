internal import Glibc
package import SystemPackage

/// The goal of a path that somebody named for output.
package enum OutputPath {
    /// Writes to it, by what is there.
    ///
    /// A regular file, and one that is not there yet, is the old or the new one, whole. Through a
    /// symbolic link the file that it leads to is written so, where the kernel lets this process
    /// follow the link; one that leads nowhere is an error (ENOENT). A file that is not regular, as a
    /// device or a FIFO, is written into and stays what it is. So is what this process has open
    /// already, as `/dev/stdout`, whatever that is.
    ///
    /// - Parameters:
    ///   - mode: of a file that is made.
    ///   - replacing: whether a file may be there already, or that is an error (EEXIST).
    ///   - lasting: whether it is to outlast a power cut, or is soon written anew.
    ///   - waiting: whether to wait for whoever reads a FIFO, or that is an error (ENXIO, EAGAIN).
    /// - Throws: EPIPE where a FIFO's reader has gone, if SIGPIPE is ignored.
    package static func write(
        _ bytes: [UInt8], to path: String, mode: FilePermissions, replacing: Bool = true,
        lasting: Bool = true, waiting: Bool = true
    ) throws(SystemError) {
        let target: Target
        do throws(SystemError) {
            target = try Target(path)
        } catch {
            guard error.errno == .noSuchFileOrDirectory, try !isLink(path) else { throw error }
            // Nothing is there; or whatever came there since, as a link, is not followed.
            return try put(bytes, at: path, mode, replacing: replacing, lasting: lasting)
        }
        if !replacing { throw SystemError(operation: "write", subject: path, errno: .fileExists) }
        if try isLink(path), let own = target.ownDescriptor() {
            return try AtomicFile.writeAll(bytes, to: own, subject: path)
        }
        guard !target.isRegular else {
            let file = try isLink(path) ? target.path() : path
            return try put(bytes, at: file, mode, replacing: true, lasting: lasting)
        }
        var options = FileDescriptor.OpenOptions(rawValue: O_NOCTTY)
        if !waiting { options.insert(.nonBlocking) }
        let opened = try OwnedDescriptor(opening: path, .writeOnly, options: options)
        guard try Target.Identity(opened.descriptor.rawValue, path) == target.identity else {
            throw changed(path)
        }
        try AtomicFile.writeAll(bytes, to: opened.descriptor.rawValue, subject: path)
    }

    private static func put(
        _ bytes: [UInt8], at path: String, _ mode: FilePermissions, replacing: Bool, lasting: Bool
    ) throws(SystemError) {
        if lasting {
            try AtomicFile.write(bytes, to: path, mode: mode, replacing: replacing)
        } else {
            try AtomicFile.replace(bytes, at: path, mode: mode)
        }
    }

    private static func isLink(_ path: String) throws(SystemError) -> Bool {
        var status = stat()
        do throws(SystemError) {
            try systemCall("lstat", path) { lstat(path, &status) }
        } catch {
            if error.errno == .noSuchFileOrDirectory { return false }
            throw error
        }
        return status.st_mode & S_IFMT == S_IFLNK
    }

    fileprivate static func changed(_ path: String) -> SystemError {
        SystemError(
            operation: "write", subject: "\(path), which is another one than before",
            errno: .staleNFSFileHandle)
    }
}

/// The file at the end of a path, links followed by the kernel, which knows whom they may lead
/// astray.
private struct Target: ~Copyable {
    struct Identity: Hashable {
        let device: UInt64
        let inode: UInt64
        let type: mode_t

        init(_ status: stat) {
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
            type = status.st_mode & S_IFMT
        }

        init(_ raw: Int32, _ path: String) throws(SystemError) {
            var status = stat()
            try systemCall("fstat", path) { fstat(raw, &status) }
            self.init(status)
        }
    }

    /// `O_PATH`, which is declared behind _GNU_SOURCE: nothing is opened but the name.
    private static let nameOnly = FileDescriptor.OpenOptions(rawValue: 0o10_000_000)

    private let place: OwnedDescriptor
    private let subject: String
    let identity: Identity

    init(_ path: String) throws(SystemError) {
        let place = try OwnedDescriptor(opening: path, .readOnly, options: Self.nameOnly)
        identity = try Identity(place.descriptor.rawValue, path)
        self.place = place
        subject = path
    }

    var isRegular: Bool { identity.type == S_IFREG }

    /// By which this process has it open for writing; nil where it has not.
    func ownDescriptor() -> Int32? {
        (STDOUT_FILENO..<1_024).first { number in
            var status = stat()
            guard number != place.descriptor.rawValue, fstat(number, &status) == 0 else {
                return false
            }
            return Identity(status) == identity && fcntl(number, F_GETFL) & O_ACCMODE != O_RDONLY
        }
    }

    /// Where it is without any link.
    func path() throws(SystemError) -> String {
        let link = "/proc/self/fd/\(place.descriptor.rawValue)"
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = try systemCall("readlink", subject) { readlink(link, &bytes, bytes.count) }
        let path = String(
            decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var status = stat()
        guard lstat(path, &status) == 0, Identity(status) == identity else {
            throw OutputPath.changed(subject)
        }
        return path
    }
}
