internal import LinuxSystem
internal import Logging
package import Metrics
internal import Policy
internal import PortModel
package import Reports
internal import Ruleset
internal import Site
internal import Synchronization

/// Answers questions to the agent, beside its work: from the overview that the reconciler last
/// published, the store, and the kernel's counts. It changes nothing, and nothing that must not
/// wait waits for it.
package struct Inspector: Sendable {
    private let published: Published
    private let kernel: any RulesetKernel
    private let store: GenerationStore
    private let clock: any HostClock
    private let hostAddresses: @Sendable () throws -> Set<IPAddress>
    private let log: Logger
    /// For whom it reads.
    private var urgency = Urgency.urgent

    init(
        _ published: Published, kernel: any RulesetKernel, store: GenerationStore,
        clock: any HostClock, hostAddresses: @escaping @Sendable () throws -> Set<IPAddress>,
        log: Logger
    ) {
        self.published = published
        self.kernel = kernel
        self.store = store
        self.clock = clock
        self.hostAddresses = hostAddresses
        self.log = log
    }

    /// The same for callers that can wait: it keeps nothing waiting that is urgent.
    package var inBackground: Inspector {
        var inspector = self
        inspector.urgency = .background
        return inspector
    }

    /// The agent's knowledge when the last operation ended.
    package var overview: Overview { published.overview }

    // MARK: In force

    /// The agent's status now, with the kernel's counts; where these can't be read, it tells why.
    package func status() async -> StatusReport {
        let overview = overview
        return overview.report(on: await counts(of: overview.generation), by: clock)
    }

    /// The counters of the tables in force; empty where they can't be read.
    package func counters() async -> [String: StatusReport.CounterReport] {
        do {
            return Traffic(try await counts(of: overview.generation).get()).counters
        } catch {
            log.warning("can't read the counters: \(error)")
            return [:]
        }
    }

    /// Everything that is measured, now. Values that the kernel does not tell are left out.
    package func metrics() async -> [MetricFamily] {
        let overview = overview
        let counts = await counts(of: overview.generation)
        var tracking: TrackingUse?
        do {
            tracking = try await kernel.trackingUse(urgency)
        } catch {
            // Collectors ask all the time; ``MetricFacts`` tells them.
            log.debug("can't read how full connection tracking is: \(error)")
        }
        var tables: [ObservedTable]?
        if case .success(let counted) = counts { tables = counted }
        return MetricFacts(
            status: overview.report(on: counts, by: clock), measurements: overview.measurements,
            drift: overview.sync.drift.origins,
            traffic: RowTraffic(tables ?? [], of: overview.generation), tracking: tracking,
            areTablesReadable: tables != nil, workerEnds: kernel.workerEnds, now: clock.now
        ).families
    }

    /// The facts that a ``MeshSurvey`` begins with.
    ///
    /// - Throws: where nothing is in force, or the kernel's tables can't be read.
    package func meshFacts() async throws(MeshProblem) -> MeshFacts {
        let overview = overview
        guard let generation = overview.generation else {
            throw MeshProblem(description: "nothing is in force")
        }
        do {
            return MeshFacts(
                generation: generation, deployment: overview.deployment.value,
                tables: try await counts(of: generation, withNotes: true).get(),
                notedSince: overview.sync.pairsNoted, now: clock.now)
        } catch {
            throw MeshProblem(description: "the kernel's tables can't be read: \(error)")
        }
    }

    /// The counts of packets in a generation's tables, or why they can't be read.
    private func counts(
        of generation: Generation?, withNotes: Bool = false
    ) async -> Result<[ObservedTable], any Error> {
        do {
            return .success(
                try await kernel.counts(
                    of: generation?.ruleset.tables ?? [], withNotes: withNotes, urgency))
        } catch {
            return .failure(error)
        }
    }

    // MARK: Generations

    /// All generations that were in force and are stored, ascending; those that can't be read are
    /// left out.
    ///
    /// - Throws: where the state directory can't be listed.
    package func generations() throws(StoreError) -> [GenerationSummary] {
        // A generation that a killed or failed apply left behind was never in force.
        let newest = overview.record.newest ?? .max
        var found: [GenerationSummary] = []
        for number in try store.numbers() where number <= newest {
            do throws(StoreError) {
                found.append(try store.summary(number))
            } catch {
                log.warning("left out: \(error)")
            }
        }
        return found
    }

    // MARK: Plans

    /// Says how ``Reconciler/apply(_:_:noticed:)`` would end, lets the kernel check it, and counts
    /// the flows that would end.
    ///
    /// - Throws: only where the task is cancelled; every other failure is the report's outcome.
    package func plan(
        _ compilation: Compilation, _ request: Reconciler.ApplyRequest = .init()
    ) async throws(CancellationError) -> ApplyReport {
        let overview = overview
        var report = compilation.plan(from: overview.generation, withTables: request.wantsTables)
        guard let target = compilation.target else { return report }
        if let refusal = target.refusal(of: request) {
            report.outcome = .refused
            report.problem = refusal
            return report
        }
        do {
            try Task.checkCancellation()
            let next = Generation(
                number: (overview.record.newest ?? 0) + 1, target, compilation, .command,
                after: overview.generation)
            let verified = VerifiedKernel(kernel: kernel, plans: true)
            let observed = try await verified.tables(
                knownFrom: [overview.generation?.ruleset, target.ruleset])
            try Task.checkCancellation()
            try await verified.check(next.stamped, from: observed)
            try Task.checkCancellation()
            if report.outcome == .wouldApply {
                report.endedFlows = try await refusedFlows(by: next)
            }
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            report.outcome = .failed
            report.problem = "\(error)"
        }
        return report
    }

    /// How many flows would end; nil where none would be looked for.
    private func refusedFlows(by generation: Generation) async throws -> Int? {
        guard generation.endsFlows else { return nil }
        let judge = FlowJudge(generation, hostAddresses: try hostAddresses())
        let count = Mutex(0)
        // None is kept, however many there are.
        _ = try await kernel.flows(touching: judge.addresses, atMost: 1) { flow in
            if judge.refuses(flow) { count.withLock { $0 += 1 } }
            return false
        }
        return count.withLock { $0 }
    }
}
