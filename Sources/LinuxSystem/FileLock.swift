internal import CLinux
internal import Glibc
internal import Synchronization
package import SystemPackage

/// A lock of this process on a file of its own.
///
/// Two kinds of locks together. flock(2) takes no leave to write, so that the file keeps no file
/// system from being mounted read-only; it lasts until the last descriptor is closed of this opening
/// of the file, which no program that this one starts inherits and execve(2) leaves open. Record
/// locks (`F_SETLK`) that only mark bytes tell others whose it is (`F_GETLK` does, and nothing does of
/// flock) and whether that process is ending; they go where the process closes any descriptor of the
/// file, so nothing else may open that here.
package final class FileLock: Sendable {
    /// The byte whose mark tells the process.
    private static let owner: off_t = 0
    /// The byte that is marked until the process is ending.
    private static let life: off_t = 1

    package let path: String
    private struct Held {
        var shared: SharedDescriptor?
        var isEnding = false
    }
    private let held = Mutex(Held())

    /// Takes nothing yet.
    package init(_ path: String) { self.path = path }

    /// Goes on with a lock that a program took which this process was before.
    package init(_ path: String, adopting descriptor: FileDescriptor) {
        self.path = path
        held.withLock { $0.shared = SharedDescriptor(OwnedDescriptor(adopting: descriptor)) }
    }

    /// nil where nothing is locked.
    package var descriptor: FileDescriptor? { held.withLock { $0.shared?.descriptor } }

    /// A process that has the lock.
    package struct Holder: Hashable, Sendable {
        /// nil where it is none that this process could see.
        package let pid: Int32?
        /// It was told to end.
        package let isEnding: Bool
    }

    /// Takes the lock, on a file that is made where there is none. Where this process has it already,
    /// makes sure that it is that of the file at the path: somebody may have removed it.
    ///
    /// - Returns: who has it; nil where it is this process.
    /// - Throws: ``SystemError``.
    package func take() throws(SystemError) -> Holder? {
        let result = held.withLock { held -> Result<Holder?, SystemError> in
            do throws(SystemError) {
                if let shared = held.shared, try isFile(shared.descriptor) {
                    return .success(nil)
                }
                held.shared = nil
                let owned = try open()
                let raw = owned.descriptor.rawValue
                if try !lock(raw) { return .success(try holder(raw)) }
                try mark(raw, Self.owner)
                if !held.isEnding { try mark(raw, Self.life) }
                held.shared = SharedDescriptor(owned)
                return .success(nil)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Lets others know that this process will soon let go.
    package func announceEnd() {
        held.withLock { held in
            held.isEnding = true
            guard let raw = held.shared?.descriptor.rawValue else { return }
            var record = Self.record(F_UNLCK, Self.life)
            // Can't fail; and if it did, others would wait less.
            _ = fcntl(raw, F_SETLK, &record)
        }
    }

    /// Anything else in its place is no lock of anybody's, and goes.
    private func open() throws(SystemError) -> OwnedDescriptor {
        do throws(SystemError) {
            return try openRegular()
        } catch {
            guard [.tooManySymbolicLinkLevels, .notSupported].contains(error.errno) else {
                throw error
            }
        }
        try systemCall("unlink", path) { unlink(path) }
        return try openRegular()
    }

    private func openRegular() throws(SystemError) -> OwnedDescriptor {
        let owned = try OwnedDescriptor(
            opening: path, .readOnly, options: [.create, .noFollow, .nonBlocking],
            permissions: .ownerReadWrite)
        let raw = owned.descriptor.rawValue
        var status = stat()
        try systemCall("fstat", path) { fstat(raw, &status) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SystemError(
                operation: "lock", subject: "\(path), which is no regular file",
                errno: .notSupported)
        }
        return owned
    }

    /// Whether the path leads to the file of the descriptor.
    private func isFile(_ descriptor: FileDescriptor) throws(SystemError) -> Bool {
        var (own, there) = (stat(), stat())
        try systemCall("fstat", path) { fstat(descriptor.rawValue, &own) }
        do throws(SystemError) {
            try systemCall("lstat", path) { lstat(path, &there) }
        } catch {
            if error.errno == .noSuchFileOrDirectory { return false }
            throw error
        }
        return own.st_dev == there.st_dev && own.st_ino == there.st_ino
    }

    /// - Returns: false where somebody has it.
    private func lock(_ raw: Int32) throws(SystemError) -> Bool {
        do throws(SystemError) {
            try systemCall("lock", path) { clinux_lock_file(raw) }
            return true
        } catch {
            switch error.errno {
            case .resourceTemporarilyUnavailable: return false
            // File systems of a network: one that has no locks, or none for readers.
            case .notSupported, .noLocks, .noFunction, .badFileDescriptor: return true
            default: throw error
            }
        }
    }

    private func mark(_ raw: Int32, _ byte: off_t) throws(SystemError) {
        var record = Self.record(F_RDLCK, byte)
        do throws(SystemError) {
            try systemCall("lock", path) { fcntl(raw, F_SETLK, &record) }
        } catch {
            // Then others are not told whose it is.
            guard [.notSupported, .noLocks, .noFunction].contains(error.errno) else { throw error }
        }
    }

    private func holder(_ raw: Int32) throws(SystemError) -> Holder {
        let owner = try process(marking: Self.owner, raw)
        let isAlive = try process(marking: Self.life, raw) != nil
        return Holder(pid: owner.flatMap { $0 > 0 ? $0 : nil }, isEnding: !isAlive)
    }

    /// The process that marks a byte; nil where none does.
    private func process(marking byte: off_t, _ raw: Int32) throws(SystemError) -> pid_t? {
        var record = Self.record(F_WRLCK, byte)
        try systemCall("lock", path) { fcntl(raw, F_GETLK, &record) }
        return record.l_type == Int16(F_UNLCK) ? nil : record.l_pid
    }

    private static func record(_ type: Int32, _ byte: off_t) -> Glibc.flock {
        Glibc.flock(
            l_type: Int16(type), l_whence: Int16(SEEK_SET), l_start: byte, l_len: 1, l_pid: 0)
    }
}
