internal import CLinux
@preconcurrency internal import Dispatch
internal import Glibc
internal import Synchronization

/// Runs tasks on threads of its own that let all others go first: what may take long, and must not
/// keep anything waiting.
///
/// Threads of dispatch queues serve one queue after another, and one that has lowered its priority can't
/// raise it again without a privilege. These begin with the first task, sleep while there is none, and
/// end with the executor.
package final class ThreadTaskExecutor: TaskExecutor {
    private let pool: ThreadPool

    /// - Parameters:
    ///   - name: of the threads, of which 15 bytes are kept.
    ///   - width: how many tasks run at once.
    package init(name: String, width: Int = 1) { pool = ThreadPool(name: name, width: width) }

    deinit { pool.end() }

    package func enqueue(_ job: consuming ExecutorJob) {
        pool.enqueue(UnownedJob(job), asUnownedTaskExecutor())
    }
}

/// For whom something is done.
package enum Urgency: UInt8, Hashable, Sendable {
    /// For root and the agent itself: it waits for nothing that is done for others.
    case urgent
    /// For whoever asks: everything else goes first.
    case background

    /// As for nice(2): beside 10 a thread of the usual priority gets ten times the processor.
    private var niceness: Int32 { self == .background ? 10 : 0 }

    /// RLIMIT_NICE's word for the highest priority that libdispatch asks for, -4: 20 less the nice
    /// value.
    private static let highestLimit: rlim_t = 24

    /// Lets threads go back to their own priority: those that a thread of another starts begin with that
    /// one's, and libdispatch, which starts them for its queues, gives them theirs.
    ///
    /// - Throws: where the limit (RLIMIT_NICE) forbids it, and the privilege to raise that is missing.
    package static func allowReturn() throws(SystemError) {
        let resource = __rlimit_resource_t(__RLIMIT_NICE.rawValue)
        var limit = rlimit()
        try systemCall("getrlimit", "RLIMIT_NICE") { getrlimit(resource, &limit) }
        if limit.rlim_cur >= highestLimit { return }
        limit = rlimit(rlim_cur: highestLimit, rlim_max: max(limit.rlim_max, highestLimit))
        try systemCall("setrlimit", "RLIMIT_NICE") { setrlimit(resource, &limit) }
    }

    /// Gives this thread, or process that has no other, the priority.
    ///
    /// - Throws: ``SystemError``.
    package func apply() throws(SystemError) {
        if niceness == 0 { return }
        let niceness = niceness
        try systemCall("setpriority") {
            setpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(clinux_gettid()), niceness)
        }
    }
}

private final class ThreadPool: Sendable {
    private struct State {
        /// The oldest first.
        var waiting: ArraySlice<(job: UnownedJob, executor: UnownedTaskExecutor)> = []
        var started = 0
        var idle = 0
        var isEnding = false
    }

    private let name: String
    private let width: Int
    private let state = Mutex(State())
    private let wakeup = DispatchSemaphore(value: 0)

    init(name: String, width: Int) {
        self.name = name
        self.width = width
    }

    func enqueue(_ job: UnownedJob, _ executor: UnownedTaskExecutor) {
        let needsThread = state.withLock { state in
            state.waiting.append((job, executor))
            // Those that are idle may be spoken for.
            guard state.idle < state.waiting.count, state.started < width else { return false }
            state.started += 1
            return true
        }
        if needsThread { start() }
        wakeup.signal()
    }

    func end() {
        let threads = state.withLock { state in
            state.isEnding = true
            return state.started
        }
        for _ in 0..<threads { wakeup.signal() }
    }

    private func start() {
        let pool = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<ThreadPool>.fromOpaque(argument).takeRetainedValue().work()
                return nil
            }, pool.toOpaque())
        if result == 0 {
            pthread_detach(thread)
        } else {
            // Those that there are do the work; where there is none, the next task tries again.
            pool.release()
            state.withLock { $0.started -= 1 }
        }
    }

    private func work() {
        // Cut by the kernel.
        _ = clinux_set_name(name)
        do throws(SystemError) {
            try Urgency.background.apply()
        } catch {
            // At the usual priority it does the same.
        }
        while true {
            state.withLock { $0.idle += 1 }
            wakeup.wait()
            let (next, isEnding) = state.withLock { state in
                state.idle -= 1
                let next = state.waiting.popFirst()
                if state.waiting.isEmpty { state.waiting = [] }
                return (next, state.isEnding)
            }
            if let next {
                next.job.runSynchronously(on: next.executor)
            } else if isEnding {
                return
            }
        }
    }
}
