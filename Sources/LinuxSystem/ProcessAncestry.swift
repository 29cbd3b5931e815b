internal import Glibc

/// Processes' parents and environments, as far as `/proc` tells them to this user.
package enum ProcessAncestry {
    /// The id of this process.
    package static var own: Int32 { getpid() }

    /// nil where the process is gone or hidden.
    package static func parent(of pid: Int32) -> Int32? {
        read("/proc/\(pid)/stat", limit: 1024).flatMap(parent(inStat:))
    }

    /// - Parameter stat: a process's `stat` of proc(5), "PID (NAME) STATE PPID …", where NAME may hold
    ///   anything.
    static func parent(inStat stat: [UInt8]) -> Int32? {
        guard let end = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: UInt8(ascii: " "))
        return fields.count > 1 ? Int32(String(decoding: fields[1], as: UTF8.self)) : nil
    }

    /// A variable of the environment that the process was started with; nil where that has none of
    /// this name, or is not to be seen.
    package static func variable(_ name: String, of pid: Int32) -> String? {
        read("/proc/\(pid)/environ", limit: 1 << 20).flatMap { value(of: name, in: $0) }
    }

    /// - Parameter environment: a process's `environ` of proc(5), where whoever started it chose all
    ///   the names: they are compared as bytes.
    static func value(of name: String, in environment: [UInt8]) -> String? {
        let start = Array("\(name)=".utf8)
        return environment.split(separator: 0).first { $0.starts(with: start) }.map {
            String(decoding: $0.dropFirst(start.count), as: UTF8.self)
        }
    }

    private static func read(_ path: String, limit: Int) -> [UInt8]? {
        do throws(SystemError) {
            return try AtomicFile.read(path, limit: limit, truncating: true)
        } catch {
            return nil  // gone, or another user's
        }
    }
}
