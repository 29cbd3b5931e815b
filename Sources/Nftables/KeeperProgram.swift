internal import Glibc
internal import LinuxSystem
internal import Netlink
internal import SystemPackage

/// The keeper process: holds `CAP_NET_ADMIN` and lends it to workers, copies of itself, on the
/// agent's request. It does nothing else, so that nothing can end it.
package enum KeeperProgram {
    /// At once.
    private static let mostWorkers = 8

    /// A message in either direction.
    struct Message: WireValue {
        enum Kind: UInt8 {
            /// To the keeper, with a socket: let a worker serve it.
            case start = 1
            /// A worker runs; the value is its id, the descriptor refers to it.
            case started
            /// The worker ended; the value is as waitpid(2) gives it.
            case ended
            /// No worker was started, or a socket hears as before; the value is an `errno`.
            case failed
            /// To the keeper, with a socket: let a worker open the log group of the value, and hand
            /// it over there.
            case open
            /// To the keeper, with a listener's socket: let it hear nf_tables where the value is 1,
            /// and not where it is 0.
            case hear
            /// The order is carried out.
            case done
        }

        var kind: Kind
        /// Counts the requests; answers carry their request's.
        var number: UInt32
        var value: UInt32
    }

    /// The agent's socket.
    private static let control = FileDescriptor(rawValue: 3)

    /// Serves the agent that started this process until that lets go.
    ///
    /// - Throws: where another started it, or it can't give up what it does not need.
    package static func run() throws {
        try ChildProcess.setName("pexip-fw-keeper")
        try Privileges.keepOnly([.netAdmin])
        try Privileges.forbidCoreFiles()
        // The agent ends in order, and this process with it; signals to a whole group or service
        // must not come in between.
        try ChildProcess.ignore([SIGINT, SIGTERM, SIGHUP, SIGPIPE])
        let control = MessageSocket(adopting: control)
        do throws(SystemError) {
            try serve(control)
        } catch {
            // An agent that has ended needs no answer. Its workers end with this process.
            guard [.brokenPipe, .connectionReset].contains(error.errno) else { throw error }
        }
    }

    private struct Worker {
        let number: UInt32
        let pid: Int32
        let process: ProcessHandle
    }

    /// Starts workers as asked and tells of their ends, until the agent's end.
    private static func serve(_ control: MessageSocket) throws(SystemError) {
        var workers: [Worker] = []
        while true {
            let ready = try FileDescriptor.readable(
                among: [control.descriptor] + workers.map(\.process.shared.descriptor))
            for worker in workers where ready.contains(worker.process.shared.descriptor) {
                let status = try ChildProcess.wait(for: worker.pid)
                try control.send(.ended, worker.number, UInt32(bitPattern: status))
            }
            workers.removeAll { ready.contains($0.process.shared.descriptor) }
            guard ready.contains(control.descriptor) else { continue }
            guard var received = try control.receive() else { return }
            let request = try message(received.bytes)
            guard [.start, .open, .hear].contains(request.kind),
                let socket = received.takeDescriptor()
            else { throw misunderstood }
            do throws(SystemError) {
                try expect(request.kind, socket.descriptor)
            } catch {
                try control.send(.failed, request.number, UInt32(error.errno.rawValue))
                continue
            }
            if request.kind == .hear {
                do throws(SystemError) {
                    try RulesetListener.set(hearing: request.value == 1, socket.descriptor)
                    try control.send(.done, request.number, 0)
                } catch {
                    try control.send(.failed, request.number, UInt32(error.errno.rawValue))
                }
                continue
            }
            guard workers.count < mostWorkers else {
                try control.send(.failed, request.number, UInt32(EAGAIN))
                continue
            }
            if let worker = try start(request, socket, control, beside: workers) {
                workers.append(worker)
            }
        }
    }

    /// Makes sure that a request's descriptor is what the request is about: with the privilege that is
    /// lent here, an operation on another could mean anything.
    private static func expect(
        _ request: Message.Kind, _ descriptor: FileDescriptor
    ) throws(SystemError) {
        let kind = try SocketKind(descriptor)
        let isRight =
            switch request {
            case .start: kind == .stream
            case .open: kind == .messages
            default: kind.isNetfilter
            }
        guard isRight else {
            throw SystemError(
                operation: "understand the agent", errno: .protocolWrongTypeForSocket)
        }
    }

    private static let misunderstood = SystemError(
        operation: "understand the agent", errno: .badMessage)

    private static func message(_ bytes: [UInt8]) throws(SystemError) -> Message {
        do throws(WireError) {
            return try Message(bytes)
        } catch {
            throw misunderstood
        }
    }

    /// nil where none could be started, which the agent is told.
    private static func start(
        _ request: Message, _ socket: consuming OwnedDescriptor, _ control: MessageSocket,
        beside others: [Worker]
    ) throws(SystemError) -> Worker? {
        let number = request.number
        let descriptor = socket.descriptor
        let pid: Int32
        do throws(SystemError) {
            pid = try ChildProcess.fork {
                // Copies of descriptors whose owners live in the other process.
                close(control.descriptor.rawValue)
                for other in others { close(other.process.shared.descriptor.rawValue) }
                return work(descriptor, request)
            }
        } catch {
            try control.send(.failed, number, UInt32(error.errno.rawValue))
            return nil
        }
        // The agent sees that the worker ended by nobody else holding its end.
        _ = consume socket
        let process = try ProcessHandle(child: pid)
        try control.send(.started, number, UInt32(pid), process.shared.descriptor)
        return Worker(number: number, pid: pid, process: process)
    }

    private static func work(_ socket: FileDescriptor, _ request: Message) -> Int32 {
        let isOpening = request.kind == .open
        do throws(SystemError) {
            try ChildProcess.setName(isOpening ? "pexip-fw-nflog" : "pexip-fw-nft")
        } catch {
            return EXIT_FAILURE
        }
        return isOpening
            ? LogGroup.serve(request.value, to: MessageSocket(adopting: socket))
            : KernelWorker.serve(UnixSocket(adopting: socket))
    }
}

extension KeeperProgram.Message {
    init(from reader: inout WireReader) throws(WireError) {
        let kind = try reader.byte()
        guard let known = Kind(rawValue: kind) else {
            throw WireError(description: "there is no message \(kind)")
        }
        self.kind = known
        number = try reader.number()
        value = try reader.number()
    }

    func write(to writer: inout WireWriter) {
        writer.put(kind.rawValue)
        writer.put(number)
        writer.put(value)
    }

    init(_ bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes)
        try self.init(from: &reader)
        try reader.end()
    }
}

extension MessageSocket {
    func send(
        _ kind: KeeperProgram.Message.Kind, _ number: UInt32, _ value: UInt32,
        _ passed: FileDescriptor? = nil
    ) throws(SystemError) {
        var writer = WireWriter()
        writer.put(KeeperProgram.Message(kind: kind, number: number, value: value))
        try send(writer.bytes, passed)
    }
}
