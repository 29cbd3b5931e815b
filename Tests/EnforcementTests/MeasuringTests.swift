import KernelFake
import Metrics
import PortModel
import Ruleset
import Site
import Testing

@testable import Enforcement
@testable import Reports

/// What monitoring is told of what the reconciler does.
@Suite struct MeasuringTests {
    private struct Told {
        let families: [MetricFamily]

        init(_ bench: Bench) async { families = await bench.reconciler.inspector.metrics() }

        func metrics(_ name: String) throws -> [Metric] {
            try #require(families.first { $0.name == name }, "\(name)").metrics
        }

        /// The value of the one metric that has these labels; nil where there is none.
        func value(_ name: String, _ labels: [String: String] = [:]) throws -> Double? {
            let found = try metrics(name).filter { $0.labels.merging(labels) { $1 } == $0.labels }
            #expect(found.count <= 1, "\(name) \(labels)")
            return found.first?.value
        }

        func histogram(_ name: String) throws -> Histogram {
            try #require(try metrics(name).first?.histogram, "\(name)")
        }
    }

    @Test func namesAreThoseOfPrometheusAndEachIsTakenOnce() async throws {
        let told = await Told(try await Bench.holding(1))
        let names = told.families.map(\.name)
        #expect(Set(names).count == names.count)
        for family in told.families {
            #expect(family.name.hasPrefix("pexip_fw_"))
            #expect(
                !["_total", "_info", "_bucket", "_count", "_sum"].contains(
                    where: family.name.hasSuffix), "\(family.name)")
            #expect(family.help.hasSuffix("."), "\(family.name)")
            let labels = family.metrics.map(\.labels)
            #expect(Set(labels).count == labels.count, "\(family.name)")
        }
    }

    @Test func aStateIsTheCaseAndTheOthersAreNot() async throws {
        let bench = try await Bench.holding(1, 2)
        let told = await Told(bench)
        let states = try told.metrics("pexip_fw_state")
        #expect(states.count == StatusReport.State.allCases.count)
        #expect(states.filter { $0.value == 1 }.map(\.labels) == [["state": "in-sync"]])
        #expect(try told.value("pexip_fw_generation") == 2)
        #expect(try told.value("pexip_fw_confirmed_generation") == 2)
        #expect(try told.value("pexip_fw_mode", ["mode": "enforce"]) == 1)
        #expect(try told.value("pexip_fw_mode", ["mode": "observe"]) == 0)
        #expect(try told.value("pexip_fw_nodes", ["role": "conferencing"]) == 1)
        #expect(try told.value("pexip_fw_node", ["node": "conf"]) == 1)
        #expect(try told.value("pexip_fw_confirmation_deadline_timestamp_seconds") == nil)
        #expect(try told.value("pexip_fw_worker_ends") == 3)
    }

    @Test func nothingInForceIsGenerationZero() async throws {
        let bench = try Bench()
        await bench.reconciler.start(emptyConfiguration)
        let told = await Told(bench)
        #expect(try told.value("pexip_fw_state", ["state": "unconfigured"]) == 1)
        #expect(try told.value("pexip_fw_generation") == 0)
        #expect(try told.value("pexip_fw_generation_created_timestamp_seconds") == nil)
        #expect(try told.value("pexip_fw_last_apply_success_timestamp_seconds") == nil)
        #expect(try told.metrics("pexip_fw_mode").allSatisfy { $0.value == 0 })
        #expect(try told.metrics("pexip_fw_row_packets") == [])
        #expect(
            try told.value("pexip_fw_configuration_diagnostics", ["severity": "error"]) == 1)
    }

    @Test func whatComesOfAppliesIsCounted() async throws {
        let bench = try await Bench.holding(1, 2, 3)
        bench.clock.advance(by: .seconds(9))
        await bench.reconciler.configurationChanged(configuration(3), origin: .directory)
        let success = Double(bench.clock.now.seconds)
        bench.clock.advance(by: .seconds(9))
        await bench.reconciler.configurationChanged(wrongConfiguration, origin: .directory)
        await bench.kernel.failCommits(.refuse)
        await bench.reconciler.configurationChanged(configuration(4), origin: .directory)
        _ = try await bench.reconciler.inspector.plan(configuration(5))
        let told = await Told(bench)
        for (outcome, count) in [
            ("applied", 3.0), ("unchanged", 1), ("rejected", 1), ("failed", 1), ("refused", 0),
        ] {
            #expect(try told.value("pexip_fw_applies", ["outcome": outcome]) == count, "\(outcome)")
        }
        #expect(try told.histogram("pexip_fw_apply_duration_seconds").count == 3)
        #expect(try told.value("pexip_fw_last_apply_success_timestamp_seconds") == success)
    }

    @Test func whatIsTakenBackIsCountedByItsReason() async throws {
        let bench = try await Bench.holding(1, 2)
        _ = await bench.reconciler.rolledBack(to: nil)
        _ = await bench.reconciler.applied(
            configuration(3), Reconciler.ApplyRequest(confirm: .seconds(60)))
        let deadline = try await Told(bench).value(
            "pexip_fw_confirmation_deadline_timestamp_seconds")
        #expect(deadline == Double(bench.clock.now.seconds + 60))
        bench.clock.advance(by: .seconds(60))
        await bench.reconciler.keepDeadlines()
        bench.prober.fail([443])
        let probing = compile(
            """
            nodes: {conf: {role: conferencing, address: 10.0.0.21}}
            guard: {probes: ["tcp://10.0.0.10:443"]}
            """)
        await bench.reconciler.configurationChanged(probing, origin: .directory)
        _ = await bench.reconciler.flushed()
        let told = await Told(bench)
        for reason in ["rollback", "unconfirmed", "probe", "flush"] {
            #expect(try told.value("pexip_fw_rollbacks", ["reason": reason]) == 1, "\(reason)")
        }
        #expect(try told.value("pexip_fw_state", ["state": "flushed"]) == 1)
    }

    @Test func durationsEndWhenTheKernelWasReadBack() async throws {
        let bench = try await Bench.holding(1)
        let clock = bench.clock
        await bench.kernel.onCommit { moment in
            if case .before = moment { clock.advance(by: .milliseconds(40)) }
        }
        let noticed = clock.sinceBoot
        clock.advance(by: .milliseconds(20))
        await bench.reconciler.configurationChanged(
            configuration(2), origin: .directory, noticed: noticed)
        var told = await Told(bench)
        let applies = try told.histogram("pexip_fw_apply_duration_seconds")
        #expect((applies.count, applies.sum) == (2, 0.06))
        #expect(applies.buckets.first { $0.count == 2 }?.upTo == 0.064)

        await bench.kernel.tamper { $0 = NfTables() }
        let heard = clock.sinceBoot
        clock.advance(by: .milliseconds(5))
        _ = await bench.reconciler.repair(after: DriftTests.writer, noticed: heard)
        told = await Told(bench)
        let repairs = try told.histogram("pexip_fw_repair_duration_seconds")
        #expect((repairs.count, repairs.sum) == (1, 0.045))
        // A look at what is in order takes no repair.
        _ = await bench.reconciler.repair(after: DriftTests.writer)
        #expect(
            await Told(bench).families.map(\.metrics).flatMap { $0 }.contains {
                $0.histogram == repairs
            })
    }

    @Test func repairsAreCountedByWhatCameOfThem() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.tamper { $0 = NfTables() }
        await bench.kernel.failCommits(.refuse)
        _ = await bench.reconciler.repair(after: DriftTests.writer)
        for _ in 0...RepairPace.burst {
            _ = await bench.reconciler.repair(after: DriftTests.writer)
            await bench.kernel.tamper { $0 = NfTables() }
        }
        let told = await Told(bench)
        #expect(try told.value("pexip_fw_repairs", ["outcome": "failed"]) == 1)
        #expect(
            try told.value("pexip_fw_repairs", ["outcome": "repaired"])
                == Double(RepairPace.burst - 1))
        #expect(try told.value("pexip_fw_repairs", ["outcome": "postponed"]) == 2)
    }

    @Test func driftIsTheProcessesWhoseNamesAreBounded() async throws {
        let bench = try await Bench.holding(1)
        func change(by name: String) async {
            await bench.kernel.tamper { $0 = NfTables() }
            bench.clock.advance(by: .seconds(60))
            _ = await bench.reconciler.repair(
                after: Reconciler.Writer(process: "/usr/bin/\(name) -p secret", name: name, pid: 7))
        }
        #expect(
            try await Told(bench).metrics("pexip_fw_drift").map(\.labels) == [["process": "other"]])
        for number in 1...40 { await change(by: "tool-\(number)") }
        await change(by: "tool-1")
        await bench.kernel.tamper { $0 = NfTables() }
        _ = await bench.reconciler.repair(after: nil)
        let told = await Told(bench)
        #expect(try told.metrics("pexip_fw_drift").count == CountsByName.names + 1)
        #expect(try told.value("pexip_fw_drift", ["process": "tool-1"]) == 2)
        #expect(try told.value("pexip_fw_drift", ["process": "tool-15"]) == 1)
        #expect(try told.value("pexip_fw_drift", ["process": "other"]) == 26)
        let total = try told.metrics("pexip_fw_drift").reduce(0) { $0 + ($1.value ?? 0) }
        #expect(total == Double(await bench.reconciler.inspector.status().drift.count))
    }

    @Test func countersAreToldByRowDirectionAndNode() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.tamper {
            $0.tables["pexip_fw_conf"]?.counters["conferencing.in.ssh"] =
                CounterValue(packets: 3, bytes: 180)
            $0.tables["pexip_fw_conf"]?.counters["drop.in.invalid"] =
                CounterValue(packets: 2, bytes: 80)
            $0.tables["pexip_fw_conf"]?.counters["drop.out"] = CounterValue(packets: 1, bytes: 44)
        }
        let told = await Told(bench)
        #expect(
            try told.metrics("pexip_fw_row_packets").filter { $0.value != 0 } == [
                Metric(
                    3, ["row": "conferencing.in.ssh", "direction": "inbound", "node": "conf"])
            ])
        #expect(try told.value("pexip_fw_row_bytes", ["row": "conferencing.in.ssh"]) == 180)
        #expect(try told.metrics("pexip_fw_row_packets").allSatisfy { $0.labels.count == 3 })
        #expect(
            try told.metrics("pexip_fw_refused_bytes") == [
                Metric(0, ["direction": "inbound", "reason": "unmatched", "node": "conf"]),
                Metric(80, ["direction": "inbound", "reason": "invalid", "node": "conf"]),
                Metric(0, ["direction": "inbound", "reason": "unanswered", "node": "conf"]),
                Metric(44, ["direction": "outbound", "reason": "unmatched", "node": "conf"]),
            ])
        #expect(try told.value("pexip_fw_node_refused_packets", ["node": "conf"]) == 3)
        #expect(try told.metrics("pexip_fw_translated_packets") == [])
    }

    @Test func aGatewaysRefusalsAreToldByClassAndByNode() async throws {
        let bench = try Bench()
        await bench.reconciler.start(
            compile(
                """
                placement: gateway
                nodes:
                  mgmt: {role: management, address: 10.0.0.10}
                  conf-1: {role: conferencing, address: 10.0.0.21}
                  conf-2: {role: conferencing, address: 10.0.0.22}
                rules:
                  - {name: turn, nodes: all, direction: outbound, protocol: udp}
                """))
        let told = await Told(bench)
        let classes = Set(
            try told.metrics("pexip_fw_node").compactMap { $0.labels["class"] })
        #expect(classes.count == 2)
        for name in classes {
            for direction in ["inbound", "outbound"] {
                let labels = ["class": name, "direction": direction, "reason": "unmatched"]
                #expect(try told.value("pexip_fw_refused_packets", labels) == 0)
            }
        }
        #expect(try told.metrics("pexip_fw_refused_packets").count == 4)
        #expect(try told.metrics("pexip_fw_node_refused_packets").count == 3)
        #expect(try told.value("pexip_fw_translated_packets") == 0)
        let rows = try told.metrics("pexip_fw_row_packets").map(\.labels)
        #expect(rows.contains(["row": "site.turn", "direction": "outbound"]))
        #expect(rows.allSatisfy { $0.count == 2 })
    }

    @Test func whatCannotBeReadIsMissingAndSaidSo() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.setTrackingUse(TrackingUse(entries: 7, limit: 65_536))
        var told = await Told(bench)
        #expect(try told.value("pexip_fw_conntrack_entries") == 7)
        #expect(try told.value("pexip_fw_conntrack_entries_limit") == 65_536)
        #expect(try told.value("pexip_fw_read_success", ["source": "conntrack"]) == 1)
        await bench.kernel.setTrackingUse(nil)
        await bench.kernel.failObservations(times: 1)
        told = await Told(bench)
        #expect(try told.value("pexip_fw_conntrack_entries") == nil)
        #expect(try told.value("pexip_fw_read_success", ["source": "conntrack"]) == 0)
        #expect(try told.value("pexip_fw_read_success", ["source": "tables"]) == 0)
        #expect(try told.value("pexip_fw_state", ["state": "degraded"]) == 1)
        for name in ["row", "refused", "node_refused"] {
            #expect(try told.metrics("pexip_fw_\(name)_packets") == [], "\(name)")
        }
    }

    @Test func aFileThatCannotBeWrittenIsAWarningAndNoState() async throws {
        let bench = try await Bench.holding(1)
        await bench.reconciler.noteMetricsFile(problem: "metrics can't be written")
        var status = await bench.reconciler.inspector.status()
        #expect((status.state, status.warnings) == (.inSync, ["metrics can't be written"]))
        await bench.reconciler.noteMetricsFile(problem: nil)
        status = await bench.reconciler.inspector.status()
        #expect(status.warnings == [])
    }
}
