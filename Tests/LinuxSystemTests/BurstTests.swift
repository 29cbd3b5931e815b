import LinuxSystem
import Testing

@Suite(.timeLimit(.minutes(10))) struct BurstTests {
    /// What was put in, as bursts, and the task that finds them.
    private struct Bursts {
        let input: AsyncStream<Int>.Continuation
        let task: Task<Void, Never>
        var found: AsyncStream<[Int]>.Iterator

        init(quiet: Duration, longest: Duration) {
            let (stream, input) = AsyncStream.makeStream(of: Int.self)
            let (found, output) = AsyncStream.makeStream(of: [Int].self)
            self.input = input
            self.found = found.makeAsyncIterator()
            task = Task(executorPreference: QueueTaskExecutor(label: "bursts")) {
                await stream.forEachBurst(quiet: quiet, longest: longest, clock: TimerClock()) {
                    output.yield($0)
                }
                output.finish()
            }
        }

        mutating func next() async -> [Int]? { await found.next(isolation: nil) }
    }

    @Test func aBurstIsOneEvent() async {
        var bursts = Bursts(quiet: .milliseconds(100), longest: .seconds(20))
        let start = ContinuousClock.now
        for element in [1, 2, 1, 3] { bursts.input.yield(element) }
        #expect(await bursts.next() == [1, 2, 3])
        #expect(ContinuousClock.now - start >= .milliseconds(100))
        bursts.input.yield(4)
        #expect(await bursts.next() == [4])
    }

    @Test func endlessChangesAreDeliveredAtLatestAfterTheLongestTime() async throws {
        // The pool's threads may be held by other tests.
        let executor = QueueTaskExecutor(label: "test")
        let time = await withTaskExecutorPreference(executor) {
            var bursts = Bursts(quiet: .seconds(10), longest: .milliseconds(200))
            let source = Task(executorPreference: executor) { [input = bursts.input] in
                while true {
                    input.yield(1)
                    try await TimerClock().sleep(for: .milliseconds(10))
                }
            }
            let start = ContinuousClock.now
            for _ in 0..<3 { #expect(await bursts.next() == [1]) }
            source.cancel()
            return ContinuousClock.now - start
        }
        #expect(time < .seconds(9))
    }

    @Test func whatIsHeldBackComesBeforeTheEnd() async {
        var bursts = Bursts(quiet: .seconds(60), longest: .seconds(60))
        bursts.input.yield(1)
        bursts.input.finish()
        #expect(await bursts.next() == [1])
        #expect(await bursts.next() == nil)
    }

    @Test func cancellingTheTaskEndsTheSource() async {
        var bursts = Bursts(quiet: .seconds(60), longest: .seconds(60))
        let (ended, end) = AsyncStream.makeStream(of: Never.self)
        bursts.input.onTermination = { _ in end.finish() }
        bursts.input.yield(1)
        bursts.task.cancel()
        await bursts.task.value
        for await _ in ended {}
        #expect(await bursts.next() == nil)
    }
}
