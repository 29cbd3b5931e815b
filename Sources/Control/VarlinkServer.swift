@preconcurrency internal import Dispatch
internal import JSONValue
package import LinuxSystem
package import Logging
internal import SystemPackage

/// A Varlink service on a Unix socket, for any number of interfaces.
///
/// All connections share one queue and no threads; their handlers share two threads that let
/// everything else go first, and those of root have two of their own, which do not. Calls of one
/// connection are answered in order, one after the other. A client's fault costs its own
/// connection and nothing else (``VarlinkLimits``); a call ends when the client that waits for its
/// reply has gone.
package actor VarlinkServer {
    private let executor: QueueExecutor
    /// The queue of all connections.
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    /// Two at once, so that a long answer does not keep the others waiting.
    private let handling = ThreadTaskExecutor(name: "varlink-calls", width: 2)
    /// Root's calls are answered, whatever others ask for.
    private let handlingOfRoot = QueueTaskExecutor(label: "varlink-calls-of-root", width: 2)
    private let service: VarlinkService
    private let limits: VarlinkLimits
    private let logger: Logger
    private var listener: UnixListener?
    private var listening: DescriptorSource?
    /// Resumes accepting after descriptors ran out.
    private var retry: DeadlineTimer?
    private var connections: [Int: VarlinkConnection] = [:]
    private var rates: UserRates
    /// Those who wait for the streams' end.
    private var streamWaiters: [CheckedContinuation<Void, Never>] = []
    private var streamTimer: DeadlineTimer?
    /// The last number given to a connection or a call.
    private var lastNumber = 0
    private var scratch = [UInt8](repeating: 0, count: 16 * 1024)

    /// - Parameters:
    ///   - identity: the answer to `GetInfo`.
    ///   - interfaces: those served beside `org.varlink.service`.
    ///   - authorize: asked before each call.
    package init(
        identity: VarlinkIdentity, interfaces: [VarlinkInterface],
        limits: VarlinkLimits = VarlinkLimits(), logger: Logger,
        authorize: @escaping VarlinkAuthorization
    ) {
        executor = QueueExecutor(label: "varlink-server")
        service = VarlinkService(
            identity: identity, interfaces: interfaces, authorize: authorize, logger: logger)
        self.limits = limits
        rates = UserRates(limits)
        self.logger = logger
    }

    /// Serves whoever connects to `listener`, until ``stop()``.
    package func start(_ listener: UnixListener) {
        let source = DescriptorSource(
            listener.shared, .readable, queue: executor.queue
        ) { [weak self] in
            self?.assumeIsolated { $0.accept() }
        }
        retry = DeadlineTimer(queue: executor.queue) { [weak self] in
            self?.assumeIsolated { $0.listening?.resume() }
        }
        self.listener = listener
        listening = source
        source.resume()
    }

    /// Stops listening, removes the socket's file unless somebody else holds the listener, and
    /// disconnects all clients. Calls that are being answered go on; their replies are dropped.
    package func stop() {
        listening?.cancel()
        (listening, retry, listener) = (nil, nil, nil)
        for connection in connections.values { close(connection, because: "the server stops") }
    }

    /// Waits until no call is answered by several replies any more, or the time has passed.
    package func waitForStreams(atMost time: Duration) async {
        guard connections.values.contains(where: \.isStreaming) else { return }
        let timer = DeadlineTimer(queue: executor.queue) { [weak self] in
            self?.assumeIsolated { $0.endStreamWait() }
        }
        streamTimer = timer
        timer.set(.now + time)
        await withCheckedContinuation { streamWaiters.append($0) }
    }

    private func streamEnded() {
        if !connections.values.contains(where: \.isStreaming) { endStreamWait() }
    }

    private func endStreamWait() {
        for waiter in streamWaiters { waiter.resume() }
        streamWaiters = []
        streamTimer = nil
    }

    // MARK: Connections

    /// Clients that are taken in before those that are there already get their turn.
    private static let acceptedAtOnce = 16

    private func accept() {
        guard let listener else { return }
        do throws(SystemError) {
            for _ in 0..<Self.acceptedAtOnce {
                guard let socket = try listener.accept() else { break }
                admit(socket)
            }
        } catch {
            // Out of descriptors or memory: the client keeps waiting in the queue, and the source
            // would call again at once.
            logger.error("cannot accept a client", metadata: ["error": "\(error)"])
            listening?.pause()
            retry?.set(.now + .seconds(1))
        }
    }

    private func admit(_ socket: UnixSocket) {
        let credentials: PeerCredentials
        do {
            credentials = try socket.peerCredentials()
        } catch {
            logger.error("a client turned away", metadata: ["error": "\(error)"])
            return
        }
        guard limits.admits(credentials, beside: connections.values.map(\.credentials)) else {
            logger.debug(
                "too many clients: one turned away",
                metadata: [
                    "uid": "\(credentials.uid)", "pid": "\(credentials.pid)",
                    "clients": "\(connections.count)",
                ])
            return
        }
        lastNumber += 1
        let id = lastNumber
        let queue = executor.queue
        let connection = VarlinkConnection(
            id: id, socket: socket, credentials: credentials,
            reading: DescriptorSource(socket.shared, .readable, queue: queue) { [weak self] in
                self?.assumeIsolated { $0.receive(id) }
            },
            writing: DescriptorSource(socket.shared, .writable, queue: queue) { [weak self] in
                self?.assumeIsolated { $0.resumeSending(id) }
            },
            timer: DeadlineTimer(queue: queue) { [weak self] in
                self?.assumeIsolated { $0.timePassed(id) }
            })
        connections[id] = connection
        proceed(connection)
    }

    /// `reason` is nil for the normal end.
    private func close(
        _ connection: VarlinkConnection, because reason: String?, level: Logger.Level = .debug
    ) {
        guard connections.removeValue(forKey: connection.id) != nil else { return }
        if connection.call?.isAwaited == true { connection.call?.task?.cancel() }
        connection.reading.cancel()
        connection.writing.cancel()
        connection.disconnection?.finish()
        resumeDrainWaiters(of: connection, isThere: false)
        if connection.isStreaming { streamEnded() }
        guard let reason else { return }
        logger.log(
            level: level, "client disconnected: \(reason)",
            metadata: [
                "pid": "\(connection.credentials.pid)", "uid": "\(connection.credentials.uid)",
            ])
    }

    private func timePassed(_ id: Int) {
        guard let connection = connections[id] else { return }
        let now = ContinuousClock.now
        if let deadline = connection.messageDeadline, deadline <= now {
            close(connection, because: "its message did not end in time")
        } else if let deadline = connection.drainDeadline, deadline <= now {
            close(connection, because: "it does not read its replies", level: .warning)
        } else if let deadline = connection.heldUntil, deadline <= now {
            connection.heldUntil = nil
            proceed(connection)
        } else if let deadline = connection.hangUpCheck, deadline <= now {
            lookForClient(of: connection)
        } else {
            setTimer(of: connection)
        }
    }

    private func setTimer(of connection: VarlinkConnection) {
        let deadlines = [
            connection.messageDeadline, connection.drainDeadline, connection.heldUntil,
            connection.hangUpCheck,
        ].compactMap { $0 }
        connection.timer.set(deadlines.min())
    }

    // MARK: Calls

    private func receive(_ id: Int) {
        guard let connection = connections[id] else { return }
        do throws(SystemError) {
            try readAll(connection)
        } catch {
            return close(connection, because: "\(error)")
        }
        lookForClient(of: connection)
        if connections[id] != nil { proceed(connection) }
    }

    /// How often is looked whether a client that sends no more still waits for its reply, which no
    /// event tells.
    private static let hangUpInterval = Duration.milliseconds(500)

    /// Ends the call that is being answered where nobody waits for its reply any more.
    private func lookForClient(of connection: VarlinkConnection) {
        connection.hangUpCheck = nil
        guard connection.inputEnded, let call = connection.call, call.isAwaited else { return }
        // Nobody waits for events any more; a plain call's reply may still be read.
        if call.isStream { return close(connection, because: nil) }
        do throws(SystemError) {
            if try connection.socket.isHungUp() {
                call.task?.cancel()
            } else {
                connection.hangUpCheck = .now + Self.hangUpInterval
                setTimer(of: connection)
            }
        } catch {
            close(connection, because: "\(error)")
        }
    }

    /// Reads what there is, up to what may wait: of a client that has gone the source tells no second
    /// time.
    private func readAll(_ connection: VarlinkConnection) throws(SystemError) {
        while !connection.inputEnded, connection.input.count <= limits.message {
            switch try connection.socket.receive(into: &scratch) {
            case .wouldBlock: return
            case .ended:
                connection.inputEnded = true
                connection.messageDeadline = nil
                connection.reading.pause()
            case .bytes(let count):
                let ended = connection.input.append(scratch[..<count])
                if !connection.input.endsInPart {
                    connection.messageDeadline = nil
                } else if ended || connection.messageDeadline == nil {
                    connection.messageDeadline = .now + limits.messageTime
                }
            }
        }
    }

    /// Begins the next call where none is being answered, and decides whether to read on.
    private func proceed(_ connection: VarlinkConnection) {
        if isHeld(connection) { return }
        // A client that does not read gets no further replies made.
        if connection.call == nil && connection.output.isEmpty {
            if let message = connection.input.next() {
                guard message.count <= limits.message else { return refuse(connection) }
                begin(message, on: connection)
            } else if connection.input.count > limits.message {
                return refuse(connection)
            } else if connection.inputEnded {
                return close(
                    connection, because: connection.input.endsInPart ? "half a message" : nil)
            }
        }
        if !connection.inputEnded {
            if connection.input.count > limits.message {
                // Whole messages that wait their turn: read on when some are answered.
                connection.messageDeadline = nil
                connection.isHeldBack = true
                connection.reading.pause()
            } else {
                if connection.input.endsInPart && connection.messageDeadline == nil {
                    connection.messageDeadline = .now + limits.messageTime
                }
                connection.reading.resume()
                if connection.isHeldBack {
                    connection.isHeldBack = false
                    let id = connection.id
                    executor.queue.async { [weak self] in self?.assumeIsolated { $0.receive(id) } }
                }
            }
        }
        setTimer(of: connection)
    }

    /// Whether the connection must wait because its user connects or calls too often; nothing is
    /// read from it then.
    private func isHeld(_ connection: VarlinkConnection) -> Bool {
        if connection.heldUntil == nil {
            let user = connection.credentials.uid
            if !connection.isAdmitted {
                connection.heldUntil = rates.connection(of: user, now: .now)
                connection.isAdmitted = connection.heldUntil == nil
            }
            if connection.isAdmitted, connection.call == nil, connection.output.isEmpty,
                connection.input.hasMessage
            {
                connection.heldUntil =
                    hasRoom(for: user)
                    ? rates.call(of: user, now: .now) : .now + Self.roomInterval
            }
        }
        if connection.heldUntil == nil { return false }
        // The rest of a message that has begun is not asked for meanwhile.
        connection.messageDeadline = nil
        connection.isHeldBack = true
        connection.reading.pause()
        setTimer(of: connection)
        return true
    }

    /// How often is looked for room.
    private static let roomInterval = Duration.milliseconds(50)

    /// Whether a reply more for a user may wait in memory.
    private func hasRoom(for user: UInt32) -> Bool {
        user == 0
            || connections.values.lazy.filter { $0.credentials.uid != 0 }
                .reduce(0) { $0 + $1.output.count } <= limits.outgoingOfUsers
    }

    private func refuse(_ connection: VarlinkConnection) {
        close(connection, because: "message over \(limits.message) bytes", level: .error)
    }

    private func begin(_ message: [UInt8], on connection: VarlinkConnection) {
        lastNumber += 1
        let number = lastNumber
        let id = connection.id
        let credentials = connection.credentials
        let (disconnection, continuation) = AsyncStream.makeStream(of: Never.self)
        connection.call = VarlinkConnection.Call(number: number)
        connection.disconnection = continuation
        let executor: any TaskExecutor = credentials.uid == 0 ? handlingOfRoot : handling
        connection.call?.task = Task(executorPreference: executor) {
            @concurrent [self, service] in
            let request: VarlinkRequest
            do throws(VarlinkViolation) {
                request = try VarlinkRequest(parsing: message)
            } catch {
                return await violated(id, error)
            }
            guard await began(number, on: id, request) else { return }
            let call = VarlinkCall(
                method: request.method, parameters: request.parameters, credentials: credentials,
                wantsMore: request.more, disconnection: disconnection,
                drain: { await self.drained(id) }
            ) { parameters in
                let reply = VarlinkReply(parameters: parameters, continues: true)
                return await self.deliver(reply.serialized, of: number, to: id)
            }
            let reply = await service.reply(to: call, upgrade: request.upgrade)
            await finish(number, on: id, reply: request.oneway ? nil : reply.serialized)
        }
    }

    private func violated(_ id: Int, _ violation: VarlinkViolation) {
        if let connection = connections[id] { close(connection, because: violation.description) }
    }

    /// False where nobody waits for the reply that the client wanted.
    private func began(_ number: Int, on id: Int, _ request: VarlinkRequest) -> Bool {
        guard let connection = connections[id], connection.call?.number == number else {
            return request.oneway
        }
        connection.call?.isStream = request.more
        connection.call?.isAwaited = !request.oneway
        lookForClient(of: connection)
        return true
    }

    private func finish(_ number: Int, on id: Int, reply: [UInt8]?) {
        if let reply { deliver(reply, of: number, to: id) }
        guard let connection = connections[id], connection.call?.number == number else { return }
        let wasStreaming = connection.isStreaming
        connection.call = nil
        connection.hangUpCheck = nil
        connection.disconnection = nil
        if wasStreaming { streamEnded() }
        proceed(connection)
    }

    // MARK: Replies

    /// False where the client has gone.
    @discardableResult
    private func deliver(_ reply: [UInt8], of call: Int, to id: Int) -> Bool {
        // A handler may have kept its call beyond its end: nothing is sent in another call's name.
        guard let connection = connections[id], connection.call?.number == call else {
            return false
        }
        let waited = !connection.output.isEmpty
        connection.output += reply
        connection.output.append(0)
        if !waited { send(connection) }
        guard connections[id] != nil else { return false }
        if waited && connection.output.count > limits.outgoing {
            close(
                connection, because: "over \(limits.outgoing) bytes of replies wait for it",
                level: .warning)
            return false
        }
        return true
    }

    /// Waits until everything has been read. False where the client has gone.
    private func drained(_ id: Int) async -> Bool {
        guard let connection = connections[id] else { return false }
        if connection.output.isEmpty { return true }
        return await withCheckedContinuation { connection.drainWaiters.append($0) }
    }

    private func resumeDrainWaiters(of connection: VarlinkConnection, isThere: Bool) {
        for waiter in connection.drainWaiters { waiter.resume(returning: isThere) }
        connection.drainWaiters = []
    }

    private func resumeSending(_ id: Int) {
        guard let connection = connections[id] else { return }
        send(connection)
        if connections[id] != nil { proceed(connection) }
    }

    /// Writes what the socket takes now.
    private func send(_ connection: VarlinkConnection) {
        do throws(SystemError) {
            while !connection.output.isEmpty {
                guard case .bytes(let count) = try connection.socket.send(connection.output) else {
                    break
                }
                connection.output.removeFirst(count)
                connection.drainDeadline = nil
            }
        } catch {
            return close(connection, because: "\(error)")
        }
        if connection.output.isEmpty {
            connection.output = []
            connection.drainDeadline = nil
            connection.writing.pause()
            resumeDrainWaiters(of: connection, isThere: true)
        } else {
            if connection.drainDeadline == nil {
                connection.drainDeadline = .now + limits.drainTime
            }
            connection.writing.resume()
        }
        setTimer(of: connection)
    }
}
