internal import Logging
internal import Reports
internal import Ruleset
internal import Site

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
            overview.tablesMade = clock.now
            overview.pairsNoted = clock.now
        } else if !isNoting {
            overview.pairsNoted = clock.now
        }
        verified = clock.sinceBoot
    }

    /// Commits a generation, or none, verifies it, and records it. Where any of that fails, what was
    /// in force before is in force again, and the error says so.
    ///
    /// - Parameter deployment: the one that the generation was compiled from, where it is known.
    func putInForce(
        _ generation: Generation?, from deployment: Deployment? = nil, probes: [Probe] = [],
        recording: @Sendable (inout Ledger) throws(StoreError) -> Void
    ) async throws(ApplyFailure) {
        let before: [ObservedTable]
        do throws(ApplyFailure) {
            before = try await kernel.tables(knownFrom: [current?.ruleset, generation?.ruleset])
        } catch {
            throw ApplyFailure("\(error); the kernel was not touched")
        }
        await revoker.supersede()
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
        hold(generation, from: deployment)
        overview.stamped = wanted
        isInSync()
        overview.failedApply = nil
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
            fellOutOfSync(problem, isRefusal: error.isRefusal)
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
            fellOutOfSync(error.description, isRefusal: error.isRefusal)
            tell(.outOfSync, .error, "can't restore at \(reason): \(error)")
        }
    }

    /// Makes the kernel hold a generation, or where it refuses that, the newest of those that may stand
    /// in for it.
    ///
    /// - Returns: the generation that it holds now, and why not the one that was meant; nil where
    ///   it is that.
    /// - Throws: why it does not hold the one that was meant, where it holds nothing in its place.
    func putNewest(
        _ meant: Generation
    ) async throws(ApplyFailure) -> (held: Generation, refusal: ApplyFailure?) {
        var candidate = meant
        var refusal: ApplyFailure?
        while true {
            do throws(ApplyFailure) {
                let observed = try await kernel.tables(
                    knownFrom: [current?.ruleset, meant.ruleset, candidate.ruleset])
                considerAdoption(for: candidate, in: observed)
                try await put(tables(of: candidate), from: observed)
                return (candidate, refusal)
            } catch {
                log.error("generation \(candidate.number) can't be put in force: \(error)")
                // Any other failure may have been applied all the same, or come again with any
                // generation.
                guard error.isRefusal, let next = ledger.standIn(for: candidate) else {
                    throw refusal ?? error
                }
                refusal = refusal ?? error
                candidate = next
            }
        }
    }

    /// After a start that could not put in force what is to be: an older generation is better than
    /// none.
    ///
    /// - Parameter isWanted: whether the configuration is to be put in force, so that it is tried
    ///   again.
    func findStandIn(isWanted: Bool) async {
        guard isRefused, let meant = current, !isOverdue else { return }
        do throws(ApplyFailure) {
            let (held, refusal) = try await putNewest(meant)
            isInSync()
            if let refusal {
                hold(held)
                let problem =
                    "the kernel refuses generation \(meant.number): \(refusal); generation \(held.number) is in force"
                ledger.substitute(held, because: problem)
                if isWanted { overview.failedApply = overview.failedApply ?? problem }
                tell(.failed, .error, problem)
            }
            await endRefusedFlows()
        } catch {
            fellOutOfSync(error.description)
        }
    }

    func isInSync() {
        overview.kernelProblem = nil
        isRefused = false
        mustRebuild = false
        interferences = 0
        overview.drift.isInSync()
    }

    /// - Parameter isRefusal: the kernel was asked to hold `current`, and did not take it.
    func fellOutOfSync(_ problem: String, isRefusal: Bool = false) {
        overview.kernelProblem = problem
        isRefused = isRefusal
        overview.drift.ownTransactionFailed()
    }

    // MARK: Drift

    /// So many repairs in a row may be changed again before they are read back.
    private static let mostInterferences = 8

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
        let wanted = overview.stamped ?? tables(of: current)
        overview.stamped = wanted
        do throws(ApplyFailure) {
            let observed = try await kernel.tables(knownFrom: [wanted])
            let differences = observed.differences(from: wanted)
            let isLeftByAdoption = isLeftByAdoption(observed, of: current)
            if isLeftByAdoption { try await put(wanted, from: observed) }
            guard let first = differences.first, !isLeftByAdoption else {
                let wasLost = overview.kernelProblem != nil
                isInSync()
                if wasLost { tell(.inSync, .notice, "in sync again") }
                if wasLost || overview.revocation.problem != nil { await endRefusedFlows() }
                repairs.succeeded()
                return nil
            }
            overview.drift.found(differences, by: writer)
            let who = writer?.process ?? overview.drift.report.last?.process ?? "somebody"
            if let delay = repairs.delayBeforeRepair(
                of: differences, now: clock.sinceBoot)
            {
                overview.kernelProblem =
                    "\(who) keeps changing our tables; the next repair is in \(delay.components.seconds) s"
                overview.measurements.found(.postponed)
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
                // Another change of the tables before they were read back is heard of next; to
                // replace the tables for that would cost packets.
                guard error.mayBeForeign, interferences < Self.mostInterferences else {
                    throw error
                }
                interferences += 1
                overview.kernelProblem = error.description
                tellRepaired()
                return .seconds(1)
            }
            overview.measurements.repaired(in: verified - noticed)
            isInSync()
            await endRefusedFlows()
            tellRepaired()
            repairs.succeeded()
            return nil
        } catch {
            overview.kernelProblem = error.description
            mustRebuild = true
            overview.measurements.found(.failed)
            tell(
                .outOfSync, .error, "can't repair: \(error)", process: writer?.process,
                pid: writer?.pid)
            return repairs.delayAfterFailure()
        }
    }

    /// The process that made a change.
    package struct Writer: Hashable, Sendable {
        /// With its arguments where they are known.
        package var process: String
        /// The kernel's name of its thread, 15 bytes at most.
        package var name: String
        /// The thread's id in the initial pid namespace.
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
                    "table \(old.id.words) held what pexip-fw can't write: flush and apply")
            }
            tables.append(table)
        }
        self.init(tables: tables)
    }
}
