internal import Deployment
internal import Logging
internal import Ruleset

/// Keeps the kernel at what is to be in force.
extension Reconciler {
    // MARK: Kernel

    /// Makes the kernel hold exactly `wanted`, see ``VerifiedKernel/put(_:from:_:)``.
    func put(
        _ wanted: Ruleset, from observed: [ObservedTable],
        _ manner: VerifiedKernel.Manner = .hitless
    ) async throws(ApplyFailure) {
        let isNoting = observed.contains(where: \.notesPairs)
        if try await kernel.put(wanted, from: observed, manner) {
            tablesMade = clock.now
            pairsNoted = clock.now
        } else if !isNoting {
            pairsNoted = clock.now
        }
        verified = clock.sinceBoot
    }

    /// Commits a generation, or none, verifies it, and records it. Where any of that fails, what was
    /// in force before is in force again, and the error says so.
    func putInForce(
        _ generation: Generation?, probes: [Probe] = [],
        recording: @Sendable (inout Ledger) throws(StoreError) -> Void
    ) async throws(ApplyFailure) {
        let before: [ObservedTable]
        do throws(ApplyFailure) {
            before = try await kernel.tables(knownFrom: [current?.ruleset, generation?.ruleset])
        } catch {
            throw ApplyFailure("\(error); the kernel was not touched")
        }
        considerAdoption(for: generation, in: before)
        let wanted = generation.map(tables) ?? Ruleset(tables: [])
        do throws(ApplyFailure) {
            try await put(wanted, from: before)
            let silent = await prober.failures(of: probes)
            if !silent.isEmpty {
                throw ApplyFailure(
                    silent.map(\.description).joined(separator: "; "), isHeld: true)
            }
            do throws(StoreError) {
                try recording(&ledger)
            } catch {
                throw ApplyFailure(error.description)
            }
        } catch {
            considerAdoption(for: before.isEmpty ? nil : current, in: before)
            let now = await goBack(to: before, from: wanted)
            throw ApplyFailure("\(error); \(now)", isHeld: error.isHeld)
        }
        current = generation
        stamped = wanted
        isInSync()
        failedApply = nil
        await endRefusedFlows()
    }

    /// Puts what was in force before a failed operation back; says what is in force now.
    func goBack(to before: [ObservedTable], from failed: Ruleset) async -> String {
        do throws(ApplyFailure) {
            let observed = try await kernel.tables(knownFrom: [current?.ruleset, failed])
            guard let current else {
                let isUnchanged = observed.map(\.withoutCounts) == before.map(\.withoutCounts)
                // Nothing that the state directory knows; but the kernel may hold something.
                if try await !kernel.takeBackPreparation(in: observed, to: before) {
                    try await put(try Ruleset(restoring: before), from: observed)
                }
                if before.isEmpty { return "nothing is enforced, as before" }
                return isUnchanged
                    ? "the kernel was not changed" : "what the kernel held before is in force"
            }
            try await put(tables(of: current), from: observed)
            isInSync()
            // Those that came up while the failed one was in force.
            await endRefusedFlows()
            return "generation \(current.number) is in force"
        } catch {
            let problem = "the previous state can't be restored: \(error)"
            fellOutOfSync(problem)
            return problem
        }
    }

    /// Makes the kernel hold a generation that it should hold already.
    func restore(_ generation: Generation, because reason: String) async {
        do throws(ApplyFailure) {
            let observed = try await kernel.tables(knownFrom: [generation.ruleset])
            considerAdoption(for: generation, in: observed)
            let wanted = tables(of: generation)
            let differences = observed.differences(from: wanted)
            try await put(wanted, from: observed)
            isInSync()
            await endRefusedFlows()
            if let first = differences.first {
                tell(
                    .repaired, .notice,
                    "restored at \(reason): \(differences.count.counted("difference")), first: \(first)"
                )
            } else {
                log.info("the kernel holds the generation", metadata: generationMetadata)
            }
        } catch {
            fellOutOfSync(error.description)
            tell(.outOfSync, .error, "can't restore at \(reason): \(error)")
        }
    }

    /// Ends the flows that the generation in force does not permit, or leaves word of it for the
    /// next check.
    func endRefusedFlows() async {
        revocation = await revoker.carryOut(current)
        measurements.ended(revocation.ended ?? 0)
    }

    func isInSync() {
        kernelProblem = nil
        mustRebuild = false
        interferences = 0
        drift.isInSync()
    }

    func fellOutOfSync(_ problem: String) {
        kernelProblem = problem
        drift.ownTransactionFailed()
    }

    // MARK: Drift

    /// So many repairs in a row may be changed again before they are read back.
    private static let mostInterferences = 8

    /// Checks the kernel after somebody else changed it, or may have, and repairs it.
    ///
    /// - Parameters:
    ///   - writer: who changed it; nil when that is not known.
    ///   - noticed: when that was notified, since the host was started; nil for now.
    /// - Returns: when to look again, where the repair failed or must wait because somebody makes
    ///   the same change again and again.
    package func repair(after writer: Writer?, noticed: Duration? = nil) async -> Duration? {
        let noticed = noticed ?? clock.sinceBoot
        begin()
        defer { end() }
        // What is to be taken back is not repaired first.
        guard let current, !isOverdue else { return nil }
        let wanted = stamped ?? tables(of: current)
        stamped = wanted
        do throws(ApplyFailure) {
            let observed = try await kernel.tables(knownFrom: [wanted])
            let differences = observed.differences(from: wanted)
            guard let first = differences.first else {
                let wasLost = kernelProblem != nil
                isInSync()
                if wasLost { tell(.inSync, .notice, "in sync again") }
                if wasLost || revocation.problem != nil { await endRefusedFlows() }
                return nextCheck()
            }
            drift.found(differences, by: writer)
            let who = writer?.process ?? drift.report.last?.process ?? "somebody"
            if let delay = repairs.delayBeforeRepair(
                of: differences, now: clock.sinceBoot)
            {
                kernelProblem =
                    "\(who) keeps changing our tables; the next repair is in \(delay.components.seconds) s"
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
                try await put(wanted, from: observed, mustRebuild ? .rebuild : .atOnce)
            } catch {
                // Whoever changed the tables again before they were read back is heard of next; to
                // replace the tables for that would cost packets.
                guard error.mayBeForeign, interferences < Self.mostInterferences else {
                    throw error
                }
                interferences += 1
                kernelProblem = error.description
                tellRepaired()
                return .seconds(1)
            }
            measurements.repaired(in: verified - noticed)
            isInSync()
            await endRefusedFlows()
            tellRepaired()
            return nextCheck()
        } catch {
            kernelProblem = error.description
            mustRebuild = true
            measurements.found(.failed)
            tell(
                .outOfSync, .error, "can't repair: \(error)", process: writer?.process,
                pid: writer?.pid)
            return repairs.delayAfterFailure()
        }
    }

    /// When to look again after a check that left the kernel as it should be.
    func nextCheck() -> Duration? {
        if revocation.problem != nil { return repairs.delayAfterFailure() }
        repairs.succeeded()
        return nil
    }

    /// Who made a change.
    package struct Writer: Hashable, Sendable {
        /// With its arguments where they are known.
        package var process: String
        /// What the kernel calls it.
        package var name: String
        package var pid: Int32

        package init(process: String, name: String, pid: Int32) {
            self.process = process
            self.name = name
            self.pid = pid
        }
    }
}

extension Ruleset {
    /// Tables that nobody compiled, as they were read.
    ///
    /// - Throws: where one holds something that this model has no words for.
    fileprivate init(restoring observed: [ObservedTable]) throws(ApplyFailure) {
        var tables: [Table] = []
        for old in observed {
            guard let table = Table(old) else {
                throw ApplyFailure(
                    "table \(old.name) held what pexip-fw can't write: flush and apply")
            }
            tables.append(table)
        }
        self.init(tables: tables)
    }
}
