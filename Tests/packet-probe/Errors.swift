internal import Glibc

/// A system call that failed and what it was for.
struct SystemCallError: Error, CustomStringConvertible {
    let operation: String
    let errorNumber: Int32

    init(_ operation: String, errorNumber: Int32 = errno) {
        self.operation = operation
        self.errorNumber = errorNumber
    }

    var description: String { "\(operation): \(String(cString: strerror(errorNumber)))" }
}

/// A command that makes no sense.
struct CommandError: Error, CustomStringConvertible {
    let description: String
}

/// Writes a line to the standard error.
func complain(_ message: String) {
    let line = Array((message + "\n").utf8)
    // Nobody is left to be told if this fails.
    _ = write(STDERR_FILENO, line, line.count)
}
