import Enforcement
import Foundation
import PortModel
import Reports
import TestSupport
import Testing
import Reports

/// What monitoring gets of a real agent, by the programs that read it: Debian's promtool,
/// node_exporter and Prometheus, and the OpenMetrics parser of Prometheus' Python client.
@Suite("Monitoring")
struct MonitoringTests {
    private static func address(_ text: String) -> IPAddress {
        guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
        return address
    }

    private static let node = address("10.0.0.21")
    private static let client = address("192.0.2.7")
    private static let base = """
        features: {ssh: false}
        host: {ping: true}
        nodes:
          conf-1: {role: conferencing, address: 10.0.0.21}
          conf-2: {role: conferencing, address: 10.0.0.22}
        """
    private static let packaging = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../packaging/monitoring").standardized.path

    private struct Scene {
        let topology: Topology
        let agent: AgentFixture
        let inside: PacketProbe
        let outside: PacketProbe

        var node: NetworkNamespace { topology.node }

        /// Which of the packets to these destinations arrive, by their place.
        func arrivals(
            _ content: ProbePacket.Content, from port: UInt16 = 50_000, to destinations: [UInt16]
        ) throws -> [Bool] {
            let packets = destinations.enumerated().map { index, destination in
                ProbePacket(
                    id: UInt32(index), content,
                    from: ProbeEndpoint(MonitoringTests.client, port: port + UInt16(index)),
                    to: ProbeEndpoint(MonitoringTests.node, port: destination))
            }
            let arrived = try PacketProbe.exchange(
                packets, from: outside, to: inside,
                sentinel: ProbePacket(
                    id: 1_000_000, .echoRequest, from: ProbeEndpoint(MonitoringTests.client),
                    to: ProbeEndpoint(MonitoringTests.node)))
            return destinations.indices.map { arrived.contains(UInt32($0)) }
        }

        func metrics(_ format: String = "prometheus") throws -> String {
            try agent.control("metrics", "--format", format).requireSuccess().standardOutput
        }
    }

    private static func scene(
        arguments: (AgentFixture) throws -> [String] = { _ in [] },
        _ body: (Scene) throws -> Void
    ) throws {
        try requireRoot()
        let topology = try Topology.nodeAndPeers(nodeAddresses: [node], peerAddresses: [client])
        try topology.use { topology in
            let agent = try AgentFixture(in: topology.node, configuration: base)
            agent.arguments = try arguments(agent)
            do {
                try agent.start()
                try body(
                    Scene(
                        topology: topology, agent: agent,
                        inside: PacketProbe(in: topology.node),
                        outside: PacketProbe(in: topology.outside)))
                try agent.stop()
            } catch {
                throw TestSupportError("\(error)\nThe agent logged:\n\(agent.log)")
            }
        }
    }

    /// The lines of a text with their values, comments left out.
    private static func samples(_ text: String) -> [String: Double] {
        var samples: [String: Double] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " ") else { continue }
            samples[String(line[..<space])] = Double(line[line.index(after: space)...])
        }
        return samples
    }

    private static func monitoring(
        _ arguments: String...
    ) throws -> (queries: [Query], names: [String]) {
        struct Found: Decodable {
            var queries: [Query]
            var names: [String]
        }
        let script = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "monitoring.py").path
        let result = try ChildProcess.run(["python3", script, packaging]).requireSuccess()
        let found = try JSONDecoder().decode(Found.self, from: Data(result.standardOutput.utf8))
        return (found.queries, found.names)
    }

    private struct Query: Decodable {
        var `where`: String
        var expr: String
    }

    // MARK: What is told

    @Test("packets, refusals, repairs and applies as they happened, exactly")
    func counts() throws {
        try Self.scene { scene in
            let before = Self.samples(try scene.metrics())
            #expect(try scene.arrivals(.tcp, to: [443, 443, 443]) == [true, true, true])
            #expect(try scene.arrivals(.udp, to: [40_000, 40_000]) == [true, true])
            #expect(try scene.arrivals(.tcp, to: [22, 8443, 22, 22]).allSatisfy { !$0 })
            try Nft.run(in: scene.node, "flush chain inet pexip_fw_conf_1 input_tcp")
            try scene.agent.waitForStatus("a repair") { $0.drift.count == 1 && $0.state == .inSync }
            try scene.agent.write("features: {ssh: true}", as: "50-ssh.yaml")
            try scene.agent.waitForStatus("generation 2") { $0.generation == 2 }
            try scene.agent.write("nonsense: true", as: "60-wrong.yaml")
            try scene.agent.waitForStatus("rejected") { $0.state == .rejected }
            #expect(try scene.agent.control("rollback").succeeded)

            let after = Self.samples(try scene.metrics())
            let row = #"direction="inbound",node="conf-1",row="conferencing.in."#
            let refused = #"pexip_fw_refused_packets_total{direction="inbound",node="conf-1""#
            let expected: [String: Double] = [
                #"pexip_fw_row_packets_total{\#(row)https"}"#: 3,
                #"pexip_fw_row_packets_total{\#(row)media"}"#: 2,
                #"pexip_fw_row_packets_total{\#(row)sip"}"#: 0,
                #"pexip_fw_row_bytes_total{\#(row)media"}"#: 64,
                #"\#(refused),reason="unmatched"}"#: 4,
                #"\#(refused),reason="invalid"}"#: 0,
                #"\#(refused),reason="unanswered"}"#: 0,
                #"pexip_fw_node_refused_packets_total{node="conf-1"}"#: 4,
                #"pexip_fw_drift_total{process="nft"}"#: 1,
                #"pexip_fw_drift_total{process="other"}"#: 0,
                #"pexip_fw_repairs_total{outcome="repaired"}"#: 1,
                "pexip_fw_repair_duration_seconds_count": 1,
                #"pexip_fw_applies_total{outcome="applied"}"#: 2,
                "pexip_fw_apply_duration_seconds_count": 2,
                #"pexip_fw_rollbacks_total{reason="rollback"}"#: 1,
                #"pexip_fw_state{state="rejected"}"#: 1,
                #"pexip_fw_state{state="in-sync"}"#: 0,
                #"pexip_fw_configuration_diagnostics{severity="error"}"#: 1,
                "pexip_fw_generation": 1,
                "pexip_fw_worker_ends_total": 0,
            ]
            for (name, value) in expected { #expect(after[name] == value, "\(name)") }
            let rejections = #"pexip_fw_applies_total{outcome="rejected"}"#
            #expect((after[rejections] ?? 0) >= 1)
            // A repair and an apply take some milliseconds, and less than ten seconds.
            for what in ["repair", "apply"] {
                let sum = after["pexip_fw_\(what)_duration_seconds_sum"] ?? 0
                #expect(sum > 0.0001 && sum < 20, "\(what): \(sum)")
            }
            let lists = try scene.node.run(["cat", "/proc/sys/net/netfilter/nf_conntrack_max"])
            #expect(
                after["pexip_fw_conntrack_entries_limit"]
                    == Double(lists.standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)))
            #expect((after["pexip_fw_conntrack_entries"] ?? 0) > 0)

            // What the agent counts begins anew with it, what the kernel counts does not.
            scene.agent.kill()
            try scene.agent.start()
            let again = Self.samples(try scene.metrics())
            #expect(again[#"pexip_fw_row_packets_total{\#(row)https"}"#] == 3)
            #expect(again[#"pexip_fw_repairs_total{outcome="repaired"}"#] == 0)
            let start = "pexip_fw_agent_start_time_seconds"
            #expect((again[start] ?? 0) >= (before[start] ?? .infinity))
        }
    }

    @Test("promtool and a strict OpenMetrics parser accept what is told, each its own format")
    func formats() throws {
        try Self.scene { scene in
            _ = try scene.arrivals(.tcp, to: [443, 22])
            // A name with all that a label must escape.
            let name = #"a"b\c"# + "\nd"
            let tool = scene.agent.directory.appending(path: name).path
            try FileManager.default.copyItem(
                atPath: try #require(ChildProcess.locate("nft")), toPath: tool)
            try scene.node.run([tool, "delete table inet pexip_fw_conf_1"]).requireSuccess()
            try scene.agent.waitForStatus("a repair") { $0.drift.count == 1 && $0.state == .inSync }

            let check = try scene.node.run(
                [try Prometheus.path(of: "promtool"), "check", "metrics"],
                input: try scene.metrics())
            #expect(check.status == .exited(0), "\(check)")
            #expect(check.standardError + check.standardOutput == "")

            let script = """
                import sys
                from prometheus_client.openmetrics.parser import text_string_to_metric_families
                for family in text_string_to_metric_families(sys.stdin.read()):
                    print(family.name, family.type, family.unit or "-")
                    for sample in family.samples:
                        if "process" in sample.labels: print(repr(sample.labels["process"]))
                """
            let parsed = try scene.node.run(
                ["/usr/bin/python3", "-c", script], input: try scene.metrics("openmetrics")
            ).requireSuccess().standardOutput
            #expect(parsed.contains("pexip_fw_build info -\n"))
            #expect(parsed.contains("pexip_fw_row_bytes counter bytes\n"))
            #expect(parsed.contains("pexip_fw_apply_duration_seconds histogram seconds\n"))
            #expect(parsed.contains(#"'a"b\\c\nd'"#), "\(parsed)")
            // Neither reads the other's: hence two.
            let wrong = try scene.node.run(
                [try Prometheus.path(of: "promtool"), "check", "metrics"],
                input: try scene.metrics("openmetrics"))
            #expect(wrong.status != .exited(0))
        }
    }

    // MARK: The file

    /// What node_exporter tells of the file, asked on loopback.
    private static func scrape(_ namespace: NetworkNamespace) throws -> [String: Double] {
        samples(
            try namespace.run(["curl", "-sS", "--max-time", "5", "http://127.0.0.1:9100/metrics"])
                .requireSuccess().standardOutput)
    }

    /// node_exporter as another user, with nothing but the textfile collector.
    private static func startExporter(
        _ directory: String, in namespace: NetworkNamespace
    ) throws -> ChildProcess {
        let exporter = try namespace.spawn([
            "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
            try Prometheus.path(of: "prometheus-node-exporter"), "--collector.disable-defaults",
            "--collector.textfile", "--collector.textfile.directory=\(directory)",
            "--web.listen-address=127.0.0.1:9100",
        ])
        let answers = try waitUntil(every: .milliseconds(50)) {
            try namespace.run(["curl", "-s", "http://127.0.0.1:9100/"]).succeeded
        }
        guard answers else {
            throw TestSupportError("node_exporter does not answer: \(exporter.standardError)")
        }
        return exporter
    }

    /// Directories that the agent and node_exporter have in common, as the package's drop-in makes
    /// them: one writes in its own, the other finds a link in its own.
    private static func makeDirectories(_ agent: AgentFixture) throws -> String {
        let file = agent.directory.appending(path: "cache/pexip-fw.prom").path
        let textfiles = agent.directory.appending(path: "textfiles")
        for directory in [agent.directory.appending(path: "cache"), textfiles] {
            try FileManager.default.createDirectory(
                at: directory, withIntermediateDirectories: true)
        }
        for path in ["", "cache", "textfiles"] {
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755],
                ofItemAtPath: agent.directory.appending(path: path).path)
        }
        try FileManager.default.createSymbolicLink(
            atPath: textfiles.appending(path: "pexip-fw.prom").path,
            withDestinationPath: file)
        return file
    }

    @Test("a file that node_exporter serves, fresh after each event and at the interval")
    func textfile() throws {
        var file = ""
        try Self.scene(arguments: { agent in
            file = try Self.makeDirectories(agent)
            return ["--metrics-file", file, "--metrics-interval", "1"]
        }) { scene in
            let textfiles = scene.agent.directory.appending(path: "textfiles").path
            let exporter = try Self.startExporter(textfiles, in: scene.node)
            let row = #"direction="inbound",node="conf-1",row="conferencing.in.https""#
            let https = "pexip_fw_row_packets_total{\(row)}"
            #expect(try Self.scrape(scene.node)[https] == 0)
            _ = try scene.arrivals(.tcp, to: [443, 443])
            #expect(
                try waitUntil { try Self.scrape(scene.node)[https] == 2 })
            let told = try Self.scrape(scene.node)
            #expect(told["node_textfile_scrape_error"] == 0)
            #expect(told[#"pexip_fw_build_info{version="\#(Version.current)"}"#] == 1)
            // It stays fresh though nothing happens, and nothing else is in its directory.
            let collected = "pexip_fw_collected_timestamp_seconds"
            #expect(
                try waitUntil {
                    (try Self.scrape(scene.node)[collected] ?? 0) > (told[collected] ?? .infinity)
                })
            let attributes = try FileManager.default.attributesOfItem(atPath: file)
            #expect(attributes[.posixPermissions] as? Int == 0o644)
            let text = try String(contentsOfFile: file, encoding: .utf8)
            #expect(text.hasPrefix("# TYPE ") && text.hasSuffix("\n"))
            let check = try scene.node.run(
                [try Prometheus.path(of: "promtool"), "check", "metrics"], input: text)
            #expect(check.status == .exited(0), "\(check)")
            // An agent that is killed leaves the file, whose age tells.
            scene.agent.kill()
            let last = try Self.scrape(scene.node)[collected] ?? 0
            try scene.agent.start()
            #expect(
                try waitUntil {
                    (try Self.scrape(scene.node)[collected] ?? 0) > last
                })
            exporter.kill()
        }
    }

    @Test("an event writes it at once; without the option nothing is written")
    func events() throws {
        var file = ""
        try Self.scene(arguments: { agent in
            file = try Self.makeDirectories(agent)
            return ["--metrics-file", file, "--metrics-interval", "3600"]
        }) { scene in
            func state() throws -> String? {
                // Not there yet.
                guard FileManager.default.fileExists(atPath: file) else { return nil }
                return Self.samples(try String(contentsOfFile: file, encoding: .utf8))
                    .first { $0.key.hasPrefix("pexip_fw_state") && $0.value == 1 }?.key
            }
            try scene.agent.write("nonsense: true", as: "60-wrong.yaml")
            #expect(
                try waitUntil {
                    try state() == #"pexip_fw_state{state="rejected"}"#
                })
            try scene.agent.remove("60-wrong.yaml")
            #expect(
                try waitUntil {
                    try state() == #"pexip_fw_state{state="in-sync"}"#
                })
        }
        try Self.scene { scene in
            let names = try FileManager.default.subpathsOfDirectory(
                atPath: scene.agent.directory.path)
            #expect(!names.contains { $0.hasSuffix(".prom") })
        }
    }

    @Test("where it can't be written, that is said once, and nothing else is worse for it")
    func unwritable() throws {
        var file = ""
        try Self.scene(arguments: { agent in
            file = agent.directory.appending(path: "missing/pexip-fw.prom").path
            return ["--metrics-file", file, "--metrics-interval", "1"]
        }) { scene in
            try scene.agent.waitForStatus("a warning") {
                $0.state == .inSync
                    && $0.warnings.contains { $0.hasPrefix("metrics can't be written to \(file)") }
            }
            try Nft.run(in: scene.node, "delete table inet pexip_fw_conf_1")
            try scene.agent.waitForStatus("a repair") { $0.drift.count == 1 && $0.state == .inSync }
            Thread.sleep(forTimeInterval: 2.5)
            func said(_ words: String) -> Int {
                scene.agent.log.split(separator: "\n").count { $0.contains(words) }
            }
            #expect(said("metrics can't be written") == 1, "\(scene.agent.log)")
            try FileManager.default.createDirectory(
                atPath: scene.agent.directory.appending(path: "missing").path,
                withIntermediateDirectories: false)
            try scene.agent.waitForStatus("no warning") { $0.warnings.isEmpty }
            #expect(said("metrics are written to \(file) again") == 1, "\(scene.agent.log)")
        }
    }

    // MARK: Dashboard and alerts

    @Test("alert rules are valid, and alert when they should and not otherwise")
    func alerts() throws {
        let promtool = try Prometheus.path(of: "promtool")
        for arguments in [
            ["check", "rules", "\(Self.packaging)/pexip-fw.rules.yml"],
            ["test", "rules", "\(Self.packaging)/pexip-fw.rules.test.yml"],
        ] {
            let result = try ChildProcess.run([promtool] + arguments)
            #expect(result.status == .exited(0), "\(result)")
        }
        // Each alert is tested to be silent where all is well.
        func alerts(_ name: String, _ pattern: Regex<(Substring, Substring)>) throws -> Set<String>
        {
            let text = try String(contentsOfFile: "\(Self.packaging)/\(name)", encoding: .utf8)
            return Set(text.matches(of: pattern).map { String($0.1) })
        }
        #expect(
            try alerts("pexip-fw.rules.yml", #/- alert: (\w+)/#)
                == alerts("pexip-fw.rules.test.yml", #/alertname: (\w+), exp_alerts: \[\]/#))
    }

    @Test("Prometheus answers each query of the dashboard from what the agent writes")
    func dashboard() throws {
        var file = ""
        try Self.scene(arguments: { agent in
            file = try Self.makeDirectories(agent)
            return ["--metrics-file", file, "--metrics-interval", "1"]
        }) { scene in
            let textfiles = scene.agent.directory.appending(path: "textfiles").path
            _ = try Self.startExporter(textfiles, in: scene.node)
            let (queries, names) = try Self.monitoring()
            #expect(queries.count > 30)
            let told = try scene.metrics()
            let families = Set(told.matches(of: #/# TYPE (\w+) /#).map { String($0.1) })
            for name in names {
                let family = name.replacing(#/_(bucket|sum|count)$/#, with: "")
                #expect(families.contains(name) || families.contains(family), "\(name)")
            }
            let prometheus = try Prometheus(
                in: scene.node, directory: scene.agent.directory,
                rules: "\(Self.packaging)/pexip-fw.rules.yml")
            let isWatched = try waitUntil(every: .milliseconds(200)) {
                try prometheus.results(of: "pexip_fw_build_info") == 1
            }
            try #require(isWatched)
            // Something of everything, while it is watched.
            _ = try scene.arrivals(.tcp, to: [443, 22])
            try Nft.run(in: scene.node, "delete table inet pexip_fw_conf_1")
            try scene.agent.waitForStatus("a repair") { $0.drift.count == 1 && $0.state == .inSync }
            try scene.agent.write("features: {ssh: true}\nguard: {confirm: 1h}", as: "50.yaml")
            try scene.agent.waitForStatus("pending") { $0.state == .pendingConfirmation }
            #expect(try scene.agent.control("rollback").succeeded)
            try scene.agent.write("features: {snmp: true}\nguard: {confirm: 2h}", as: "50.yaml")
            try scene.agent.waitForStatus("pending again") { $0.state == .pendingConfirmation }

            // Nothing is wrong; and only a gateway sees translated packets.
            let expected = ["State B", "Between nodes: IKE and ESP C"]
            var empty: [String] = []
            let hasAll = try waitUntil(every: .seconds(1)) {
                empty = try queries.filter { try prometheus.results(of: $0.expr) == 0 }
                    .map(\.where)
                return empty == expected
            }
            #expect(hasAll, "without a result: \(empty)")
            #expect(try prometheus.unhealthyRules() == [])
        }
    }
}
