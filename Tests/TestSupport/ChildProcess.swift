internal import CPacket
internal import Foundation
internal import Glibc
internal import Synchronization

/// How a process ended.
package enum ExitStatus: Hashable, Sendable {
    case exited(Int32)
    case signaled(Int32)
}

/// What a finished process left.
package struct ProcessResult: Sendable {
    package let arguments: [String]
    package let status: ExitStatus
    package let standardOutput: String
    package let standardError: String

    package var succeeded: Bool { status == .exited(0) }

    /// This result, or an error with all that the process said.
    @discardableResult package func requireSuccess() throws -> ProcessResult {
        guard succeeded else {
            throw TestSupportError(
                "`\(arguments.joined(separator: " "))` ended with \(status): "
                    + standardError + standardOutput)
        }
        return self
    }
}

/// A process of ours: its output is kept in memory files, so it never blocks on a reader, and it
/// is signalled only while its id can't have been given to another process.
///
/// Waiting blocks the calling thread. Not `async` on purpose: network namespaces and deadlines of
/// tests must not depend on a free thread of the cooperative pool.
package final class ChildProcess: Sendable {
    /// What a process gets as its standard input.
    package enum Input: Sendable {
        /// `/dev/null`.
        case nothing
        /// A text, which the process may also open by its name in `/dev`.
        case text(String)
        /// A socket, standard input and output at once; the other end is ``ChildProcess/socket``.
        case socket
    }

    package let pid: Int32
    package let arguments: [String]
    /// Our end of the socket if ``Input/socket`` was asked for, else -1.
    package let socket: Int32

    private let processDescriptor: Int32
    private let outputFile: Int32
    private let errorFile: Int32
    private let status = Mutex<ExitStatus?>(nil)

    /// Starts a program, which is looked for in `PATH` and where the system's programs are.
    package init(
        _ arguments: [String], input: Input = .nothing, environment: [String: String] = [:]
    ) throws {
        guard let name = arguments.first, let program = Self.locate(name) else {
            throw TestSupportError("there is no program `\(arguments.first ?? "")`")
        }
        // What the child inherits is closed here in any case.
        var inherited: [Int32] = []
        defer { inherited.forEach { close($0) } }
        // What is ours is closed only if there will be no instance.
        var owned: [Int32] = []
        var started = false
        defer { if !started { owned.forEach { close($0) } } }

        outputFile = try Self.memoryFile("stdout")
        owned.append(outputFile)
        errorFile = try Self.memoryFile("stderr")
        owned.append(errorFile)
        var standardOutput = outputFile
        let standardInput: Int32
        switch input {
        case .nothing:
            socket = -1
            standardInput = open("/dev/null", O_RDONLY | O_CLOEXEC)
            guard standardInput >= 0 else {
                throw TestSupportError("opening /dev/null", errorNumber: errno)
            }
            inherited.append(standardInput)
        case .text(let text):
            socket = -1
            standardInput = try Self.memoryFile("stdin")
            inherited.append(standardInput)
            try Self.fill(standardInput, with: text)
        case .socket:
            var ends: [Int32] = [-1, -1]
            let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
                throw TestSupportError("socketpair", errorNumber: errno)
            }
            socket = ends[0]
            owned.append(ends[0])
            standardInput = ends[1]
            standardOutput = ends[1]
            inherited.append(ends[1])
        }

        pid = try Self.spawn(
            program, arguments, environment: environment,
            descriptors: [standardInput, standardOutput, errorFile])
        self.arguments = arguments
        processDescriptor = pexip_pidfd_open(pid)
        if processDescriptor < 0 {
            let error = errno
            Glibc.kill(pid, SIGKILL)
            var ignored: Int32 = 0
            waitpid(pid, &ignored, 0)
            throw TestSupportError("pidfd_open", errorNumber: error)
        }
        started = true
    }

    /// Waits until a process whose standard output is a socket has written the word there.
    package func awaitWord(_ word: String) throws {
        var received = [UInt8](repeating: 0, count: word.utf8.count)
        var count = 0
        while count < received.count {
            let more = read(socket, &received[count], received.count - count)
            guard more > 0 else { throw TestSupportError("it ended: \(standardError)") }
            count += more
        }
        let text = String(decoding: received, as: UTF8.self)
        guard text == word else { throw TestSupportError("it wrote \(text) instead of \(word)") }
    }

    deinit {
        // A reference that nobody holds can't be waited for: no process is left behind.
        if status.withLock({ $0 }) == nil {
            Glibc.kill(pid, SIGKILL)
            var ignored: Int32 = 0
            waitpid(pid, &ignored, 0)
        }
        for descriptor in [outputFile, errorFile, processDescriptor, socket] where descriptor >= 0 {
            close(descriptor)
        }
    }

    /// The status if the process ended, else nil.
    package var exitStatus: ExitStatus? { wait(timeout: .zero) }

    /// Whether the process has not ended.
    package var isRunning: Bool { exitStatus == nil }

    /// What the process has written to its standard output so far.
    package var standardOutput: String { Self.contents(outputFile) }

    /// What the process has written to its standard error so far.
    package var standardError: String { Self.contents(errorFile) }

    /// Waits for the process's end; nil if it did not come in time.
    @discardableResult package func wait(timeout: Duration) -> ExitStatus? {
        let deadline = ContinuousClock.now + timeout
        while true {
            if let known = reap() { return known }
            let left = deadline - ContinuousClock.now
            guard left > .zero else { return nil }
            var polled = pollfd(fd: processDescriptor, events: Int16(POLLIN), revents: 0)
            poll(&polled, 1, Int32(clamping: Int64(left / .milliseconds(1)) + 1))
        }
    }

    /// Waits for the end and returns everything; kills the process and throws if it takes longer.
    package func finish(timeout: Duration = patience) throws -> ProcessResult {
        guard let status = wait(timeout: timeout) else {
            kill()
            throw TestSupportError(
                "`\(arguments.joined(separator: " "))` did not end within \(timeout): "
                    + standardError + standardOutput)
        }
        return ProcessResult(
            arguments: arguments, status: status, standardOutput: standardOutput,
            standardError: standardError)
    }

    /// Sends a signal unless the process has been waited for.
    package func signal(_ number: Int32) {
        status.withLock { status in
            // Not reaped, so the id is still this process's, were it a zombie.
            if status == nil { Glibc.kill(pid, number) }
        }
    }

    /// Asks the process to end, and kills it if it does not in time.
    package func terminate(timeout: Duration = patience) -> ExitStatus? {
        signal(SIGTERM)
        if let status = wait(timeout: timeout) { return status }
        kill()
        return exitStatus
    }

    /// Kills the process and waits until it is gone.
    package func kill() {
        signal(SIGKILL)
        wait(timeout: .seconds(10))
    }

    /// Runs a program to its end.
    package static func run(
        _ arguments: [String], input: Input = .nothing, timeout: Duration = patience,
        environment: [String: String] = [:]
    ) throws -> ProcessResult {
        try ChildProcess(arguments, input: input, environment: environment)
            .finish(timeout: timeout)
    }

    /// The path of a program, or nil.
    package static func locate(_ program: String) -> String? {
        if program.contains("/") { return access(program, X_OK) == 0 ? program : nil }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let directories = path.split(separator: ":").map(String.init) + systemDirectories
        return directories.lazy.map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }

    /// Not always in the path of a test's environment.
    private static let systemDirectories = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]

    private func reap() -> ExitStatus? {
        status.withLock { status in
            if let status { return status }
            var value: Int32 = 0
            guard waitpid(pid, &value, WNOHANG) == pid else { return nil }
            let signal = value & 0x7f
            status = signal == 0 ? .exited((value >> 8) & 0xff) : .signaled(signal)
            return status
        }
    }

    private static func spawn(
        _ program: String, _ arguments: [String], environment: [String: String],
        descriptors: [Int32]
    ) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, descriptor) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(target))
        }
        // Others may open descriptors without close-on-exec meanwhile.
        pexip_spawn_close_from(&actions, 3)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        let variables = ProcessInfo.processInfo.environment
            .merging(environment) { $1 }.map { "\($0)=\($1)" }
        var argumentPointers = arguments.map { strdup($0) } + [nil]
        defer { argumentPointers.forEach { free($0) } }
        var variablePointers = variables.map { strdup($0) } + [nil]
        defer { variablePointers.forEach { free($0) } }
        var pid: pid_t = 0
        let error = posix_spawn(
            &pid, program, &actions, &attributes, &argumentPointers, &variablePointers)
        guard error == 0 else {
            throw TestSupportError("starting \(program)", errorNumber: error)
        }
        return pid
    }

    private static func memoryFile(_ name: String) throws -> Int32 {
        let descriptor = pexip_memory_file(name)
        guard descriptor >= 0 else { throw TestSupportError("memfd_create", errorNumber: errno) }
        return descriptor
    }

    private static func fill(_ descriptor: Int32, with text: String) throws {
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes {
                write(descriptor, $0.baseAddress!, $0.count)
            }
            guard count > 0 else { throw TestSupportError("writing input", errorNumber: errno) }
            written += count
        }
        guard lseek(descriptor, 0, SEEK_SET) == 0 else {
            throw TestSupportError("rewinding input", errorNumber: errno)
        }
    }

    private static func contents(_ descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = pread(descriptor, &chunk, chunk.count, off_t(bytes.count))
            precondition(count >= 0, "a memory file can be read")
            guard count > 0 else { break }
            bytes += chunk.prefix(count)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
