import Foundation
import TestSupport

/// What processes and the kernel use, in bytes, as `/proc` has it.
enum Memory {
    static func resident(_ pid: Int32) throws -> Double {
        try kilobytes("VmRSS", in: "/proc/\(pid)/status") * 1024
    }

    /// The most that was resident.
    static func peak(_ pid: Int32) throws -> Double {
        try kilobytes("VmHWM", in: "/proc/\(pid)/status") * 1024
    }

    /// Lets ``peak(_:)`` begin anew.
    static func resetPeak(_ pid: Int32) throws {
        try Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/\(pid)/clear_refs"))
    }

    /// Resident memory, in which what processes share is divided among them.
    static func proportional(_ pid: Int32) throws -> Double {
        try kilobytes("Pss", in: "/proc/\(pid)/smaps_rollup") * 1024
    }

    /// What the kernel allocated for itself, once what it frees later than it could is freed: a
    /// transaction's own memory goes a grace period after its commit.
    static func kernel() throws -> Double {
        sleep(1)
        return try ["Slab", "VmallocUsed", "Percpu"].map {
            try kilobytes($0, in: "/proc/meminfo") * 1024
        }.reduce(0, +)
    }

    private static func kilobytes(_ field: String, in path: String) throws -> Double {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        for line in text.split(separator: "\n") where line.hasPrefix(field + ":") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            if words.count > 1, let value = Double(words[1]) { return value }
        }
        throw BenchmarkError("\(path) has no \(field)")
    }
}
