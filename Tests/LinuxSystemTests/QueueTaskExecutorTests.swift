import Dispatch
import Foundation
import LinuxSystem
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(10))) struct QueueTaskExecutorTests {
    /// How many run at once now, and the most that ever did.
    private final class Crowd: Sendable {
        private let counts = Mutex((now: 0, most: 0))
        var most: Int { counts.withLock(\.most) }

        /// Blocks its thread.
        func stay() {
            counts.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            Thread.sleep(forTimeInterval: 0.005)
            counts.withLock { $0.now -= 1 }
        }
    }

    @Test(arguments: [1, 2, 4]) func asManyRunAtOnceAsThereAreQueues(width: Int) async {
        let crowd = Crowd()
        let executor = QueueTaskExecutor(label: "test", width: width)
        await withTaskGroup { group in
            for _ in 0..<40 { group.addTask(executorPreference: executor) { crowd.stay() } }
        }
        #expect(crowd.most == width)
    }

    @Test func childTasksStayOnIt() async throws {
        let crowd = Crowd()
        let executor = QueueTaskExecutor(label: "test")
        let clock = TimerClock()
        let task = Task(executorPreference: executor) {
            try await withThrowingDiscardingTaskGroup { group in
                for _ in 0..<10 {
                    group.addTask {
                        async let first: Void = crowd.stay()
                        try await clock.sleep(for: .milliseconds(1))
                        crowd.stay()
                        await first
                        // Resumed from elsewhere.
                        await withCheckedContinuation { continuation in
                            Thread.detachNewThread { continuation.resume() }
                        }
                        crowd.stay()
                    }
                }
            }
        }
        try await task.value
        #expect(crowd.most == 1)
    }

    @Test func oneThatBlocksDoesNotKeepTheOthersWaiting() async {
        let executor = QueueTaskExecutor(label: "test", width: 2)
        let isBlocked = DispatchSemaphore(value: 0)
        let blocked = Task(executorPreference: executor) { Self.wait(for: isBlocked) }
        for _ in 0..<100 {
            await Task(executorPreference: executor) { await Task.yield() }.value
        }
        isBlocked.signal()
        await blocked.value
    }

    private static func wait(for semaphore: DispatchSemaphore) { semaphore.wait() }
}
