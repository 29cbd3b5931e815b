internal import Glibc
package import SystemPackage

/// A file descriptor with one owner, closed when the owner lets go of it.
///
/// Errors of closing are not seen: where written data matter, `fsync` has reported them before
/// (``AtomicFile``).
package struct OwnedDescriptor: ~Copyable, Sendable {
    /// For calls while this value lives; never closed through it.
    package let descriptor: FileDescriptor

    /// - Parameter descriptor: nobody else closes it from now on.
    package init(adopting descriptor: FileDescriptor) {
        self.descriptor = descriptor
    }

    /// Opens with close-on-exec always.
    ///
    /// - Throws: ``SystemError`` of open(2).
    package init(
        opening path: String, _ mode: FileDescriptor.AccessMode,
        options: FileDescriptor.OpenOptions = [], permissions: FilePermissions? = nil
    ) throws(SystemError) {
        do {
            descriptor = try FileDescriptor.open(
                FilePath(path), mode, options: options.union(.closeOnExec),
                permissions: permissions)
        } catch {
            throw SystemError(converting: error, operation: "open", subject: path)
        }
    }

    /// Leaves it open, to another owner.
    package consuming func release() -> FileDescriptor {
        let descriptor = descriptor
        discard self
        return descriptor
    }

    deinit {
        // Linux has released the descriptor whatever close(2) returns; repeating it could close
        // another's.
        _ = Glibc.close(descriptor.rawValue)
    }
}

extension SystemError {
    /// SystemPackage throws nothing but `Errno`, as `any Error`.
    init(converting error: any Error, operation: String, subject: String?) {
        self.init(
            operation: operation, subject: subject, errno: error as? Errno ?? .ioError)
    }
}

/// A descriptor with several owners, such as a connection and its dispatch sources: closed when
/// the last one lets go.
package final class SharedDescriptor: Sendable {
    private let owned: OwnedDescriptor

    /// - Parameter owned: closed with the last of its owners.
    package init(_ owned: consuming OwnedDescriptor) {
        self.owned = owned
    }

    /// For calls while this object lives; never closed through it.
    package var descriptor: FileDescriptor { owned.descriptor }
}
