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
    let commands: AsyncStream<AgentEvent>.Continuation

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

    private func reply(to call: VarlinkCall) async throws -> JSONValue {
        switch call.methodName {
        case "Status":
            return try .object(["status": JSONValue(encoding: await reconciler.status())])
        case "Metrics":
            return try .object(["families": JSONValue(encoding: await reconciler.metrics())])
        case "Rules":
            let tables = await reconciler.generationInForce?.stamped.tables ?? []
            return try JSONValue(encoding: RulesReport(tables))
        case "Generations":
            let generations = try await reconciler.generations()
            return try JSONValue(encoding: GenerationsReport(generations))
        case "Ports":
            let parameters = try call.parameters(as: NodeParameters.self)
            return try JSONValue(encoding: await ports(of: parameters.node))
        case "Counters":
            let parameters = try call.parameters(as: NodeParameters.self)
            return try .object(["report": JSONValue(encoding: await counters(of: parameters.node))])
        case "Drops":
            let parameters = try call.parameters(as: DropsParameters.self)
            return try .object(["report": JSONValue(encoding: await drops(parameters))])
        case "Explain":
            let query = try call.parameters(as: PacketQuery.self)
            return try .object(["report": JSONValue(encoding: await explain(query))])
        case "Mesh":
            let parameters = try call.parameters(as: MeshParameters.self)
            return try .object(["report": JSONValue(encoding: await mesh(parameters.query))])
        case "Monitor":
            return try await monitor(call)
        case "Apply":
            let parameters = try call.parameters(as: ApplyParameters.self)
            return try await carryOut(.apply(try parameters.request))
        case "Plan":
            let parameters = try call.parameters(as: ApplyParameters.self)
            return try await carryOut(.plan(try parameters.request))
        case "Confirm":
            return try await carryOut(.confirm)
        case "Rollback":
            let parameters = try call.parameters(as: RollbackParameters.self)
            return try await carryOut(.rollback(generation: parameters.generation))
        case "Flush":
            return try await carryOut(.flush)
        default:
            throw VarlinkError.methodNotFound(call.method)
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

    private func inForce() async throws(VarlinkError) -> Generation {
        guard let generation = await reconciler.generationInForce else {
            throw Self.refusal("nothing is in force")
        }
        return generation
    }

    private func ports(of node: String?) async throws(VarlinkError) -> PortsReport {
        let generation = try await inForce()
        guard let deployment = generation.deployment else {
            throw Self.refusal(
                "generation \(generation.number) was made by another version: say pexip-fwctl apply"
            )
        }
        try Self.require(node, in: generation)
        return PortsReport(
            deployment, nodes: node.map { [$0] } ?? generation.nodes.map(\.name))
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

    private func counters(of node: String?) async throws(VarlinkError) -> CountersReport {
        let generation = await reconciler.generationInForce
        try Self.require(node, in: generation)
        return CountersReport(await reconciler.status(), of: generation, node: node)
    }

    private func drops(_ parameters: DropsParameters) async throws(VarlinkError) -> DropsReport {
        let limit = parameters.limit ?? DropsReport.usualTalkers
        guard (1...DropsReport.mostTalkers).contains(limit) else {
            throw .invalidParameter("limit")
        }
        let generation = await reconciler.generationInForce
        try Self.require(parameters.node, in: generation)
        let (record, problem) = await refusals.heard
        return DropsReport(
            record, problem: problem, in: generation, node: parameters.node, atMost: limit)
    }

    private func explain(_ query: PacketQuery) async throws(VarlinkError) -> ExplainReport {
        let generation = try await inForce()
        let packet: Packet
        do throws(PacketQuery.Problem) {
            packet = try query.packet(
                for: generation.nodes, isGateway: generation.ruleset.isGateway)
        } catch {
            throw Self.refusal(error.description)
        }
        return ExplainReport(
            packet, by: generation.ruleset, nodes: generation.nodes,
            deployment: generation.deployment, counters: await reconciler.counters(),
            shadows: await reconciler.shadows)
    }

    private func mesh(_ query: MeshQuery) async throws(VarlinkError) -> MeshReport {
        do throws(MeshProblem) {
            let facts = try await reconciler.meshFacts()
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
        let report = await withCheckedContinuation { reply in
            commands.yield(
                .command(
                    command, noticed: BootTime.now, before: .now + Self.commandTime,
                    reply: reply))
        }
        return try .object(["report": JSONValue(encoding: report)])
    }

    private struct NodeParameters: Decodable { var node: String? }
    private struct DropsParameters: Decodable {
        var node: String?
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
        var node: String?
        var all: Bool?

        var query: MeshQuery { MeshQuery(node: node, all: all ?? false) }
    }
    private struct RollbackParameters: Decodable { var generation: Int? }
}
