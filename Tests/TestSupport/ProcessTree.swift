internal import Foundation

/// Processes as `/proc` tells of them.
package enum ProcessTree {
    /// The processes that a process made and has not waited for, zombies included.
    package static func children(of pid: Int32) throws -> [Int32] {
        try threads(of: pid).flatMap { thread in
            // A thread that ended meanwhile handed its children on.
            let text = try? text("/proc/\(pid)/task/\(thread)/children")
            return (text ?? "").split(separator: " ").compactMap { Int32($0) }
        }
    }

    /// A process and all that it started.
    package static func descendants(of pid: Int32) throws -> [Int32] {
        try [pid] + children(of: pid).flatMap { try descendants(of: $0) }
    }

    package static func threads(of pid: Int32) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")
            .compactMap { Int32($0) }
    }

    /// A line of a thread's status without its name, such as the capabilities of `CapPrm`.
    package static func status(_ field: String, of thread: Int32) throws -> String {
        let lines = try text("/proc/\(thread)/status").split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix("\(field):") }) else {
            throw TestSupportError("/proc/\(thread)/status has no \(field)")
        }
        return line.dropFirst(field.count + 1).trimmingCharacters(in: .whitespaces)
    }

    /// How often each thread of a process gave the processor away to wait: once a wake-up.
    package static func switches(of pid: Int32) throws -> [Int32: Int] {
        var switches: [Int32: Int] = [:]
        // A thread that ended meanwhile has none.
        for thread in try threads(of: pid) {
            guard let count = try? status("voluntary_ctxt_switches", of: thread) else { continue }
            switches[thread] = Int(count)
        }
        return switches
    }

    /// How long a process has computed, in hundredths of a second.
    package static func processorTime(of pid: Int32) throws -> Duration {
        // The name before the other fields may hold anything.
        let rest = try text("/proc/\(pid)/stat").split(separator: ")").last ?? ""
        let fields = rest.split(separator: " ")
        guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else {
            throw TestSupportError("/proc/\(pid)/stat is of another form: \(rest)")
        }
        return .milliseconds(10 * (user + system))
    }

    /// Nil where the process is gone.
    package static func name(of pid: Int32) -> String? {
        (try? text("/proc/\(pid)/comm"))?.trimmingCharacters(in: .newlines)
    }

    /// Whether there is such a process that has not ended.
    package static func isAlive(_ pid: Int32) -> Bool {
        // Gone is the usual reason for not being readable.
        guard let state = try? status("State", of: pid) else { return false }
        return !state.hasPrefix("Z") && !state.hasPrefix("X")
    }

    private static func text(_ path: String) throws -> String {
        try String(contentsOfFile: path, encoding: .utf8)
    }
}
