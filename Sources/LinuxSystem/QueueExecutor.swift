@preconcurrency package import Dispatch

/// Runs an actor on a serial dispatch queue, for actors which wait for descriptors there or make
/// blocking calls that must stay off Swift's cooperative pool (one thread a core).
///
/// Event handlers of dispatch sources on the same queue may enter such an actor with
/// `assumeIsolated`. (`DispatchSerialQueue`, which is an executor itself, does not exist on Linux.)
package final class QueueExecutor: SerialExecutor {
    /// Serial.
    package let queue: DispatchQueue

    package init(label: String) {
        queue = DispatchQueue(label: label)
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { [self] in job.runSynchronously(on: asUnownedSerialExecutor()) }
    }

    package func checkIsolated() {
        dispatchPrecondition(condition: .onQueue(queue))
    }
}
