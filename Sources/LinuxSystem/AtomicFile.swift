internal import Glibc
package import SystemPackage

/// Whole-file reads and writes. After a power cut, a written file is the old one or the new one,
/// whole.
package enum AtomicFile {
    /// Writes to a temporary file in the same directory, flushes it, renames it over `path`, and
    /// flushes the directory. Where anything fails the file is as it was and the temporary one is
    /// gone; only where flushing the directory fails may the new file be in place already.
    ///
    /// - Parameter replacing: whether what has the path already is replaced, or is an error (EEXIST).
    /// - Throws: ``SystemError``.
    package static func write(
        _ bytes: [UInt8], to path: String, mode: FilePermissions = [.ownerReadWrite, .groupRead],
        replacing: Bool = true
    ) throws(SystemError) {
        let (directory, name) = split(path)
        let temporary = "\(directory)/.\(name).\(getpid()).\(UInt64.random(in: .min ... .max)).tmp"
        try write(bytes, mode, first: temporary) { (file) throws(SystemError) in
            try systemCall("fsync", temporary) { fsync(file) }
            if replacing {
                try systemCall("rename", path) { rename(temporary, path) }
            } else {
                try systemCall("link", path) { link(temporary, path) }
                try systemCall("unlink", temporary) { unlink(temporary) }
            }
        }
        try flush(directory: directory)
    }

    /// Writes a new file under a temporary name, which `finish` gives another; where anything fails
    /// it is removed.
    private static func write(
        _ bytes: [UInt8], _ mode: FilePermissions, first temporary: String,
        then finish: (_ file: Int32) throws(SystemError) -> Void
    ) throws(SystemError) {
        let file = try OwnedDescriptor(
            opening: temporary, .writeOnly, options: [.create, .exclusiveCreate, .noFollow],
            permissions: .ownerReadWrite)
        do throws(SystemError) {
            let raw = file.descriptor.rawValue
            try writeAll(bytes, to: raw, subject: temporary)
            // After creation, because the umask does not apply here.
            try systemCall("fchmod", temporary) { fchmod(raw, mode.rawValue) }
            try finish(raw)
        } catch {
            try removeTemporary(temporary, after: error)
            throw error
        }
    }

    /// Puts a file in place of `path`, for what is soon written anew or flushed (``flush(_:)``):
    /// readers see the old one or the new one, whole, but after a power cut it may be empty or the
    /// old one.
    ///
    /// The temporary file's name is always the same, so that a kill leaves no more than one; it is
    /// for one writer.
    ///
    /// - Throws: ``SystemError``.
    package static func replace(
        _ bytes: [UInt8], at path: String, mode: FilePermissions
    ) throws(SystemError) {
        let (directory, name) = split(path)
        let temporary = "\(directory)/.\(name).tmp"
        do throws(SystemError) {
            // Nothing that stands there is written into.
            try systemCall("unlink", temporary) { unlink(temporary) }
        } catch {
            if error.errno != .noSuchFileOrDirectory { throw error }
        }
        try write(bytes, mode, first: temporary) { (_) throws(SystemError) in
            try systemCall("rename", path) { rename(temporary, path) }
        }
    }

    /// Makes a directory where there is none, so that a power cut does not take it away again.
    /// Anything else of its name is left alone.
    ///
    /// - Throws: ``SystemError``.
    package static func makeDirectory(
        _ path: String, mode: FilePermissions
    ) throws(SystemError) {
        do throws(SystemError) {
            try systemCall("mkdir", path) { mkdir(path, mode.rawValue) }
        } catch {
            if error.errno == .fileExists { return }
            throw error
        }
        try flush(directory: split(path).directory)
    }

    /// Makes a file that ``replace(_:at:mode:)`` wrote outlast a power cut.
    ///
    /// - Throws: ``SystemError`` of fsync(2).
    package static func flush(_ path: String) throws(SystemError) {
        let file = try OwnedDescriptor(opening: path, .readOnly, options: .noFollow)
        try systemCall("fsync", path) { fsync(file.descriptor.rawValue) }
        try flush(directory: split(path).directory)
    }

    /// Flushes which names a directory holds.
    private static func flush(directory: String) throws(SystemError) {
        let file = try OwnedDescriptor(opening: directory, .readOnly, options: .directory)
        try systemCall("fsync", directory) { fsync(file.descriptor.rawValue) }
    }

    /// The bytes of a regular file; what else may stand there (a FIFO, say) is an error and never
    /// waited for. A file of more than `limit` bytes is an error (EFBIG), or cut there where
    /// `truncating`.
    ///
    /// - Throws: ``SystemError``.
    package static func read(
        _ path: String, limit: Int, truncating: Bool = false
    ) throws(SystemError) -> [UInt8] {
        let file = try OwnedDescriptor(opening: path, .readOnly, options: .nonBlocking)
        return try read(file, path, limit: limit, truncating: truncating)
    }

    /// As ``read(_:limit:truncating:)``, of an open file.
    ///
    /// - Throws: ``SystemError``.
    package static func read(
        _ file: borrowing OwnedDescriptor, _ path: String, limit: Int, truncating: Bool = false
    ) throws(SystemError) -> [UInt8] {
        let raw = file.descriptor.rawValue
        var status = stat()
        try systemCall("fstat", path) { fstat(raw, &status) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SystemError(
                operation: "read", subject: "\(path), which is no regular file",
                errno: .notSupported)
        }
        // Nothing is read in vain. Files of the kernel's own have no size.
        if !truncating, status.st_size > limit {
            throw SystemError(operation: "read", subject: path, errno: .fileTooLarge)
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(limit + 1, 65536))
        while true {
            let count = try systemCall("read", path) { Glibc.read(raw, &chunk, chunk.count) }
            if count == 0 { return bytes }
            bytes += chunk.prefix(count)
            if bytes.count > limit {
                if truncating { return Array(bytes.prefix(limit)) }
                throw SystemError(operation: "read", subject: path, errno: .fileTooLarge)
            }
        }
    }

    static func writeAll(
        _ bytes: [UInt8], to raw: Int32, subject: String
    ) throws(SystemError) {
        var written = 0
        while written < bytes.count {
            written += try systemCall("write", subject) {
                bytes[written...].withUnsafeBytes { Glibc.write(raw, $0.baseAddress, $0.count) }
            }
        }
    }

    /// Throws where the file stays behind; then the error names both reasons.
    private static func removeTemporary(
        _ path: String, after error: SystemError
    ) throws(SystemError) {
        do {
            try systemCall("unlink", path) { unlink(path) }
        } catch let left {
            throw SystemError(
                operation: "\(error); then unlink", subject: path, errno: left.errno)
        }
    }

    private static func split(_ path: String) -> (directory: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let directory = slash == path.startIndex ? "/" : String(path[..<slash])
        return (directory, String(path[path.index(after: slash)...]))
    }
}
