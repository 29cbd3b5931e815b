import Display
import Glibc
import LinuxSystem
import SystemPackage

/// Files that commands write for people.
enum OutputFile {
    /// Writes a text to what a path leads to (``OutputPath``); a file may be read by whom the umask
    /// lets.
    ///
    /// - Throws: ``Failure`` in words for people.
    static func write(_ text: String, to path: String) throws {
        // There is no other way to ask for it.
        let mask = umask(0)
        umask(mask)
        let mode = FilePermissions(rawValue: 0o666 & ~mask)
        do throws(SystemError) {
            try OutputPath.write(Array(text.utf8), to: path, mode: mode)
        } catch {
            throw Failure(.failure, FileProblem.output(path, reason: "\(error.errno)").words)
        }
    }
}
