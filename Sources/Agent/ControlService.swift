internal import Control
internal import Deployment
internal import Enforcement
internal import Glibc
internal import JSONValue
internal import LinuxSystem
internal import Logging
internal import Nftables
internal import Policy
internal import Ruleset
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

    /// What answers a call.
    private func inspector(for call: VarlinkCall) -> Inspector {
        call.isRoots ? reconciler.inspector : reconciler.inspector.inBackground
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
                VarlinkInterface(
                    name: PexipFirewallInterface.name,
                    description: PexipFirewallInterface.description
                ) { call in
                    try await reply(to: call)
                }
            ], logger: log
        ) { method, credentials in
            PexipFirewallInterface.allows(credentials, to: method, readers: readers)
        }
        await server.start(listener)
        return server
    }

    // MARK: Methods

    /// What an answer took of memory goes back a second later.
    private let rest = PendingTimer()

    private func reply(to call: VarlinkCall) async throws -> JSONValue {
        defer { rest.schedule(after: .seconds(1)) { Memory.trim() } }
        return try await answer(to: call)
    }

    private func answer(to call: VarlinkCall) async throws -> JSONValue {
        let inspector = inspector(for: call)
        switch call.methodName {
        case "Status":
            return try .object(["status": JSONValue(encoding: await inspector.status())])
        case "Metrics":
            return try .object(["families": JSONValue(encoding: await inspector.metrics())])
        case "Rules":
            return try await rules(call, by: inspector)
        case "Generations":
            var parts = ReplyParts(call, of: "generations")
            for generation in try inspector.generations() { try await parts.add(generation) }
            return parts.reply
        case "Ports":
            return try await ports(call, by: inspector)
        case "Counters":
            let parameters = try call.parameters(as: NodeParameters.self)
            return try .object([
                "report": JSONValue(
                    encoding: await counters(of: parameters.node?.text, by: inspector))
            ])
        case "Drops":
            let parameters = try call.parameters(as: DropsParameters.self)
            return try .object([
                "report": JSONValue(encoding: await drops(parameters, by: inspector))
            ])
        case "Explain":
            let query = try call.parameters(as: PacketQuery.self)
            return try .object(["report": JSONValue(encoding: await explain(query, by: inspector))])
        case "Mesh":
            let parameters = try call.parameters(as: MeshParameters.self)
            return try .object([
                "report": JSONValue(encoding: await mesh(parameters.query, by: inspector))
            ])
        case "Monitor":
            return try await monitor(call)
        case "Apply":
            let parameters = try call.parameters(as: ApplyParameters.self)
            return try await carryOut(.apply(try parameters.request))
        case "Plan":
            let parameters = try call.parameters(as: ApplyParameters.self)
            let report = try await planner.plan(
                try parameters.request, isForRoot: call.isRoots)
            return try .object(["report": JSONValue(encoding: report)])
        case "Confirm":
            // Not behind a change that waits: what is in force now was seen by whoever confirms.
            let conclusion = await reconciler.confirm()
            events.yield(.done)
            return try await Self.reply(conclusion)
        case "Rollback":
            let parameters = try call.parameters(as: RollbackParameters.self)
            return try await carryOut(.rollback(generation: parameters.generation))
        case "Flush":
            return try await carryOut(.flush)
        default:
            throw VarlinkError.methodNotFound(call.method.description)
        }
    }

    /// Tells events until the client goes, or the agent ends: that event is the final reply.
    private func monitor(_ call: VarlinkCall) async throws -> JSONValue {
        // Refused before anything is kept for a client that takes one reply only.
        guard call.wantsMore else { throw VarlinkError.expectedMore }
        return try await call.whileConnected {
            let (present, events) = await reconciler.events()
            var event = present
            var following = events.makeAsyncIterator()
            while event.kind != .stopping {
                // While the client does not read, the newest events wait in the journal.
                guard try await call.reply(continuing: Self.reply(event)), await call.drained()
                else { throw CancellationError() }
                guard let next = await following.next() else {
                    throw Self.refusal("the agent is ending")
                }
                event = next
            }
            return try Self.reply(event)
        }
    }

    private static func reply(_ event: Event) throws -> JSONValue {
        try .object(["event": JSONValue(encoding: event)])
    }

    private func inForce(_ overview: Overview) throws(VarlinkError) -> Generation {
        guard let generation = overview.generation else {
            throw Self.refusal("nothing is in force")
        }
        return generation
    }

    private func ports(
        _ call: VarlinkCall, by inspector: Inspector
    ) async throws -> JSONValue {
        let node = try call.parameters(as: NodeParameters.self).node?.text
        let overview = inspector.overview
        let generation = try inForce(overview)
        try Self.require(node, in: generation)
        let deployment: Deployment
        do throws(RefusedFiles) {
            deployment = try overview.deployment.value.get()
        } catch {
            throw Self.refusal(error.description)
        }
        var parts = ReplyParts(call, of: "tables")
        for group in deployment.groups(named: node.map { [$0] } ?? generation.nodes.map(\.name)) {
            for table in PortsReport(of: [group], in: deployment).tables {
                try await parts.add(table)
            }
        }
        return parts.reply
    }

    private func rules(
        _ call: VarlinkCall, by inspector: Inspector
    ) async throws -> JSONValue {
        let overview = inspector.overview
        // Not those that adopt connections for a time.
        let stamped = overview.stamped.flatMap { $0.adopts ? nil : $0 }
        let ruleset = stamped ?? overview.generation?.stamped
        var parts = ReplyParts(call, of: "tables")
        for table in ruleset?.tables ?? [] {
            for text in table.textParts {
                try await parts.add(RulesReport.TableText(name: table.name, text: text))
            }
        }
        return parts.reply
    }

    /// Refuses a question about a node that is not enforced.
    private static func require(
        _ node: String?, in generation: Generation?
    ) throws(VarlinkError) {
        let nodes = generation?.nodes.map(\.name) ?? []
        guard let node, !nodes.contains(node) else { return }
        throw refusal(
            nodes.isEmpty
                ? "nothing is in force"
                : "\(node) is not enforced here: \(nodes.joined(separator: ", "))")
    }

    private func counters(
        of node: String?, by inspector: Inspector
    ) async throws(VarlinkError) -> CountersReport {
        let generation = inspector.overview.generation
        try Self.require(node, in: generation)
        return CountersReport(await inspector.status(), of: generation, node: node)
    }

    private func drops(
        _ parameters: DropsParameters, by inspector: Inspector
    ) async throws(VarlinkError) -> DropsReport {
        let limit = parameters.limit ?? DropsReport.usualTalkers
        guard (1...DropsReport.mostTalkers).contains(limit) else {
            throw .invalidParameter("limit")
        }
        let generation = inspector.overview.generation
        try Self.require(parameters.node?.text, in: generation)
        let (record, problem) = await refusals.heard
        return DropsReport(
            record, problem: problem, in: generation, node: parameters.node?.text, atMost: limit)
    }

    private func explain(
        _ query: PacketQuery, by inspector: Inspector
    ) async throws(VarlinkError) -> ExplainReport {
        let overview = inspector.overview
        let generation = try inForce(overview)
        let packet: Packet
        do throws(PacketQuery.Problem) {
            packet = try query.packet(
                for: generation.nodes, in: generation.ruleset.placement)
        } catch {
            throw Self.refusal(error.description)
        }
        return ExplainReport(
            packet, by: generation.ruleset, nodes: generation.nodes,
            deployment: overview.deployment.value, counters: await inspector.counters(),
            shadows: overview.shadows)
    }

    private func mesh(
        _ query: MeshQuery, by inspector: Inspector
    ) async throws(VarlinkError) -> MeshReport {
        do throws(MeshProblem) {
            let facts = try await inspector.meshFacts()
            let lookup = Result { try RouteLookup() }
            let survey = try MeshSurvey(facts) { try lookup.get().interface(to: $0) }
            return try survey.report(query)
        } catch {
            throw Self.refusal(error.description)
        }
    }

    private static func refusal(_ message: String) -> VarlinkError {
        VarlinkError(
            name: "\(PexipFirewallInterface.name).Refused",
            parameters: .object(["message": .string(message)]))
    }

    private func carryOut(_ command: AgentEvent.Command) async throws -> JSONValue {
        let pending = PendingCommand(command, within: Self.commandTime)
        guard let conclusion = await pending.conclusion({ events.yield(.command($0)) }) else {
            throw Self.refusal("the agent was busy for too long; nothing was done")
        }
        return try await Self.reply(conclusion)
    }

    private static func reply(_ conclusion: Conclusion) async throws -> JSONValue {
        try .object(["report": JSONValue(encoding: await conclusion.finalReport())])
    }

    /// The name of a node; no other text is taken for one.
    private struct NodeName: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            text = try container.decode(String.self)
            guard Deployment.isName(text) else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "no name of a node")
            }
        }
    }

    private struct NodeParameters: Decodable { var node: NodeName? }
    private struct DropsParameters: Decodable {
        var node: NodeName?
        var limit: Int?
    }
    private struct ApplyParameters: Decodable {
        var confirmSeconds: Int?
        var force: Bool?
        var session: String?
        var tables: Bool?

        var request: Reconciler.ApplyRequest {
            get throws(VarlinkError) {
                if let confirmSeconds, !Guard.confirmSeconds.contains(confirmSeconds) {
                    throw .invalidParameter("confirmSeconds")
                }
                let session = session.map(OperatorSession.init(sshConnection:))
                if session == .some(nil) { throw .invalidParameter("session") }
                return Reconciler.ApplyRequest(
                    confirm: confirmSeconds.map { .seconds($0) }, isForced: force ?? false,
                    session: session ?? nil, wantsTables: tables ?? false)
            }
        }
    }
    private struct MeshParameters: Decodable {
        var node: NodeName?
        var all: Bool?

        var query: MeshQuery { MeshQuery(node: node?.text, all: all ?? false) }
    }
    private struct RollbackParameters: Decodable { var generation: Int? }
}

extension VarlinkCall {
    fileprivate var isRoots: Bool { credentials.uid == 0 }
}
