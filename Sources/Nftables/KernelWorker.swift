internal import LinuxSystem
internal import Netlink
internal import PortModel
internal import Ruleset

/// The worker process: runs libnftables and netlink requests for the agent, one after another.
///
/// It may end anywhere: libnftables calls `exit`, asserts, and crashes on what others put into
/// nf_tables. It has one thread and no state that the next worker would miss.
struct KernelWorker {
    /// How the worker ends by itself, beside 0 when the agent lets go of it; libnftables exits
    /// with 1 or 3.
    private enum ExitStatus {
        static let badRequest: Int32 = 100
        static let system: Int32 = 101
    }

    /// A request's deadline in milliseconds is at most this, whatever the agent says.
    private static let longestDeadline: UInt32 = 60_000

    /// How long no request comes before memory that is not used goes back to the kernel.
    private static let restAfter = Duration.seconds(1)

    private let channel: FrameChannel
    private let netlink: NetlinkSocket
    private let libnftables = Libnftables()

    /// Serves until the other end is closed.
    ///
    /// - Returns: an exit status.
    static func serve(_ socket: UnixSocket) -> Int32 {
        let channel = FrameChannel(socket)
        let worker: KernelWorker
        do throws(KernelError) {
            worker = KernelWorker(channel: channel, netlink: try NetlinkSocket())
        } catch {
            return refuse(error, on: channel)
        }
        while true {
            do throws(FrameChannel.Failure) {
                if try !channel.hasInput(within: restAfter) { Memory.trim() }
                let frame = try channel.receive(limit: FrameLimit.request)
                guard let (kind, answer) = try worker.answer(frame) else {
                    return ExitStatus.badRequest
                }
                try channel.send(kind: kind.rawValue, answer)
                try worker.forget()
            } catch .ended {
                return 0
            } catch {
                return ExitStatus.system
            }
        }
    }

    /// Answers the first request with what keeps the worker from working.
    private static func refuse(_ error: KernelError, on channel: FrameChannel) -> Int32 {
        var writer = WireWriter(reserving: FrameChannel.headerLength)
        writer.put(error)
        do throws(FrameChannel.Failure) {
            _ = try channel.receive(limit: FrameLimit.request)
            try channel.send(kind: Answer.failure.rawValue, writer)
            return 0
        } catch {
            return ExitStatus.system
        }
    }

    /// nil where the request can't be understood.
    private func answer(
        _ frame: FrameChannel.Frame
    ) throws(FrameChannel.Failure) -> (Answer, WireWriter)? {
        var reader = WireReader(frame.payload)
        let deadline: UInt32
        do throws(WireError) {
            deadline = min(try reader.number(), Self.longestDeadline)
        } catch {
            return nil
        }
        guard let operation = Operation(rawValue: frame.kind), deadline > 0 else { return nil }
        // Ends the process: nothing else gets libnftables out of what it hangs in. The answer's
        // way is no matter of libnftables.
        try setAlarm(deadline)
        let answer = answer(operation, &reader, deadline)
        try setAlarm(0)
        return answer
    }

    /// Frees the results of a listing. They are of no use to a commit, which would free them before
    /// it reads its own; so that is done while nobody waits.
    private func forget() throws(FrameChannel.Failure) {
        try setAlarm(Self.longestDeadline)
        libnftables.forget()
        try setAlarm(0)
    }

    private func setAlarm(_ milliseconds: UInt32) throws(FrameChannel.Failure) {
        do throws(SystemError) {
            try ChildProcess.setAlarm(milliseconds: milliseconds)
        } catch {
            throw .broken(error.description)
        }
    }

    private func answer(
        _ operation: Operation, _ reader: inout WireReader, _ deadline: UInt32
    ) -> (Answer, WireWriter)? {
        switch operation {
        case .introduce:
            answer(&reader) { (request: IntroductionRequest) throws(KernelError) in
                do throws(SystemError) {
                    try request.urgency.apply()
                } catch {
                    throw KernelError(.unavailable, "can't let others go first: \(error)")
                }
                return IntroductionRequest.Reply(
                    thread: ProcessIdentity.currentThread,
                    generationID: try netlink.rulesetGeneration())
            }
        case .readGeneration:
            answer(&reader) { (_: GenerationRequest) throws(KernelError) in
                GenerationRequest.Reply(generationID: try netlink.rulesetGeneration())
            }
        case .snapshot:
            answer(&reader) { (request: SnapshotRequest) throws(KernelError) in
                try snapshot(request)
            }
        case .commit:
            answer(&reader) { (request: CommitRequest) throws(KernelError) in
                try libnftables.context().reply(to: request.text)
            }
        case .check:
            answer(&reader) { (request: CheckRequest) throws(KernelError) in
                // On nftables 1.0.6 a context that saw a dry run is not to be trusted with a
                // commit.
                try NftablesContext(isDryRun: true).reply(to: request.text)
            }
        case .readFlows:
            answer(&reader) { (request: FlowsRequest) throws(KernelError) in
                try tellFlows(touching: Set(request.addresses), deadline)
            }
        case .endFlows:
            answer(&reader) { (request: EndFlowsRequest) throws(KernelError) in
                try FlowTracking.end(request.flows)
            }
        case .readForeignTables:
            answer(&reader) { (request: ForeignTablesRequest) throws(KernelError) in
                ForeignTablesRequest.Reply(
                    tables: try ForeignRuleset.tables(compiled: Set(request.compiled)))
            }
        case .readTrackingUse:
            answer(&reader) { (_: TrackingUseRequest) throws(KernelError) in
                try FlowTracking.use()
            }
        case .readCounts:
            answer(&reader) { (request: CountsRequest) throws(KernelError) in
                CountsRequest.Reply(
                    tables: try request.tables.map { (table) throws(KernelError) in
                        let (counters, elements) = try netlink.counts(
                            of: table.id, sets: table.sets)
                        return CountsRequest.Counts(
                            table: table.id, counters: counters, elements: elements)
                    })
            }
        }
    }

    private func answer<Request: KernelRequest>(
        _ reader: inout WireReader,
        _ body: (Request) throws(KernelError) -> Request.Reply
    ) -> (Answer, WireWriter)? {
        let request: Request
        do throws(WireError) {
            request = try Request(from: &reader)
            try reader.end()
        } catch {
            return nil
        }
        var writer = WireWriter(reserving: FrameChannel.headerLength)
        do throws(KernelError) {
            writer.put(try body(request))
            return (.reply, writer)
        } catch {
            writer.put(error)
            return (.failure, writer)
        }
    }

    /// Tells the agent what comes next, so that it knows where this process ended.
    private func tell(_ doing: String) throws(KernelError) {
        var writer = WireWriter(reserving: FrameChannel.headerLength)
        writer.put(doing)
        try send(.progress, writer)
    }

    private func send(
        _ answer: Answer, _ writer: consuming WireWriter
    ) throws(KernelError) {
        do throws(FrameChannel.Failure) {
            try channel.send(kind: answer.rawValue, writer)
        } catch {
            throw KernelError(.unavailable, "the agent can't be told anything: \(error)")
        }
    }

    // MARK: Operations

    private func snapshot(
        _ request: SnapshotRequest
    ) throws(KernelError) -> SnapshotRequest.Reply {
        let before = try netlink.rulesetGeneration()
        let census = try TableCensus(netlink, compiled: Set(request.compiled))
        // To list a table nftables 1.0.6 reads its sets' elements, even where it leaves them out; to
        // list the ruleset it does not.
        let isRuleset = census.others.isEmpty && census.ours.count == 1
        var tables: [ListedTable] = []
        for table in census.ours {
            tables.append(
                ListedTable(
                    id: table.id, listing: try listing(of: table, isRuleset, request.wantsNoted)))
        }
        return SnapshotRequest.Reply(
            generationBefore: before, tables: tables,
            generationAfter: try netlink.rulesetGeneration())
    }

    /// - Parameter isRuleset: whether there is no other table.
    private func listing(
        of table: TableCensus.Own, _ isRuleset: Bool, _ wantsNoted: Bool
    ) throws(KernelError) -> ListedTable.Listing {
        // Tables with flags are not listed: nftables 1.0.6 prints a flag's name in JSON from memory
        // that is not its own.
        if table.flags != 0 { return .foreign(["table flags \(table.flagNames)"]) }
        let strange = try netlink.strangelyNamed(in: table.id)
        if !strange.isEmpty { return .foreign(strange) }
        try tell("listed table \(table.id.words)")
        let context = try libnftables.context()
        let json: [UInt8]
        do throws(NftablesContext.RunFailure) {
            // A name of ours, so that it is plain.
            json = try context.run(
                isRuleset ? "list ruleset\n" : "list table \(table.id.qualifiedName)\n")
        } catch {
            return .failed(error.text)
        }
        return .json(json, elements: try elements(in: table.id, wantsNoted))
    }

    /// The elements of the table's sets, in the order of the sets; without the notes of packets,
    /// which may be many, where those are not wanted.
    private func elements(
        in table: TableID, _ wantsNoted: Bool
    ) throws(KernelError) -> [ListedElements] {
        do throws(KernelError) {
            return try netlink.elementsOfSets(in: table, wantsNoted)
        } catch {
            // A table or set is gone meanwhile, in another generation: all is read again.
            if error.code == .missing { return [] }
            throw error
        }
    }
}

extension KernelWorker {
    /// Tells flows while they are read, so that a large table takes no memory.
    private func tellFlows(
        touching addresses: Set<IPAddress>, _ deadline: UInt32
    ) throws(KernelError) -> Done {
        var part = FlowsPart(flows: [])
        var failure: KernelError?
        func send() throws(KernelError) {
            var writer = WireWriter(reserving: FrameChannel.headerLength)
            writer.put(part)
            part.flows.removeAll(keepingCapacity: true)
            try self.send(.part, writer)
            do throws(FrameChannel.Failure) {
                // It is not stuck; and the agent may take its time.
                try setAlarm(deadline)
            } catch {
                throw KernelError(.unavailable, "no alarm can be set: \(error)")
            }
        }
        // Nothing is kept there, so one that is looked at no more ends the reading.
        _ = try FlowTracking.flows(touching: addresses, atMost: 1) { flow in
            part.flows.append(flow)
            if part.flows.count < FlowsPart.size { return false }
            do throws(KernelError) {
                try send()
                return false
            } catch {
                failure = error
                return true
            }
        }
        if let failure { throw failure }
        try send()
        return Done()
    }
}

/// A worker's context, made where it is needed: half of the workers only ask by netlink.
private final class Libnftables {
    private var made: NftablesContext?

    func context() throws(KernelError) -> NftablesContext {
        if let made { return made }
        let context = try NftablesContext()
        made = context
        return context
    }

    func forget() { made?.forget() }
}

extension NftablesContext {
    fileprivate func reply(to commands: String) -> RunReply {
        do throws(RunFailure) {
            _ = try run(commands)
            return RunReply(complaint: nil)
        } catch {
            return RunReply(complaint: error.text)
        }
    }
}
