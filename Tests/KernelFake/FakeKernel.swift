internal import Enforcement
package import LinuxSystem
package import PortModel
package import Ruleset

/// A kernel in memory, which fails as it is told.
package actor FakeKernel: RulesetKernel {
    /// What becomes of a commit.
    package enum CommitFault: Sendable {
        /// Nothing is applied and an error returned, as it should be.
        case refuse
        /// An error is returned although everything was applied: the acknowledgement was lost.
        case refuseButApply
        /// Somebody changes the tables between the observation and the commit.
        case race(@Sendable (inout NfTables) -> Void)
        /// No error is returned, but then somebody changed the tables before they were read back.
        case tamper(@Sendable (inout NfTables) -> Void)
    }

    /// What becomes of ending flows.
    package enum FlowFault: Sendable {
        /// They can't be listed.
        case list
        /// They are listed, and none can be ended.
        case end
        /// All but one are ended.
        case leaveOne
    }

    package private(set) var state: NfTables
    /// How often flows were listed.
    package private(set) var flowListings = 0
    /// Every transaction that was handed in, refused ones too.
    package private(set) var commits: [Transaction] = []
    package private(set) var checks: [Transaction] = []
    /// What other programs' tables hold.
    private var foreignChains: [ForeignChain] = []
    private var failsToReadForeign = false
    private var commitFaults: [CommitFault?] = []
    private var observationFaults: [Bool] = []
    private var flowFaults: [FlowFault?] = []
    private var scriptedUse: TrackingUse? = TrackingUse(entries: 0, limit: 262_144)
    private var onCommit: (@Sendable (Moment) throws -> Void)?
    private var onObserve: (@Sendable () async -> Void)?
    private var onEnd: (@Sendable (FakeKernel) async -> Void)?
    /// Whoever waits for ``goOn()``, and for somebody to do so.
    private var paused: [CheckedContinuation<Void, Never>] = []
    private var awaitingPause: [CheckedContinuation<Void, Never>] = []

    /// When something is looked at during a commit.
    package enum Moment: Hashable, Sendable {
        case before(NfTables)
        case after(NfTables)
    }

    package init(_ state: NfTables = NfTables()) { self.state = state }

    // MARK: The script

    /// The faults of the next commits, one after another; nil is none.
    package func failCommits(_ faults: CommitFault?...) { failCommits(faults) }
    package func failCommits(_ faults: [CommitFault?]) { commitFaults = faults }
    package func failCommits(_ fault: CommitFault, times: Int) {
        commitFaults = Array(repeating: fault, count: times)
    }

    /// Whether the next observations fail, one after another.
    package func failObservations(_ faults: [Bool]) { observationFaults = faults }
    package func failObservations(times: Int) {
        observationFaults = Array(repeating: true, count: times)
    }

    /// The faults of the next times that flows are looked for, one after another; nil is none.
    package func failFlows(_ faults: FlowFault?...) { flowFaults = faults }

    /// Calls `body` before and after each commit; an error of it is the commit's.
    package func onCommit(_ body: @escaping @Sendable (Moment) throws -> Void) { onCommit = body }
    package func onObserve(_ body: @escaping @Sendable () async -> Void) { onObserve = body }

    /// Calls `body` before flows are ended, each time.
    package func onEnd(_ body: @escaping @Sendable (FakeKernel) async -> Void) { onEnd = body }

    /// Waits for ``goOn()``.
    package func pause() async {
        await withCheckedContinuation { continuation in
            paused.append(continuation)
            for waiter in awaitingPause { waiter.resume() }
            awaitingPause = []
        }
    }

    /// Waits until somebody pauses.
    package func pausedInEnd() async {
        if paused.isEmpty { await withCheckedContinuation { awaitingPause.append($0) } }
    }

    /// Lets whoever pauses go on, and nobody pause again.
    package func goOn() {
        onEnd = nil
        for continuation in paused { continuation.resume() }
        paused = []
    }

    /// A foreign change.
    package func tamper(_ change: @Sendable (inout NfTables) -> Void) { change(&state) }

    /// Other programs' tables from now on.
    package func setForeign(_ chains: [ForeignChain], isReadable: Bool = true) {
        foreignChains = chains
        failsToReadForeign = !isReadable
    }

    package func forgetCommits() { commits = [] }

    /// How full connection tracking is from now on; nil where that can't be read.
    package func setTrackingUse(_ use: TrackingUse?) { scriptedUse = use }

    // MARK: RulesetKernel

    package func observeStructure(compiled: Set<TableID>) async throws -> [ObservedTable] {
        await onObserve?()
        if !observationFaults.isEmpty, observationFaults.removeFirst() {
            throw FakeKernelError("the listing fails as scripted")
        }
        return state.observed.filter { table in
            OwnTable.isOurs(table.id, compiled: compiled) { table.stamp }
        }
    }

    package func observeStructureForPlans(
        compiled: Set<TableID>
    ) async throws -> [ObservedTable] {
        try await observeStructure(compiled: compiled)
    }

    package func counts(
        of tables: [Table], withNotes: Bool, _ urgency: Urgency
    ) async throws -> [ObservedTable] {
        let ids = Set(tables.map(\.id))
        return try await observeStructure(compiled: ids).filter { ids.contains($0.id) }.map {
            table in
            ObservedTable(
                table.id, counters: table.counters,
                sets: table.sets.filter { !$0.counters.isEmpty || withNotes })
        }
    }

    package func commit(_ transaction: Transaction) async throws {
        commits.append(transaction)
        try onCommit?(.before(state))
        let fault = commitFaults.isEmpty ? nil : commitFaults.removeFirst()
        if case .race(let change) = fault { change(&state) }
        var next = state
        try next.apply(transaction)
        switch fault {
        case .refuse: throw FakeKernelError("the commit fails as scripted")
        case .refuseButApply:
            state = next
            throw FakeKernelError("the acknowledgement is lost as scripted")
        case .tamper(let change):
            change(&next)
            state = next
        case .race, nil: state = next
        }
        try onCommit?(.after(state))
    }

    package func flows(
        touching addresses: Set<IPAddress>, atMost limit: Int,
        where isWanted: @escaping @Sendable (Flow) -> Bool
    ) async throws -> [Flow] {
        flowListings += 1
        if case .list = flowFaults.first ?? nil {
            flowFaults.removeFirst()
            throw FakeKernelError("the flows' listing fails as scripted")
        }
        let touching = state.flows.filter {
            addresses.contains($0.original.source) || addresses.contains($0.destination)
        }
        return Array(touching.filter(isWanted).prefix(limit))
    }

    package func end(_ flows: [Flow]) async throws -> EndedFlows {
        await onEnd?(self)
        let fault = flowFaults.isEmpty ? nil : flowFaults.removeFirst()
        if case .end = fault { throw FakeKernelError("ending flows fails as scripted") }
        var ended = EndedFlows()
        for flow in flows {
            if case .leaveOne = fault, ended.left == 0 {
                ended.left = 1
                ended.failure = "\(flow): busy as scripted"
            } else if let index = state.flows.firstIndex(of: flow) {
                state.flows.remove(at: index)
                ended.count += 1
            }
        }
        return ended
    }

    package func check(_ transaction: Transaction) async throws {
        checks.append(transaction)
        var copy = state
        try copy.apply(transaction)
    }

    package func foreignTables(compiled: Set<TableID>) async throws -> ForeignTables {
        if failsToReadForeign { throw FakeKernelError("foreign tables can't be read as scripted") }
        let lookalikes = state.observed.filter { table in
            !OwnTable.isOurs(table.id, compiled: compiled) { table.stamp }
                && OwnTable.isLikeOurs(table.name.utf8)
        }
        return ForeignTables(
            shadows: foreignChains.shadows,
            lookalikes: lookalikes.enumerated().map {
                Lookalike($1.id, handle: UInt64($0 + 1))
            }, translations: foreignChains.translations)
    }

    package func trackingUse(_ urgency: Urgency) async throws -> TrackingUse {
        guard let scriptedUse else { throw FakeKernelError("it can't be read as scripted") }
        return scriptedUse
    }

    package nonisolated var workerEnds: Int { 3 }
}
