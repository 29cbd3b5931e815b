import ArgumentParser
import Display
import Glibc
import JSONValue
import LinuxSystem
import PlainText
import Site

/// Output to people and pipes. All of this program's goes by here: what others chose of it (names of
/// tables and processes, words of the command line, a service's answers) steers no terminal.
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
            throw Failure(.failure, FileProblem.unansweredQuestion.words)
        }
        return line
    }

    /// The page as standard output can show it.
    static func lines(of page: Page) -> [String] {
        page.lines(width: size?.columns, isColoured: isColoured)
    }

    static func show(_ page: Page) { print(lines(of: page).joined(separator: "\n")) }

    /// Writes a line to standard output.
    static func say(_ line: String) { print(line.visible) }

    static func say(_ lines: [String]) { for line in lines { say(line) } }

    /// Writes a text whose lines are ours to standard output.
    static func say(document: String) { print(document.visibleLines, terminator: "") }

    /// Writes a line to standard error.
    static func complain(_ line: String, terminator: String = "\n") {
        let bytes = Array((line.visible + terminator).utf8)
        // Nothing is left to tell where standard error is closed.
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }

    /// Writes a text of several lines to standard error in which words of the command line, or parts of
    /// them, are quoted: a line's end that is theirs is none of its own.
    static func complain(_ text: String, quoting words: [String]) {
        var bytes = Array(text.utf8)
        for word in words where !word.isVisible {
            let scalars = Array(word.unicodeScalars)
            for run in scalars.indices.split(whereSeparator: { scalars[$0].isVisible }) {
                // With what stands beside them.
                let part = scalars[
                    max(0, run.startIndex - 1)..<min(scalars.count, run.endIndex + 1)]
                let quoted = String(String.UnicodeScalarView(part))
                bytes = Array(
                    bytes.split(separator: Array(quoted.utf8), omittingEmptySubsequences: false)
                        .joined(separator: quoted.visible.utf8))
            }
        }
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for line in lines { complain(String(decoding: line, as: UTF8.self)) }
    }

    /// Writes a line to standard output at once; false where nobody reads it any more.
    static func printed(_ line: String) -> Bool { written(line.visible + "\n") }

    /// Writes to standard output at once, and as it is, with what steers a terminal; false where nobody
    /// reads it any more.
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
        let json = try JSONValue(encoding: value).shown(indents: true)
        print(String(decoding: json, as: UTF8.self))
    }

    /// Diagnostics as compilers print them, to standard error.
    static func complain(_ diagnostics: [Diagnostic]) {
        for diagnostic in diagnostics {
            // Each word of others in it is one line.
            for line in diagnostic.description.split(separator: "\n") { complain(String(line)) }
        }
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
