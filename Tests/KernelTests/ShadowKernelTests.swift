import Enforcement
import Foundation
import Policy
import PortModel
import Reports
import Ruleset
import Site
import Testing
import TestSupport

/// Other programs' tables beside ours, on a real kernel: who shadows us is told, and who does not is
/// not.
@Suite("Shadows on the kernel")
struct ShadowKernelTests {
    private static let base = """
        features: {ssh: false}
        nodes:
          conf-1: {role: conferencing, address: 10.0.0.21}
          conf-2: {role: conferencing, address: 10.0.0.22}
        """

    private static func agent(
        _ configuration: String = base, _ body: (AgentFixture) throws -> Void
    ) throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try namespace.configure(["address add 10.0.0.21/32 dev lo"])
            try AgentFixture.with(configuration, in: namespace, body)
        }
    }

    /// A foreign ruleset, and what is to be told of it: `family table chain hook: reasons (owner)`.
    struct Scenario: Sendable, CustomTestStringConvertible {
        let name: String
        let script: String
        let told: [String]
        var testDescription: String { name }
    }

    private static func summary(_ shadows: [Shadow]) -> [String] {
        shadows.map { shadow in
            let owner = shadow.owner.map { " (\($0.rawValue))" } ?? ""
            let reasons = shadow.why.map(\.rawValue).joined(separator: ", ")
            return
                "\(shadow.family.rawValue) \(shadow.table) \(shadow.chain ?? "-") \(shadow.hook?.rawValue ?? "-"): \(reasons)\(owner)"
        }
    }

    static let scenarios = [
        Scenario(
            name: "policy drop",
            script: """
                table inet t { chain c { type filter hook input priority 10; policy drop; accept; }; }
                """, told: ["inet t c input: policy-drop"]),
        Scenario(
            name: "a drop behind two jumps and a goto",
            script: """
                table ip t {
                  chain z { ip saddr 192.0.2.0/24 drop; }
                  chain y { goto z; }
                  chain x { jump y; }
                  chain c { type filter hook prerouting priority -500; jump x; }
                }
                """, told: ["ip t c prerouting: drop"]),
        Scenario(
            name: "reject, and drops in verdict maps",
            script: """
                table inet t {
                  chain r { reject with tcp reset; }
                  map m { type inet_service : verdict; elements = { 25 : drop, 80 : accept, 81 : jump r }; }
                  chain a { type filter hook input priority 5; tcp dport vmap @m; }
                  chain b { type filter hook output priority 5; jump r; }
                  chain d { type filter hook postrouting priority 5; ct state vmap { invalid : drop, new : accept }; }
                }
                """,
            told: [
                "inet t a input: drop, reject", "inet t b output: reject",
                "inet t d postrouting: drop",
            ]),
        Scenario(
            name: "netdev and bridge",
            script: """
                table netdev t {
                  chain c { type filter hook ingress device "lo" priority 0; ip saddr 192.0.2.66 drop; }
                }
                table bridge t { chain f { type filter hook forward priority 0; policy drop; }; }
                table arp t { chain i { type filter hook input priority 0; drop; }; }
                """, told: ["arp t i input: drop", "netdev t c ingress: drop"]),
        Scenario(
            name: "what only accepts, counts, marks or translates",
            script: """
                table inet t {
                  chain unused { drop; }
                  chain e { accept; }
                  chain c { type filter hook input priority -10; policy accept; ct state established accept; jump e; counter; meta mark set 7; }
                  map m { type ipv4_addr : ipv4_addr; elements = { 10.9.9.9 : 10.9.9.8 }; }
                  chain l { type filter hook input priority 1; limit rate 5/second ct count over 5 quota over 5 mbytes log group 7; }
                  set d { type ipv4_addr; flags dynamic; timeout 5s; }
                  chain dyn { type filter hook input priority 2; add @d { ip saddr limit rate 5/second }; }
                  chain w { type filter hook prerouting priority -150; ip dscp set cs1; ip6 dscp set cs1; meta priority set 7; meta nftrace set 1; ct mark set 5; ct event set new; }
                  chain v { type filter hook output priority -150; tcp flags syn tcp option maxseg size set rt mtu; rt classid 5; fib saddr type local; }
                  chain late { type filter hook prerouting priority -100; notrack; }
                  chain n { type nat hook prerouting priority -100; tcp dport 8080 redirect to :80; dnat ip to ip daddr map @m; }
                  chain p { type nat hook postrouting priority 100; oifname "wan" masquerade; }
                  chain ro { type route hook output priority -150; meta mark set 1; }
                }
                table ip u { chain c { type filter hook prerouting priority -150; dup to 192.0.2.9; }; }
                table ip6 v { chain c { type filter hook prerouting priority -150; ip6 flowlabel set 5; }; }
                """, told: []),
        Scenario(
            name: "what keeps packets and their answers from being tracked",
            script: """
                table inet t {
                  chain a { type filter hook prerouting priority -300; udp sport 53 notrack; }
                  chain b { type filter hook output priority -300; ct original zone set 5; }
                  chain c { type filter hook prerouting priority -200; ct zone set iif map { "lo" : 5 }; }
                  chain e { type filter hook ingress device "lo" priority 0; goto f; }
                  chain f { notrack; }
                }
                """,
            told: [
                "inet t a prerouting: notrack", "inet t b output: zone",
                "inet t c prerouting: zone", "inet t e ingress: notrack",
            ]),
        Scenario(
            name: "what is done to tracked flows",
            script: """
                table inet t {
                  ct helper h { type "ftp" protocol tcp; }
                  ct timeout s { protocol tcp; l3proto ip; policy = { established : 10 }; }
                  ct expectation x { protocol tcp; dport 2022; timeout 1m; size 9; l3proto ip; }
                  chain a { type filter hook input priority 1; tcp dport 21 ct helper set "h"; }
                  chain b { type filter hook input priority 2; ct helper set tcp dport map { 21 : "h" }; }
                  chain c { type filter hook output priority 3; ct timeout set "s"; }
                  chain d { type filter hook output priority 4; ct expectation set "x"; }
                }
                """,
            told: [
                "inet t a input: helper", "inet t b input: helper", "inet t c output: timeout",
                "inet t d output: helper",
            ]),
        Scenario(
            name: "what becomes another packet, or goes elsewhere",
            script: """
                table inet t {
                  synproxy s { mss 1460; wscale 7; }
                  chain a { type filter hook prerouting priority -300; ip daddr set 192.0.2.9; }
                  chain b { type filter hook output priority 0; udp dport set 99; }
                  chain c { type filter hook postrouting priority 0; ip ttl set 1; }
                  chain d { type filter hook prerouting priority 0; meta pkttype set other; }
                  chain e { type filter hook prerouting priority 0; meta l4proto tcp tproxy ip to 127.0.0.1:5; }
                  chain f { type filter hook input priority 0; tcp dport 80 synproxy mss 1460 wscale 7; }
                  chain g { type filter hook input priority 0; synproxy name "s"; }
                }
                table netdev t { chain h { type filter hook ingress device "lo" priority 0; fwd to "lo"; }; }
                """,
            told: [
                "inet t a prerouting: rewrite", "inet t b output: rewrite",
                "inet t c postrouting: rewrite", "inet t d prerouting: rewrite",
                "inet t e prerouting: divert", "inet t f input: divert", "inet t g input: divert",
                "netdev t h ingress: divert",
            ]),
        Scenario(
            name: "verdict maps with intervals, inline chains, and elements that come later",
            script: """
                table inet t {
                  map m { type inet_service : verdict; flags interval; elements = { 1-9 : accept, 20-30 : goto q }; }
                  map n { type ipv4_addr . inet_service : verdict; flags interval; elements = { 192.0.2.0/24 . 5 : drop }; }
                  map p { type inet_service : verdict; }
                  chain q { reject; }
                  chain a { type filter hook input priority 1; tcp dport vmap @m; }
                  chain b { type filter hook input priority 2; ip saddr . tcp dport vmap @n; }
                  chain c { type filter hook input priority 3; tcp dport 5 jump { ip saddr 192.0.2.0/24 reject; }; }
                  chain d { type filter hook input priority 4; tcp dport vmap @p; }
                }
                add element inet t p { 7 : drop }
                """,
            told: [
                "inet t a input: reject", "inet t b input: drop", "inet t c input: reject",
                "inet t d input: drop",
            ]),

        Scenario(
            name: "hooks that our packets do not pass, another family, a dormant table, no hook",
            script: """
                table inet t { chain f { type filter hook forward priority 0; policy drop; }; }
                table ip6 t { chain c { type filter hook input priority 0; policy drop; }; }
                table inet sleeping { flags dormant; chain c { type filter hook input priority 0; policy drop; }; }
                table inet u { chain c { drop; }; }
                """, told: []),
        Scenario(
            name: "as firewalld writes",
            script: """
                table inet firewalld {
                  chain mangle_PREROUTING { type filter hook prerouting priority -140; policy accept; }
                  chain nat_POSTROUTING { type nat hook postrouting priority 110; policy accept; }
                  chain filter_IN_public { tcp dport 22 accept; }
                  chain filter_INPUT_ZONES { iifname "eth0" goto filter_IN_public; goto filter_IN_public; }
                  chain filter_INPUT {
                    type filter hook input priority 10; policy accept;
                    ct state established,related accept
                    iifname "lo" accept
                    ct state invalid drop
                    jump filter_INPUT_ZONES
                    reject with icmpx admin-prohibited
                  }
                  chain filter_OUTPUT { type filter hook output priority 10; policy accept; ct state established,related accept; }
                }
                """, told: ["inet firewalld filter_INPUT input: drop, reject (firewalld)"]),
    ]

    @Test("what shadows us is told, with the reason, and nothing else is", arguments: scenarios)
    func scenario(_ scenario: Scenario) throws {
        // What translates is told otherwise.
        try Self.agent(Self.base + "\nhost: {track_media: false}") { agent in
            #expect(try agent.status().shadows.isEmpty)
            // The mark comes last, so that nothing told before it can be missing.
            try Nft.run(in: agent.namespace, scenario.script)
            try Nft.run(in: agent.namespace, Self.mark)
            try agent.waitForStatus("the mark") { $0.shadows.contains { $0.table == "zz_mark" } }
            let status = try agent.status()
            #expect(Self.summary(status.shadows.filter { $0.table != "zz_mark" }) == scenario.told)
            #expect(status.state == .inSync)
            #expect(status.warnings.count == scenario.told.count + 1)
            #expect(status.drift.count == 0)
        }
    }

    @Test("a dropping table is told whatever it is called, and so is what is done to it later")
    func lookalike() throws {
        try Self.agent { agent in
            try Nft.run(
                in: agent.namespace,
                "table inet pexip_fw_evil { chain c { type filter hook input priority 5; policy drop; }; }"
            )
            try agent.waitForStatus("the shadow") {
                Self.summary($0.shadows) == ["inet pexip_fw_evil c input: policy-drop"]
            }
            try Nft.run(
                in: agent.namespace,
                """
                add chain inet pexip_fw_evil d { type filter hook output priority 5; }
                add rule inet pexip_fw_evil d reject
                """)
            try agent.waitForStatus("another chain") {
                Self.summary($0.shadows) == [
                    "inet pexip_fw_evil c input: policy-drop",
                    "inet pexip_fw_evil d output: reject",
                ]
            }
            // After another generation, and another start.
            try agent.write(Self.base + "\nhost: {ping: true}\n")
            try agent.waitForStatus("generation 2") { $0.generation == 2 }
            try agent.stop()
            try agent.start()
            #expect(try agent.status().shadows.count == 2)
            #expect(
                try agent.control(
                    "doctor", "--config-dir", agent.configurationDirectory.path
                ).standardOutput.contains("pexip_fw_evil"))
            try Nft.run(in: agent.namespace, "delete table inet pexip_fw_evil")
            try agent.waitForStatus("no shadow") { $0.shadows.isEmpty && $0.warnings.isEmpty }
            #expect(try agent.status().drift.count == 0)
        }
    }

    @Test("a foreign table is read although its names are no text")
    func noText() throws {
        try Self.agent { agent in
            let (table, chain) = (Array("t".utf8) + [0xff], Array("c".utf8) + [0xfe])
            for object in [
                StrangeObject(.table, named: table),
                StrangeObject(.droppingChain, in: table, named: chain),
            ] { try agent.namespace.run(object.insertion).requireSuccess() }
            try agent.waitForStatus("the shadow") {
                Self.summary($0.shadows) == ["inet t\u{fffd} c\u{fffd} input: policy-drop"]
            }
            let warnings = try agent.status().warnings
            #expect(warnings.count == 1)
            #expect(warnings[0].contains("nft list ruleset inet shows its rules"))
        }
    }

    /// Something that is told, to know that a look has been taken.
    private static let mark =
        "table inet zz_mark { chain c { type filter hook input priority 99; meta mark 77 drop; }; }"

    @Test("through a gateway, what forwarded packets pass is told, Docker's and libvirt's too")
    func gateway() throws {
        let configuration = "placement: gateway\n" + Self.base
        try Self.agent(configuration) { agent in
            try Nft.run(
                in: agent.namespace,
                """
                table ip filter {
                  chain DOCKER { iifname != "docker0" oifname "docker0" drop; }
                  chain DOCKER-USER { return; }
                  chain DOCKER-FORWARD { jump DOCKER; }
                  chain FORWARD { type filter hook forward priority 0; policy drop; jump DOCKER-USER; jump DOCKER-FORWARD; }
                  chain INPUT { type filter hook input priority 0; policy drop; }
                }
                table bridge t { chain f { type filter hook forward priority 0; policy drop; }; }
                table ip libvirt_network {
                  chain guest_input { oif "lo" counter reject; }
                  chain forward { type filter hook forward priority 0; policy accept; counter jump guest_input; }
                }
                """)
            try Nft.run(
                in: agent.namespace,
                Self.mark.replacing("hook input", with: "hook forward"))
            try agent.waitForStatus("the mark") { $0.shadows.contains { $0.table == "zz_mark" } }
            let shadows = try agent.status().shadows.filter { $0.table != "zz_mark" }
            #expect(
                Self.summary(shadows) == [
                    "ip filter FORWARD forward: policy-drop, drop (docker)",
                    "ip libvirt_network forward forward: reject (libvirt)",
                    "bridge t f forward: policy-drop",
                ])
        }
    }

    /// What iptables-nft, ebtables-nft or arptables-nft is told to do, and what is told of it.
    static let targets: [(command: String, told: [String])] = [
        ("iptables-nft -t raw -A PREROUTING -p udp --sport 53 -j NOTRACK", ["notrack"]),
        ("iptables-nft -t raw -A PREROUTING -p udp -j CT --notrack", ["notrack"]),
        ("iptables-nft -t raw -A OUTPUT -j CT --zone-orig 5", ["zone"]),
        ("iptables-nft -t raw -A OUTPUT -p tcp --dport 21 -j CT --helper ftp", ["helper"]),
        ("iptables-nft -t raw -A OUTPUT -j CT --ctevents new", []),
        ("iptables-nft -t mangle -A PREROUTING -j TTL --ttl-set 1", ["rewrite"]),
        ("iptables-nft -t mangle -A PREROUTING -p tcp -j TPROXY --on-port 5", ["divert"]),
        ("iptables-nft -A INPUT -p tcp -j SYNPROXY", ["divert"]),
        ("iptables-nft -A INPUT -j NFQUEUE", ["queue"]),
        ("iptables-nft -t mangle -A PREROUTING -j TOS --set-tos 0x10", []),
        ("iptables-nft -t mangle -A PREROUTING -j DSCP --set-dscp 10", []),
        ("iptables-nft -t mangle -A PREROUTING -j CONNMARK --save-mark", []),
        ("iptables-nft -t mangle -A PREROUTING -j TEE --gateway 192.0.2.9", []),
        ("iptables-nft -t mangle -A PREROUTING -j TRACE", []),
        (
            "iptables-nft -t mangle -A OUTPUT -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
            []
        ),
        ("iptables-nft -A INPUT -j LOG", []), ("iptables-nft -A INPUT -j NFLOG", []),
        ("iptables-nft -A INPUT -m hashlimit --hashlimit-above 5/s --hashlimit-name x", []),
        ("iptables-nft -t nat -A POSTROUTING -j MASQUERADE", []),
        ("ebtables-nft -A INPUT -j mark --mark-set 5 --mark-target DROP", ["drop"]),
        ("ebtables-nft -A INPUT -j mark --mark-set 5", []),
        ("ebtables-nft -t nat -A PREROUTING -j redirect", ["divert"]),
        ("arptables-nft -A INPUT -j mangle --mangle-ip-s 192.0.2.1", ["rewrite"]),
    ]

    @Test("targets of iptables and its kin are told by what they do", arguments: targets.indices)
    func targetsOfIptables(index: Int) throws {
        let (command, told) = Self.targets[index]
        try Self.agent { agent in
            try agent.namespace.run(command.split(separator: " ").map(String.init))
                .requireSuccess()
            try Nft.run(in: agent.namespace, Self.mark)
            try agent.waitForStatus("the mark") { $0.shadows.contains { $0.table == "zz_mark" } }
            let shadows = try agent.status().shadows.filter { $0.table != "zz_mark" }
            #expect(shadows.flatMap(\.why).map(\.rawValue) == told, "\(command)")
        }
    }

    @Test(
        "iptables' rules are told, those of nf_tables by reason, those of the old kind as unknown")
    func iptables() throws {
        try Self.agent { agent in
            let run: (String...) throws -> Void = { arguments in
                try agent.namespace.run(arguments).requireSuccess()
            }
            try run("iptables-nft", "-A", "INPUT", "-p", "tcp", "--dport", "25", "-j", "REJECT")
            try run("iptables-nft", "-N", "own")
            try run("iptables-nft", "-A", "OUTPUT", "-j", "own")
            try run("iptables-nft", "-A", "own", "-p", "udp", "-j", "NFQUEUE")
            try run("iptables-nft", "-P", "INPUT", "DROP")
            try run("iptables-nft", "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE")
            try agent.waitForStatus("iptables-nft's chains") { status in
                Self.summary(status.shadows) == [
                    "ip filter INPUT input: policy-drop, reject (iptables)",
                    "ip filter OUTPUT output: queue (iptables)",
                ]
            }
            try run("iptables-nft", "-P", "INPUT", "ACCEPT")
            try run("iptables-nft", "-F")
            try agent.waitForStatus("no shadow") { $0.shadows.isEmpty }

            // Nobody notifies of this kind: it is seen with the next change, or some minutes later.
            try run("iptables-legacy", "-A", "INPUT", "-s", "192.0.2.66", "-j", "DROP")
            try run("iptables-legacy", "-t", "nat", "-L")
            try Nft.run(in: agent.namespace, Self.mark)
            try agent.waitForStatus("the old kind") { status in
                Self.summary(status.shadows) == [
                    "ip filter - -: unknown (iptables-legacy)",
                    "inet zz_mark c input: drop",
                ]
            }
        }
    }

    @Test("a foreign drop cuts what we permit: it is told while it is there, and no longer")
    func evidence() throws {
        try requireRoot()
        let node = try #require(IPAddress("10.0.0.21"))
        let peer = try #require(IPAddress("192.0.2.7"))
        let topology = try Topology.nodeAndPeers(nodeAddresses: [node], peerAddresses: [peer])
        try topology.use { topology in
            try AgentFixture.with(Self.base, in: topology.node) { agent in
                let server = try PacketProbe(in: topology.node)
                let client = try PacketProbe(in: topology.outside)
                try server.listen(at: [ProbeEndpoint(node, port: 443)])
                var port: UInt16 = 20_000
                func connects() throws -> Bool {
                    port += 1
                    return try client.connect(
                        from: ProbeEndpoint(peer, port: port),
                        to: ProbeEndpoint(node, port: 443), timeout: .milliseconds(300))
                        == .established
                }
                #expect(try connects())
                for priority in [-10, 10] {
                    try Nft.run(
                        in: topology.node,
                        "table inet theirs { chain c { type filter hook input priority \(priority); tcp dport 443 drop; }; }"
                    )
                    #expect(try !connects())
                    try agent.waitForStatus("the shadow") {
                        Self.summary($0.shadows) == ["inet theirs c input: drop"]
                    }
                    try Nft.run(in: topology.node, "delete table inet theirs")
                    #expect(try connects())
                    try agent.waitForStatus("no shadow") {
                        $0.shadows.isEmpty && $0.warnings.isEmpty
                    }
                }
                // An accept of theirs overrules nothing of ours.
                try server.listen(at: [ProbeEndpoint(node, port: 22)])
                try Nft.run(
                    in: topology.node,
                    "table inet theirs { chain c { type filter hook input priority -10; accept; }; }"
                )
                #expect(
                    try client.connect(
                        from: ProbeEndpoint(peer, port: 19_999),
                        to: ProbeEndpoint(node, port: 22), timeout: .milliseconds(300))
                        != .established)
            }
        }
    }

    /// What of another table cuts the answers to a permitted query, each by itself.
    static let silencers = [
        "chain c { type filter hook prerouting priority -300; udp sport 53 notrack; }",
        "chain c { type filter hook prerouting priority -300; udp sport 53 ct zone set 5; }",
        "chain c { type filter hook prerouting priority -250; udp sport 53 udp sport set 54; }",
    ]

    @Test(
        "what cuts a permitted query's answer in silence is told, and explain does not say that it simply passes",
        arguments: Placement.allCases, silencers)
    func answers(placement: Placement, silencer: String) throws {
        try requireRoot()
        let nodes = try ["10.0.0.21", "2001:db8::21"].map { try #require(IPAddress($0)) }
        let peers = try ["192.0.2.7", "2001:db8:ffff::7"].map { try #require(IPAddress($0)) }
        let topology =
            switch placement {
            case .local:
                try Topology.nodeAndPeers(nodeAddresses: nodes, peerAddresses: peers)
            case .gateway: try Topology.gateway(nodeAddresses: nodes, peerAddresses: peers)
            }
        let configuration = """
            placement: \(placement.rawValue)
            nodes: {conf-1: {role: conferencing, address: [10.0.0.21, "2001:db8::21"]}}
            """
        try topology.use { topology in
            try AgentFixture.with(configuration, in: topology.enforcing) { agent in
                let (inside, outside) = (
                    try PacketProbe(in: topology.node), try PacketProbe(in: topology.outside)
                )
                var port: UInt16 = 55_000
                /// How many of the queries, one of each family, are answered.
                func answered() throws -> Int {
                    port += 1
                    var queries: [ProbePacket] = []
                    var answers: [ProbePacket] = []
                    for (index, (node, peer)) in zip(nodes, peers).enumerated() {
                        let (near, far) = (
                            ProbeEndpoint(node, port: port), ProbeEndpoint(peer, port: 53)
                        )
                        queries.append(ProbePacket(id: UInt32(index), .udp, from: near, to: far))
                        answers.append(ProbePacket(id: UInt32(index), .udp, from: far, to: near))
                    }
                    func sentinel(_ from: IPAddress, _ to: IPAddress) -> ProbePacket {
                        // Media, which needs no answer.
                        ProbePacket(
                            id: 1_000_000, .udp, from: ProbeEndpoint(from, port: 40_000),
                            to: ProbeEndpoint(to, port: 40_000))
                    }
                    let asked = try PacketProbe.exchange(
                        queries, from: inside, to: outside, sentinel: sentinel(nodes[0], peers[0]))
                    #expect(asked.count == queries.count)
                    return try PacketProbe.exchange(
                        answers, from: outside, to: inside, sentinel: sentinel(peers[0], nodes[0])
                    ).count
                }
                func explain() throws -> String {
                    try agent.control("explain", "udp", "10.0.0.21:55000", "192.0.2.7:53")
                        .requireSuccess().standardOutput
                }
                #expect(try answered() == 2)
                #expect(try !explain().contains("theirs"))

                try Nft.run(in: topology.enforcing, "table inet theirs { \(silencer); }")
                #expect(try answered() == 0)
                try agent.waitForStatus("the shadow") { $0.shadows.map(\.table) == ["theirs"] }
                let shadow = try #require(try agent.status().shadows.first)
                let words = try explain()
                #expect(words.contains("but"))
                #expect(words.contains("table inet theirs, chain c"))
                #expect(words.contains("answers come by"))
                let json = try agent.control(
                    "explain", "--json", "udp", "10.0.0.21:55000", "192.0.2.7:53"
                ).requireSuccess().standardOutput
                let report = try JSONDecoder().decode(
                    ExplainReport.self, from: Data(json.utf8))
                #expect(report.explanation.verdict == .accept)
                #expect(report.crossings.map(\.shadow) == [shadow])
                #expect(report.crossings.map(\.answers) == [true])
                #expect(report.crossings.map(\.packet) == [placement == .gateway])

                try Nft.run(in: topology.enforcing, "delete table inet theirs")
                try agent.waitForStatus("no shadow") { $0.shadows.isEmpty }
                #expect(try answered() == 2)
                #expect(try !explain().contains("theirs"))
            }
        }
    }

    /// Makes a set in `inet poison` whose key's type is described by an expression that this version
    /// of nft does not know, as a newer one may: listing it ends the process.
    private static let poison = """
        import socket, struct
        def attribute(type, payload):
            padding = bytes(-len(payload) % 4)
            return struct.pack("=HH", len(payload) + 4, type) + payload + padding
        def text(type, value): return attribute(type, value.encode() + bytes(1))
        def number(type, value): return attribute(type, struct.pack(">I", value))
        def tlv(type, payload): return bytes([type, len(payload)]) + payload
        def message(type, flags, family, payload, sequence):
            resource = socket.htons(10) if type < 0x100 else 0
            body = struct.pack("=BBH", family, 0, resource) + payload
            return struct.pack("=IHHII", len(body) + 16, type, flags | 1, sequence, 0) + body
        typeof = tlv(3, tlv(0, struct.pack("=I", 99)) + tlv(1, b""))
        set = (text(1, "poison") + text(2, "s") + number(3, 0) + number(4, 7) + number(5, 4)
            + number(10, 1) + attribute(13, typeof))
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        s.sendto(message(16, 0, 0, b"", 1) + message(0xA09, 0x404, 1, set, 2)
            + message(17, 0, 0, b"", 3), (0, 0))
        raise SystemExit(struct.unpack_from("=i", s.recv(65536), 16)[0] != 0)
        """

    @Test("a foreign table is read although it ends every process that lists it by libnftables")
    func poisoned() throws {
        try Self.agent { agent in
            try Nft.run(
                in: agent.namespace,
                "table inet poison { chain c { type filter hook input priority 5; policy drop; }; }"
            )
            try agent.namespace.run(["/usr/bin/python3", "-c", Self.poison]).requireSuccess()
            let listing = try agent.namespace.run(["nft", "list", "table", "inet", "poison"])
            guard listing.status == .signaled(11) else {
                throw TestSupportError("the table harms nobody: \(listing)")
            }
            try agent.waitForStatus("the shadow") {
                Self.summary($0.shadows) == ["inet poison c input: policy-drop"]
            }
            // A look after the poison: iptables writes without listing others' tables.
            try agent.namespace.run(["iptables-nft", "-P", "OUTPUT", "DROP"]).requireSuccess()
            try agent.waitForStatus("both") {
                Self.summary($0.shadows) == [
                    "ip filter OUTPUT output: policy-drop (iptables)",
                    "inet poison c input: policy-drop",
                ]
            }
        }
    }

    @Test("a shadow is logged when it comes and when it goes, once each")
    func logged() throws {
        try Self.agent { agent in
            try Nft.run(in: agent.namespace, Self.mark)
            try agent.waitForStatus("the mark") { !$0.shadows.isEmpty }
            // Other changes of the same table are no news.
            try Nft.run(in: agent.namespace, "add chain inet zz_mark other")
            try Nft.run(
                in: agent.namespace,
                "table inet more { chain c { type filter hook output priority 0; policy drop; accept; }; }"
            )
            try agent.waitForStatus("two") { $0.shadows.count == 2 }
            try Nft.run(in: agent.namespace, "delete table inet zz_mark")
            try agent.waitForStatus("one") { $0.shadows.count == 1 }
            let lines = agent.log.split(separator: "\n").filter {
                $0.contains("table inet zz_mark")
            }
            #expect(lines.count == 2, "\(lines)")
            #expect(lines.first?.contains("it may cut what pexip-fw permits") == true)
            #expect(lines.last?.contains("shadows us no more") == true)
        }
    }

    @Test("the state of a table that is there before the agent is told from the first status on")
    func before() throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try namespace.configure(["address add 10.0.0.21/32 dev lo"])
            try Nft.run(in: namespace, Self.mark)
            try AgentFixture.with(Self.base, in: namespace) { agent in
                #expect(try agent.status().shadows.map(\.table) == ["zz_mark"])
                let text = try agent.control("status").standardOutput
                #expect(text.contains("warning       table inet zz_mark, chain c (hook input"))
            }
        }
    }
}
