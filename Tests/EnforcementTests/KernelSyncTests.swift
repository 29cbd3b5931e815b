import Ruleset
import Testing

@testable import Enforcement
@testable import Reports

/// What is known of the kernel, and how repairs go on from it.
@Suite struct KernelSyncTests {
    private static let differences = [Difference("chain input is missing")]
    private static let foreign = ApplyFailure("somebody was there", mayBeForeign: true)

    @Test func aRefusalIsOneUntilTheKernelHoldsTheRules() {
        var sync = KernelSync()
        sync.fellOut(because: "no", isRefusal: true)
        #expect(sync.isRefused)
        #expect(sync.problem == "no")
        sync.cameInSync()
        #expect(!sync.isRefused)
        #expect(sync.problem == nil)
    }

    @Test func aFailedRepairIsFollowedByOneThatRebuilds() {
        var sync = KernelSync()
        #expect(sync.repairManner == .atOnce)
        #expect(sync.repairFailed(ApplyFailure("no")) == .seconds(1))
        #expect(sync.repairFailed(ApplyFailure("no")) == .seconds(2))
        #expect(sync.repairManner == .rebuild)
        sync.wasRepaired()
        #expect(sync.repairManner == .atOnce)
        #expect(sync.repairFailed(ApplyFailure("no")) == .seconds(1))
    }

    @Test func changesBeforeAReadingAreNoFailuresForSoLong() {
        var sync = KernelSync()
        #expect(sync.takesForInterference(ApplyFailure("no")) == false)
        for _ in 0..<8 { #expect(sync.takesForInterference(Self.foreign) == true) }
        #expect(sync.problem == Self.foreign.description)
        #expect(sync.takesForInterference(Self.foreign) == false)
        sync.wasRepaired()
        #expect(sync.takesForInterference(Self.foreign) == true)
    }

    @Test func thatItIsFoundInSyncIsNewsOnlyAfterAProblem() {
        var sync = KernelSync()
        #expect(sync.foundInSync() == false)
        sync.fellOut(because: "no")
        #expect(sync.foundInSync() == true)
        #expect(sync.foundInSync() == false)
    }

    @Test func ourOwnFailureIsNobodysChange() {
        var sync = KernelSync()
        sync.fellOut(because: "no")
        #expect(sync.found(Self.differences, by: nil) == "somebody")
        #expect(sync.drift.report.count == 0)
        sync.cameInSync()
        let writer = Reconciler.Writer(process: "nft flush ruleset", name: "nft", pid: 7)
        #expect(sync.found(Self.differences, by: writer) == "nft flush ruleset")
        // What is still out of order, the same has done.
        #expect(sync.found(Self.differences, by: nil) == "nft flush ruleset")
        #expect(sync.drift.report.count == 1)
    }

    @Test func countersAndNotesBeginWithTheirTables() {
        let clock = ManualClock()
        var sync = KernelSync()
        sync.wasVerified(madeTables: false, wasNoting: true, by: clock)
        #expect(sync.verified == clock.sinceBoot)
        #expect(sync.tablesMade == nil)
        #expect(sync.pairsNoted == nil)
        sync.wasVerified(madeTables: false, wasNoting: false, by: clock)
        #expect(sync.tablesMade == nil)
        #expect(sync.pairsNoted == clock.now)
        clock.advance(by: .seconds(5))
        sync.wasVerified(madeTables: true, wasNoting: true, by: clock)
        #expect(sync.tablesMade == clock.now)
        #expect(sync.pairsNoted == clock.now)
    }
}
