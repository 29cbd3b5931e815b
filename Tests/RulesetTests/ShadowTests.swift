import Site
import Policy
import PortModel
import Ruleset
import Testing

/// Which foreign chains shadow ours, as pure decisions about what was read.
@Suite("Shadows")
struct ShadowTests {
    private static func base(
        _ name: String = "input", _ point: ForeignChain.HookPoint = .input,
        family: TableFamily = .inet, table: String = "theirs", drops: Bool = false,
        effects: Set<Shadow.Reason> = [], targets: Set<String> = []
    ) -> ForeignChain {
        ForeignChain(
            family, table, name,
            at: ForeignChain.Attachment(point, priority: 10, dropsByPolicy: drops),
            effects: effects, targets: targets)
    }

    @Test("a base chain that only accepts shadows nothing")
    func accepting() {
        #expect([Self.base()].shadows.isEmpty)
        #expect([Self.base(targets: ["gone"])].shadows.isEmpty)
    }

    @Test("policy and rules are both told")
    func reasons() {
        let shadow = [Self.base(drops: true, effects: [.reject, .drop])].shadows
        #expect(
            shadow == [
                Shadow(
                    family: .inet, table: "theirs", chain: "input", hook: .input, priority: 10,
                    policy: .drop, why: [.policyDrop, .drop, .reject], within: ["input"])
            ])
    }

    @Test("jumps are followed to their end, cycles too, and only within the table")
    func jumps() {
        let chains = [
            Self.base(targets: ["a"]),
            ForeignChain(.inet, "theirs", "a", targets: ["b"]),
            ForeignChain(.inet, "theirs", "b", effects: [.queue], targets: ["a", "input"]),
            ForeignChain(.inet, "theirs", "unreached", effects: [.drop]),
            // The same names in other tables and families.
            ForeignChain(.inet, "others", "a", effects: [.drop]),
            ForeignChain(.ip, "theirs", "a", effects: [.drop]),
        ]
        for chains in [chains, chains.reversed()] {
            #expect(chains.shadows.map(\.why) == [[.queue]])
            #expect(chains.shadows.map(\.within) == [["b"]])
        }
    }

    @Test("sources are translated where packets leave, by a rule or by one that is led to")
    func translations() {
        func chain(
            _ point: ForeignChain.HookPoint, table: String, family: TableFamily = .ip,
            targets: Set<String> = [], translates: Bool = true
        ) -> ForeignChain {
            var chain = Self.base("c", point, family: family, table: table, targets: targets)
            chain.translatesSources = translates
            return chain
        }
        let chains = [
            chain(.postrouting, table: "b"), chain(.prerouting, table: "before"),
            chain(.postrouting, table: "a", family: .ip6, targets: ["j"], translates: false),
            ForeignChain(.ip6, "a", "j", translatesSources: true),
            // Neither reached nor at a hook.
            chain(.postrouting, table: "idle", translates: false),
            ForeignChain(.ip, "idle", "j", translatesSources: true),
        ]
        #expect(chains.shadows.isEmpty)
        let found = [
            SourceTranslation(family: .ip6, table: "a", chain: "c"),
            SourceTranslation(family: .ip, table: "b", chain: "c"),
        ]
        #expect(chains.translations == found)
        #expect(found.concerning([.ipv4]) == [found[1]])
        #expect(found.concerning([.ipv6]) == [found[0]])
        #expect(
            found.finding
                == "table ip6 a, chain c; table ip b, chain c may give packets of others this host's addresses"
        )
        // The one whose rules are known says more.
        let hidden = SourceTranslation(family: .ip, table: "nat", chain: nil)
        #expect([hidden].finding == "iptables-legacy's table ip nat may translate sources")
        #expect(
            (found + [hidden, hidden]).finding.hasPrefix(
                "table ip6 a, chain c; table ip b, chain c; iptables-legacy's table ip nat and 1 more may give"
            ))
    }

    @Test(
        "what keeps packets from being tracked counts before they are",
        arguments: [
            (TableFamily.inet, ForeignChain.HookPoint.prerouting, -201, true),
            (.inet, .prerouting, -200, true), (.ip, .prerouting, -199, false),
            (.ip6, .output, -300, true), (.inet, .output, 0, false), (.inet, .input, -300, false),
            (.inet, .forward, -300, false), (.inet, .postrouting, -300, false),
            (.netdev, .ingress, 500, true), (.inet, .ingress, 0, true),
            (.netdev, .egress, -500, false), (.bridge, .prerouting, 0, true),
            (.bridge, .prerouting, 1, false),
        ])
    func tracking(
        family: TableFamily, point: ForeignChain.HookPoint, priority: Int, counts: Bool
    ) {
        for effect in [Shadow.Reason.notrack, .zone] {
            let chains = [
                ForeignChain(
                    family, "theirs", "base", at: .init(point, priority: priority),
                    effects: [effect], targets: ["a"]),
                ForeignChain(family, "theirs", "a", effects: [effect, .helper]),
            ]
            #expect(chains.shadows.map(\.why) == [counts ? [effect, .helper] : [.helper]])
            #expect(chains.shadows.map(\.within) == [counts ? ["a", "base"] : ["a"]])
        }
    }

    @Test("which chains a packet comes by, and which its answers do")
    func passages() throws {
        let node = try #require(IPAddress("10.0.0.21"))
        let peer = try #require(IPAddress("192.0.2.7"))
        func met(
            _ packet: Packet, in placement: Placement = .local, family: TableFamily = .inet
        ) -> (packets: Set<ForeignChain.HookPoint>, answers: Set<ForeignChain.HookPoint>) {
            var found: (Set<ForeignChain.HookPoint>, Set<ForeignChain.HookPoint>) = ([], [])
            for point in ForeignChain.HookPoint.allCases {
                let shadow = [Self.base("c", point, family: family, effects: [.drop])].shadows[0]
                let met = shadow.isMet(by: packet, in: placement)
                if met.packet { found.0.insert(point) }
                if met.answers { found.1.insert(point) }
            }
            return found
        }
        let transport = Transport.udp(source: 55_000, destination: 53)
        let query = Packet(.outbound, from: node, to: peer, transport)
        let local = met(query)
        #expect(local.packets == [.output, .postrouting, .egress])
        #expect(local.answers == [.ingress, .prerouting, .input])
        let inbound = met(Packet(.inbound, from: peer, to: node, transport))
        #expect(inbound.packets == local.answers && inbound.answers == local.packets)
        let forwarded = met(query, in: .gateway)
        #expect(
            forwarded.packets == [.ingress, .prerouting, .forward, .postrouting, .egress]
                && forwarded.answers == forwarded.packets)
        let loopback = met(Packet(.inbound, from: node, to: node, transport, isLoopback: true))
        #expect(loopback.packets == local.packets.union(local.answers))
        #expect(met(query, family: .ip6).packets.isEmpty)
        #expect(met(query, family: .arp).answers == met(query, family: .arp).packets)
        let legacy = Shadow(legacy: "raw", family: .ip)
        #expect(legacy.isMet(by: query, in: .local) == (true, true))
    }

    @Test("a chain without a hook meets no packet")
    func unhooked() {
        #expect([ForeignChain(.inet, "theirs", "a", effects: [.drop])].shadows.isEmpty)
    }

    @Test("the chains that are named are bounded")
    func boundedNames() {
        let names = (10..<40).map { "c\($0)" }
        let chains =
            [Self.base(targets: Set(names))]
            + names.map { ForeignChain(.inet, "theirs", $0, effects: [.drop]) }
        #expect(chains.shadows.first?.within == ["c10", "c11", "c12", "c13", "c14"])
    }

    @Test("only hooks that our packets pass concern us, in each placement")
    func hooks() {
        func concerned(_ placement: Placement) -> Set<ForeignChain.HookPoint> {
            Set(
                ForeignChain.HookPoint.allCases.filter { point in
                    [Self.base("c", point, effects: [.drop])].shadows.contains {
                        $0.concerns(placement, families: [.ipv4])
                    }
                })
        }
        #expect(
            concerned(.local) == [
                .prerouting, .input, .output, .postrouting, .ingress, .egress,
            ])
        #expect(concerned(.gateway) == [.prerouting, .forward, .postrouting, .ingress, .egress])
    }

    @Test("only address families that our nodes have concern us")
    func families() {
        func concerned(_ families: Set<AddressFamily>) -> Set<TableFamily> {
            Set(
                TableFamily.allCases.filter { family in
                    [Self.base(family: family, effects: [.drop])].shadows.contains {
                        $0.concerns(.local, families: families)
                    }
                })
        }
        #expect(concerned([.ipv4]) == [.ip, .inet, .arp, .bridge, .netdev])
        #expect(concerned([.ipv6]) == [.ip6, .inet, .bridge, .netdev])
    }

    @Test(
        "owners are guessed by the names that they give",
        arguments: [
            ("firewalld", "filter_INPUT", ["filter_IN_public"], Shadow.Owner.firewalld),
            ("filter", "FORWARD", ["DOCKER-USER", "DOCKER"], .docker),
            ("docker-bridges", "filter-FORWARD", [], .docker),
            ("libvirt_network", "forward", ["guest_input"], .libvirt),
            ("filter", "FORWARD", ["LIBVIRT_FWI"], .libvirt),
            ("filter", "INPUT", ["ufw-user-input"], .ufw),
            ("filter", "INPUT", ["KUBE-FIREWALL"], .kubernetes),
            ("f2b-table", "f2b-chain", [], .fail2ban),
            ("filter", "INPUT", [], .iptables),
            ("filter", "input", [], nil),
            ("mine", "INPUT", ["own"], .iptables),
        ])
    func owners(table: String, chain: String, jumps: [String], owner: Shadow.Owner?) {
        let chains =
            [
                Self.base(
                    chain, family: .ip, table: table, drops: jumps.isEmpty, targets: Set(jumps))
            ] + jumps.map { ForeignChain(.ip, table, $0, effects: [.drop]) }
        #expect(chains.shadows.map(\.owner) == [owner])
    }

    @Test("what moved within a table is the same finding; another reason is another one")
    func sameness() {
        let a = [Self.base(effects: [.drop])].shadows[0]
        var b = a
        b.within = ["elsewhere"]
        b.owner = .docker
        #expect(a.isSame(as: b))
        b.why = [.reject]
        #expect(!a.isSame(as: b))
    }
}
