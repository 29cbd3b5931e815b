internal import Control
internal import Enforcement
internal import Glibc
internal import LinuxSystem
internal import Logging
internal import Metrics
internal import Netlink
internal import Nftables
internal import Policy
internal import Reports
internal import Ruleset
internal import Site
internal import SystemPackage

/// Answers the calls of the agent's Varlink interface, and decides who may call what.
struct ControlService: Sendable {
    /// How long a command may wait for its turn: less than clients wait for their answer.
    private static let commandTime = Duration.seconds(20)

    let reconciler: Reconciler
    let refusals: RefusalWatch
    let planner: Planner
    let events: AsyncStream<AgentEvent>.Continuation

    init(
        reconciler: Reconciler, refusals: RefusalWatch, planner: Planner,
        events: AsyncStream<AgentEvent>.Continuation
    ) {
        self.reconciler = reconciler
        self.refusals = refusals
        self.planner = planner
        self.events = events
    }

    /// Listens at `path` until the server is stopped.
    func serve(at path: String, log: Logger) async throws -> VarlinkServer {
        // Without it nobody but root is let in.
        let readers: UInt32?
        do throws(SystemError) {
            readers = try LocalGroups.id(of: PexipFirewallInterface.readersGroup)
        } catch {
            log.warning("nobody but root may look: \(error)")
            readers = nil
        }
        let listener = try UnixListener(
            path: path,
            mode: readers == nil
                ? .ownerReadWrite : [.ownerReadWrite, .groupReadWrite])
        // Where it is the agent's own group, the socket was born with it.
        if let readers, readers != getegid(), chown(path, uid_t.max, readers) != 0 {
            // The group's members can't look then; nobody can do more than they should.
            log.warning(
                "can't give \(path) to group \(PexipFirewallInterface.readersGroup): \(String(cString: strerror(errno)))"
            )
        }
        let server = VarlinkServer(
            identity: VarlinkIdentity(
                vendor: "pexip-fw", product: "pexip-fwd", version: Version.current,
                url: "https://github.com/pexip-fw/pexip-fw"),
            interfaces: [
                PexipFirewallInterface.served(by: self) {
                    rest.schedule(after: .seconds(1)) { Memory.trim() }
                }
            ], logger: log
        ) { method, credentials in
            PexipFirewallInterface.allows(credentials, to: method, readers: readers)
        }
        await server.start(listener)
        return server
    }

    /// Gives back an answer's memory a second later.
    private let rest = PendingTimer()

    /// The inspector that answers a call.
    private func inspector<Parameters>(for call: ControlCall<Parameters>) -> Inspector {
        call.isRoots ? reconciler.inspector : reconciler.inspector.inBackground
    }

    private func inForce(_ overview: Overview) throws(VarlinkError) -> Generation {
        guard let generation = overview.generation else {
            throw PexipFirewallInterface.refusal("nothing is in force")
        }
        return generation
    }

    /// Refuses a question about a node that is not enforced.
    private static func require(
        _ node: NodeName?, in generation: Generation?
    ) throws(VarlinkError) {
        let nodes = generation?.nodes.map(\.name) ?? []
        guard let node = node?.text, !nodes.contains(node) else { return }
        throw PexipFirewallInterface.refusal(
            nodes.isEmpty
                ? "nothing is in force"
                : "\(node) is not enforced here: \(nodes.joined(separator: ", "))")
    }

    private func carryOut(_ command: AgentEvent.Command) async throws -> ApplyReport {
        let pending = PendingCommand(command, within: Self.commandTime)
        guard let conclusion = await pending.conclusion({ events.yield(.command($0)) }) else {
            throw PexipFirewallInterface.refusal(
                "the agent was busy for too long; nothing was done")
        }
        return await conclusion.finalReport()
    }
}

extension ControlService: ControlAnswers {
    func status(_ call: ControlCall<NoParameters>) async -> StatusReport {
        await inspector(for: call).status()
    }

    func metrics(_ call: ControlCall<NoParameters>) async -> [MetricFamily] {
        await inspector(for: call).metrics()
    }

    func rules(
        _ call: ControlCall<NoParameters>, _ parts: inout ReplyParts<RulesReport.TableText>
    ) async throws {
        let overview = inspector(for: call).overview
        // Not those that adopt connections for a time.
        let stamped = overview.stamped.flatMap { $0.adopts ? nil : $0 }
        let ruleset = stamped ?? overview.generation?.stamped
        for table in ruleset?.tables ?? [] {
            for text in table.textParts {
                try await parts.add(RulesReport.TableText(name: table.name, text: text))
            }
        }
    }

    func generations(
        _ call: ControlCall<NoParameters>, _ parts: inout ReplyParts<GenerationSummary>
    ) async throws {
        for generation in try inspector(for: call).generations() { try await parts.add(generation) }
    }

    func ports(
        _ call: ControlCall<NodeParameters>, _ parts: inout ReplyParts<PortsReport.Table>
    ) async throws {
        let node = call.parameters.node
        let overview = inspector(for: call).overview
        let generation = try inForce(overview)
        try Self.require(node, in: generation)
        let deployment: Deployment
        do throws(RefusedFiles) {
            deployment = try overview.deployment.value.get()
        } catch {
            throw PexipFirewallInterface.refusal(error.description)
        }
        let names = node.map { [$0.text] } ?? generation.nodes.map(\.name)
        for group in deployment.groups(named: names) {
            for table in PortsReport(of: [group], in: deployment).tables {
                try await parts.add(table)
            }
        }
    }

    func counters(_ call: ControlCall<NodeParameters>) async throws -> CountersReport {
        let inspector = inspector(for: call)
        let generation = inspector.overview.generation
        try Self.require(call.parameters.node, in: generation)
        return CountersReport(
            await inspector.status(), of: generation, node: call.parameters.node?.text)
    }

    func explain(_ call: ControlCall<PacketQuery>) async throws -> ExplainReport {
        let inspector = inspector(for: call)
        let overview = inspector.overview
        let generation = try inForce(overview)
        let packet: Packet
        do throws(PacketQuery.Problem) {
            packet = try call.parameters.packet(
                for: generation.nodes, in: generation.ruleset.placement)
        } catch {
            throw PexipFirewallInterface.refusal(error.description)
        }
        return ExplainReport(
            packet, by: generation.ruleset, nodes: generation.nodes,
            deployment: overview.deployment.value, counters: await inspector.counters(),
            shadows: overview.shadows)
    }

    func drops(_ call: ControlCall<DropsParameters>) async throws -> DropsReport {
        let limit = call.parameters.limit ?? DropsReport.usualTalkers
        guard (1...DropsReport.mostTalkers).contains(limit) else {
            throw VarlinkError.invalidParameter("limit")
        }
        let node = call.parameters.node
        let generation = inspector(for: call).overview.generation
        try Self.require(node, in: generation)
        let (record, problem) = await refusals.heard
        return DropsReport(
            record, problem: problem, in: generation, node: node?.text, atMost: limit)
    }

    func mesh(_ call: ControlCall<MeshParameters>) async throws -> MeshReport {
        do throws(MeshProblem) {
            let facts = try await inspector(for: call).meshFacts()
            let lookup = Result { try RouteLookup() }
            let survey = try MeshSurvey(facts) { try lookup.get().interface(to: $0) }
            return try survey.report(
                MeshQuery(node: call.parameters.node?.text, all: call.parameters.all ?? false))
        } catch {
            throw PexipFirewallInterface.refusal(error.description)
        }
    }

    /// Tells events until the client goes, or the agent ends: that event is the final reply.
    func monitor(
        _ call: ControlCall<NoParameters>, _ tell: @escaping @Sendable (Event) async throws -> Void
    ) async throws -> Event {
        let (present, events) = await reconciler.events()
        var event = present
        var following = events.makeAsyncIterator()
        while event.kind != .stopping {
            // While the client does not read, the newest events wait in the journal.
            try await tell(event)
            guard let next = await following.next() else {
                throw PexipFirewallInterface.refusal("the agent is ending")
            }
            event = next
        }
        return event
    }

    func plan(_ call: ControlCall<PlanParameters>) async throws -> ApplyReport {
        let wanted = call.parameters
        return try await planner.plan(
            Reconciler.ApplyRequest(
                isForced: wanted.force ?? false, session: try session(wanted.session),
                wantsTables: wanted.tables ?? false),
            isForRoot: call.isRoots)
    }

    func apply(_ call: ControlCall<ApplyParameters>) async throws -> ApplyReport {
        let wanted = call.parameters
        if let seconds = wanted.confirmSeconds, !Guard.confirmSeconds.contains(seconds) {
            throw VarlinkError.invalidParameter("confirmSeconds")
        }
        return try await carryOut(
            .apply(
                Reconciler.ApplyRequest(
                    confirm: wanted.confirmSeconds.map { .seconds($0) },
                    isForced: wanted.force ?? false, session: try session(wanted.session),
                    wantsTables: wanted.tables ?? false)))
    }

    func confirm(_ call: ControlCall<NoParameters>) async -> ApplyReport {
        // Not behind a change that waits: what is in force now was seen by whoever confirms.
        let conclusion = await reconciler.confirm()
        events.yield(.done)
        return await conclusion.finalReport()
    }

    func rollback(_ call: ControlCall<RollbackParameters>) async throws -> ApplyReport {
        try await carryOut(.rollback(generation: call.parameters.generation))
    }

    func flush(_ call: ControlCall<NoParameters>) async throws -> ApplyReport {
        try await carryOut(.flush)
    }

    /// The session that `SSH_CONNECTION` tells of.
    private func session(_ text: String?) throws(VarlinkError) -> OperatorSession? {
        guard let text else { return nil }
        guard let session = OperatorSession(sshConnection: text) else {
            throw .invalidParameter("session")
        }
        return session
    }
}
