internal import Foundation
internal import Glibc
internal import Synchronization

/// A network namespace of one test: made with its loopback up, gone with all its processes when
/// closed or released.
///
/// The name holds the test process's id, so that what a killed test process left behind is known
/// and removed by the next one.
package final class NetworkNamespace: Sendable {
    private static let prefix = "pexip-fw-test-"
    private static let directory = "/run/netns"
    private static let count = Atomic<Int>(0)
    /// Evaluated once, before the first namespace is made.
    private static let leftovers = Result { try removeLeftovers() }

    package let name: String
    private let children = Mutex<[ChildProcess]>([])
    private let interfaces = Atomic<Int>(0)
    private let closed = Mutex(false)

    /// Makes a namespace that forwards packets only if asked to, sends as many ICMP errors as it
    /// has reason to, and neither autoconfigures nor filters by reverse path.
    package init(forwarding: Bool = false) throws {
        try requireRoot()
        _ = try Self.leftovers.get()
        name =
            Self.prefix
            + "\(getpid())-\(Self.count.add(1, ordering: .relaxed).newValue)"
        try ChildProcess.run(["ip", "netns", "add", name]).requireSuccess()
        do {
            try setKernelParameters([
                "net/ipv4/conf/all/rp_filter": 0,
                "net/ipv4/conf/default/rp_filter": 0,
                "net/ipv4/conf/all/send_redirects": 0,
                "net/ipv4/conf/default/send_redirects": 0,
                "net/ipv4/icmp_ratelimit": 0,
                "net/ipv4/ip_forward": forwarding ? 1 : 0,
                "net/ipv6/conf/all/accept_dad": 0,
                "net/ipv6/conf/default/accept_dad": 0,
                "net/ipv6/conf/default/accept_ra": 0,
                "net/ipv6/conf/default/addr_gen_mode": 1,
                "net/ipv6/conf/all/forwarding": forwarding ? 1 : 0,
                "net/ipv6/icmp/ratelimit": 0,
            ])
            try configure(["link set lo up"])
        } catch {
            try close()
            throw error
        }
    }

    deinit {
        do {
            try close()
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
        }
    }

    /// Whether the namespace is there under its name.
    package var exists: Bool {
        FileManager.default.fileExists(atPath: "\(Self.directory)/\(name)")
    }

    /// Kills the processes started here and removes the namespace. May be called again.
    package func close() throws {
        try closed.withLock { closed in
            guard !closed else { return }
            children.withLock { children in
                children.forEach { $0.kill() }
                children = []
            }
            try ChildProcess.run(["ip", "netns", "delete", name]).requireSuccess()
            closed = true
        }
    }

    /// Gives the body a namespace that is removed afterwards, also after an error.
    package static func with<Success>(
        forwarding: Bool = false, _ body: (NetworkNamespace) throws -> Success
    ) throws -> Success {
        let namespace = try NetworkNamespace(forwarding: forwarding)
        let result = Result { try body(namespace) }
        try namespace.close()
        return try result.get()
    }

    /// Runs a program here to its end, whatever its status.
    package func run(
        _ arguments: [String], input: String? = nil, timeout: Duration = patience,
        environment: [String: String] = [:]
    ) throws -> ProcessResult {
        try ChildProcess.run(
            inside(arguments), input: input.map { .text($0) } ?? .nothing, timeout: timeout,
            environment: environment)
    }

    /// Starts a program here, which ends with the namespace at the latest.
    package func spawn(
        _ arguments: [String], input: ChildProcess.Input = .nothing,
        environment: [String: String] = [:]
    ) throws -> ChildProcess {
        let child = try ChildProcess(inside(arguments), input: input, environment: environment)
        children.withLock { $0.append(child) }
        return child
    }

    /// Obeys lines in the language of `ip -batch`.
    package func configure(_ lines: [String]) throws {
        try ChildProcess.run(
            ["ip", "-netns", name, "-batch", "-"],
            input: .text(lines.map { $0 + "\n" }.joined())
        ).requireSuccess()
    }

    /// Sets parameters below `/proc/sys`.
    package func setKernelParameters(_ parameters: [String: Int]) throws {
        let script = parameters.map { "echo \($1) > /proc/sys/\($0)\n" }.sorted().joined()
        try run(["sh", "-e", "-s"], input: script).requireSuccess()
    }

    /// A name for the next interface.
    func nextInterface() -> String {
        "veth\(interfaces.add(1, ordering: .relaxed).oldValue)"
    }

    private func inside(_ arguments: [String]) -> [String] {
        ["ip", "netns", "exec", name] + arguments
    }

    /// Removes the namespaces of test processes that are no more, and what still runs in them.
    package static func removeLeftovers() throws {
        guard FileManager.default.fileExists(atPath: directory) else { return }
        for name in try FileManager.default.contentsOfDirectory(atPath: directory)
        where name.hasPrefix(prefix) {
            let owner = name.dropFirst(prefix.count).prefix { $0 != "-" }
            guard let pid = Int32(owner), Glibc.kill(pid, 0) < 0, errno == ESRCH else { continue }
            // Nobody but that process's children had a reason to be in there.
            let inside = try ChildProcess.run(["ip", "netns", "pids", name])
            for line in inside.standardOutput.split(separator: "\n") {
                if let child = Int32(line) { Glibc.kill(child, SIGKILL) }
            }
            let removal = try ChildProcess.run(["ip", "netns", "delete", name])
            // Another test process may have been faster.
            if FileManager.default.fileExists(atPath: "\(directory)/\(name)") {
                try removal.requireSuccess()
            }
        }
    }
}
