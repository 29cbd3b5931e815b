internal import Enforcement
internal import LinuxSystem
internal import Synchronization

/// A command that waits for its turn.
final class PendingCommand: Sendable {
    private enum State {
        case waiting(CheckedContinuation<Conclusion?, Never>)
        /// Somebody carries it out, whoever waits for it.
        case begun(CheckedContinuation<Conclusion?, Never>)
        case abandoned
        case done
    }

    let command: AgentEvent.Command
    /// When it was asked for, since the host was started.
    let noticed = BootTime.now
    /// It is to be carried out before this, or not at all: a client that gave up must not be surprised
    /// later.
    private let deadline: ContinuousClock.Instant
    private let state = Mutex<State>(.abandoned)

    /// - Parameter time: how long it may wait.
    init(_ command: AgentEvent.Command, within time: Duration) {
        self.command = command
        deadline = .now + time
    }

    /// Hands the command over and waits for what comes of it.
    ///
    /// - Returns: nil where the client has gone, or its time has passed, before anybody began.
    func conclusion(
        _ handOver: @Sendable (PendingCommand) -> Void
    ) async -> Conclusion? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { reply in
                state.withLock { $0 = .waiting(reply) }
                if Task.isCancelled { abandon() } else { handOver(self) }
            }
        } onCancel: {
            abandon()
        }
    }

    /// Whether anybody waits for it.
    var isWaiting: Bool {
        if deadline < .now { abandon() }
        return state.withLock { state in
            if case .waiting = state { true } else { false }
        }
    }

    /// Whether it is still to be carried out; from then on nobody may give it up.
    func begin() -> Bool {
        guard isWaiting else { return false }
        return state.withLock { state in
            guard case .waiting(let reply) = state else { return false }
            state = .begun(reply)
            return true
        }
    }

    func conclude(_ conclusion: Conclusion) {
        let reply = state.withLock { state -> CheckedContinuation<Conclusion?, Never>? in
            guard case .begun(let reply) = state else { return nil }
            state = .done
            return reply
        }
        reply?.resume(returning: conclusion)
    }

    private func abandon() {
        let reply = state.withLock { state -> CheckedContinuation<Conclusion?, Never>? in
            guard case .waiting(let reply) = state else { return nil }
            state = .abandoned
            return reply
        }
        reply?.resume(returning: nil)
    }
}
