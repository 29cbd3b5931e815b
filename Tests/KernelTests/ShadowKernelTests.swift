import Enforcement
import Foundation
import PortModel
import Ruleset
import TestSupport
import Testing

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
                  chain n { type nat hook prerouting priority -100; tcp dport 8080 redirect to :80; dnat ip to ip daddr map @m; }
                  chain p { type nat hook postrouting priority 100; oifname "wan" masquerade; }
                  chain ro { type route hook output priority -150; meta mark set 1; }
                }
                """, told: []),
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
        try Self.agent { agent in
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
