import Configuration
import PortModel
import Ruleset
import Site
import Testing

@testable import Auditing
@testable import Enforcement
@testable import Reports

/// What reports are made of in tests.
enum Subjects {
    static let start = Timestamp(seconds: 1_800_000_000)

    static let office = """
        features: {ssh: true, snmp: true}
        peers:
          ssh_clients: [10.1.0.0/16]
          dns_servers: [10.0.0.2]
        nodes:
          mgmt: {role: management, address: 10.0.0.10}
          conf-lon-1:
            role: conferencing
            address: [10.0.0.21, "2001:db8::21"]
            secondary_address: 198.51.100.21
          conf-lon-2: {role: conferencing, address: 10.0.0.22}
        host: {ping: true}
        ports: {media: 42000-42999, syslog: 6514}
        rules:
          - name: node-exporter
            nodes: [conf-lon-1]
            direction: inbound
            protocol: tcp
            destination_ports: 9100
            peers: [10.1.0.0/16]
        """

    static func gateway(_ count: Int) -> String {
        let nodes = (0..<count - 1).map { index in
            let secondary =
                index.isMultiple(of: 5)
                ? ", secondary_address: 198.18.\(index / 250).\(index % 250 + 1)" : ""
            let features = index.isMultiple(of: 50) ? ", features: {sip_udp: true}" : ""
            return
                "  conf-\(index): {role: conferencing, address: 10.2.\(index / 250).\(index % 250 + 1)\(secondary)\(features)}"
        }
        return """
            placement: gateway
            features: {ssh: true}
            peers: {ssh_clients: [10.1.0.0/16]}
            nodes:
              mgmt: {role: management, address: 10.0.0.10}
            \(nodes.joined(separator: "\n"))
            """
    }

    /// A host that is the node with this name, or a gateway, whose agent is silent.
    static func subject(_ configuration: String, node: String? = nil) throws -> AuditSubject {
        let loaded = LoadedConfiguration(parsing: [
            ConfigurationSource(path: "/etc/pexip-fw.d/site.yaml", text: configuration)
        ])
        let deployment = try #require(loaded.deployment, "\(loaded.diagnostics)")
        return try subject(deployment, loaded, node: node)
    }

    static func subject(
        _ deployment: Deployment, _ loaded: LoadedConfiguration, node: String? = nil
    ) throws -> AuditSubject {
        var addresses: Set<IPAddress> = []
        if let node { addresses = Set(deployment.node(named: node)?.addresses ?? []) }
        let compilation = Compilation(loaded, hostAddresses: addresses)
        let enforced = compilation.target?.nodes.compactMap { deployment.node(named: $0.name) }
        return AuditSubject(
            host: "fw-1", kernel: "6.12.0", time: Timestamp(seconds: start.seconds + 7_500),
            version: "1.2.3", origin: .directory("/etc/pexip-fw.d"),
            files: loaded.sources.map {
                AuditSubject.File(
                    path: $0.path, digest: SHA256Digest(of: [$0.bytes]).hexadecimal)
            }, configurationDigest: compilation.configurationDigest,
            diagnostics: loaded.diagnostics, deployment: deployment,
            coverage: enforced.map(AuditSubject.Coverage.enforcedHere)
                ?? .everything(because: "no node has an address of this host"),
            tables: compilation.target?.ruleset.tables ?? [],
            tableDigests: compilation.target?.ruleset.digests ?? [:],
            agent: .silent(AuditSubject.AgentSilence("the agent is not running")))
    }

    /// With an agent that put exactly this in force, and counted.
    static func answered(
        _ subject: AuditSubject, _ change: (inout StatusReport) -> Void = { _ in }
    ) -> AuditSubject {
        let isGateway = subject.deployment.placement == .gateway
        let rows = subject.deployment.profile.rows.map(\.id)
        var counters = Dictionary(
            uniqueKeysWithValues: rows.enumerated().map { index, id in
                (id, StatusReport.CounterReport(packets: UInt64(index), bytes: 100))
            })
        counters["drop.in"] = .init(packets: 1_234, bytes: 98_765)
        counters["site.node-exporter"] = .init(packets: 4, bytes: 240)
        var status = StatusReport(
            state: .inSync, generation: 4, confirmedGeneration: 4, generationCreated: start,
            generationOrigin: .directory, changedFiles: ["/etc/pexip-fw.d/20-metrics.yaml"],
            mode: subject.deployment.mode,
            nodes: subject.nodes.enumerated().map { index, node in
                StatusReport.NodeStatus(
                    node: EnforcedNode(
                        name: node.name, role: node.role, addresses: node.allAddresses,
                        table: subject.tables.first?.name ?? "",
                        policyClass: isGateway ? "class" : nil, rows: 20),
                    dropped: .init(packets: UInt64(index % 3) * 7, bytes: 500))
            }, counters: counters, countersSince: start, warnings: [], shadows: [],
            diagnostics: subject.diagnostics, drift: .init(count: 0, last: nil),
            agent: .init(version: "1.2.3", pid: 7, started: start))
        change(&status)
        let generation = status.generation ?? 0
        var result = subject
        result.agent = .answered(
            status,
            tables: .success(
                RulesReport(
                    subject.tables.map {
                        $0.stamped(
                            Stamp(
                                generation: generation,
                                digest: SHA256Digest(of: $0.text).hexadecimal))
                    }
                ).tables), plan: nil)
        return result
    }

    /// Names that a validated configuration can't have, and another program's may.
    static let nasty =
        "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;]]>|`*_[a](javascript:1)\u{202e}\u{7}"

    /// With what others wrote in every place where it can stand.
    static func nastySubject() throws -> AuditSubject {
        var deployment = try #require(
            LoadedConfiguration(parsing: [ConfigurationSource(path: "x", text: office)]).deployment
        )
        deployment.nodes = deployment.nodes.map { node in
            var node = node
            node.name += nasty
            return node
        }
        deployment.rules = deployment.rules.map { rule in
            var rule = rule
            rule.name = nasty
            rule.nodes = Set(rule.nodes.map { $0 + nasty })
            return rule
        }
        var subject = AuditSubject(
            host: nasty, kernel: nasty, time: start, version: nasty, origin: .directory(nasty),
            files: [AuditSubject.File(path: nasty, digest: nasty)], configurationDigest: nasty,
            diagnostics: [Diagnostic(.warning, at: nil, nasty)], deployment: deployment,
            coverage: .everything(because: nasty), tables: [], tableDigests: [:],
            agent: .silent(AuditSubject.AgentSilence(nasty)))
        subject = answered(subject) { status in
            status.problem = nasty
            status.warnings = [nasty]
            status.changedFiles = [nasty]
            status.counters[nasty] = .init()
            status.counters["drop.\(nasty)"] = .init(packets: 1, bytes: 1)
            status.shadows = [
                Shadow(
                    family: .ip, table: nasty, chain: nasty, hook: .input, priority: 0,
                    policy: .drop, why: [.policyDrop], within: [nasty])
            ]
            status.drift = .init(
                count: 2,
                last: .init(time: start, process: nasty, pid: 1, differences: [nasty]))
        }
        return subject
    }
}
