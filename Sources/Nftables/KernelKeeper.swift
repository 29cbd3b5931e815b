internal import Glibc
package import LinuxSystem
package import Netlink
internal import Synchronization
internal import SystemPackage

/// The process that holds `CAP_NET_ADMIN` for the agent, as the agent sees it.
package final class KernelKeeper: Sendable {
    /// How long a process is given to start or to end.
    private static let patience = Duration.seconds(5)

    private let pid: Int32
    private let process: ProcessHandle
    private let control: MessageSocket
    /// Messages about workers that somebody waits for, by their number: whoever receives one may
    /// not be who waits for it.
    private let kept = Mutex<[UInt32: [(KeeperProgram.Message, ProcessHandle?)]]>([:])
    private let requests = Atomic<UInt32>(0)
    private let end = Mutex<ProcessEnd?>(nil)

    /// Starts the keeper. To be called while the calling thread still has `CAP_NET_ADMIN`.
    ///
    /// - Parameter program: `pexip-fwd`; this process's own program by default.
    /// - Throws: where it can't be started.
    package init(program: String = "/proc/self/exe") throws(SystemError) {
        let (ours, theirs) = try MessageSocket.pair()
        control = ours
        pid = try ChildProcess.start(
            program, arguments: ["pexip-fwd", Self.subcommand],
            // A crash is to end a worker; Swift's runtime would have another program look into it.
            environment: ["SWIFT_BACKTRACE=enable=no"], passing: theirs)
        process = try ProcessHandle(child: pid)
    }

    /// Goes on with a keeper that a program started which this process was before.
    ///
    /// - Throws: where no such process is left.
    package init(adopting passed: Passed) throws(SystemError) {
        control = MessageSocket(adopting: FileDescriptor(rawValue: passed.descriptor))
        pid = passed.pid
        process = try ProcessHandle(child: pid)
    }

    /// The handles by which the next program of this process goes on with the keeper.
    package struct Passed: Sendable {
        /// The keeper's process id, a child of this process whatever program it runs.
        package var pid: Int32
        /// The number of the socket to the keeper, which must stay open over exec.
        package var descriptor: Int32

        /// - Parameter descriptor: of the socket to the keeper.
        package init(pid: Int32, descriptor: Int32) {
            self.pid = pid
            self.descriptor = descriptor
        }
    }

    /// The handles to hand to the next program, which adopts them by ``init(adopting:)``.
    package var passed: Passed { Passed(pid: pid, descriptor: control.descriptor.rawValue) }

    /// By which `pexip-fwd` becomes the keeper.
    package static let subcommand = "kernel-worker"

    /// A worker that waits for requests.
    struct Worker {
        let number: UInt32
        let process: ProcessHandle
        let socket: UnixSocket
    }

    /// Asks for a worker. The one before must have ended.
    func startWorker() throws(KernelError) -> Worker {
        do {
            let (ours, theirs) = try UnixSocket.pair()
            let (number, process) = try start(.start, 0, theirs.shared.descriptor)
            // Ours is closed: the worker's end is the only one.
            _ = consume theirs
            return Worker(number: number, process: process, socket: ours)
        } catch let error as KernelError {
            throw error
        } catch {
            throw Self.unavailable("\(error)")
        }
    }

    /// How the worker ended; nil where it did not, or nobody knows it.
    func end(of worker: Worker) throws(KernelError) -> ProcessEnd? { try end(of: worker.number) }

    /// Has a group of nflog opened, which takes the privilege; reading from it does not. Blocks until
    /// a process has done so and ended.
    ///
    /// - Throws: ``KernelError/Code/taken`` where another program has the group.
    package func openLogGroup(_ group: UInt16) throws(KernelError) -> OwnedDescriptor {
        do {
            let (ours, theirs) = try MessageSocket.pair()
            let (number, process) = try start(.open, UInt32(group), theirs.descriptor)
            _ = consume theirs
            if try !ours.isReadable(within: Self.patience) { try process.kill() }
            var answered = try ours.receive(limit: LogGroup.Answer.longest)
            let end = try end(of: number)
            guard var received = answered.take() else {
                throw Self.unavailable("it \(end?.description ?? "hangs")")
            }
            var reader = WireReader(received.bytes)
            let answer = try LogGroup.Answer(from: &reader)
            try reader.end()
            if case .failed(let error) = answer { throw error }
            guard let socket = received.takeDescriptor() else {
                throw Self.unavailable("it hands nothing over")
            }
            return socket
        } catch let error as KernelError {
            throw error
        } catch {
            throw Self.unavailable("\(error)")
        }
    }

    /// Lets a listener hear nf_tables or not.
    ///
    /// - Throws: where it hears as before.
    func set(hearing isHearing: Bool, _ listener: RulesetListener) throws(KernelError) {
        let number = requests.add(1, ordering: .relaxed).newValue
        kept.withLock { $0[number] = [] }
        defer { forget(number) }
        do throws(SystemError) {
            try control.send(.hear, number, isHearing ? 1 : 0, listener.descriptor)
        } catch {
            throw Self.unavailable("\(error)")
        }
        guard let (message, _) = try answer(to: number) else {
            throw Self.unavailable("it does not answer within \(Self.patience)")
        }
        if message.kind != .done {
            throw KernelError(
                .unavailable,
                "can't choose what is heard of nf_tables: \(Errno(rawValue: Int32(message.value)))")
        }
    }

    /// Has a worker started, which then holds the other end of what was passed.
    private func start(
        _ kind: KeeperProgram.Message.Kind, _ value: UInt32, _ passed: FileDescriptor
    ) throws -> (number: UInt32, process: ProcessHandle) {
        let number = requests.add(1, ordering: .relaxed).newValue
        kept.withLock { $0[number] = [] }
        try control.send(kind, number, value, passed)
        guard let (message, process) = try answer(to: number) else {
            forget(number)
            throw Self.unavailable("it does not start within \(Self.patience)")
        }
        guard message.kind == .started, let process else {
            forget(number)
            throw Self.unavailable("fork: \(Errno(rawValue: Int32(message.value)))")
        }
        return (number, process)
    }

    private func end(of number: UInt32) throws(KernelError) -> ProcessEnd? {
        defer { forget(number) }
        guard let (message, _) = try answer(to: number), message.kind == .ended else {
            return nil
        }
        return ProcessEnd(waitStatus: Int32(bitPattern: message.value))
    }

    private func forget(_ number: UInt32) { kept.withLock { $0[number] = nil } }

    /// The next message about a request. Whoever waits receives for all, which takes as long as a
    /// process to start or to end.
    private func answer(
        to number: UInt32
    ) throws(KernelError) -> (KeeperProgram.Message, ProcessHandle?)? {
        let deadline = ContinuousClock.now + Self.patience
        let result = kept.withLock {
            kept -> Result<(KeeperProgram.Message, ProcessHandle?)?, KernelError> in
            do {
                while true {
                    if kept[number]?.isEmpty == false {
                        return .success(kept[number]?.removeFirst())
                    }
                    guard try control.isReadable(within: max(.zero, deadline - .now)) else {
                        return .success(nil)
                    }
                    guard var received = try control.receive() else { return .failure(Self.gone) }
                    let message = try KeeperProgram.Message(received.bytes)
                    var process: ProcessHandle?
                    if let descriptor = received.takeDescriptor() {
                        process = ProcessHandle(adopting: descriptor)
                    }
                    kept[message.number]?.append((message, process))
                }
            } catch {
                return .failure(Self.unavailable("\(error)"))
            }
        }
        return try result.get()
    }

    private static let gone = KernelError(
        .unavailable, "the process that holds CAP_NET_ADMIN has ended")

    private static func unavailable(_ reason: String) -> KernelError {
        KernelError(.unavailable, "there is no process with CAP_NET_ADMIN: \(reason)")
    }

    // MARK: Its end

    /// Ends when the keeper does, without which the agent can do nothing any more.
    package func ending() -> AsyncStream<Void> { process.ending() }

    /// How it ended; waits for it.
    ///
    /// - Throws: where this process has no such child.
    package func reap() throws(SystemError) -> ProcessEnd {
        let result = end.withLock { end -> Result<ProcessEnd, SystemError> in
            if let end { return .success(end) }
            do throws(SystemError) {
                let known = ProcessEnd(waitStatus: try ChildProcess.wait(for: pid))
                end = known
                return .success(known)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Lets go of it, and waits for its end.
    func stop() throws(SystemError) {
        try control.shutDown()
        if try !process.hasEnded(within: Self.patience) { try process.kill() }
        _ = try reap()
    }
}
