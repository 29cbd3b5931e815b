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
    /// The number of the call that is being answered.
    var call: Int?
    /// That call takes several replies.
    var callIsStream = false
    var isStreaming: Bool { call != nil && callIsStream }
    /// Ended when the connection is.
    var disconnection: AsyncStream<Never>.Continuation?
    /// When the message that has begun must have ended.
    var messageDeadline: ContinuousClock.Instant?
    /// When the client must have read something.
    var drainDeadline: ContinuousClock.Instant?
    /// Until when its next call waits because its user calls too often.
    var heldUntil: ContinuousClock.Instant?
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
