@preconcurrency internal import Dispatch
internal import Synchronization

/// Runs tasks on serial dispatch queues of its own, as many at once as it has queues.
///
/// For a process that sleeps while there is nothing to do. Swift's own pool, like every concurrent
/// queue, takes its threads where libdispatch counts those that run, once a second, and never stops
/// once it has begun (`src/event/workqueue.c`); serial queues take them where nobody counts.
///
/// Child tasks inherit the executor; a `Task` must be given one, and may not sleep by a clock that
/// wakes from the pool (``TimerClock``).
package final class QueueTaskExecutor: TaskExecutor {
    private struct State {
        /// The oldest first.
        var waiting: ArraySlice<UnownedJob> = []
        /// Queues that run nothing.
        var idle: [DispatchQueue]
    }

    private let state: Mutex<State>

    package init(label: String, width: Int = 1) {
        state = Mutex(State(idle: (0..<width).map { _ in DispatchQueue(label: label) }))
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let queue = state.withLock { state in
            state.waiting.append(job)
            return state.idle.popLast()
        }
        if let queue { queue.async { [self] in work(on: queue) } }
    }

    /// Runs whatever waits, whoever came first, until nothing does.
    private func work(on queue: DispatchQueue) {
        while let job = next(for: queue) { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }

    private func next(for queue: DispatchQueue) -> UnownedJob? {
        state.withLock { state in
            guard let job = state.waiting.popFirst() else {
                state.waiting = []
                state.idle.append(queue)
                return nil
            }
            return job
        }
    }
}
