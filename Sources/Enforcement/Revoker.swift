internal import LinuxSystem
internal import Logging
internal import PortModel
internal import Reports
internal import Ruleset
internal import Site

/// Ends established flows that a generation does not permit: its rules would let them go on, since
/// they accept what is established.
///
/// This may take many seconds, so it happens beside everything else, a few flows at a time; and
/// never by a generation that is not in force any more (``supersede()``).
actor Revoker {
    /// As many are held at once, which bounds the memory that a full table takes.
    static let held = 16_384
    /// As many are ended before anybody is let in between: some milliseconds' work.
    private static let endedAtOnce = 256
    /// Far more than any table holds.
    private static let rounds = 1_024

    private let kernel: any RulesetKernel
    /// This host's own addresses now.
    private let hostAddresses: @Sendable () throws -> Set<IPAddress>
    private let log: Logger
    /// Numbers the searches: only the last one may end flows.
    private(set) var search = 0
    /// The generation whose flows are looked for now, and what will come of it.
    private var running: (generation: Int, result: Task<Revocation, Never>)?
    /// Flows came up since the search began.
    private var looksAgain = false
    /// Flows that are being ended now.
    private var ending: Task<EndedFlows, any Error>?
    private let executor = QueueTaskExecutor(label: "revocation")

    init(
        kernel: any RulesetKernel, hostAddresses: @escaping @Sendable () throws -> Set<IPAddress>,
        log: Logger
    ) {
        self.kernel = kernel
        self.hostAddresses = hostAddresses
        self.log = log
    }

    /// Begins to end the flows that the generation, which the kernel holds, does not permit;
    /// nothing where it only observes or the site wants established flows to go on. A search for
    /// the same generation that is under way looks once more.
    ///
    /// - Parameter onEnd: called with the result of a new search.
    func begin(
        _ generation: Generation?, onEnd: @escaping @Sendable (Revocation) async -> Void
    ) -> Task<Revocation, Never> {
        if let running, running.generation == generation?.number {
            looksAgain = true
            return running.result
        }
        search += 1
        looksAgain = false
        let search = search
        let result = Task(executorPreference: executor) {
            let result = await self.carryOut(generation, search)
            await onEnd(result)
            return result
        }
        running = generation.map { ($0.number, result) }
        return result
    }

    /// From now on no flow is ended because of what was in force until now.
    func supersede() async {
        search += 1
        running = nil
        _ = await ending?.result
    }

    private func carryOut(_ generation: Generation?, _ search: Int) async -> Revocation {
        defer { if search == self.search { running = nil } }
        guard let generation, generation.endsFlows else { return Revocation() }
        var ended = 0
        var isComplete = false
        do {
            let judge = FlowJudge(generation, hostAddresses: try hostAddresses())
            for _ in 0..<Self.rounds where !isComplete {
                looksAgain = false
                let flows = try await kernel.flows(touching: judge.addresses, atMost: Self.held) {
                    judge.refuses($0)
                }
                var rest = flows[...]
                while !rest.isEmpty, search == self.search {
                    let result = try await end(Array(rest.prefix(Self.endedAtOnce)))
                    rest = rest.dropFirst(Self.endedAtOnce)
                    ended += result.count
                    if let failure = result.failure {
                        return failed(
                            "\(result.left.counted("flow")) can't be ended, first \(failure)",
                            ended, generation)
                    }
                }
                if search != self.search { return Revocation(ended: ended, isSuperseded: true) }
                isComplete = flows.count < Self.held && !looksAgain
            }
        } catch {
            return failed("\(error)", ended, generation)
        }
        guard isComplete else { return failed("there are always more", ended, generation) }
        if ended > 0 {
            log.notice(
                "ended \(ended.counted("established flow")) that the generation does not permit",
                metadata: ["generation": "\(generation.number)"])
        }
        return Revocation(ended: ended)
    }

    private func end(_ flows: [Flow]) async throws -> EndedFlows {
        let task = Task(executorPreference: executor) { [kernel] in try await kernel.end(flows) }
        ending = task
        defer { ending = nil }
        return try await task.value
    }

    private func failed(_ reason: String, _ ended: Int, _ generation: Generation) -> Revocation {
        let problem =
            "established flows that generation \(generation.number) does not permit may go on: \(reason)"
        log.error("\(problem)", metadata: ["generation": "\(generation.number)"])
        return Revocation(ended: ended, problem: problem)
    }
}
