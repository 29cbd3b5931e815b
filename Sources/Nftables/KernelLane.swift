internal import LinuxSystem
internal import Netlink

/// A worker process of its own, for what must neither wait for other requests nor hold them up. It
/// ends when nothing was asked of it for a while.
actor KernelLane {
    private let executor: QueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    private let supervisor: WorkerSupervisor
    private let rest: Duration
    private var timer: DeadlineTimer?

    /// - Parameters:
    ///   - label: of its queue.
    ///   - rest: how long the worker waits for further requests; zero where these come so seldom
    ///     that a process that waits for them would be a waste.
    init(_ label: String, _ supervisor: sending WorkerSupervisor, endsAfter rest: Duration) {
        executor = QueueExecutor(label: label)
        self.supervisor = supervisor
        self.rest = rest
    }

    /// - Parameter onPart: takes what comes before the reply, where the request has parts.
    func perform<Request: KernelRequest & Sendable>(
        _ request: Request, onPart: @Sendable (inout WireReader) throws(WireError) -> Void
    ) throws(KernelError) -> Request.Reply where Request.Reply: Sendable {
        defer { restLater() }
        return try supervisor.perform(request, onPart: onPart)
    }

    func perform<Request: KernelRequest & Sendable>(
        _ request: Request
    ) throws(KernelError) -> Request.Reply where Request.Reply: Sendable {
        defer { restLater() }
        return try supervisor.perform(request)
    }

    func observe(
        _ request: SnapshotRequest
    ) throws(KernelError) -> (observation: Observation, isUndisturbed: Bool) {
        defer { restLater() }
        return try supervisor.observe(request)
    }

    /// Lets the worker end.
    func stop() throws(KernelError) { try supervisor.stop() }

    private func restLater() {
        let timer =
            timer
            ?? DeadlineTimer(queue: executor.queue) { [weak self] in
                self?.assumeIsolated { $0.supervisor.rest() }
            }
        self.timer = timer
        timer.set(.now + rest)
    }
}
