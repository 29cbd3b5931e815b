import Ruleset
import Testing

@testable import Enforcement
@testable import Reports

@Suite struct RepairPaceTests {
    static let same = [Difference("chain input is missing")]
    let start = Duration.seconds(77)

    @Test func aBurstIsRepairedAtOnceAndAFightWaits() {
        var pace = RepairPace()
        for second in 0..<RepairPace.burst {
            #expect(
                pace.delayBeforeRepair(of: Self.same, now: start + .milliseconds(100 * second))
                    == nil)
        }
        // Until the first has left the window.
        #expect(pace.delayBeforeRepair(of: Self.same, now: start + .seconds(4)) == .seconds(7))
        #expect(pace.delayBeforeRepair(of: Self.same, now: start + .seconds(9)) == .seconds(2))
        #expect(pace.delayBeforeRepair(of: Self.same, now: start + .seconds(11)) == nil)
    }

    /// However long somebody fights, there are never more than so many repairs in a window.
    @Test func anEndlessFightIsBounded() {
        var pace = RepairPace()
        var now = start
        var repairs: [Duration] = []
        for _ in 0..<10_000 {
            if let delay = pace.delayBeforeRepair(of: Self.same, now: now) {
                #expect(delay >= .seconds(1))
                #expect(delay <= RepairPace.window + .seconds(1))
                now += delay
            } else {
                repairs.append(now)
            }
        }
        for (index, first) in repairs.enumerated().dropLast(RepairPace.burst) {
            #expect(repairs[index + RepairPace.burst] > first + RepairPace.window)
        }
    }

    @Test func seldomRepairsAreNeverDelayed() {
        var pace = RepairPace()
        for second in 0..<1000 {
            #expect(pace.delayBeforeRepair(of: Self.same, now: start + .seconds(second)) == nil)
        }
    }

    /// A change that is seldom the same again is repaired at once, however often.
    @Test func differentChangesAreNoFight() {
        var pace = RepairPace()
        for number in 0..<10_000 {
            let changes = [Difference("rule \(number % 5) is missing")]
            let now = start + .milliseconds(10 * number)
            #expect(pace.delayBeforeRepair(of: changes, now: now) == nil)
        }
    }

    /// Two tools that take turns fight all the same.
    @Test func aFewChangesInTurnAreAFight() {
        var pace = RepairPace()
        for number in 0..<RepairPace.burst {
            let changes = [Difference("rule \(number % RepairPace.fewChanges) is missing")]
            #expect(pace.delayBeforeRepair(of: changes, now: start) == nil)
        }
        #expect(pace.delayBeforeRepair(of: Self.same, now: start) == .seconds(11))
    }

    @Test func failuresDoubleTheDelayUpToALimit() {
        var pace = RepairPace()
        let delays = (0..<8).map { _ in pace.delayAfterFailure() }
        #expect(delays == [1, 2, 4, 8, 16, 30, 30, 30].map { .seconds($0) })
        pace.succeeded()
        #expect(pace.delayAfterFailure() == .seconds(1))
    }
}

@Suite struct StatusStateTests {
    typealias Facts = StatusReport.State.Facts

    @Test(
        arguments: [
            (Facts(), .unconfigured), (Facts(isEmpty: true), .unconfigured),
            (Facts(isWrong: true), .rejected), (Facts(isWrong: true, isEmpty: true), .unconfigured),
            (Facts(hasGeneration: true), .inSync),
            (Facts(hasGeneration: true, isWrong: true, isEmpty: true), .rejected),
            (Facts(hasGeneration: true, hold: .rollback), .pinned),
            (Facts(hasGeneration: true, hold: .rollback, isWrong: true), .rejected),
            (Facts(hold: .flush), .flushed),
            (Facts(hold: .flush, isWrong: true, isEmpty: true), .flushed),
            (
                Facts(hasGeneration: true, hasProblem: true, hold: .rollback, isWrong: true),
                .degraded
            ),
            (Facts(hasProblem: true, hold: .flush), .degraded),
            (Facts(hasProblem: true, isPending: true), .degraded),
            (Facts(hasGeneration: true, isPending: true), .pendingConfirmation),
            (Facts(hasGeneration: true, isPending: true, isWrong: true), .pendingConfirmation),
            (Facts(hasGeneration: true, hold: .unconfirmed), .reverted),
            (Facts(hold: .unconfirmed), .reverted), (Facts(hold: .rollback), .flushed),
            (Facts(hasGeneration: true, hold: .probe), .reverted),
            (Facts(hasGeneration: true, hold: .probe, isWrong: true), .rejected),
        ] as [(Facts, StatusReport.State)])
    func theWorstIsTold(_ facts: Facts, _ state: StatusReport.State) {
        #expect(StatusReport.State(facts) == state)
    }

    @Test func onlyWhatWasAskedForIsHealthy() {
        let all: [StatusReport.State] = [
            .inSync, .pendingConfirmation, .pinned, .reverted, .rejected, .degraded,
            .unconfigured, .flushed,
        ]
        #expect(all.filter(\.isHealthy) == [.inSync, .pendingConfirmation, .pinned])
    }
}
