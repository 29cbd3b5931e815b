internal import CLinux
internal import PlainText
internal import SystemPackage

/// The identity of a process, as far as `/proc` still tells: it may be gone, and then only its id
/// is known.
package struct ProcessIdentity: Hashable, Sendable, CustomStringConvertible {
    /// The id of the process, in this process's namespace.
    package let pid: Int32
    /// The kernel's name for it, at most 15 bytes.
    package let name: String?
    /// Its arguments joined by spaces, at most 512 bytes of them, with spaces for what is not visible.
    /// A process may write there what it likes.
    package let commandLine: String?

    /// Reads the names from `/proc` now.
    package init(pid: Int32) {
        self.pid = pid
        name = Self.text(of: "/proc/\(pid)/comm")
        commandLine = Self.text(of: "/proc/\(pid)/cmdline")
    }

    /// Such as `nft -f rules.nft (4711)`.
    package var description: String {
        if let known = commandLine ?? name { "\(known) (\(pid))" } else { "process \(pid)" }
    }

    /// The id of the calling thread, as the kernel's logs and netlink name it.
    package static var currentThread: Int32 { clinux_gettid() }

    /// Nil where the process is gone, is not ours to see, or has none (kernel threads).
    private static func text(of path: String) -> String? {
        let bytes: [UInt8]
        do {
            bytes = try AtomicFile.read(path, limit: 512, truncating: true)
        } catch {
            return nil
        }
        let text = String(decoding: bytes, as: UTF8.self).blanked
        let trimmed = text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
        return trimmed.isEmpty ? nil : String(trimmed)
    }
}
