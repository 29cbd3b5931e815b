internal import Logging
internal import Reports
internal import Ruleset
internal import Site

/// Brings the kernel to a generation that is to be in force, or back to the one that was.
extension Reconciler {
    /// Makes the kernel hold exactly `wanted`, see ``VerifiedKernel/put(_:from:_:)``.
    func put(
        _ wanted: Ruleset, from observed: [ObservedTable],
        _ manner: VerifiedKernel.Manner = .hitless
    ) async throws(ApplyFailure) {
        let madeTables = try await kernel.put(wanted, from: observed, manner)
        sync.wasVerified(
            madeTables: madeTables, wasNoting: observed.contains(where: \.notesPairs), by: clock)
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
        let wanted = generation.map(desired.tables(of:)) ?? Ruleset(tables: [])
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
        desired.hold(generation, from: deployment, as: wanted)
        sync.cameInSync()
        configuration.settled()
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
            try await put(desired.tables(of: current), from: observed)
            sync.cameInSync()
            // Those that came up while the failed one was in force.
            await endRefusedFlows()
            return "generation \(current.number) is in force"
        } catch {
            let problem = "the previous state can't be restored: \(error)"
            sync.fellOut(because: problem, isRefusal: error.isRefusal)
            return problem
        }
    }

    /// Makes the kernel hold a generation that it should hold already.
    func restore(_ generation: Generation, because reason: String) async {
        do throws(ApplyFailure) {
            let observed = try await kernel.tables(knownFrom: [generation.ruleset])
            considerAdoption(for: generation, in: observed)
            let wanted = desired.tables(of: generation)
            let differences = observed.differences(from: wanted)
            try await put(wanted, from: observed)
            sync.cameInSync()
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
            sync.fellOut(because: error.description, isRefusal: error.isRefusal)
            tell(.outOfSync, .error, "can't restore at \(reason): \(error)")
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
