import ArgumentParser
import Deployment
import Display
import Glibc
import JSONValue
import LinuxSystem

/// Output to people and pipes.
enum Terminal {
    /// Whether standard output moves the cursor and clears lines as terminals do.
    static var isScreen: Bool {
        isatty(STDOUT_FILENO) == 1 && ProcessEnvironment.value(of: "TERM") != nil
            && ProcessEnvironment.value(of: "TERM") != "dumb"
    }

    /// Colour is for terminals, and for who did not ask to do without (https://no-color.org).
    static var isColoured: Bool {
        isScreen && (ProcessEnvironment.value(of: "NO_COLOR") ?? "").isEmpty
    }

    /// Columns and rows of standard output; nil where it is no terminal.
    static var size: (columns: Int, rows: Int)? {
        guard isatty(STDOUT_FILENO) == 1 else { return nil }
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            // A serial line does not know its size.
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Whether somebody can be asked, and sees what is asked, wherever standard output goes.
    static var isConversation: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 }

    /// Asks on standard error and returns the line that is typed.
    ///
    /// - Throws: ``Failure`` where input ends.
    static func ask(_ question: String) throws -> String {
        complain(question, terminator: "")
        guard let line = readLine() else {
            complain("")
            throw Failure(.failure, "input ends before the last answer; nothing was written")
        }
        return line
    }

    /// The page as standard output can show it.
    static func lines(of page: Page) -> [String] {
        page.lines(width: size?.columns, isColoured: isColoured)
    }

    static func show(_ page: Page) { print(lines(of: page).joined(separator: "\n")) }

    /// Writes a line to standard error.
    static func complain(_ line: String, terminator: String = "\n") {
        let bytes = Array((line + terminator).utf8)
        // Nothing is left to tell where standard error is closed.
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }

    /// Writes a line to standard output at once; false where nobody reads it any more.
    static func printed(_ line: String) -> Bool { written(line + "\n") }

    /// Writes to standard output at once; false where nobody reads it any more.
    static func written(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
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
        print(String(decoding: try JSONValue(encoding: value).indented, as: UTF8.self))
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
