internal import Logging
internal import Reports
internal import Ruleset

/// The repair of what others changed.
extension Reconciler {
    /// Checks the kernel after somebody else changed it, or may have, and repairs it.
    ///
    /// - Parameters:
    ///   - writer: the process that changed it; nil when it is not known.
    ///   - noticed: when that was notified, since the host was started; nil for now.
    /// - Returns: when to look again, where the repair failed or must wait because somebody makes
    ///   the same change again and again.
    package func repair(after writer: Writer?, noticed: Duration? = nil) async -> Duration? {
        let noticed = noticed ?? clock.sinceBoot
        await begin()
        defer { end() }
        // A generation that is to be taken back is not repaired first.
        guard let current, !isOverdue else { return nil }
        let wanted = desired.tables(inForce: current)
        do throws(ApplyFailure) {
            let observed = try await kernel.tables(knownFrom: [wanted])
            let differences = observed.differences(from: wanted)
            let isLeftByAdoption = desired.adoption.isLeft(in: observed, of: current)
            if isLeftByAdoption { try await put(wanted, from: observed) }
            guard let first = differences.first, !isLeftByAdoption else {
                let wasLost = sync.foundInSync()
                if wasLost { tell(.inSync, .notice, "in sync again") }
                if wasLost || desired.revocation.problem != nil { await endRefusedFlows() }
                return nil
            }
            let who = sync.found(differences, by: writer)
            if let delay = sync.delayBeforeRepair(of: differences, by: who, at: clock.sinceBoot) {
                measurements.found(.postponed)
                tell(
                    .fight, .error, "fight: \(who) keeps changing our tables", process: who,
                    pid: writer?.pid)
                return delay
            }
            func tellRepaired() {
                tell(
                    .repaired, .warning,
                    "repaired: \(differences.count.counted("difference")), first: \(first)",
                    process: who, pid: writer?.pid)
            }
            do throws(ApplyFailure) {
                try await put(wanted, from: observed, sync.repairManner)
            } catch {
                guard sync.takesForInterference(error) else { throw error }
                tellRepaired()
                return .seconds(1)
            }
            measurements.repaired(in: sync.verified - noticed)
            sync.wasRepaired()
            await endRefusedFlows()
            tellRepaired()
            return nil
        } catch {
            let delay = sync.repairFailed(error)
            measurements.found(.failed)
            tell(
                .outOfSync, .error, "can't repair: \(error)", process: writer?.process,
                pid: writer?.pid)
            return delay
        }
    }
}
