internal import Glibc

/// Processes' parents and environments, as far as `/proc` tells them to this user.
package enum ProcessAncestry {
    package static var own: Int32 { getpid() }

    /// nil where the process is gone or hidden.
    package static func parent(of pid: Int32) -> Int32? {
        // "PID (NAME) STATE PPID …", where NAME may hold anything.
        guard let stat = read("/proc/\(pid)/stat", limit: 1024),
            let end = stat.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: UInt8(ascii: " "))
        return fields.count > 1 ? Int32(String(decoding: fields[1], as: UTF8.self)) : nil
    }

    /// The environment that the process was started with; empty where it is gone or not to be seen.
    package static func environment(of pid: Int32) -> [String: String] {
        var environment: [String: String] = [:]
        for entry in (read("/proc/\(pid)/environ", limit: 1 << 20) ?? []).split(separator: 0) {
            guard let mark = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
            environment[String(decoding: entry[..<mark], as: UTF8.self)] = String(
                decoding: entry[entry.index(after: mark)...], as: UTF8.self)
        }
        return environment
    }

    private static func read(_ path: String, limit: Int) -> [UInt8]? {
        do throws(SystemError) {
            return try AtomicFile.read(path, limit: limit, truncating: true)
        } catch {
            return nil  // gone, or another user's
        }
    }
}
