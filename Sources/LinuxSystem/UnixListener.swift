internal import CLinux
internal import Glibc
package import SystemPackage

/// A listening Unix stream socket, whose file is removed when the last owner lets go.
package final class UnixListener: Sendable {
    /// The path of the socket's file.
    package let path: String
    /// The listening socket; does not block.
    package let shared: SharedDescriptor
    /// Device and inode of the socket's file: another server's is left alone.
    private let file: FileIdentity

    /// Listens at `path`, whose directory must exist, with a file that only `mode` may connect to,
    /// from the first moment on.
    ///
    /// The file of a dead server is replaced. A server that answers (EADDRINUSE), and a file that
    /// is no socket (EEXIST), are refused.
    ///
    /// - Throws: ``SystemError``.
    package init(path: String, mode: FilePermissions, backlog: Int32 = 64) throws(SystemError) {
        let address = try UnixAddress(path)
        try Self.removeStale(path)
        let owned = try UnixSocket.stream()
        let raw = owned.descriptor.rawValue
        try systemCall("bind", path) { address.withPointer { bind(raw, $0, $1) } }
        // Nobody can connect before listen(2), so the mode the file was born with has no effect.
        do {
            try systemCall("chmod", path) { chmod(path, mode.rawValue) }
            file = try FileIdentity(path)
            try systemCall("fcntl", path) { fcntl(raw, F_SETFL, O_NONBLOCK) }
            try systemCall("listen", path) { listen(raw, backlog) }
        } catch {
            // Its own file, just made; the error that counts is the first one.
            _ = unlink(path)
            throw error
        }
        shared = SharedDescriptor(owned)
        self.path = path
    }

    /// The process that serves the socket at a path; nil where none does.
    ///
    /// - Throws: ``SystemError``.
    package static func server(at path: String) throws(SystemError) -> PeerCredentials? {
        do throws(SystemError) {
            return try UnixSocket.connect(to: path, timeout: .milliseconds(100)).peerCredentials()
        } catch {
            switch error.errno {
            case .connectionRefused, .noSuchFileOrDirectory: return nil
            default: throw error
            }
        }
    }

    /// The next waiting client, non-blocking and close-on-exec; nil where none waits.
    ///
    /// - Throws: ``SystemError`` of accept(2), such as where descriptors ran out.
    package func accept() throws(SystemError) -> UnixSocket? {
        do {
            let raw = try systemCall("accept", path) {
                clinux_accept(shared.descriptor.rawValue)
            }
            return UnixSocket(OwnedDescriptor(adopting: FileDescriptor(rawValue: raw)))
        } catch {
            switch error.errno {
            case .resourceTemporarilyUnavailable: return nil
            // It went while it waited.
            case .connectionAbort: return try accept()
            default: throw error
            }
        }
    }

    deinit {
        let current: FileIdentity
        do {
            current = try FileIdentity(path)
        } catch {
            // Somebody has removed it already.
            return
        }
        // A file that stays is replaced by the next server.
        if current == file { _ = unlink(path) }
    }

    private static func removeStale(_ path: String) throws(SystemError) {
        let existing: FileIdentity
        do {
            existing = try FileIdentity(path)
        } catch {
            if error.errno == .noSuchFileOrDirectory { return }
            throw error
        }
        guard existing.isSocket else {
            throw SystemError(operation: "listen", subject: path, errno: .fileExists)
        }
        do {
            _ = try UnixSocket.connect(to: path, timeout: .seconds(1))
        } catch {
            switch error.errno {
            case .connectionRefused: try systemCall("unlink", path) { unlink(path) }
            case .noSuchFileOrDirectory: break
            // Its queue is full: it lives.
            case .resourceTemporarilyUnavailable:
                throw SystemError(operation: "listen", subject: path, errno: .addressInUse)
            default: throw error
            }
            return
        }
        throw SystemError(operation: "listen", subject: path, errno: .addressInUse)
    }
}

/// The file that a path names, not following a final symlink.
private struct FileIdentity: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64
    let isSocket: Bool

    init(_ path: String) throws(SystemError) {
        var status = stat()
        try systemCall("lstat", path) { lstat(path, &status) }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        isSocket = status.st_mode & S_IFMT == S_IFSOCK
    }
}
