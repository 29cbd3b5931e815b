import DeploymentGenerator
import PortModel
import Ruleset
import Testing

/// What is stored, and what the fake kernel takes, is read back as it was written.
@Suite struct RuleTextTests {
    static let address4 = IPAddress(family: .ipv4, value: 0x0a00_0001)
    static let address6 = IPAddress(family: .ipv6, value: 0x2001_0db8 << 96 | 1)

    @Test(arguments: RuleSamples.rules) func readsBackEveryRule(_ rule: Rule) throws {
        #expect(try Rule(nft: rule.text) == rule)
    }

    @Test(arguments: RuleSamples.Condition.allCases)
    func everyConditionIsAmongThem(_ condition: RuleSamples.Condition) {
        #expect(!condition.samples.isEmpty)
        #expect(condition.samples.allSatisfy { RuleSamples.Condition($0) == condition })
    }

    @Test func protocolOfLatePortsStandsFirst() throws {
        let ports = Match.destinationPorts(.udp, 40_000...49_999)
        let media = Rule([.destination(Self.address4), ports], .accept)
        #expect(media.text == "meta l4proto 17 ip daddr 10.0.0.1 udp dport 40000-49999 accept")
        #expect(try Rule(nft: media.text) == media)
        let portsFirst = Rule([ports, .destination(Self.address4)], .accept)
        #expect(portsFirst.text == "udp dport 40000-49999 ip daddr 10.0.0.1 accept")
        let twoPorts = Rule([.sourcePorts(.udp, 500...500), ports], .accept)
        #expect(twoPorts.text == "udp sport 500 udp dport 40000-49999 accept")
        // Another protocol than that of the ports is no part of them.
        let contradiction = Rule([.protocolNumber(6), ports], .accept)
        #expect(try Rule(nft: contradiction.text) == contradiction)
    }

    @Test(arguments: [
        "ip saddr 2001:db8::1 accept", "meta mark 1", "ct state odd", "ct state ,",
        "ct state new,", "tcp dport 9-1",
        "comment \"a\" accept", "counter name x", "jump", "ip6 hoplimit 256",
        "limit rate 20/minute burst 20 packets log prefix \"a\" group 1 snaplen 128",
        "limit rate 20/second burst 5 packets log prefix \"a\" group 1 snaplen 128",
        "limit rate 20/second burst 20 packets",
        "update @s { ip saddr . ip6 daddr }", "update s { ip saddr . ip daddr }",
        "update @s { ip saddr }", "update @s { ip saddr . ip daddr } accept",
    ])
    func refusesWhatIsNotWritten(_ text: String) {
        #expect(throws: RuleSyntaxError.self) { try Rule(nft: text) }
    }
}
