package import LinuxSystem
package import Netlink
package import PortModel
package import Ruleset
internal import Synchronization

/// The nf_tables of this process's network namespace: reads our tables, commits transactions.
///
/// All of it happens in worker processes, which libnftables may end or hang. Everything runs on one
/// queue for each, since requests come one after another and block.
package actor NftablesKernel {
    private let executor = QueueExecutor(label: "nftables")
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    private let keeper: KernelKeeper
    private let listener: RulesetListener?
    private let report: @Sendable (String) -> Void
    /// Reads our tables and commits: what keeps the kernel as it should be waits for nothing else.
    private let supervisor: WorkerSupervisor
    /// Each in a worker of its own: others' tables and tracked flows may be many, and no repair is
    /// to wait for whoever asks for counters, or plans.
    private let others: KernelLane
    private let readers: [Urgency: KernelLane]
    private let plans: KernelLane
    private let tracking: KernelLane
    private let ends = WorkerEnds()

    /// How long workers wait for further questions.
    private static let rest = Duration.seconds(5)

    /// - Parameters:
    ///   - keeper: lends its privilege to the workers.
    ///   - listener: hears what others change, and not large transactions made here.
    ///   - deadline: how long libnftables may take for one request; at most 60 seconds.
    ///   - report: told of each worker's end, in words for people.
    package init(
        _ keeper: KernelKeeper, listener: RulesetListener? = nil, deadline: Duration = .seconds(20),
        report: @escaping @Sendable (String) -> Void
    ) {
        self.keeper = keeper
        self.listener = listener
        self.report = report
        let counting = { @Sendable [ends] (words: String) in
            ends.add()
            report(words)
        }
        func another(_ urgency: Urgency = .urgent) -> WorkerSupervisor {
            WorkerSupervisor(keeper, urgency, deadline: deadline, report: counting)
        }
        supervisor = another()
        others = KernelLane("nftables.others", another(), endsAfter: .zero)
        readers = [
            .urgent: KernelLane("nftables.reader", another(), endsAfter: Self.rest),
            .background: KernelLane(
                "nftables.readers", another(.background), endsAfter: Self.rest),
        ]
        plans = KernelLane("nftables.plans", another(.background), endsAfter: Self.rest)
        tracking = KernelLane("nftables.tracking", another(), endsAfter: Self.rest)
    }

    /// Lets the workers and the keeper end, and waits for them.
    ///
    /// - Throws: where a process can't be ended or waited for.
    package func stop() async throws {
        for lane in [others, plans, tracking] + readers.values { try await lane.stop() }
        try supervisor.stop()
        try keeper.stop()
    }

    /// The ruleset generation: changes with every transaction that anyone commits.
    ///
    /// - Throws: ``KernelError`` where no worker answers.
    package func generationID() throws(KernelError) -> UInt32 {
        try supervisor.perform(GenerationRequest()).generationID
    }

    /// Our tables as they were last read without a disturbance, or as they are known to be since,
    /// with the compiled ones by which they were read.
    private let lastRead = Mutex<(compiled: Set<TableID>, observation: Observation)?>(nil)

    /// As ``tables(compiled:)``, but with counters as they were when the tables were last read.
    ///
    /// Every transaction makes a new generation (nf_tables since Linux 3.18), so that tables need no
    /// reading where it is still the same. Only what packets note in sets escapes this, which is not
    /// read here.
    ///
    /// - Throws: as ``tables(compiled:)``.
    package func structure(compiled: Set<TableID>) throws(KernelError) -> Observation {
        if let known = known(by: compiled), try generationID() == known.generationID {
            return known
        }
        return try read(SnapshotRequest(compiled: compiled.sorted(), wantsNoted: false))
    }

    /// As ``structure(compiled:)``, for whoever plans: no repair waits for it.
    ///
    /// - Throws: as ``tables(compiled:)``.
    package nonisolated func planningStructure(
        compiled: Set<TableID>
    ) async throws(KernelError) -> Observation {
        if let known = known(by: compiled),
            try await plans.perform(GenerationRequest()).generationID == known.generationID
        {
            return known
        }
        let request = SnapshotRequest(compiled: compiled.sorted(), wantsNoted: false)
        return try await plans.observe(request).observation
    }

    private nonisolated func known(by compiled: Set<TableID>) -> Observation? {
        lastRead.withLock { $0?.compiled == compiled ? $0?.observation : nil }
    }

    /// Every table that is ours, by its name or its stamp, as one consistent state.
    ///
    /// - Parameter compiled: tables that are ours whatever they hold.
    /// - Throws: ``KernelError/Code/unsettled`` where others never rest,
    ///   ``KernelError/Code/unreadable`` where a listing is none.
    package func tables(compiled: Set<TableID>) throws(KernelError) -> Observation {
        try read(SnapshotRequest(compiled: compiled.sorted(), wantsNoted: true))
    }

    private func read(_ request: SnapshotRequest) throws(KernelError) -> Observation {
        let (observation, isUndisturbed) = try supervisor.observe(request)
        lastRead.withLock { $0 = isUndisturbed ? (Set(request.compiled), observation) : nil }
        return observation
    }

    /// Commits a transaction.
    ///
    /// The kernel makes a notification of 4 KB for each element of a set, all at once, while anybody
    /// listens (`nf_tables_setelem_notify`): half a gigabyte for 100,000 addresses, and half the
    /// time. So the listener does not hear a large transaction, nor who changes what meanwhile: what
    /// comes of that is read back afterwards.
    ///
    /// - Throws: ``KernelError/Code/refused`` with the statement and the row that the kernel
    ///   complains about. An error does not prove that nothing was applied: read back.
    package func commit(_ transaction: Transaction) throws(KernelError) {
        if transaction.isEmpty { return }
        let request = CommitRequest(text: transaction.text)
        let isHeard = request.text.utf8.count < Self.largeTransaction
        let reply =
            if let listener, !isHeard {
                try perform(request, unheardBy: listener)
            } else {
                try supervisor.perform(request)
            }
        if let complaint = reply.complaint { throw .refused(transaction, complaint) }
    }

    /// In bytes of nft's language; some thousand addresses.
    private static let largeTransaction = 64 << 10

    private func perform(
        _ request: CommitRequest, unheardBy listener: RulesetListener
    ) throws(KernelError) -> CommitRequest.Reply {
        do throws(KernelError) {
            try keeper.set(hearing: false, listener)
        } catch {
            // It only costs more.
            report("our own transaction may be heard: \(error)")
        }
        let result: Result<CommitRequest.Reply, KernelError>
        do throws(KernelError) {
            result = .success(try supervisor.perform(request))
        } catch {
            result = .failure(error)
        }
        do throws(KernelError) {
            try keeper.set(hearing: true, listener)
        } catch {
            // Nobody would know of a foreign change any more.
            listener.fail(error.description)
            throw error
        }
        return try result.get()
    }

    /// Asks the kernel whether it would take a transaction, and changes nothing.
    ///
    /// - Throws: ``KernelError/Code/refused`` where it would not, as ``commit(_:)`` says it.
    package nonisolated func check(_ transaction: Transaction) async throws(KernelError) {
        if transaction.isEmpty { return }
        let reply = try await plans.perform(CheckRequest(text: transaction.text))
        if let complaint = reply.complaint { throw .refused(transaction, complaint) }
    }

    /// Tracked flows whose first packet is from or to one of the addresses, once destination NAT is
    /// done, and that `isWanted` takes; at most `limit` of them.
    ///
    /// - Throws: ``KernelError`` where connection tracking can't be read.
    package nonisolated func flows(
        touching addresses: Set<IPAddress>, atMost limit: Int,
        where isWanted: @escaping @Sendable (Flow) -> Bool
    ) async throws(KernelError) -> [Flow] {
        let found = Mutex<[Flow]>([])
        _ = try await tracking.perform(FlowsRequest(addresses: Array(addresses))) {
            (reader) throws(WireError) in
            let part = try FlowsPart(from: &reader)
            found.withLock { found in
                for flow in part.flows where found.count < limit && isWanted(flow) {
                    found.append(flow)
                }
            }
        }
        return found.withLock { $0 }
    }

    /// Takes the flows' entries away, as far as they are still there.
    ///
    /// - Throws: ``KernelError`` where no worker answers, or the privilege is missing; single flows
    ///   that stay are told in the result.
    package nonisolated func end(_ flows: [Flow]) async throws(KernelError) -> EndedFlows {
        if flows.isEmpty { return EndedFlows() }
        return try await tracking.perform(EndFlowsRequest(flows: flows))
    }

    /// How full connection tracking is.
    ///
    /// - Throws: ``KernelError`` where the kernel does not tell.
    package nonisolated func trackingUse(
        _ urgency: Urgency
    ) async throws(KernelError) -> TrackingUse {
        try await reader(urgency).perform(TrackingUseRequest())
    }

    nonisolated func reader(_ urgency: Urgency) -> KernelLane { readers[urgency] ?? plans }

    /// How many workers ended by themselves, or had to be ended.
    package nonisolated var workerEnds: Int { ends.count }

    /// The findings about tables that are not ours, as far as they matter to those that are.
    ///
    /// - Parameter compiled: tables that are ours whatever they hold.
    /// - Throws: ``KernelError`` where others' tables can't be read; ours are not touched.
    package nonisolated func foreign(
        compiled: Set<TableID>
    ) async throws(KernelError) -> ForeignTables {
        try await others.perform(ForeignTablesRequest(compiled: compiled.sorted())).tables
    }

    /// Lets ``structure(compiled:)`` read the tables next time, whatever was heard.
    package func forgetTables() { lastRead.withLock { $0 = nil } }

    /// Learns of a change that was heard. Where that took a table or rules of ours, what they were
    /// read as is known to be without them, and ``structure(compiled:)`` reads nothing.
    ///
    /// - Returns: whether ``commit(_:)`` made it.
    package func takeUp(_ change: RulesetChange) -> Bool {
        lastRead.withLock { lastRead in
            if let (compiled, observation) = lastRead, observation.isBefore(change) {
                lastRead = observation.after(change).map { (compiled, $0) }
            }
        }
        return supervisor.made(change)
    }
}

/// Counts what two supervisors tell.
private final class WorkerEnds: Sendable {
    private let ends = Atomic<Int>(0)

    var count: Int { ends.load(ordering: .relaxed) }

    func add() { ends.add(1, ordering: .relaxed) }
}

extension WorkerSupervisor {
    private static let readings = 16

    /// Reads tables as one consistent state.
    ///
    /// - Returns: also whether nobody changed anything meanwhile.
    func observe(
        _ request: SnapshotRequest
    ) throws(KernelError) -> (observation: Observation, isUndisturbed: Bool) {
        // A listing is several requests; a foreign transaction may come between any two of them.
        // Where others never rest, two equal listings in a row are as good as one undisturbed.
        var last: [ObservedTable]?
        for _ in 0..<Self.readings {
            let snapshot = try perform(request)
            let isUndisturbed = snapshot.generationBefore == snapshot.generationAfter
            let tables: [ObservedTable]
            do throws(KernelError) {
                tables = try snapshot.observedTables()
            } catch {
                if isUndisturbed { throw error }
                last = nil
                continue
            }
            let structure = tables.map(\.withoutCounts)
            if isUndisturbed || structure == last {
                return (
                    Observation(generationID: snapshot.generationBefore, tables: tables),
                    isUndisturbed
                )
            }
            last = structure
        }
        throw KernelError(
            .unsettled, "our tables changed during each of \(Self.readings) attempts to read them")
    }
}

/// Our tables at one ruleset generation.
package struct Observation: Hashable, Sendable {
    /// The kernel's number, which every transaction that anyone commits changes; it comes round
    /// again after 2³² of them.
    package var generationID: UInt32
    /// Those that are ours by name or stamp, whatever they hold.
    package var tables: [ObservedTable]
}

extension Observation {
    fileprivate func isBefore(_ change: RulesetChange) -> Bool {
        // Numbers of generations come round again.
        Int32(bitPattern: change.generationID &- generationID) > 0
    }

    /// The tables once the change is made; nil where that can't be told.
    fileprivate func after(_ change: RulesetChange) -> Observation? {
        // Of those between nothing is known.
        guard change.generationID == generationID &+ 1 else { return nil }
        var next = self
        next.generationID = change.generationID
        for (id, effect) in change.tables {
            guard let index = next.tables.firstIndex(where: { $0.id == id }) else {
                // It may be ours now.
                if OwnTable.isID(id) { return nil }
                continue
            }
            switch effect {
            case .removed: next.tables.remove(at: index)
            case .lostRules(let rules):
                guard next.tables[index].remove(rules) else { return nil }
            case .other: return nil
            }
        }
        return next
    }
}

extension ObservedTable {
    /// - Parameter rules: handles, by the names of their chains.
    /// - Returns: whether the table had all of them.
    fileprivate mutating func remove(_ rules: [String: Set<UInt64>]) -> Bool {
        for (name, handles) in rules {
            guard let index = chains.firstIndex(where: { $0.name == name }) else { return false }
            let old = chains[index]
            guard old.handles.count == old.rules.count, handles.isSubset(of: old.handles) else {
                return false
            }
            let left = zip(old.rules, old.handles).filter { !handles.contains($1) }
            chains[index].rules = left.map(\.0)
            chains[index].handles = left.map(\.1)
        }
        return true
    }
}

extension SnapshotRequest.Reply {
    func observedTables() throws(KernelError) -> [ObservedTable] {
        var observed: [ObservedTable] = []
        for table in tables {
            switch table.listing {
            case .foreign(let words):
                observed.append(ObservedTable(table.id, foreign: words))
            case .failed(let complaint):
                throw KernelError(
                    .unreadable,
                    "can't list table \(table.id.words): \(Complaints(complaint).found[0].message)")
            case .json(let json, let elements):
                observed.append(try Listing(json: json, elements: elements).table(table.id))
            }
        }
        return observed
    }
}
