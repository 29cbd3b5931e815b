@preconcurrency import Dispatch
import LinuxSystem
import Synchronization

/// Runs the body to its end while this thread, the first of the process, waits.
func waiting(for body: @escaping @Sendable () async throws -> Void) throws {
    let outcome = Outcome()
    Task(executorPreference: QueueTaskExecutor(label: "agent")) {
        do {
            try await body()
            outcome.set(.success(()))
        } catch {
            outcome.set(.failure(error))
        }
    }
    try outcome.wait().get()
}

private final class Outcome: Sendable {
    private let result = Mutex<Result<Void, any Error>>(.success(()))
    private let isSet = DispatchSemaphore(value: 0)

    func set(_ result: Result<Void, any Error>) {
        self.result.withLock { $0 = result }
        isSet.signal()
    }

    func wait() -> Result<Void, any Error> {
        isSet.wait()
        return result.withLock { $0 }
    }
}
