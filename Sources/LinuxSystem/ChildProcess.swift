internal import CLinux
@preconcurrency internal import Dispatch
internal import Glibc
internal import SystemPackage

/// How a process ended.
package enum ProcessEnd: Hashable, Sendable, CustomStringConvertible {
    case exited(Int32)
    case signaled(Int32)

    /// - Parameter waitStatus: as waitpid(2) gives it.
    package init(waitStatus: Int32) {
        let signal = clinux_ending_signal(waitStatus)
        self = signal == 0 ? .exited(clinux_exit_status(waitStatus)) : .signaled(signal)
    }

    /// Such as `ended by SIGSEGV` or `ended with exit status 1`.
    package var description: String {
        switch self {
        case .exited(let status): "ended with exit status \(status)"
        case .signaled(let signal): "ended by \(Self.names[signal] ?? "signal \(signal)")"
        }
    }

    private static let names: [Int32: String] = [
        SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL",
        SIGTRAP: "SIGTRAP", SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE",
        SIGKILL: "SIGKILL", SIGSEGV: "SIGSEGV", SIGSYS: "SIGSYS", SIGPIPE: "SIGPIPE",
        SIGALRM: "SIGALRM", SIGTERM: "SIGTERM",
    ]
}

/// A reference to a process that never comes to mean another one.
package final class ProcessHandle: Sendable {
    /// A pidfd (pidfd_open(2)).
    package let shared: SharedDescriptor

    /// - Parameter descriptor: a pidfd.
    package init(adopting descriptor: consuming OwnedDescriptor) {
        shared = SharedDescriptor(descriptor)
    }

    /// - Parameter pid: of a child that was not waited for.
    /// - Throws: ``SystemError`` of pidfd_open(2).
    package init(child pid: Int32) throws(SystemError) {
        let raw = try systemCall("pidfd_open", "\(pid)") { clinux_pidfd_open(pid) }
        shared = SharedDescriptor(OwnedDescriptor(adopting: FileDescriptor(rawValue: raw)))
    }

    /// Fails with ESRCH where it has ended.
    ///
    /// - Throws: ``SystemError`` of pidfd_send_signal(2).
    package func signal(_ signal: Int32) throws(SystemError) {
        let raw = shared.descriptor.rawValue
        try systemCall("pidfd_send_signal") { clinux_pidfd_signal(raw, signal) }
    }

    /// Sends SIGKILL.
    ///
    /// - Throws: ESRCH where it has ended.
    package func kill() throws(SystemError) { try signal(SIGKILL) }

    /// Waits for the end; false where it does not come in time.
    ///
    /// - Throws: ``SystemError`` of poll(2).
    package func hasEnded(within timeout: Duration) throws(SystemError) -> Bool {
        try shared.descriptor.hasEvents(Int16(POLLIN), within: timeout)
    }

    /// One element when the process ends.
    package func ending() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        let source = DescriptorSource(
            shared, .readable, queue: DispatchQueue(label: "process.ending")
        ) {
            continuation.yield()
            continuation.finish()
        }
        continuation.onTermination = { _ in source.cancel() }
        source.resume()
        return stream
    }
}

/// Processes that this one starts, and what concerns it as such a process.
package enum ChildProcess {
    /// Starts a program with this socket as its descriptor 3 and no other above, and with this
    /// environment alone.
    ///
    /// - Throws: ``SystemError`` of posix_spawn(3).
    package static func start(
        _ program: String, arguments: [String], environment: [String],
        passing socket: MessageSocket
    ) throws(SystemError) -> Int32 {
        var words = arguments.map { strdup($0) } + [nil]
        var variables = environment.map { strdup($0) } + [nil]
        defer { for pointer in words + variables { free(pointer) } }
        var pid: Int32 = 0
        try systemCall("posix_spawn", program) {
            clinux_spawn(program, &words, &variables, socket.descriptor.rawValue, &pid)
        }
        return pid
    }

    /// Runs the body in a copy of this process, which must have one thread and ends with its parent.
    ///
    /// - Throws: ``SystemError`` of fork(2).
    package static func fork(_ body: () -> Int32) throws(SystemError) -> Int32 {
        let parent = getpid()
        let pid = try systemCall("fork") { clinux_fork() }
        if pid != 0 { return pid }
        guard clinux_end_with_parent(SIGKILL) == 0, getppid() == parent else { _exit(1) }
        _exit(body())
    }

    /// Waits for a child's end.
    ///
    /// - Throws: ``SystemError`` of waitpid(2).
    package static func wait(for pid: Int32) throws(SystemError) -> Int32 {
        var status: Int32 = 0
        try systemCall("waitpid", "\(pid)") { waitpid(pid, &status, 0) }
        return status
    }

    /// Names this process for `ps` and the kernel; at most 15 bytes.
    ///
    /// - Throws: ``SystemError`` of prctl(2).
    package static func setName(_ name: String) throws(SystemError) {
        try systemCall("prctl", "PR_SET_NAME") { clinux_set_name(name) }
    }

    /// Ignores these signals for good, in what this process executes too.
    ///
    /// - Throws: ``SystemError`` of sigaction(2).
    package static func ignore(_ signals: [Int32]) throws(SystemError) {
        for signal in signals {
            try systemCall("sigaction", "\(signal)") { clinux_ignore_signal(signal) }
        }
    }

    /// Ends this process by SIGALRM after so many milliseconds; never where that is 0.
    ///
    /// - Throws: ``SystemError`` of setitimer(2).
    package static func setAlarm(milliseconds: UInt32) throws(SystemError) {
        var timer = itimerval(
            it_interval: timeval(tv_sec: 0, tv_usec: 0),
            it_value: timeval(
                tv_sec: Int(milliseconds / 1_000), tv_usec: Int(milliseconds % 1_000) * 1_000))
        try systemCall("setitimer") {
            setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
        }
    }
}
