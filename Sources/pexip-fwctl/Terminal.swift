import ArgumentParser
import Deployment
import FoundationEssentials
import Glibc

/// Output to people and pipes.
enum Terminal {
    /// Writes a line to standard error.
    static func complain(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        // Nothing is left to tell where standard error is closed.
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }

    /// Writes a line to standard output at once; false where nobody reads it any more.
    static func printed(_ line: String) -> Bool {
        var rest = Array((line + "\n").utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                write(STDOUT_FILENO, $0.baseAddress, $0.count)
            }
            if count < 0, errno != EINTR { return false }
            rest.removeFirst(max(0, count))
        }
        return true
    }

    static func printJSON(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// Diagnostics as compilers print them, to standard error.
    static func complain(_ diagnostics: [Diagnostic]) {
        for diagnostic in diagnostics { complain(diagnostic.description) }
    }

    /// Runs a command's body; a ``Failure`` becomes a line and its exit status.
    static func reporting(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let failure as Failure {
            complain("pexip-fwctl: \(failure.description)")
            throw ExitCode(failure.status.rawValue)
        }
    }
}

extension String {
    /// With spaces behind it; unchanged where it is longer.
    func padded(to width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - count))
    }

    /// Without spaces behind it.
    var trimmed: String {
        var text = self
        while text.hasSuffix(" ") { text.removeLast() }
        return text
    }
}
