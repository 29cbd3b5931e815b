import LinuxSystem
import Synchronization
import Testing

@Suite struct TurnsTests {
    @Test func oneAtATimeInTheOrderOfTheirComing() async throws {
        let turns = Turns()
        let order = Order()
        await turns.take()
        var tasks: [Task<Void, Never>] = []
        for number in 0..<20 {
            tasks.append(
                Task {
                    await turns.take()
                    order.numbers.withLock { $0.append(number) }
                    turns.give()
                })
            // Nothing tells that it waits.
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(order.numbers.withLock { $0 }.isEmpty)
        turns.give()
        for task in tasks { await task.value }
        #expect(order.numbers.withLock { $0 } == Array(0..<20))
    }

    @Test func whoIsCancelledLeaves() async throws {
        let turns = Turns()
        await turns.take()
        let gone = Task { try await turns.takeUnlessCancelled() }
        try await Task.sleep(for: .milliseconds(10))
        gone.cancel()
        await #expect(throws: CancellationError.self) { try await gone.value }
        let next = Task { await turns.take() }
        turns.give()
        await next.value
        turns.give()
        try await turns.takeUnlessCancelled()
    }

    @Test func whoIsCancelledBeforeTakesNoTurn() async throws {
        let turns = Turns()
        await turns.take()
        let gone = Task {
            while !Task.isCancelled { await Task.yield() }
            try await turns.takeUnlessCancelled()
        }
        gone.cancel()
        await #expect(throws: CancellationError.self) { try await gone.value }
    }
}

private final class Order: Sendable {
    let numbers = Mutex<[Int]>([])
}
