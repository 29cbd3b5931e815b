internal import Glibc
package import SystemPackage

/// A system call that failed: what was tried, on which object, and what the kernel answered.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The system call or the step, such as `open`.
    package let operation: String
    /// The path, address or process concerned, where there is one.
    package let subject: String?
    /// The reason that the kernel gives.
    package let errno: Errno

    package init(operation: String, subject: String? = nil, errno: Errno) {
        self.operation = operation
        self.subject = subject
        self.errno = errno
    }

    /// Such as `open /etc/pexip-fw.d: Permission denied`.
    package var description: String {
        if let subject { "\(operation) \(subject): \(errno)" } else { "\(operation): \(errno)" }
    }
}

/// The result of a system call that reports failure as -1, called again after EINTR.
@discardableResult
func systemCall<Result: SignedInteger>(
    _ operation: String, _ subject: String? = nil, _ call: () -> Result
) throws(SystemError) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        let code = Errno(rawValue: errno)
        if code != .interrupted {
            throw SystemError(operation: operation, subject: subject, errno: code)
        }
    }
}
