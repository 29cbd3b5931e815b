internal import CLinux
internal import Glibc
internal import SystemPackage

/// A right of root's processes beyond those of others (capabilities(7)).
package enum Capability: Int, Hashable, Sendable {
    case netAdmin = 12
}

/// The privileges of this process, and how it gives them up.
package enum Privileges {
    /// Gives up every capability but these, and the way to get any by executing a program; for good.
    ///
    /// Concerns the calling thread, so it must come before any other is started.
    ///
    /// - Throws: where the process has more threads, or is found to hold more afterwards.
    package static func keepOnly(_ kept: Set<Capability>) throws(PrivilegeError) {
        let bits = kept.reduce(UInt64(0)) { $0 | 1 << UInt64($1.rawValue) }
        let threads = try PrivilegeError.converting { () throws(SystemError) in try Self.threads() }
        guard threads.count == 1 else {
            throw PrivilegeError(
                "the process has \(threads.count) threads: capabilities are each thread's own")
        }
        do throws(SystemError) {
            try systemCall("capset") { clinux_reduce_capabilities(bits) }
        } catch {
            throw PrivilegeError(
                error.description,
                isForbidden: [.notPermitted, .permissionDenied].contains(error.errno))
        }
        try forbidNewPrivileges()
        try verify(bits)
    }

    /// Proves that no thread of this process has any capability, nor gets one by executing a program.
    ///
    /// - Throws: ``PrivilegeError`` where one has.
    package static func expectNone() throws(PrivilegeError) {
        try forbidNewPrivileges()
        try verify(0)
    }

    private static func forbidNewPrivileges() throws(PrivilegeError) {
        do throws(SystemError) {
            try systemCall("prctl", "PR_SET_NO_NEW_PRIVS") { clinux_forbid_new_privileges() }
        } catch {
            throw PrivilegeError(error.description)
        }
    }

    /// Whether each thread holds at most these, by what the kernel tells.
    private static func verify(_ kept: UInt64) throws(PrivilegeError) {
        // Inheritable ones are nobody's: new privileges are forbidden.
        let names = ["CapPrm", "CapEff", "CapAmb"]
        let threads = try PrivilegeError.converting { () throws(SystemError) in try Self.threads() }
        for thread in threads {
            let status = try PrivilegeError.converting { () throws(SystemError) in
                try AtomicFile.read(
                    "/proc/self/task/\(thread)/status", limit: 16 * 1024, truncating: true)
            }
            let lines = String(decoding: status, as: UTF8.self).split(separator: "\n")
            for name in names {
                let text = lines.first { $0.hasPrefix("\(name):\t") }?.dropFirst(name.count + 2)
                guard let text, let held = UInt64(text, radix: 16), held & ~kept == 0 else {
                    throw PrivilegeError(
                        "thread \(thread) holds capabilities that it should not: \(name) is \(text ?? "unknown")"
                    )
                }
            }
        }
    }

    /// The ids of this process's threads.
    private static func threads() throws(SystemError) -> [String] {
        let path = "/proc/self/task"
        guard let directory = opendir(path) else {
            throw SystemError(operation: "opendir", subject: path, errno: Errno(rawValue: errno))
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }

    /// Keeps this process and what it starts from leaving memory images behind when they crash.
    ///
    /// - Throws: ``SystemError`` of setrlimit(2).
    package static func forbidCoreFiles() throws(SystemError) {
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        try systemCall("setrlimit", "RLIMIT_CORE") {
            setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
        }
    }
}

/// Why a process is not as unprivileged as it should be.
package struct PrivilegeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The reason in words for people.
    package let description: String
    /// The system call is forbidden by which capabilities are given up.
    package let isForbidden: Bool

    init(_ description: String, isForbidden: Bool = false) {
        self.description = description
        self.isForbidden = isForbidden
    }

    fileprivate static func converting<Success>(
        _ body: () throws(SystemError) -> Success
    ) throws(PrivilegeError) -> Success {
        do throws(SystemError) {
            return try body()
        } catch {
            throw PrivilegeError(error.description)
        }
    }
}
