internal import Metrics
internal import PortModel
internal import Reports
internal import Ruleset
internal import Site

/// The facts that monitoring is told. Names, labels and meanings stay as they are; further ones may
/// come.
struct MetricFacts: Sendable {
    var status: StatusReport
    var measurements: Measurements
    /// Foreign changes by who made them.
    var drift: CountsByName
    var traffic: RowTraffic
    /// nil where the kernel does not tell.
    var tracking: TrackingUse?
    var areTablesReadable: Bool
    var workerEnds: Int
    var now: Timestamp

    var families: [MetricFamily] { agent + standing + doings + packets + host }
}

extension MetricFacts {
    private var agent: [MetricFamily] {
        [
            MetricFamily(
                "pexip_fw_build", .info, help: "The agent's version.",
                [Metric(1, ["version": status.agent.version])]),
            MetricFamily(
                "pexip_fw_agent_start_time_seconds", .gauge, unit: .seconds,
                help: "When the agent started, since 1970. Its own counts begin then.",
                [Metric(status.agent.started)]),
            MetricFamily(
                "pexip_fw_collected_timestamp_seconds", .gauge, unit: .seconds,
                help: "When these values were read, since 1970: where it stands still, so do they.",
                [Metric(now)]),
            MetricFamily(
                "pexip_fw_read_success", .gauge,
                help:
                    "Whether these values could be read from the kernel; where not, they are missing.",
                [
                    Metric(areTablesReadable ? 1 : 0, ["source": "tables"]),
                    Metric(tracking == nil ? 0 : 1, ["source": "conntrack"]),
                ]),
            MetricFamily(
                "pexip_fw_worker_ends", .counter,
                help:
                    "Processes for libnftables that crashed, hung or ended by themselves, since the agent's start.",
                [Metric(Double(workerEnds))]),
        ]
    }

    private var standing: [MetricFamily] {
        [
            MetricFamily(
                "pexip_fw_state", .gauge,
                help: "1 for the state that pexip-fwctl status tells, 0 for others.",
                .one(of: StatusReport.State.self, status.state, label: "state")),
            MetricFamily(
                "pexip_fw_generation", .gauge, help: "The generation in force; 0 for none.",
                [Metric(Double(status.generation ?? 0))]),
            MetricFamily(
                "pexip_fw_confirmed_generation", .gauge,
                help: "The generation that a boot restores; 0 for none.",
                [Metric(Double(status.confirmedGeneration ?? 0))]),
            MetricFamily(
                "pexip_fw_generation_created_timestamp_seconds", .gauge, unit: .seconds,
                help: "When the generation in force was made, since 1970.",
                status.generationCreated.map { [Metric($0)] } ?? []),
            MetricFamily(
                "pexip_fw_confirmation_deadline_timestamp_seconds", .gauge, unit: .seconds,
                help:
                    "When the generation in force is taken back unless somebody confirms it, since 1970; missing while nothing waits.",
                status.pending.map { [Metric($0.deadline)] } ?? []),
            MetricFamily(
                "pexip_fw_mode", .gauge,
                help:
                    "1 for what becomes of refused packets: enforce drops, observe only counts them.",
                .one(of: Mode.self, status.mode, label: "mode")),
            MetricFamily(
                "pexip_fw_configuration_diagnostics", .gauge,
                help: "Errors and warnings of the configuration as it was read last.",
                [Diagnostic.Severity.error, .warning].map { severity in
                    Metric(
                        Double(status.diagnostics.count { $0.severity == severity }),
                        ["severity": severity.rawValue])
                }),
            MetricFamily(
                "pexip_fw_shadows", .gauge,
                help: "Chains of other tables that may cut what is permitted.",
                [Metric(Double(status.shadows.count))]),
            MetricFamily(
                "pexip_fw_nodes", .gauge, help: "Enforced nodes.",
                Profile.allRoleNames.map { role in
                    Metric(
                        Double(status.nodes.count { $0.node.role == role }),
                        ["role": role.rawValue])
                }),
            MetricFamily(
                "pexip_fw_node", .info,
                help: "An enforced node; on a gateway with its class of nodes with equal policy.",
                status.nodes.map { node in
                    var labels = ["node": node.node.name, "role": node.node.role.rawValue]
                    labels["class"] = node.node.policyClass
                    return Metric(1, labels)
                }),
        ]
    }

    private var doings: [MetricFamily] {
        [
            MetricFamily(
                "pexip_fw_applies", .counter,
                help:
                    "Times that a configuration was taken up, by what came of it, since the agent's start.",
                [ApplyReport.Outcome.applied, .unchanged, .rejected, .refused, .failed].map {
                    Metric(
                        Double(measurements.applies[$0] ?? 0), ["outcome": $0.rawValue])
                }),
            MetricFamily(
                "pexip_fw_rollbacks", .counter,
                help:
                    "Times that something was taken back: by the commands rollback and flush, unconfirmed in time, or because a probe did not connect; since the agent's start.",
                [Hold.Reason.rollback, .flush, .unconfirmed, .probe].map {
                    Metric(
                        Double(measurements.rollbacks[$0] ?? 0), ["reason": $0.rawValue])
                }),
            MetricFamily(
                "pexip_fw_last_apply_success_timestamp_seconds", .gauge, unit: .seconds,
                help:
                    "When a configuration was last put in force, or found to be, since 1970; missing where none was since the agent's start.",
                measurements.lastSuccess.map { [Metric($0)] } ?? []),
            MetricFamily(
                "pexip_fw_apply_duration_seconds", .histogram, unit: .seconds,
                help:
                    "From the moment that changed files had settled, or apply was said, until the kernel was read back; since the agent's start.",
                [Metric(measurements.applyDurations.histogram)]),
            MetricFamily(
                "pexip_fw_drift", .counter,
                help:
                    "Changes of our tables by others, by the process's name, unknown where notifications were lost, other beyond \(CountsByName.names) names; since the agent's start.",
                drift.counts.sorted { $0.key < $1.key }.map {
                    Metric(Double($0.value), ["process": $0.key])
                }),
            MetricFamily(
                "pexip_fw_repairs", .counter,
                help:
                    "Attempts to repair our tables, by what came of them; postponed where somebody makes the same change again and again; since the agent's start.",
                Measurements.Repair.allCases.map {
                    Metric(
                        Double(measurements.repairs[$0] ?? 0), ["outcome": $0.rawValue])
                }),
            MetricFamily(
                "pexip_fw_repair_duration_seconds", .histogram, unit: .seconds,
                help:
                    "From the kernel's notification of a foreign change until the repair was read back; since the agent's start.",
                [Metric(measurements.repairDurations.histogram)]),
            MetricFamily(
                "pexip_fw_ended_flows", .counter,
                help:
                    "Established flows that were ended because they were not permitted any more; since the agent's start.",
                [Metric(Double(measurements.endedFlows))]),
        ]
    }

    private var packets: [MetricFamily] {
        let matched =
            "that a row or a site rule permitted: of tracked flows those before the flow was established; since the tables were made."
        let refused =
            "refused in one direction: unmatched by any row, invalid to connection tracking, or UDP unanswered by any row; since the tables were made."
        let ofNode = "refused from and to a node; since the tables were made."
        return Self.counters("pexip_fw_row", of: matched, traffic.rows)
            + Self.counters("pexip_fw_refused", of: refused, traffic.refusals)
            + Self.counters(
                "pexip_fw_node_refused", of: ofNode,
                areTablesReadable
                    ? status.nodes.map { ($0.dropped, ["node": $0.node.name]) } : [])
            + Self.counters(
                "pexip_fw_translated",
                of:
                    "between nodes whose addresses were translated, which the documentation forbids.",
                traffic.translated)
    }

    private static func counters(
        _ name: String, of what: String,
        _ values: [(value: StatusReport.CounterReport, labels: [String: String])]
    ) -> [MetricFamily] {
        [
            MetricFamily(
                "\(name)_packets", .counter, help: "Packets \(what)",
                values.map { Metric(Double($0.value.packets), $0.labels) }),
            MetricFamily(
                "\(name)_bytes", .counter, unit: .bytes, help: "Bytes of packets \(what)",
                values.map { Metric(Double($0.value.bytes), $0.labels) }),
        ]
    }

    private var host: [MetricFamily] {
        [
            MetricFamily(
                "pexip_fw_conntrack_entries", .gauge, help: "Flows that connection tracking holds.",
                tracking.map { [Metric(Double($0.entries))] } ?? []),
            MetricFamily(
                "pexip_fw_conntrack_entries_limit", .gauge,
                help: "Flows that it can hold; beyond, packets of new flows are dropped.",
                tracking.map { [Metric(Double($0.limit))] } ?? []),
        ]
    }
}

extension Metric {
    fileprivate init(_ time: Timestamp) { self.init(Double(time.seconds)) }
}

extension [Metric] {
    /// 1 for the value that is the case, 0 for every other.
    fileprivate static func one<Value: CaseIterable & RawRepresentable<String> & Equatable>(
        of type: Value.Type, _ present: Value?, label: String
    ) -> [Metric] {
        Value.allCases.map { Metric($0 == present ? 1 : 0, [label: $0.rawValue]) }
    }
}
