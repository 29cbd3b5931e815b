import Enforcement
import PortModel
import Ruleset
import Site
import Testing

@testable import Doctor

@Suite struct ExaminationTests {
    @Test func reservedPortsAsTheKernelPrintsThem() {
        #expect(PortSet(reserved: "") == [])
        #expect(PortSet(reserved: "22,33000-49999") == [22...22, 33_000...49_999])
        for text in ["a", "2-1", "1-2-3", "65536", "22\u{301},23"] {
            #expect(PortSet(reserved: text[...]) == nil, "\(text)")
        }
    }

    @Test(arguments: [mesh, dualHomed, gateway])
    func aHealthyHostHasNothingButFineThings(_ text: String) throws {
        let findings = Examination.findings(.healthy, try site(text))
        #expect(findings.filter { $0.severity != .ok } == [])
        #expect(findings.contains { $0.check == .routes })
        #expect(findings.contains { $0.check == .forwarding } == (text == gateway))
        #expect(findings.contains { $0.check == .outboundPorts } == (text != gateway))
    }

    @Test func whatCanNotBeReadIsTold() throws {
        let local = Examination.findings(HostFacts(), try site(mesh))
        #expect(local.allSatisfy { $0.severity == .unknown })
        #expect(
            Set(local.map(\.check)) == [
                .outboundPorts, .connectionTracking, .trackingHelpers, .reversePath, .routes,
                .kernel, .otherFirewalls,
            ])
        let box = Examination.findings(HostFacts(), try site(gateway))
        #expect(box.allSatisfy { $0.severity == .unknown })
        #expect(box.contains { $0.check == .forwarding })
    }

    @Test func aReportCountsAllAndShowsFineThingsOnlyOnDemand() throws {
        var facts = HostFacts.healthy
        facts.localPorts = .known(32768...60999)
        facts.routes = .unknown("because")
        let findings = Examination.findings(facts, try site(mesh))
        let brief = DoctorReport(findings, isVerbose: false)
        #expect((brief.problems, brief.hints, brief.unknown) == (1, 0, 1))
        #expect(Set(brief.findings.map(\.severity)) == [.problem, .unknown])
        let full = DoctorReport(findings, isVerbose: true)
        #expect(full.problems == 1)
        #expect(full.findings == findings)
        #expect(findings.contains { $0.severity == .ok })
    }

    // MARK: Outbound ports

    @Test func portsThatNoRowPermitsAreAProblem() throws {
        var facts = HostFacts.healthy
        facts.localPorts = .known(32768...60999)
        let finding = try only(.outboundPorts, facts, mesh)
        #expect(finding.severity == .problem)
        #expect(finding.what.contains("32768-54999"))
        #expect(
            finding.mend
                == Mend(
                    "sysctl -w 'net.ipv4.ip_local_port_range=55000 65535'",
                    permanently:
                        "printf '%s\\n' 'net.ipv4.ip_local_port_range = 55000 65535' >>/etc/sysctl.d/90-pexip-fw.conf"
                ))
        #expect(
            finding.rows == [
                "conferencing.out.dns", "conferencing.out.psom", "conferencing.out.https-lync",
                "conferencing.out.ntp",
            ])
        let more = try only(.outboundPorts, facts, mesh + "features: {syslog: true}\n")
        #expect(more.rows.contains("conferencing.out.syslog"))
    }

    @Test func onlyWhatTheKernelMayChooseCounts() throws {
        var facts = HostFacts.healthy
        facts.localPorts = .known(54998...65535)
        facts.reservedPorts = .known([54998...54999])
        #expect(try found(.outboundPorts, facts, mesh) == [])
        facts.reservedPorts = .known([54998...54998])
        #expect(try only(.outboundPorts, facts, mesh).what.contains("ports 54999,"))
        #expect(
            try found(.outboundPorts, facts, mesh + "ports: {ephemeral: 54999-65535}\n") == [])
        // The ports of a gateway's own connections are not the nodes'.
        #expect(try found(.outboundPorts, facts, gateway) == [])
    }

    @Test func portsThatCallsNeedAreNamed() throws {
        var facts = HostFacts.healthy
        facts.localPorts = .known(49000...65535)
        #expect(try only(.outboundPorts, facts, mesh).why?.contains("49000-49999") == true)
        facts.localPorts = .known(50000...65535)
        #expect(try only(.outboundPorts, facts, mesh).why?.contains("call") == false)
    }

    // MARK: Connection tracking

    @Test func aTableThatFillsUpIsAProblem() throws {
        var facts = HostFacts.healthy
        facts.tracking = .known(ConnectionTracking(entries: 799, limit: 1000, buckets: 1000))
        #expect(try found(.connectionTracking, facts, mesh) == [])
        facts.tracking = .known(ConnectionTracking(entries: 800, limit: 1000, buckets: 1000))
        let finding = try only(.connectionTracking, facts, mesh)
        #expect(finding.severity == .problem)
        #expect(
            finding.mend?.command
                == "sysctl -w net.netfilter.nf_conntrack_buckets=65536 net.netfilter.nf_conntrack_max=65536"
        )
        // The parameters do not exist at boot before the module is there.
        #expect(
            finding.mend?.permanently?.hasPrefix("echo nf_conntrack >>/etc/modules-load.d/") == true
        )
    }

    @Test func aGatewayTracksTheMediaOfAllItsNodes() throws {
        var facts = HostFacts.healthy
        facts.tracking = .known(ConnectionTracking(entries: 0, limit: 19_999, buckets: 19_999))
        let finding = try only(.connectionTracking, facts, gateway)
        #expect(finding.severity == .hint)
        #expect(finding.what.contains("20000 media ports"))
        #expect(
            finding.rows == [
                "conferencing.in.media", "conferencing.out.media", "conferencing.out.stun-turn",
            ])
        facts.tracking = .known(ConnectionTracking(entries: 0, limit: 20_000, buckets: 20_000))
        #expect(try found(.connectionTracking, facts, gateway) == [])
        facts.tracking = .known(ConnectionTracking(entries: 0, limit: 19_999, buckets: 19_999))
        #expect(try found(.connectionTracking, facts, mesh) == [])
        #expect(
            try found(
                .connectionTracking, facts, gateway + "ports: {media: 40000-40099}\n") == [])
    }

    @Test func trackedMediaNeedsEntriesOnANodeToo() throws {
        var facts = HostFacts.healthy
        facts.tracking = .known(ConnectionTracking(entries: 0, limit: 9_999, buckets: 9_999))
        let tracking = mesh + "host: {track_media: true}\n"
        #expect(
            try only(.connectionTracking, facts, tracking).what.contains("10000 media ports"))
        facts.tracking = .known(ConnectionTracking(entries: 0, limit: 10_000, buckets: 10_000))
        #expect(try found(.connectionTracking, facts, tracking) == [])
    }

    @Test func answersThatAreNotTrackedAreAHint() throws {
        var facts = HostFacts.healthy
        facts.translations = .known([
            SourceTranslation(family: .ip, table: "nat", chain: "POSTROUTING")
        ])
        let finding = try only(.connectionTracking, facts, mesh)
        #expect(finding.severity == .hint)
        #expect(finding.what.hasPrefix("table ip nat, chain POSTROUTING "))
        #expect(
            finding.mend?.command
                == "echo 'host: {track_media: true}' >/etc/pexip-fw.d/90-track-media.yaml")
        #expect(finding.rows.contains("conferencing.in.media"))
        for text in ["true", "false"] {
            #expect(
                try found(.connectionTracking, facts, mesh + "host: {track_media: \(text)}\n")
                    == [])
        }
        #expect(try found(.connectionTracking, facts, gateway) == [])
        facts.translations = .known([
            SourceTranslation(family: .ip6, table: "nat", chain: "POSTROUTING")
        ])
        #expect(try found(.connectionTracking, facts, mesh) == [])
        facts.translations = .unknown("only root")
        #expect(try only(.connectionTracking, facts, mesh).severity == .unknown)
    }

    @Test func crowdedBucketsAreAHint() throws {
        var facts = HostFacts.healthy
        facts.tracking = .known(ConnectionTracking(entries: 0, limit: 80_000, buckets: 10_000))
        #expect(try found(.connectionTracking, facts, mesh) == [])
        facts.tracking = .known(ConnectionTracking(entries: 0, limit: 80_001, buckets: 10_000))
        let finding = try only(.connectionTracking, facts, mesh)
        #expect(finding.severity == .hint)
        #expect(finding.mend?.command == "sysctl -w net.netfilter.nf_conntrack_buckets=80001")
    }

    // MARK: Helpers

    @Test func automaticHelpersAreAProblemWhereThereIsOne() throws {
        var facts = HostFacts.healthy
        facts.helpers.isAutomatic = true
        #expect(try found(.trackingHelpers, facts, mesh) == [])
        facts.helpers.available = ["nf_conntrack_sip"]
        let finding = try only(.trackingHelpers, facts, mesh)
        #expect(finding.severity == .problem)
        #expect(finding.mend?.command == "sysctl -w net.netfilter.nf_conntrack_helper=0")
        #expect(finding.rows.contains("conferencing.in.sip-tls"))
        #expect(finding.rows.contains("conferencing.out.ras"))
        #expect(!finding.rows.contains("conferencing.in.media"))
        for isAutomatic in [false, nil] {
            facts.helpers.isAutomatic = isAutomatic
            #expect(try found(.trackingHelpers, facts, mesh) == [])
        }
    }

    @Test(arguments: [
        ("sip", true), ("sip-5062", true), ("RAS", true), ("Q.931", true), ("H.245", true),
        ("ftp", false), ("tftp", false), ("sipping", false),
    ])
    func assignedHelpersOfCallsAreAProblem(_ helper: String, _ isOfCalls: Bool) throws {
        var facts = HostFacts.healthy
        facts.helpers.assignments = .known([
            .init(helpers: [helper, "ftp"], rule: "inet a b handle 7")
        ])
        let findings = try found(.trackingHelpers, facts, mesh)
        #expect(findings.map(\.severity) == (isOfCalls ? [.problem] : []))
        #expect(
            findings.allSatisfy { $0.mend?.command == "nft delete rule inet a b handle 7" })
    }

    @Test func helpersDoNotConcernAManagementNode() throws {
        var facts = HostFacts.healthy
        facts.helpers.isAutomatic = true
        facts.helpers.available = ["nf_conntrack_sip"]
        let alone = try site(mesh, host: ["10.0.0.10"])
        #expect(!Examination.findings(facts, alone).contains { $0.check == .trackingHelpers })
    }

    // MARK: Reverse path

    @Test func strictFiltersBiteDualHomedNodes() throws {
        var facts = HostFacts.healthy
        try facts.change("eth1") { $0.reversePath = .known(.strict) }
        let finding = try only(.reversePath, facts, dualHomed)
        #expect(finding.severity == .problem)
        #expect(finding.what.contains("eth1"))
        #expect(finding.mend?.command == "sysctl -w net.ipv4.conf.eth1.rp_filter=2")
        #expect(finding.rows.contains("conferencing.in.media"))
        #expect(!finding.rows.contains("conferencing.in.esp"))
        #expect(try found(.reversePath, facts, mesh) == [])
        try facts.change("eth1") { $0.reversePath = .known(.loose) }
        #expect(try found(.reversePath, facts, dualHomed) == [])
    }

    @Test func theGreaterOfBothSettingsCounts() throws {
        var facts = HostFacts.healthy
        facts.reversePathOfAll = .known(.strict)
        let findings = try found(.reversePath, facts, dualHomed)
        #expect(findings.map(\.severity) == [.problem, .problem])
        #expect(findings.first?.rows.contains("conferencing.in.esp") == true)
        try facts.change("eth0") { $0.reversePath = .known(.loose) }
        #expect(try only(.reversePath, facts, dualHomed).what.contains("eth1"))
        facts.reversePathOfAll = .known(.loose)
        try facts.change("eth0") { $0.reversePath = .known(.strict) }
        #expect(try found(.reversePath, facts, dualHomed) == [])
    }

    @Test func twoAddressesOfOneInterfaceComeByOneWay() throws {
        var facts = HostFacts.healthy
        facts.reversePathOfAll = .known(.strict)
        try facts.change("eth1") { $0.addresses = [] }
        try facts.change("eth0") {
            $0.addresses = [address("10.0.0.21"), address("198.51.100.21")]
        }
        #expect(try found(.reversePath, facts, dualHomed) == [])
    }

    @Test func aGatewayIsOnlyHintedAtStrictFilters() throws {
        var facts = HostFacts.healthy
        facts.reversePathOfAll = .known(.strict)
        let text = dualHomed + "placement: gateway\n"
        facts.routes = .known([
            address("10.0.0.10"): "eth0", address("10.0.0.21"): "eth0",
            address("198.51.100.21"): "eth1",
        ])
        #expect(try found(.reversePath, facts, text).map(\.severity) == [.hint, .hint])
        facts.routes = .known([
            address("10.0.0.10"): "eth0", address("10.0.0.21"): "eth0",
            address("198.51.100.21"): "eth0",
        ])
        #expect(try found(.reversePath, facts, text) == [])
    }

    @Test func aDottedInterfaceIsNamedWithSlashes() throws {
        var facts = HostFacts.healthy
        guard case .known(var all) = facts.interfaces else { return }
        all["eth1.100"] = all.removeValue(forKey: "eth1")
        all["eth1.100"]?.reversePath = .known(.strict)
        facts.interfaces = .known(all)
        #expect(
            try only(.reversePath, facts, dualHomed).mend?.command
                == "sysctl -w net/ipv4/conf/eth1.100/rp_filter=2")
    }

    // MARK: Forwarding and bridges

    @Test func aGatewayForwards() throws {
        var facts = HostFacts.healthy
        facts.forwards[.ipv4] = .known(false)
        let finding = try only(.forwarding, facts, gateway)
        #expect(finding.severity == .problem)
        #expect(finding.mend?.command == "sysctl -w net.ipv4.ip_forward=1")
        #expect(try found(.forwarding, facts, mesh) == [])
    }

    @Test func eachFamilyThatNodesHaveIsForwarded() throws {
        let both = """
            placement: gateway
            nodes:
              a: {role: conferencing, address: [10.0.0.21, "2001:db8::21"]}
            """
        var facts = HostFacts.healthy
        facts.routes = .known([address("10.0.0.21"): "eth0", address("2001:db8::21"): "eth0"])
        facts.forwards[.ipv6] = .known(false)
        #expect(
            try only(.forwarding, facts, both).mend?.command
                == "sysctl -w net.ipv6.conf.all.forwarding=1")
        #expect(try found(.forwarding, facts, gateway) == [])
    }

    @Test func oneInterfaceMayBeLeftOut() throws {
        var facts = HostFacts.healthy
        try facts.change("eth0") { $0.forwards[.ipv4] = .known(false) }
        #expect(
            try only(.forwarding, facts, gateway).mend?.command
                == "sysctl -w net.ipv4.conf.eth0.forwarding=1")
        try facts.change("eth0") { $0.forwards[.ipv4] = .known(true) }
        // No node is behind this one.
        try facts.change("eth1") { $0.forwards[.ipv4] = .known(false) }
        #expect(try found(.forwarding, facts, gateway) == [])
    }

    @Test func bridgedPacketsMeetRulesOnlyOnDemand() throws {
        var facts = HostFacts.healthy
        try facts.change("eth0") { $0.filtersAsBridge = [.ipv4: false, .ipv6: false] }
        let missing = try only(.bridges, facts, gateway)
        #expect(missing.severity == .hint)
        #expect(
            missing.mend?.command
                == "modprobe br_netfilter && sysctl -w net.bridge.bridge-nf-call-iptables=1")
        facts.filtersBridges = [.ipv4: false, .ipv6: true]
        #expect(
            try only(.bridges, facts, gateway).mend?.command
                == "sysctl -w net.bridge.bridge-nf-call-iptables=1")
        #expect(try found(.bridges, facts, mesh) == [])
        try facts.change("eth0") { $0.filtersAsBridge = [.ipv4: true, .ipv6: false] }
        #expect(try found(.bridges, facts, gateway) == [])
        try facts.change("eth0") { $0.filtersAsBridge = [.ipv4: false, .ipv6: false] }
        facts.filtersBridges = [.ipv4: true, .ipv6: false]
        #expect(try found(.bridges, facts, gateway) == [])
    }

    @Test func aHypervisorThatOnlyBridgesNeedNotRoute() throws {
        var facts = HostFacts.healthy
        facts.forwards[.ipv4] = .known(false)
        facts.filtersBridges = [.ipv4: true, .ipv6: true]
        try facts.change("eth0") { $0.filtersAsBridge = [.ipv4: false, .ipv6: false] }
        #expect(try found(.forwarding, facts, gateway) == [])
        facts.filtersBridges = [.ipv4: false, .ipv6: false]
        #expect(try only(.forwarding, facts, gateway).severity == .problem)
        #expect(try only(.bridges, facts, gateway).severity == .hint)
    }

    // MARK: Routes

    @Test func everyNodeIsRouted() throws {
        var facts = HostFacts.healthy
        facts.routes = .known([address("10.0.0.10"): "eth0"])
        let finding = try only(.routes, facts, mesh)
        #expect(finding.severity == .problem)
        #expect(finding.what == "this host has no route to conf-2 (10.0.0.22)")
        #expect(
            finding.mend?.command
                == "for node in 10.0.0.22/32; do ip route add \"$node\" via ROUTER; done")
        #expect(
            finding.rows == [
                "conferencing.in.ike", "conferencing.in.esp", "conferencing.out.ike",
                "conferencing.out.esp",
            ])
        let box = try only(.routes, facts, gateway)
        #expect(box.what.hasSuffix("conf-1 (10.0.0.21), conf-2 (10.0.0.22)"))
    }

    @Test func onlyAddressesOfAFamilyInCommonAreNeeded() throws {
        let text = """
            nodes:
              conf-1: {role: conferencing, address: 10.0.0.21}
              conf-2: {role: conferencing, address: [10.0.0.22, "2001:db8::22"], secondary_address: 192.0.2.22}
            """
        #expect(try found(.routes, .healthy, text) == [])
        let six = text.replacing(
            "address: 10.0.0.21", with: "address: [10.0.0.21, \"2001:db8::21\"]")
        #expect(
            try only(.routes, .healthy, six).what
                == "this host has no route to conf-2 (2001:db8::22)")
    }

    @Test func manyLostNodesAreNotAllNamed() throws {
        let nodes = (21...40).map { "  c\($0): {role: conferencing, address: 10.0.0.\($0)}\n" }
        var facts = HostFacts.healthy
        facts.routes = .known([:])
        let finding = try only(.routes, facts, "nodes:\n" + nodes.joined())
        #expect(finding.what.hasSuffix("and 14 more"))
        #expect(finding.mend?.command.contains("10.0.0.40/32") == true)
    }

    @Test func interNodeTrafficLeavesByThePrimaryInterface() throws {
        var facts = HostFacts.healthy
        facts.routes = .known([address("10.0.0.10"): "eth1"])
        let finding = try only(.routes, facts, dualHomed)
        #expect(finding.severity == .hint)
        #expect(finding.what.contains("mgmt (10.0.0.10)"))
        #expect(
            finding.mend?.command
                == "for node in 10.0.0.10/32; do ip route replace \"$node\" via ROUTER dev eth0; done"
        )
        // A node with one address may speak by any interface.
        facts.routes = .known([address("10.0.0.10"): "eth1", address("10.0.0.22"): "eth1"])
        #expect(try found(.routes, facts, mesh) == [])
    }

    // MARK: The rules

    @Test func aKernelThatRefusesIsAProblem() throws {
        var facts = HostFacts.healthy
        facts.refusal = .known("Operation not supported")
        let finding = try only(.kernel, facts, mesh)
        #expect(finding.severity == .problem)
        #expect(finding.what.contains("Operation not supported"))
    }

    @Test func otherTablesAreToldWhereOurPacketsComeBy() throws {
        func shadow(
            _ hook: ForeignChain.HookPoint, _ family: TableFamily,
            _ why: [Shadow.Reason]
        ) -> Shadow {
            Shadow(
                family: family, table: "t", chain: "c", hook: hook, priority: 0,
                policy: why == [.policyDrop] ? .drop : .accept, why: why)
        }
        var facts = HostFacts.healthy
        facts.shadows = .known([shadow(.input, .inet, [.policyDrop])])
        let finding = try only(.otherFirewalls, facts, mesh)
        #expect(finding.severity == .problem)
        #expect(finding.what.hasPrefix("table inet t, chain c"))
        #expect(finding.mend?.command.contains("nft list table inet t") == true)
        #expect(finding.rows.contains("conferencing.in.media"))
        #expect(!finding.rows.contains("conferencing.out.media"))
        #expect(try found(.otherFirewalls, facts, gateway) == [])
        facts.shadows = .known([shadow(.output, .ip, [.drop])])
        #expect(try only(.otherFirewalls, facts, mesh).severity == .hint)
        facts.shadows = .known([shadow(.output, .ip6, [.drop])])
        #expect(try found(.otherFirewalls, facts, mesh) == [])
    }
}
