import Doctor
import Foundation
import PortModel
import TestSupport
import Testing

/// `pexip-fwctl doctor` on real kernels' settings: what it finds, and that what it says mends it.
@Suite("Doctor")
struct DoctorTests {
    private static let dualHomed = """
        nodes:
          conf-1: {role: conferencing, address: 10.0.0.21, secondary_address: 198.51.100.21}
          conf-2: {role: conferencing, address: 10.0.0.22}
        """

    private static let gateway = """
        placement: gateway
        nodes:
          conf-1: {role: conferencing, address: [10.0.0.21, "2001:db8::21"]}
          conf-2: {role: conferencing, address: [10.0.1.22, "2001:db8:1::22"]}
        """

    /// The two legs of a node on a namespace of its own, to which nothing is connected.
    private static let legs = [
        "link add eth0 type veth peer name far0", "link add eth1 type veth peer name far1",
        "link set eth0 up", "link set far0 up", "link set eth1 up", "link set far1 up",
        "address add 10.0.0.21/24 dev eth0", "address add 198.51.100.21/24 dev eth1",
        "route add default via 198.51.100.1",
    ]

    private static func doctor(
        _ agent: AgentFixture, _ arguments: String...
    ) throws -> (report: DoctorReport, status: TestSupport.ExitStatus) {
        let result = try agent.namespace.run(
            [
                try BuiltProducts.path(of: "pexip-fwctl"), "--socket", agent.socket, "doctor",
                "--json", "--config-dir", agent.configurationDirectory.path,
            ] + arguments)
        do {
            let report = try JSONDecoder().decode(
                DoctorReport.self, from: Data(result.standardOutput.utf8))
            return (report, result.status)
        } catch {
            throw TestSupportError("\(result): \(error)")
        }
    }

    private static func host(
        _ configuration: String, _ interfaces: [String], _ body: (AgentFixture) throws -> Void
    ) throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try namespace.configure(interfaces)
            try body(AgentFixture(in: namespace, configuration: configuration))
        }
    }

    /// Runs each finding's command as it stands; a word in capitals is filled in.
    private static func mend(
        _ findings: [Finding], in namespace: NetworkNamespace, router: String = ""
    ) throws {
        for finding in findings {
            let mend = try #require(finding.mend, "\(finding)")
            let command = mend.command.replacing("ROUTER", with: router)
            try namespace.run(["sh", "-e", "-c", command]).requireSuccess()
        }
    }

    private static func checks(_ report: DoctorReport) -> Set<String> {
        Set(
            report.findings.filter { [.problem, .hint].contains($0.severity) }
                .map(\.check.rawValue))
    }

    @Test("a node's settings are found wrong, and right once its commands were run")
    func localPlacement() throws {
        try Self.host(Self.dualHomed, Self.legs) { agent in
            try agent.namespace.setKernelParameters([
                "net/ipv4/conf/all/rp_filter": 1, "net/ipv4/conf/eth0/rp_filter": 0,
                "net/ipv4/conf/eth1/rp_filter": 1,
            ])
            let (ill, status) = try Self.doctor(agent)
            #expect(status == .exited(1))
            #expect(Self.checks(ill) == ["outbound-ports", "reverse-path"])
            #expect(ill.problems == 3, "\(ill.findings)")
            try Self.mend(ill.findings.filter { $0.severity == .problem }, in: agent.namespace)
            let (well, statusNow) = try Self.doctor(agent)
            #expect(statusNow == .exited(0))
            #expect(Self.checks(well) == [], "\(well.findings)")
            let (all, _) = try Self.doctor(agent, "--verbose")
            #expect(
                Set(all.findings.filter { $0.severity == .ok }.map(\.check)).isSuperset(of: [
                    .outboundPorts, .connectionTracking, .trackingHelpers, .reversePath, .routes,
                    .otherFirewalls,
                ]), "\(all.findings)")
        }
    }

    @Test("a strict filter drops what doctor says it drops, and its command lets it in")
    func strictFilter() throws {
        try requireRoot()
        let node = try NetworkNamespace()
        let outside = try NetworkNamespace()
        try node.configure([
            "link add eth0 type veth peer name eth0 netns \(outside.name)",
            "link add eth1 type veth peer name eth1 netns \(outside.name)",
            "link set eth0 up", "link set eth1 up",
            "address add 10.0.0.21/24 dev eth0", "address add 198.51.100.21/24 dev eth1",
            "route add default via 198.51.100.1",
        ])
        try outside.configure([
            "link set eth0 up", "link set eth1 up", "address add 10.0.0.1/24 dev eth0",
            "address add 198.51.100.1/24 dev eth1", "address add 192.0.2.7/32 dev lo",
        ])
        try node.setKernelParameters([
            "net/ipv4/conf/all/rp_filter": 0, "net/ipv4/conf/eth0/rp_filter": 1,
            "net/ipv4/conf/eth1/rp_filter": 0,
        ])
        // The outside sends by one interface and gets the answer by the other.
        try outside.setKernelParameters([
            "net/ipv4/conf/all/rp_filter": 0, "net/ipv4/conf/eth0/rp_filter": 0,
            "net/ipv4/conf/eth1/rp_filter": 0,
        ])
        let target = ProbeEndpoint(try #require(IPAddress("10.0.0.21")), port: 22)
        let client = try #require(IPAddress("192.0.2.7"))
        let server = try PacketProbe(in: node)
        let prober = try PacketProbe(in: outside)
        try server.listen(at: [target])
        var port: UInt16 = 20_000
        /// From an address that the node would answer by eth1, in by eth0.
        func reaches() throws -> Bool {
            port += 1
            return try prober.connect(
                from: ProbeEndpoint(client, port: port), to: target, timeout: .milliseconds(500))
                == .established
        }
        let agent = try AgentFixture(in: node, configuration: Self.dualHomed)
        #expect(try !reaches())
        let ill = try Self.doctor(agent).report.findings.filter { $0.check == .reversePath }
        #expect(ill.count == 1 && ill[0].what.contains("eth0"), "\(ill)")
        try Self.mend(ill, in: node)
        #expect(try waitUntil { try reaches() })
        try node.close()
        try outside.close()
    }

    @Test("lost and stray routes to other nodes are found, and mended")
    func routes() throws {
        let configuration = Self.dualHomed.replacing("10.0.0.22", with: "10.0.7.22")
        try Self.host(configuration, Self.legs) { agent in
            try agent.namespace.run([
                "sysctl", "-w", "net.ipv4.ip_local_port_range=55000 65535",
            ]).requireSuccess()
            let (astray, status) = try Self.doctor(agent)
            #expect(status == .exited(0))
            #expect(Self.checks(astray) == ["routes"], "\(astray.findings)")
            try agent.namespace.configure(["route delete default"])
            let (lost, lostStatus) = try Self.doctor(agent)
            #expect(lostStatus == .exited(1))
            let finding = try #require(lost.findings.first { $0.check == .routes })
            #expect(finding.what == "this host has no route to conf-2 (10.0.7.22)")
            try Self.mend([finding], in: agent.namespace, router: "198.51.100.1")
            let hint = try #require(
                try Self.doctor(agent).report.findings.first { $0.check == .routes })
            #expect(hint.severity == .hint)
            try Self.mend([hint], in: agent.namespace, router: "10.0.0.1")
            #expect(Self.checks(try Self.doctor(agent).report) == [])
        }
    }

    @Test("a gateway's settings are found wrong, and right once its commands were run")
    func gatewayPlacement() throws {
        let interfaces = [
            "link add eth0 type veth peer name far0", "link set eth0 up", "link set far0 up",
            "link add br0 type bridge", "link set br0 up", "link add eth1 type veth peer name far1",
            "link set eth1 master br0", "link set eth1 up", "link set far1 up",
            "address add 10.0.0.1/24 dev eth0", "address add 2001:db8::1/64 dev eth0 nodad",
            "address add 10.0.1.1/24 dev br0", "address add 2001:db8:1::1/64 dev br0 nodad",
        ]
        try Self.host(Self.gateway, interfaces) { agent in
            try agent.namespace.setKernelParameters([
                "net/ipv4/ip_forward": 0, "net/ipv6/conf/all/forwarding": 0,
                "net/bridge/bridge-nf-call-iptables": 0, "net/bridge/bridge-nf-call-ip6tables": 0,
            ])
            let ill = try Self.doctor(agent).report
            #expect(ill.problems == 2 && ill.hints == 2, "\(ill.findings)")
            #expect(Self.checks(ill) == ["forwarding", "bridges"])
            try Self.mend(
                ill.findings.filter { $0.severity != .unknown }, in: agent.namespace)
            #expect(Self.checks(try Self.doctor(agent).report) == [])
            try agent.namespace.setKernelParameters([
                "net/ipv4/conf/eth0/forwarding": 0, "net/ipv6/conf/br0/forwarding": 0,
            ])
            let parts = try Self.doctor(agent).report
            #expect(parts.problems == 2, "\(parts.findings)")
            try Self.mend(
                parts.findings.filter { $0.severity == .problem }, in: agent.namespace)
            #expect(Self.checks(try Self.doctor(agent).report) == [])
        }
    }

    @Test("rules that assign helpers of SIP and H.323 are found and deleted, and no others")
    func helpers() throws {
        try Self.host(Self.dualHomed, Self.legs) { agent in
            let namespace = agent.namespace
            try Nft.run(
                in: namespace,
                """
                table inet foreign {
                    ct helper calls { type "sip" protocol udp; }
                    ct helper files { type "ftp" protocol tcp; }
                    chain named {
                        type filter hook prerouting priority 0;
                        udp dport 5060 ct helper set "calls"
                        tcp dport 21 ct helper set "files"
                        tcp dport 22 counter
                    }
                }
                table ip maps {
                    ct helper a { type "RAS" protocol udp; }
                    ct helper b { type "tftp" protocol udp; }
                    counter c { }
                    chain mapped {
                        type filter hook prerouting priority 0;
                        ct helper set udp dport map { 1719 : "a", 69 : "b" }
                        counter name udp dport map { 53 : "c" }
                    }
                }
                """)
            try namespace.run([
                "iptables-nft", "-t", "raw", "-A", "PREROUTING", "-p", "udp", "--dport", "5060",
                "-j", "CT", "--helper", "sip",
            ]).requireSuccess()
            try namespace.run([
                "iptables-nft", "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--dport", "9",
                "-j", "CT", "--notrack",
            ]).requireSuccess()
            let ill = try Self.doctor(agent).report.findings.filter {
                $0.check == .trackingHelpers
            }
            #expect(ill.map(\.severity) == [.problem, .problem, .problem], "\(ill)")
            let named = ill.map(\.what).joined()
            for word in ["inet foreign named", "ip maps mapped", "ip raw PREROUTING", "RAS"] {
                #expect(named.contains(word), "\(word) in \(named)")
            }
            try Self.mend(ill, in: namespace)
            #expect(
                try Self.doctor(agent).report.findings.allSatisfy { $0.check != .trackingHelpers })
            let left = try Nft.ruleset(in: namespace)
            for word in ["\"files\"", "tcp dport 22", "counter name", "tcp dport 9"] {
                #expect(left.contains(word), "\(word) in \(left)")
            }
        }
    }

    @Test("without privileges it looks at all but rules, and says so")
    func unprivileged() throws {
        try Self.host(Self.dualHomed, Self.legs) { agent in
            // Its own directory may be closed to others, such as below root's home.
            let program = agent.directory.appending(path: "pexip-fwctl")
            try FileManager.default.copyItem(
                atPath: try BuiltProducts.path(of: "pexip-fwctl"), toPath: program.path)
            let result = try agent.namespace.run([
                "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program.path,
                "doctor", "--config-dir", agent.configurationDirectory.path,
            ])
            #expect(result.status == .exited(1), "\(result)")
            #expect(result.standardOutput.contains("net.ipv4.ip_local_port_range=55000 65535"))
            #expect(result.standardOutput.contains("rules that assign a helper: only root may"))
            #expect(result.standardOutput.contains("other firewalls: only root may list rules"))
            #expect(result.standardOutput.contains("things could not be looked at"))
            #expect(!result.standardOutput.contains("\nok "))
        }
    }

    @Test("other firewalls are found with and without an agent")
    func otherFirewalls() throws {
        try Self.host(Self.dualHomed, Self.legs) { agent in
            try Nft.run(
                in: agent.namespace,
                "table inet strict { chain c { type filter hook input priority 5; policy drop; }; }"
            )
            let found = try Self.doctor(agent).report.findings.filter {
                $0.check == .otherFirewalls
            }
            #expect(found.map(\.severity) == [.problem])
            #expect(found.first?.what.hasPrefix("table inet strict, chain c") == true)
        }
    }

    @Test("the agent tries whether the kernel takes the rules, and tells those who may not look")
    func agent() throws {
        try Self.host(Self.dualHomed, Self.legs) { agent in
            let program = agent.directory.appending(path: "pexip-fwctl")
            try FileManager.default.copyItem(
                atPath: try BuiltProducts.path(of: "pexip-fwctl"), toPath: program.path)
            /// With the agent's directory in its usual place, in a namespace of mounts of its own.
            func doctor(_ prefix: String = "") throws -> String {
                try agent.namespace.run([
                    "sh", "-e", "-c",
                    """
                    mount -t tmpfs none /etc
                    mkdir /etc/pexip-fw.d
                    mount --bind "$1" /etc/pexip-fw.d
                    exec \(prefix) "$2" doctor --verbose --socket "$3"
                    """, "sh", agent.configurationDirectory.path, program.path, agent.socket,
                ]).standardOutput
            }
            #expect(try doctor().contains("whether the kernel takes the rules: the agent is not"))
            try agent.start()
            #expect(try doctor().contains("ok          the kernel takes the rules"))
            let nobody = try doctor("setpriv --reuid=65534 --regid=65534 --clear-groups")
            #expect(
                nobody.contains("whether the kernel takes the rules: not permitted"), "\(nobody)")
            try agent.stop()
        }
    }

    @Test("a wrong configuration is told like check tells it")
    func wrongConfiguration() throws {
        try Self.host("nodes: {a: {role: gatekeeper}}", []) { agent in
            let result = try agent.control(
                "doctor", "--config-dir", agent.configurationDirectory.path)
            #expect(result.status == .exited(1))
            #expect(result.standardError.contains("10-site.yaml:1:"))
            #expect(result.standardOutput == "")
        }
    }
}
