internal import Glibc

/// The test environment does not do what a test needs; never an outcome that a test looks for.
package struct TestSupportError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }

    /// For a system call that failed.
    package init(_ operation: String, errorNumber: Int32) {
        description = "\(operation): \(String(cString: strerror(errorNumber)))"
    }
}
