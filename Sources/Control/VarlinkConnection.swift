internal import LinuxSystem

/// One client of a ``VarlinkServer``, which alone touches it, on its queue.
final class VarlinkConnection {
    let id: Int
    let socket: UnixSocket
    let credentials: PeerCredentials
    let reading: DescriptorSource
    let writing: DescriptorSource
    let timer: DeadlineTimer

    var input = MessageBuffer()
    var output: ArraySlice<UInt8> = []
    /// The client sends no more; it may still read.
    var inputEnded = false
    /// Not read for now: too much waits already, or its user calls too often.
    var isHeldBack = false
    /// The call that is being answered.
    struct Call {
        let number: Int
        var task: Task<Void, Never>?
        /// It takes several replies.
        var isStream = false
        /// It was read, and its client wants a reply.
        var isAwaited = false
    }

    var call: Call?
    var isStreaming: Bool { call?.isStream ?? false }
    /// Ended when the connection is.
    var disconnection: AsyncStream<Never>.Continuation?
    /// When the message that has begun must have ended.
    var messageDeadline: ContinuousClock.Instant?
    /// When the client must have read something.
    var drainDeadline: ContinuousClock.Instant?
    /// Until when its next call waits because its user calls too often.
    var heldUntil: ContinuousClock.Instant?
    /// When to look whether a client that sends no more still waits for a reply.
    var hangUpCheck: ContinuousClock.Instant?
    /// Whether its user has paid for the connection itself.
    var isAdmitted = false
    /// Handlers that wait until the client has read everything.
    var drainWaiters: [CheckedContinuation<Bool, Never>] = []

    init(
        id: Int, socket: UnixSocket, credentials: PeerCredentials, reading: DescriptorSource,
        writing: DescriptorSource, timer: DeadlineTimer
    ) {
        self.id = id
        self.socket = socket
        self.credentials = credentials
        self.reading = reading
        self.writing = writing
        self.timer = timer
    }
}
