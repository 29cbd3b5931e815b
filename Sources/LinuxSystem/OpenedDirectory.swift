internal import Glibc
internal import SystemPackage

/// Uses of an opened directory, and of a file's bytes.
extension OpenedFile {
    /// The names of all entries but `.` and `..`, in no order.
    ///
    /// - Throws: ``SystemError``.
    package func names(at path: String) throws(SystemError) -> [[UInt8]] {
        // Of its own, since reading moves on in it.
        let raw = descriptor.descriptor.rawValue
        let own = OwnedDescriptor(
            adopting: FileDescriptor(
                rawValue: try systemCall("open", path) {
                    openat(raw, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                }))
        guard let stream = fdopendir(own.descriptor.rawValue) else {
            throw SystemError(operation: "list", subject: path, errno: Errno(rawValue: errno))
        }
        _ = own.release()
        // Nothing was written, so nothing can be lost on closing.
        defer { closedir(stream) }
        var names: [[UInt8]] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno == 0 { return names }
                throw SystemError(operation: "list", subject: path, errno: Errno(rawValue: errno))
            }
            // The record ends with the name, so a copy of the whole structure would read past it.
            guard let offset = MemoryLayout<dirent>.offset(of: \dirent.d_name) else {
                preconditionFailure("dirent has a name")
            }
            let start = (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: UInt8.self)
            var length = 0
            while start[length] != 0 { length += 1 }
            let name = Array(UnsafeBufferPointer(start: start, count: length))
            if name != Array(".".utf8), name != Array("..".utf8) { names.append(name) }
        }
    }

    /// The kind of a directory's entry itself.
    package enum Entry: Hashable, Sendable {
        case link
        case other
    }

    /// nil where nothing has the name.
    package func entry(_ name: [UInt8]) -> Entry? {
        var status = stat()
        guard self.status(of: name, flags: AT_SYMLINK_NOFOLLOW, &status) else { return nil }
        return status.st_mode & S_IFMT == S_IFLNK ? .link : .other
    }

    /// The kind of the file that a name leads to; nil where it can't be had.
    package func kind(of name: [UInt8]) -> (identity: FileFacts.Identity, isDirectory: Bool)? {
        var status = stat()
        guard self.status(of: name, flags: 0, &status) else { return nil }
        return (FileFacts.Identity(status), status.st_mode & S_IFMT == S_IFDIR)
    }

    private func status(of name: [UInt8], flags: Int32, _ status: inout stat) -> Bool {
        let raw = descriptor.descriptor.rawValue
        return name[...].withCString { fstatat(raw, $0, &status, flags) == 0 }
    }

    /// The file's bytes, to its end or so many.
    ///
    /// - Throws: ``SystemError``.
    package func contents(atMost limit: Int, of path: String) throws(SystemError) -> [UInt8] {
        let raw = descriptor.descriptor.rawValue
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(limit, 1 << 16))
        while bytes.count < limit {
            let room = min(chunk.count, limit - bytes.count)
            let count = try systemCall("read", path) { read(raw, &chunk, room) }
            if count == 0 { break }
            bytes += chunk.prefix(count)
        }
        return bytes
    }
}
