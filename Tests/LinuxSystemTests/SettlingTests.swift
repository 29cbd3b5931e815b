import LinuxSystem
import Testing

@Suite(.timeLimit(.minutes(1))) struct SettlingTests {
    @Test func aBurstIsOneEvent() async {
        let (stream, input) = AsyncStream.makeStream(of: Int.self)
        var events = stream.settled(quiet: .milliseconds(100), longest: .seconds(20))
            .makeAsyncIterator()
        let start = ContinuousClock.now
        for element in [1, 2, 1, 3] { input.yield(element) }
        #expect(await events.next(isolation: nil) == [1, 2, 3])
        #expect(ContinuousClock.now - start >= .milliseconds(100))
        input.yield(4)
        #expect(await events.next(isolation: nil) == [4])
    }

    @Test func endlessChangesAreDeliveredAtLatestAfterTheLongestTime() async throws {
        let (stream, input) = AsyncStream.makeStream(of: Int.self)
        var events = stream.settled(quiet: .seconds(10), longest: .milliseconds(200))
            .makeAsyncIterator()
        let source = Task {
            while true {
                input.yield(1)
                try await Task.sleep(for: .milliseconds(10))
            }
        }
        let start = ContinuousClock.now
        for _ in 0..<3 { #expect(await events.next(isolation: nil) == [1]) }
        #expect(ContinuousClock.now - start < .seconds(9))
        source.cancel()
    }

    @Test func whatIsHeldBackComesBeforeTheEnd() async {
        let (stream, input) = AsyncStream.makeStream(of: Int.self)
        var events = stream.settled(quiet: .seconds(60), longest: .seconds(60))
            .makeAsyncIterator()
        input.yield(1)
        input.finish()
        #expect(await events.next(isolation: nil) == [1])
        #expect(await events.next(isolation: nil) == nil)
    }

    @Test func cancellingTheConsumerEndsTheSource() async {
        let (stream, input) = AsyncStream.makeStream(of: Int.self)
        let (ended, end) = AsyncStream.makeStream(of: Never.self)
        input.onTermination = { _ in end.finish() }
        let events = stream.settled(quiet: .seconds(60), longest: .seconds(60))
        let consumer = Task { for await _ in events {} }
        input.yield(1)
        consumer.cancel()
        await consumer.value
        for await _ in ended {}
    }
}
