internal import Glibc
internal import LinuxSystem
internal import Netlink
internal import SystemPackage

/// Has requests answered by a worker process, and starts another where one ended.
///
/// Not thread-safe: ``NftablesKernel`` uses each on one queue.
final class WorkerSupervisor {
    /// Beyond a request's deadline, which the worker keeps by itself unless it is stopped.
    private static let grace = Duration.seconds(2)

    private let keeper: KernelKeeper
    private let urgency: Urgency
    private let deadline: Duration
    private let report: @Sendable (String) -> Void
    private var current: Current?
    private var paces: [Operation: WorkerPace] = [:]
    private var lives = WorkerLives()

    private struct Current {
        let worker: KernelKeeper.Worker
        let channel: FrameChannel
    }

    /// - Parameters:
    ///   - urgency: of what the workers do.
    ///   - deadline: for each request.
    ///   - report: told of each worker's end, in words.
    init(
        _ keeper: KernelKeeper, _ urgency: Urgency = .urgent, deadline: Duration,
        report: @escaping @Sendable (String) -> Void
    ) {
        self.keeper = keeper
        self.urgency = urgency
        self.deadline = deadline
        self.report = report
    }

    /// Whether one of our workers made a change.
    func made(_ change: RulesetChange) -> Bool { lives.contain(change) }

    /// - Parameter onPart: takes what comes before the reply, where the request has parts.
    /// - Throws: ``KernelError/Code/crashed`` where the worker ended instead of answering, and
    ///   again at once for as long as ``WorkerPace`` wants the same request to wait.
    func perform<Request: KernelRequest>(
        _ request: Request, onPart: (inout WireReader) throws(WireError) -> Void = noParts
    ) throws(KernelError) -> Request.Reply {
        if let refusal = paces[Request.operation]?.refusal(now: .now) { throw refusal }
        let reply = try ask(request, try readyWorker(), onPart)
        paces[Request.operation] = nil
        return reply
    }

    private static func noParts(_: inout WireReader) throws(WireError) {
        throw WireError(description: "a part of what has none")
    }

    /// Lets the worker end.
    func stop() throws(KernelError) {
        guard let current else { return }
        self.current = nil
        try letGo(of: current.worker)
    }

    /// Lets the worker end for as long as nothing is asked of it.
    func rest() {
        do throws(KernelError) {
            try stop()
        } catch {
            report("a worker that has nothing to do can't be ended: \(error)")
        }
    }

    // MARK: Workers

    private func readyWorker() throws(KernelError) -> Current {
        if let current {
            if try !isHungUp(current) { return current }
            self.current = nil
            let end = try keeper.end(of: current.worker)
            report(
                "libnftables \(end?.description ?? "ended") while it had nothing to do; another process takes over"
            )
        }
        if let refusal = paces[.introduce]?.refusal(now: .now) { throw refusal }
        let worker = try keeper.startWorker()
        let started = Current(worker: worker, channel: FrameChannel(worker.socket))
        current = started
        let introduction = try introduce(started)
        paces[.introduce] = nil
        lives.began(on: introduction.thread, at: introduction.generationID)
        return started
    }

    private func introduce(
        _ started: Current
    ) throws(KernelError) -> IntroductionRequest.Reply {
        do throws(KernelError) {
            return try ask(IntroductionRequest(urgency: urgency), started)
        } catch {
            if error.code == .crashed { throw error }
            // It lives and can't work.
            paces[.introduce, default: WorkerPace()].ended(error, now: .now)
            current = nil
            try letGo(of: started.worker)
            throw error
        }
    }

    private func letGo(of worker: KernelKeeper.Worker) throws(KernelError) {
        do throws(SystemError) {
            try worker.socket.shutDown()
        } catch {
            throw KernelError(.unavailable, "can't let go of a worker: \(error)")
        }
        _ = try keeper.end(of: worker)
    }

    private func isHungUp(_ current: Current) throws(KernelError) -> Bool {
        do throws(FrameChannel.Failure) {
            return try current.channel.isHungUp()
        } catch {
            throw KernelError(.unavailable, "the worker's socket fails: \(error)")
        }
    }

    private func ask<Request: KernelRequest>(
        _ request: Request, _ current: Current,
        _ onPart: (inout WireReader) throws(WireError) -> Void = noParts
    ) throws(KernelError) -> Request.Reply {
        var doing = request.doing
        let answer: Result<Request.Reply, KernelError>
        do throws(FrameChannel.Failure) {
            answer = try exchange(request, current.channel, &doing, onPart)
        } catch {
            self.current = nil
            let words = try end(
                current.worker, after: error, Request.operation.subject, doing)
            let consequence =
                switch Request.operation {
                case .commit: "the kernel took all of it or nothing"
                case .endFlows: "some of them may go on"
                case .introduce, .readGeneration, .snapshot, .check, .readFlows, .readForeignTables,
                    .readTrackingUse, .readCounts:
                    "the rules in force stay"
                }
            let crash = KernelError(.crashed, "\(words): \(consequence)")
            paces[Request.operation, default: WorkerPace()].ended(crash, now: .now)
            report(crash.description)
            throw crash
        }
        return try answer.get()
    }

    private func exchange<Request: KernelRequest>(
        _ request: Request, _ channel: FrameChannel, _ doing: inout String,
        _ onPart: (inout WireReader) throws(WireError) -> Void
    ) throws(FrameChannel.Failure) -> Result<Request.Reply, KernelError> {
        try channel.setTimeout(deadline + Self.grace)
        var writer = WireWriter(reserving: FrameChannel.headerLength)
        writer.put(UInt32(deadline / .milliseconds(1)))
        writer.put(request)
        try channel.send(kind: Request.operation.rawValue, writer)
        while true {
            let frame = try channel.receive(limit: FrameLimit.answer)
            var reader = WireReader(frame.payload)
            do throws(WireError) {
                let answer: Result<Request.Reply, KernelError>?
                switch Answer(rawValue: frame.kind) {
                case .progress:
                    doing = try reader.text()
                    answer = nil
                case .part:
                    try onPart(&reader)
                    answer = nil
                case .reply: answer = .success(try Request.Reply(from: &reader))
                case .failure: answer = .failure(try KernelError(from: &reader))
                case nil: throw WireError(description: "there is no answer \(frame.kind)")
                }
                try reader.end()
                if let answer { return answer }
            } catch {
                throw .broken(error.description)
            }
        }
    }

    /// Sees to it that a worker has ended, and says how.
    private func end(
        _ worker: KernelKeeper.Worker, after failure: FrameChannel.Failure,
        _ subject: String, _ doing: String
    ) throws(KernelError) -> String {
        switch failure {
        case .ended: break
        case .timedOut, .broken: try kill(worker)
        }
        let end = try keeper.end(of: worker)
        return switch (failure, end) {
        case (_, nil): "\(subject) hangs while it \(doing), and can't be ended"
        case (.timedOut, _), (_, .signaled(SIGALRM)):
            "\(subject) hung while it \(doing), and was ended after \(deadline)"
        case (.broken(let reason), _):
            "\(subject) was ended since it talked nonsense while it \(doing) (\(reason))"
        case (.ended, let end?): "\(subject) \(end) while it \(doing)"
        }
    }

    private func kill(_ worker: KernelKeeper.Worker) throws(KernelError) {
        do throws(SystemError) {
            try worker.process.kill()
        } catch {
            // ESRCH: it was faster.
            if error.errno != .noSuchProcess {
                throw KernelError(.unavailable, "can't end a worker that hangs: \(error)")
            }
        }
    }
}
