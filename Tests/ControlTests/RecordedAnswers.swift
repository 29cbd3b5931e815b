import Control
import Enforcement
import Metrics
import Reports
import Synchronization

/// Answers every method with a sample, and keeps which were asked.
final class RecordedAnswers: ControlAnswers {
    private let names = Mutex<[String]>([])

    var recorded: [String] { names.withLock { $0 } }

    func record(_ name: String) { names.withLock { $0.append(name) } }

    private func sample<Value: Decodable>(_ name: String) throws -> Value {
        record(name)
        return try Sample.value(Value.self, .full)
    }

    func status(_: ControlCall<NoParameters>) throws -> StatusReport { try sample("Status") }
    func metrics(_: ControlCall<NoParameters>) throws -> [MetricFamily] { try sample("Metrics") }
    func rules(
        _: ControlCall<NoParameters>, _ parts: inout ReplyParts<RulesReport.TableText>
    ) async throws { try await parts.add(sample("Rules")) }
    func generations(
        _: ControlCall<NoParameters>, _ parts: inout ReplyParts<GenerationSummary>
    ) async throws { try await parts.add(sample("Generations")) }
    func ports(
        _: ControlCall<NodeParameters>, _ parts: inout ReplyParts<PortsReport.Table>
    ) async throws { try await parts.add(sample("Ports")) }
    func counters(_: ControlCall<NodeParameters>) throws -> CountersReport {
        try sample("Counters")
    }
    func explain(_: ControlCall<PacketQuery>) throws -> ExplainReport { try sample("Explain") }
    func drops(_: ControlCall<DropsParameters>) throws -> DropsReport { try sample("Drops") }
    func mesh(_: ControlCall<MeshParameters>) throws -> MeshReport { try sample("Mesh") }
    func monitor(
        _: ControlCall<NoParameters>, _: @escaping @Sendable (Event) async throws -> Void
    ) throws -> Event { try sample("Monitor") }
    func plan(_: ControlCall<PlanParameters>) throws -> ApplyReport { try sample("Plan") }
    func apply(_: ControlCall<ApplyParameters>) throws -> ApplyReport { try sample("Apply") }
    func confirm(_: ControlCall<NoParameters>) throws -> ApplyReport { try sample("Confirm") }
    func rollback(_: ControlCall<RollbackParameters>) throws -> ApplyReport {
        try sample("Rollback")
    }
    func flush(_: ControlCall<NoParameters>) throws -> ApplyReport { try sample("Flush") }
}
