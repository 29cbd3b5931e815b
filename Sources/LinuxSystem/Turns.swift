internal import Synchronization

/// Lets one at a time do something that may wait in between, whoever came first.
package final class Turns: Sendable {
    private struct State {
        var isTaken = false
        /// The oldest first.
        var waiting: [(number: Int, continuation: CheckedContinuation<Bool, Never>)] = []
        var last = 0
    }

    private let state = Mutex(State())

    /// Nobody has the turn.
    package init() {}

    /// Waits for the turn. The taker gives it back.
    package func take() async { _ = await take(as: next()) {} }

    /// The same, but for who has no use for it any more where the task is cancelled.
    ///
    /// - Throws: `CancellationError` where the task is cancelled before its turn.
    package func takeUnlessCancelled() async throws(CancellationError) {
        let number = next()
        let isOurs = await withTaskCancellationHandler {
            await take(as: number) { if Task.isCancelled { leave(number) } }
        } onCancel: {
            leave(number)
        }
        if !isOurs { throw CancellationError() }
    }

    /// Gives the turn to whoever waits longest.
    package func give() {
        let next = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            if state.waiting.isEmpty {
                state.isTaken = false
                return nil
            }
            return state.waiting.removeFirst().continuation
        }
        next?.resume(returning: true)
    }

    private func next() -> Int {
        state.withLock { state in
            state.last += 1
            return state.last
        }
    }

    /// - Parameter onWaiting: called where it is not at once this one's turn.
    private func take(as number: Int, onWaiting: () -> Void) async -> Bool {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.isTaken {
                    state.waiting.append((number, continuation))
                    return false
                }
                state.isTaken = true
                return true
            }
            if isFree { continuation.resume(returning: true) } else { onWaiting() }
        }
    }

    private func leave(_ number: Int) {
        let gone = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard let index = state.waiting.firstIndex(where: { $0.number == number }) else {
                return nil
            }
            return state.waiting.remove(at: index).continuation
        }
        gone?.resume(returning: false)
    }
}
