internal import Glibc
internal import SystemPackage

/// Why the kernel lets this process watch nothing more, and what to do about it.
package struct WatchLimit: Hashable, Sendable, CustomStringConvertible {
    /// The reason, with the setting that sets the limit and a value that would do.
    package let description: String

    /// nil for every other failure.
    package init?(_ error: SystemError) {
        switch (error.operation, error.errno) {
        case ("inotify_init1", .tooManyOpenFiles):
            // The kernel says the same of a process that has no descriptor left.
            description =
                Self.hasRoom
                ? Self.words("instances", of: "inotify_instances", atLeast: 1_024)
                : "this process has no descriptor left"
        case ("inotify_add_watch", .noSpace):
            description = Self.words("watches", of: "inotify_watches", atLeast: 65_536)
        case ("inotify_init1", .noMemory), ("inotify_add_watch", .noMemory),
            ("inotify_init1", .tooManyOpenFilesInSystem):
            description = "\(error.errno)"
        default: return nil
        }
    }

    private static var hasRoom: Bool {
        let copy = dup(STDERR_FILENO)
        if copy >= 0 { close(copy) }
        // Where standard error is closed, there is room.
        return copy >= 0 || errno == EBADF
    }

    /// - Parameters:
    ///   - counted: what a user may have only so many of.
    ///   - name: its name in `/proc/sys/user`, where a container's own limit stands.
    private static func words(
        _ counted: String, of name: String, atLeast least: Int
    ) -> String {
        let key = "fs.inotify.max_user_\(counted)"
        let limit = value(of: "fs/inotify/max_user_\(counted)")
        let words = "inotify's \(counted) of user \(geteuid()) are used up"
        func twice(_ limit: Int?) -> Int { max(least, 2 * min(limit ?? 0, 1 << 40)) }
        if let limit, let own = value(of: "user/max_\(name)"), own < limit {
            let key = "user.max_\(name)"
            return
                "\(words), all \(own) that \(key) allows in this container: sysctl -w \(key)=\(twice(own)) there, where fs.inotify.max_user_\(counted) is \(limit)"
        }
        let all = limit.map { "all \($0) that \(key) allows" } ?? "as many as \(key) allows"
        return "\(words), \(all): sysctl -w \(key)=\(twice(limit))"
    }

    /// A kernel parameter's value; nil where a sandbox hides it.
    private static func value(of path: String) -> Int? {
        do throws(SystemError) {
            let bytes = try AtomicFile.read("/proc/sys/\(path)", limit: 64)
            return Int(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
        } catch {
            return nil
        }
    }
}
