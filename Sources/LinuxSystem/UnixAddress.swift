internal import Glibc
internal import SystemPackage

/// The address of a Unix socket: a path, or a Linux abstract name.
struct UnixAddress: CustomStringConvertible {
    /// A path, or `@` and the abstract name.
    let description: String
    private let storage: sockaddr_un
    private let length: socklen_t

    /// Text that begins with `@` is an abstract name. Too long (ENAMETOOLONG) is 108 bytes, the
    /// path's final NUL included.
    init(_ text: String) throws(SystemError) {
        var name = Array(text.utf8)
        let isAbstract = name.first == UInt8(ascii: "@")
        if isAbstract { name[0] = 0 } else { name.append(0) }
        var storage = sockaddr_un()
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        guard name.count > 1, !name.dropFirst().dropLast().contains(0) else {
            throw SystemError(operation: "address", subject: text, errno: .invalidArgument)
        }
        guard offset + name.count <= MemoryLayout<sockaddr_un>.size else {
            throw SystemError(operation: "address", subject: text, errno: .fileNameTooLong)
        }
        storage.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &storage) { buffer in
            UnsafeMutableRawBufferPointer(rebasing: buffer[offset...]).copyBytes(from: name)
        }
        self.storage = storage
        description = text
        // A path's length may count its NUL or not; an abstract name has none.
        length = socklen_t(offset + name.count)
    }

    func withPointer<Result>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
