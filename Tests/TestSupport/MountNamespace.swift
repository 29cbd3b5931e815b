internal import Foundation

/// A mount namespace of one test, in a network namespace of the test's: what is mounted in it is
/// seen by nobody else, and gone with it.
package final class MountNamespace {
    private let holder: ChildProcess

    package init(in namespace: NetworkNamespace) throws {
        // `ip netns exec` gives what it runs a mount namespace of its own.
        holder = try namespace.spawn(["sh", "-c", "echo ready; exec sleep infinity"])
        guard waitUntil({ [holder] in holder.standardOutput == "ready\n" }) else {
            throw TestSupportError("no mount namespace: \(holder.standardError)")
        }
    }

    deinit { holder.kill() }

    /// What a program's arguments must begin with to run in here.
    package var entering: [String] { ["nsenter", "--target", "\(holder.pid)", "--mount", "--"] }

    /// Where a path leads in here, for who is elsewhere.
    package func path(_ path: String) -> String { "/proc/\(holder.pid)/root\(path)" }

    @discardableResult package func run(_ arguments: String...) throws -> String {
        try ChildProcess.run(entering + arguments).requireSuccess().standardOutput
    }

    package func mountMemory(at path: String, kibibytes: Int = 1024) throws {
        try run("mount", "-t", "tmpfs", "-o", "size=\(kibibytes)k,mode=755", "tmpfs", path)
    }

    package func setReadOnly(_ isReadOnly: Bool, _ path: String) throws {
        try run("mount", "-o", "remount,\(isReadOnly ? "ro" : "rw")", path)
    }
}
