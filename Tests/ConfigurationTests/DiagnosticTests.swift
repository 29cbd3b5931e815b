import Configuration
import Site
import Testing

/// A faulty file `a.yaml` and everything that is to be said about it.
struct FaultyFile: CustomTestStringConvertible {
    let title: String
    let text: String
    let diagnostics: String

    init(_ title: String, _ text: String, says diagnostics: String) {
        self.title = title
        self.text = text
        self.diagnostics = diagnostics
    }

    var testDescription: String { title }
}

@Suite struct DiagnosticTests {
    @Test(arguments: FaultyFile.syntax) func syntax(file: FaultyFile) { check(file) }
    @Test(arguments: FaultyFile.settings) func settings(file: FaultyFile) { check(file) }
    @Test(arguments: FaultyFile.portsAndRanges) func ports(file: FaultyFile) { check(file) }
    @Test(arguments: FaultyFile.addresses) func addresses(file: FaultyFile) { check(file) }
    @Test(arguments: FaultyFile.nodes) func nodes(file: FaultyFile) { check(file) }
    @Test(arguments: FaultyFile.rules) func rules(file: FaultyFile) { check(file) }

    private func check(_ file: FaultyFile) {
        let loaded = load(file.text)
        #expect(
            loaded.diagnostics.map { $0.description + "\n" }.joined() == file.diagnostics + "\n")
        #expect((loaded.deployment == nil) == loaded.hasErrors)
    }
}

extension FaultyFile {
    static let syntax = [
        FaultyFile(
            "unended list",
            #"""
            nodes: [
            """#,
            says: #"""
                a.yaml:1:9: error: did not find expected node content while parsing a flow node
                """#),
        FaultyFile(
            "tab",
            #"""
            nodes:
            	a: 1
            """#,
            says: #"""
                a.yaml:2:1: error: found character that cannot start any token while scanning for the next token: indent with spaces, not with tabs
                """#),
        FaultyFile(
            "unquoted group",
            #"""
            peers:
              ssh_clients: [@office]
            """#,
            says: #"""
                a.yaml:2:17: error: found character that cannot start any token while scanning for the next token: write a group in quotes, as in "@office"
                """#),
        FaultyFile(
            "colon in a value",
            #"""
            a: b: c
            """#,
            says: #"""
                a.yaml:1:5: error: mapping values are not allowed in this context
                """#),
        FaultyFile(
            "unended mapping",
            #"""
            nodes:
              a: {role: conferencing, address: 10.0.0.1
            mode: enforce
            """#,
            says: #"""
                a.yaml:3:5: error: did not find expected ',' or '}' while parsing a flow mapping that begins at line 2, column 6
                """#),
        FaultyFile(
            "aliases, anchors, tags and keys twice",
            #"""
            a: &x 1
            b: *x
            c: !!str d
            a: 2
            """#,
            says: #"""
                a.yaml:1:1: error: unknown key "a": known are version, profile, placement, enforce, mode, ports, transports, features, groups, peers, nodes, host, rules, refusals and guard
                a.yaml:1:1: error: no node is configured: name at least one under nodes, with its role and address
                a.yaml:1:4: error: anchors are not supported: write the value out where it is used
                a.yaml:2:1: error: unknown key "b": known are version, profile, placement, enforce, mode, ports, transports, features, groups, peers, nodes, host, rules, refusals and guard
                a.yaml:2:4: error: aliases are not supported: write the value out
                a.yaml:3:1: error: unknown key "c": known are version, profile, placement, enforce, mode, ports, transports, features, groups, peers, nodes, host, rules, refusals and guard
                a.yaml:3:4: error: tags are not supported: write the value without "!"
                a.yaml:4:1: error: the key "a" is already at line 1, column 1: write it once
                """#),
        FaultyFile(
            "two documents",
            #"""
            ---
            version: 1
            ---
            version: 1
            """#,
            says: #"""
                a.yaml:3:1: error: a second document begins here: write one document a file, without "---" or "..." inside
                """#),
        FaultyFile(
            "list",
            #"""
            - a
            """#,
            says: #"""
                a.yaml:1:1: error: the file holds a list: it must be a mapping of keys such as nodes
                """#),
        FaultyFile(
            "text",
            #"""
            just text
            """#,
            says: #"""
                a.yaml:1:1: error: the file holds "just text": it must be a mapping of keys such as nodes
                """#),
        FaultyFile(
            "key that is no word",
            #"""
            ? [a]
            : b
            """#,
            says: #"""
                a.yaml:1:3: error: a key must be a word, not a list, a mapping or an alias
                """#),
        FaultyFile(
            "depth",
            #"""
            nodes: [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]
            """#,
            says: #"""
                a.yaml:1:23: error: nested deeper than 16 levels
                """#),
        FaultyFile(
            "merge key",
            #"""
            <<: {a: b}
            """#,
            says: #"""
                a.yaml:1:1: error: unknown key "<<": known are version, profile, placement, enforce, mode, ports, transports, features, groups, peers, nodes, host, rules, refusals and guard
                a.yaml:1:1: error: no node is configured: name at least one under nodes, with its role and address
                """#),
        FaultyFile(
            "keys twice",
            #"""
            nodes: {a: {role: conferencing, address: 10.0.0.1, address: 10.0.0.2}}
            "nodes": {}
            """#,
            says: #"""
                a.yaml:1:52: error: the key "address" is already at line 1, column 33: write it once
                a.yaml:2:1: error: the key "nodes" is already at line 1, column 1: write it once
                """#),
        FaultyFile(
            "escapes",
            #"""
            "a\0b\e\u202e": 1
            nodes: {a: {role: conferencing, address: 10.0.0.1}}
            """#,
            says: #"""
                a.yaml:1:1: error: unknown key "a\u{0}b\u{1b}\u{202e}": known are version, profile, placement, enforce, mode, ports, transports, features, groups, peers, nodes, host, rules, refusals and guard
                """#),
        FaultyFile(
            "directive",
            #"""
            %YAML 3.0
            ---
            a: b
            """#,
            says: #"""
                a.yaml:1:1: error: found incompatible YAML document
                """#),
        FaultyFile(
            "unended quotes",
            #"""
            a: "unterminated
            b: c
            """#,
            says: #"""
                a.yaml:2:5: error: found unexpected end of stream while scanning a quoted scalar that begins at line 1, column 4
                """#),
        FaultyFile(
            "backquote",
            #"""
            a: `b`
            """#,
            says: #"""
                a.yaml:1:4: error: found character that cannot start any token while scanning for the next token: write the value in quotes
                """#),
        FaultyFile(
            "wrong indentation",
            #"""
            nodes: {a: {role: conferencing, address: 10.0.0.1}}
             b: c
            """#,
            says: #"""
                a.yaml:2:2: error: did not find expected key while parsing a block mapping that begins at line 1, column 1
                """#),
    ]
}

extension FaultyFile {
    static let settings = [
        FaultyFile(
            "unknown keys and words",
            #"""
            fetures: {ssh: true}
            Nodes:
            version: 2
            profile: infinity-15
            placement: gatway
            mode: observ
            enforce: all
            """#,
            says: #"""
                a.yaml:1:1: error: unknown key "fetures" (did you mean "features"?)
                a.yaml:1:1: error: no node is configured: name at least one under nodes, with its role and address
                a.yaml:2:1: error: unknown key "Nodes" (did you mean "nodes"?)
                a.yaml:3:10: error: version must be 1, not "2"
                a.yaml:4:10: error: unknown profile "infinity-15" (did you mean "infinity-14"?)
                a.yaml:5:12: error: unknown placement "gatway" (did you mean "gateway"?)
                a.yaml:6:7: error: unknown mode "observ" (did you mean "observe"?)
                a.yaml:7:10: error: enforce must be auto or a list of node names, not "all": write auto or [NAME]
                """#),
        FaultyFile(
            "version in quotes",
            #"""
            version: "1"
            """#,
            says: #"""
                a.yaml:1:1: error: no node is configured: name at least one under nodes, with its role and address
                a.yaml:1:10: error: version must not be in quotes, which make it a text: write 1, not "1"
                """#),
        FaultyFile(
            "no nodes: version alone",
            #"""
            version: 1
            """#,
            says: #"""
                a.yaml:1:1: error: no node is configured: name at least one under nodes, with its role and address
                """#),
        FaultyFile(
            "no nodes: empty mapping",
            #"""
            nodes: {}
            """#,
            says: #"""
                a.yaml:1:8: error: no node is configured: name at least one under nodes, with its role and address
                """#),
        FaultyFile(
            "no nodes: list",
            #"""
            nodes: []
            """#,
            says: #"""
                a.yaml:1:8: error: nodes must be a mapping of keys, not a list
                """#),
        FaultyFile(
            "no nodes: null",
            #"""
            nodes:
              a:
            """#,
            says: #"""
                a.yaml:2:3: error: the node "a" has no content: write it, or remove the name
                """#),
        FaultyFile(
            "booleans",
            #"""
            features: {ssh: yes, http: "true", snmp: 1, sipudp: true, ldap: [], smtp: TRUE, syslog: banana}
            nodes: {a: {role: conferencing, address: 10.0.0.1}}
            """#,
            says: #"""
                a.yaml:1:17: error: features.ssh must be true or false: write true, not yes
                a.yaml:1:28: error: features.http must not be in quotes, which make it a text: write true, not "true"
                a.yaml:1:42: error: features.snmp must be true or false: write true, not 1
                a.yaml:1:45: error: unknown key "sipudp" in features (did you mean "sip_udp"?)
                a.yaml:1:65: error: features.ldap must be true or false, not a list
                a.yaml:1:75: error: features.smtp must be true or false: write true, not TRUE
                a.yaml:1:89: error: features.syslog must be true or false, not "banana"
                """#),
        FaultyFile(
            "rules that overlap, and a node that is its own peer",
            #"""
            nodes:
              a: {role: conferencing, address: 10.0.0.1, peers: {dns_servers: [10.0.0.1, 10.0.0.9]}}
              b: {role: conferencing, address: 10.0.0.2}
            rules:
              - {name: one, nodes: all, direction: inbound, protocol: tcp, destination_ports: 9000-9100}
              - {name: two, nodes: a, direction: inbound, protocol: tcp, destination_ports: 9100, peers: [10.0.0.1]}
              - {name: three, nodes: b, direction: outbound, protocol: tcp, destination_ports: 9100}
            """#,
            says: #"""
                a.yaml:2:67: warning: nodes.a.peers.dns_servers names 10.0.0.1, which is node "a" itself: its traffic with itself needs no row
                a.yaml:6:12: warning: the rule "two" overlaps the rule "one": packets of both pass and are counted as site.one
                a.yaml:6:94: warning: peers of rule two names 10.0.0.1, which is node "a" itself: its traffic with itself needs no row
                """#),
        FaultyFile(
            "values that are missing",
            #"""
            version:
            profile: ~
            placement: null
            enforce:
            mode: Null
            ports: {ephemeral: , snmp: , psom: [~]}
            transports: {syslog: }
            features:
              ssh:
            groups: {g: [], h: , i: [~]}
            peers:
              ssh_clients:
              endpoints:
                -
                - null
            nodes:
              a: {role: , address: , secondary_address: , peers: {dns_servers: }}
              b: {role: conferencing, address: [~]}
            host: {ping: }
            rules: [{name: , nodes: , direction: , protocol: , source_ports: , peers: }, ~]
            refusals: {sample: , group: , rate: }
            guard: {confirm: , probes: , revoke_established: }
            """#,
            says: #"""
                a.yaml:1:1: error: version must be 1, and has no value: write one, or remove the key
                a.yaml:2:10: error: the profile must be infinity-14, and has no value: write one, or remove the key
                a.yaml:3:12: error: the placement must be local or gateway, and has no value: write one, or remove the key
                a.yaml:4:1: error: enforce must be auto or a list of node names, and has no value: write one, or remove the key
                a.yaml:5:7: error: the mode must be enforce or observe, and has no value: write one, or remove the key
                a.yaml:6:9: error: ports.ephemeral must be a range of ports LOW-HIGH, and has no value: write one, or remove the key
                a.yaml:6:22: error: ports.snmp must be one port, and has no value: write one, or remove the key
                a.yaml:6:37: error: ports.psom must be one port, not nothing
                a.yaml:7:14: error: the transport must be udp or tcp, and has no value: write one, or remove the key
                a.yaml:9:3: error: features.ssh must be true or false, and has no value: write one, or remove the key
                a.yaml:10:13: error: groups.g is empty: name addresses, or remove the group
                a.yaml:10:17: error: the group "h" has no content: write it, or remove the name
                a.yaml:10:26: error: groups.i must list addresses, prefixes, ranges and groups, not nothing
                a.yaml:12:3: error: peers.ssh_clients must be any or a list of addresses, prefixes, ranges and groups, and has no value: write one, or remove the key
                a.yaml:14:6: error: peers.endpoints must list addresses, prefixes, ranges and groups, not nothing
                a.yaml:15:7: error: peers.endpoints must list addresses, prefixes, ranges and groups, not nothing
                a.yaml:17:7: error: the role must be management or conferencing, and has no value: write one, or remove the key
                a.yaml:17:15: error: nodes.a.address must be an IPv4 or IPv6 address, and has no value: write one, or remove the key
                a.yaml:17:26: error: nodes.a.secondary_address must be an IPv4 or IPv6 address, and has no value: write one, or remove the key
                a.yaml:17:55: error: nodes.a.peers.dns_servers must be any or a list of addresses, prefixes, ranges and groups, and has no value: write one, or remove the key
                a.yaml:18:37: error: nodes.b.address must be an IPv4 or IPv6 address, not nothing
                a.yaml:19:8: error: host.ping must be true or false, and has no value: write one, or remove the key
                a.yaml:20:10: error: rules[1].name must be a name, and has no value: write one, or remove the key
                a.yaml:20:18: error: nodes of rules[1] must be names of nodes, a role, or all, and has no value: write one, or remove the key
                a.yaml:20:27: error: the direction must be inbound or outbound, and has no value: write one, or remove the key
                a.yaml:20:40: error: the protocol must be tcp, udp or esp, and has no value: write one, or remove the key
                a.yaml:20:52: error: source_ports of rules[1] must be one port, and has no value: write one, or remove the key
                a.yaml:20:68: error: peers of rules[1] must be any or a list of addresses, prefixes, ranges and groups, and has no value: write one, or remove the key
                a.yaml:20:78: error: rules[2] must be a mapping of keys, not nothing
                a.yaml:21:12: error: refusals.sample must be true or false, and has no value: write one, or remove the key
                a.yaml:21:22: error: refusals.group must be a number from 1 to 65535, and has no value: write one, or remove the key
                a.yaml:21:31: error: refusals.rate must be a number from 1 to 1000, and has no value: write one, or remove the key
                a.yaml:22:9: error: guard.confirm must be a time such as 60s, 5m or 1h, or off, and has no value: write one, or remove the key
                a.yaml:22:20: error: guard.probes must be a list of probes such as tcp://10.0.0.1:443, and has no value: write one, or remove the key
                a.yaml:22:30: error: guard.revoke_established must be true or false, and has no value: write one, or remove the key
                """#),
        FaultyFile(
            "guard",
            #"""
            placement: gateway
            nodes: {a: {role: conferencing, address: 10.0.0.1}}
            guard: {confirm: 60s, probes: ["tcp://10.0.0.1:443", "tcp://[::1]:443", "tcp://::1:443", "tcp://[10.0.0.1]:443", "http://a", "tcp://name:443", "tcp://1.1.1.1:0", "tcp:"], revoke_established: no}
            """#,
            says: #"""
                a.yaml:3:73: error: the probe "tcp://::1:443" needs brackets around an IPv6 address and none around IPv4
                a.yaml:3:90: error: the probe "tcp://[10.0.0.1]:443" needs brackets around an IPv6 address and none around IPv4
                a.yaml:3:114: error: a probe must be tcp://ADDRESS:PORT, as in tcp://10.0.0.1:443 or tcp://[2001:db8::1]:443, not "http://a"
                a.yaml:3:126: error: the probe "tcp://name:443" needs a numeric address, because names are not looked up: write tcp://ADDRESS:PORT
                a.yaml:3:144: error: a probe must be tcp://ADDRESS:PORT, as in tcp://10.0.0.1:443 or tcp://[2001:db8::1]:443, not "tcp://1.1.1.1:0"
                a.yaml:3:163: error: a probe must be tcp://ADDRESS:PORT, as in tcp://10.0.0.1:443 or tcp://[2001:db8::1]:443, not "tcp:"
                a.yaml:3:192: error: guard.revoke_established must be true or false: write false, not no
                """#),
        FaultyFile(
            "guard, host and transports",
            #"""
            nodes: {a: {role: conferencing, address: 10.0.0.1}}
            guard: {confirm: 5s, probes: 12}
            host: {ping: 1, dhcp: true, track_media: yes}
            transports: {syslog: tls}
            """#,
            says: #"""
                a.yaml:2:18: error: guard.confirm must be from 10s to 24h, or off, not "5s"
                a.yaml:2:30: error: guard.probes must be a list of probes such as tcp://10.0.0.1:443, not "12"
                a.yaml:3:14: error: host.ping must be true or false: write true, not 1
                a.yaml:3:17: error: unknown key "dhcp" in host: known are ping, dhcp_client and track_media
                a.yaml:3:42: error: host.track_media must be auto, true or false: write true, not yes
                a.yaml:4:22: error: unknown transport "tls": write tcp, which includes TLS
                """#),
        FaultyFile(
            "kinds",
            #"""
            nodes: {a: {role: conferencing, address: 10.0.0.1}}
            guard: {confirm: 60}
            rules: {}
            host: []
            """#,
            says: #"""
                a.yaml:2:18: error: guard.confirm must be a time such as 60s, 5m or 1h, or off, not "60"
                a.yaml:3:8: error: rules must be a list of rules, not a mapping
                a.yaml:4:7: error: host must be a mapping of keys, not a list
                """#),
        FaultyFile(
            "kinds, continued",
            #"""
            nodes: {a: {role: conferencing, address: 10.0.0.1}}
            enforce: [A, [b]]
            guard: {confirm: 25h, probes: [[1]]}
            mode: [enforce]
            profile: {a: b}
            """#,
            says: #"""
                a.yaml:2:11: error: unknown node "A" (did you mean "a"?)
                a.yaml:2:14: error: enforce must list names of nodes, not a list
                a.yaml:3:18: error: guard.confirm must be from 10s to 24h, or off, not "25h"
                a.yaml:3:32: error: a probe must be tcp://ADDRESS:PORT, as in tcp://10.0.0.1:443 or tcp://[2001:db8::1]:443, not a list
                a.yaml:4:7: error: the mode must be enforce or observe, not a list
                a.yaml:5:10: error: the profile must be infinity-14, not a mapping
                """#),
    ]
}

extension FaultyFile {
    static let portsAndRanges = [
        FaultyFile(
            "ports",
            #"""
            ports: {ephemeral: 60000, signaling: 39999-33000, media: "40000-70000", snmp: "161", syslog: 0, stun_turn: [1], psom: [], foo: 1}
            nodes: {a: {role: conferencing, address: 10.0.0.1}}
            """#,
            says: #"""
                a.yaml:1:20: error: ports.ephemeral must be a range of ports LOW-HIGH, not "60000"
                a.yaml:1:38: error: ports.signaling 39999-33000 is reversed: write 33000-39999
                a.yaml:1:58: error: ports.media must be a port from 1 to 65535, not "70000"
                a.yaml:1:79: error: ports.snmp must not be in quotes, which make it a text: write 161, not "161"
                a.yaml:1:94: error: ports.syslog must be a port from 1 to 65535, not "0"
                a.yaml:1:108: error: ports.stun_turn must be one port, not a list
                a.yaml:1:119: error: ports.psom is empty: name at least one port
                a.yaml:1:123: error: unknown key "foo" in ports: known are ephemeral, signaling, media, snmp, syslog, stun_turn and psom
                """#),
        FaultyFile(
            "ports, continued",
            #"""
            ports: {signaling: 33000-45000, psom: [443, 443], snmp: 0161, stun_turn: 65536, syslog: x}
            nodes: {a: {role: conferencing, address: 10.0.0.1}}
            """#,
            says: #"""
                a.yaml:1:20: error: the range signaling 33000-45000 overlaps media 40000-49999 (the default): choose ranges without a port in common
                a.yaml:1:45: error: ports.psom names port 443 twice: write it once
                a.yaml:1:57: error: ports.snmp must be a port without leading zeros, not "0161"
                a.yaml:1:74: error: ports.stun_turn must be a port from 1 to 65535, not "65536"
                a.yaml:1:89: error: ports.syslog must be a port from 1 to 65535, not "x"
                """#),
        FaultyFile(
            "ranges",
            #"""
            ports: {signaling: 1000-6000, media: 20-600}
            nodes: {a: {role: conferencing, address: 10.0.0.1, ports: {media: 30000-35000, signaling: 36000-37000}}, b: {role: conferencing, address: 10.0.0.2, ports: {ephemeral: 500-700}}}
            """#,
            says: #"""
                a.yaml:1:20: warning: the range signaling 1000-6000 contains 1719 (H.323, RAS signaling), 1720 (H.323, H.225 signaling), 5060 (SIP) and 5061 (SIP/TLS): packets to such a port pass as signaling, whatever its own row says
                a.yaml:1:38: warning: the range media 20-600 contains 22 (SSH), 80 (HTTP), 161 (SNMP), 443 (HTTPS) and 500 (ISAKMP, IPsec): packets to such a port pass as media, whatever its own row says
                a.yaml:2:168: error: the range ephemeral 500-700 overlaps media 20-600: choose ranges without a port in common
                """#),
    ]
}

extension FaultyFile {
    static let addresses = [
        FaultyFile(
            "groups and peers",
            #"""
            groups:
              a: ["@b", 10.0.0.1]
              b: ["@c"]
              c: ["@a"]
              d: []
              e: 10.0.0.1
              f: any
              g: [any, "@a", "@nope", 10.0.0.1/8, name.example, e]
              "bad name!": [10.0.0.1]
              h:
            peers: {ssh_clients: [], ssh_client: [], dns_servers: "@a", ntp_servers: [any], ldap_servers: ["@gg"], endpoints: {a: b}}
            nodes: {a: {role: conferencing, address: 10.0.0.1}}
            """#,
            says: #"""
                a.yaml:4:7: error: groups refer to each other in a circle, @a to @b to @c to @a: remove one reference
                a.yaml:5:6: error: groups.d is empty: name addresses, or remove the group
                a.yaml:6:6: error: groups.e must be a list of addresses, prefixes, ranges and groups: write ["10.0.0.1"]
                a.yaml:7:6: error: any is not an address: write any where the group is used
                a.yaml:8:7: error: any is not an address: write any where the group is used
                a.yaml:8:18: error: unknown group "@nope": write @a, @b, @c, @d, @e, @f, @g, @bad name! or @h
                a.yaml:8:27: error: "10.0.0.1/8" has bits set after its prefix length: write 10.0.0.0/8 for the network or 10.0.0.1 for the one address
                a.yaml:8:39: error: "name.example" is not an IPv4 or IPv6 address, a prefix or a range (names are not looked up)
                a.yaml:8:53: error: "e" is a group: write "@e"
                a.yaml:9:3: error: the group's name "bad name!" must begin with a letter or digit and go on with letters, digits, "_", "." and "-", 63 at most
                a.yaml:10:3: error: the group "h" has no content: write it, or remove the name
                a.yaml:11:22: error: peers.ssh_clients is empty: write any, or name addresses
                a.yaml:11:26: error: unknown key "ssh_client" in peers (did you mean "ssh_clients"?)
                a.yaml:11:55: error: peers.dns_servers must be any or a list of addresses, prefixes, ranges and groups: write ["@a"]
                a.yaml:11:75: error: any stands alone, not in a list: write peers.ntp_servers: any
                a.yaml:11:96: error: unknown group "@gg" (did you mean "@g"?)
                a.yaml:11:115: error: peers.endpoints must be any or a list of addresses, prefixes, ranges and groups, not a mapping
                """#),
        FaultyFile(
            "IPv4-mapped addresses",
            #"""
            groups: {a: ["::ffff:10.0.0.1"], b: ["::ffff:0:0/96", "::/0"], c: ["::ffff:10.1.0.0/112"]}
            peers:
              ssh_clients: ["0:0:0:0:0:FFFF:0a00:0001", "::ffff:1:2:3"]
              dns_servers: ["::ffff:10.0.0.5-::ffff:10.0.0.9", "::fffe:0:0-::ffff:a00:1", "::/80"]
            nodes:
              a:
                role: conferencing
                address: [10.0.0.21, "2001:db8::21"]
                peers: {endpoints: ["::ffff:192.0.2.1-1::"]}
            rules:
              - {name: x, nodes: a, direction: inbound, protocol: tcp, peers: ["::ffff:192.0.2.7"]}
            guard: {probes: ["tcp://[::ffff:192.0.2.7]:443"]}
            """#,
            says: #"""
                a.yaml:1:14: error: "::ffff:10.0.0.1" is an IPv4-mapped address, which no packet has: write 10.0.0.1
                a.yaml:1:38: error: "::ffff:0:0/96" has IPv4-mapped addresses, which no packet has: write 0.0.0.0/0
                a.yaml:1:68: error: "::ffff:10.1.0.0/112" has IPv4-mapped addresses, which no packet has: write 10.1.0.0/16
                a.yaml:3:17: error: "0:0:0:0:0:FFFF:0a00:0001" is an IPv4-mapped address, which no packet has: write 10.0.0.1
                a.yaml:4:17: error: "::ffff:10.0.0.5-::ffff:10.0.0.9" has IPv4-mapped addresses, which no packet has: write 10.0.0.5-10.0.0.9
                a.yaml:4:52: error: "::fffe:0:0-::ffff:a00:1" has an end among IPv4-mapped addresses, which no packet has: write IPv4 addresses as such, and end the range outside ::ffff:0:0/96
                a.yaml:4:79: error: "::/80" has an end among IPv4-mapped addresses, which no packet has: write IPv4 addresses as such, and end the range outside ::ffff:0:0/96
                a.yaml:9:25: error: "::ffff:192.0.2.1-1::" has an end among IPv4-mapped addresses, which no packet has: write IPv4 addresses as such, and end the range outside ::ffff:0:0/96
                a.yaml:11:68: error: "::ffff:192.0.2.7" is an IPv4-mapped address, which no packet has: write 192.0.2.7
                a.yaml:12:18: error: the probe "tcp://[::ffff:192.0.2.7]:443" has an IPv4-mapped address: write tcp://192.0.2.7:443
                """#),
        FaultyFile(
            "families",
            #"""
            peers: {ssh_clients: ["2001:db8::1", "2001:db8::2"], dns_servers: [10.0.0.1, "2001:db8::1"]}
            nodes: {a: {role: conferencing, address: 10.0.0.1, peers: {ntp_servers: ["2001:db8::3"]}}}
            rules: [{name: x, nodes: all, direction: inbound, protocol: tcp, peers: ["::1"]}]
            """#,
            says: #"""
                a.yaml:1:23: warning: peers.ssh_clients names IPv6 peers, but the nodes have no IPv6 address: nothing will match them
                a.yaml:1:78: warning: peers.dns_servers names IPv6 peers, but the nodes have no IPv6 address: nothing will match them
                a.yaml:2:74: warning: nodes.a.peers.ntp_servers names IPv6 peers, but node "a" has no IPv6 address: nothing will match them
                a.yaml:3:74: warning: peers of rule x names IPv6 peers, but node "a" has no IPv6 address: nothing will match them
                """#),
        FaultyFile(
            "circles and ranges of addresses",
            #"""
            nodes: {a: {role: conferencing, address: 10.0.0.1}}
            groups: {a: ["@a"], b: [10.0.0.9-10.0.0.1, "10.0.0.1-2001:db8::1", 10.0.0.0/33, "@c"], c: ["@b", "@a"]}
            enforce: []
            """#,
            says: #"""
                a.yaml:2:14: error: groups refer to each other in a circle, @a to @a: remove one reference
                a.yaml:2:25: error: "10.0.0.9-10.0.0.1" is reversed: write 10.0.0.1-10.0.0.9
                a.yaml:2:44: error: "10.0.0.1-2001:db8::1" mixes IPv4 and IPv6
                a.yaml:2:68: error: "10.0.0.0/33" has no prefix length of 0 to 32 after the slash
                a.yaml:2:92: error: groups refer to each other in a circle, @b to @c to @b: remove one reference
                a.yaml:3:10: error: enforce names no node: write auto, or name nodes
                """#),
    ]
}

extension FaultyFile {
    static let nodes = [
        FaultyFile(
            "nodes",
            #"""
            nodes:
              a: {role: conferencing, address: [10.0.0.1, 10.0.0.2, 10.0.0.1]}
              b-1: {role: management, address: 10.0.0.1, secondary_address: 10.0.0.9}
              b.1: {rol: management, address: 10.0.0.9}
              -c: {role: conferenceing, address: 127.0.0.1}
              d: {role: [], address: {a: 1}}
              e: {role: conferencing, address: [10.0.0.0/8, example.com, "fe80::1", "::ffff:10.0.0.1", 10.0.0.77-10.0.0.78]}
              f: {role: conferencing, address: []}
              g: 12
              h: {role: conferencing}
            """#,
            says: #"""
                a.yaml:2:47: error: nodes.a.address has two IPv4 addresses, 10.0.0.1 and 10.0.0.2: write one of each family
                a.yaml:2:57: error: 10.0.0.1 is an address of node "a" already, at a.yaml:2:37: write it once
                a.yaml:3:36: error: 10.0.0.1 is an address of node "a", at a.yaml:2:37: two nodes cannot share one
                a.yaml:3:46: error: a Management Node has no secondary address: remove it, or correct the role
                a.yaml:4:3: error: node "b.1" has no role: write role: management or role: conferencing
                a.yaml:4:3: error: the nodes "b-1" (at a.yaml:3:3) and "b.1" would both have the table pexip_fw_b_1: rename one of them
                a.yaml:4:9: error: unknown key "rol" in nodes.b.1 (did you mean "role"?)
                a.yaml:4:35: error: 10.0.0.9 is an address of node "b-1", at a.yaml:3:65: two nodes cannot share one
                a.yaml:5:3: error: the node's name "-c" must begin with a letter or digit and go on with letters, digits, "_", "." and "-", 63 at most
                a.yaml:5:14: error: unknown role "conferenceing" (did you mean "conferencing"?)
                a.yaml:5:38: error: nodes.-c.address cannot be "127.0.0.1", a loopback address
                a.yaml:6:13: error: the role must be management or conferencing, not a list
                a.yaml:6:26: error: nodes.d.address must be an IPv4 or IPv6 address, not a mapping
                a.yaml:7:37: error: "10.0.0.0/8" is not an IPv4 or IPv6 address: a node has single addresses, no prefix or range
                a.yaml:7:49: error: "example.com" is not an IPv4 or IPv6 address (names are not looked up)
                a.yaml:7:62: error: nodes.e.address cannot be "fe80::1", a link-local address, which is not unique among nodes
                a.yaml:7:73: error: nodes.e.address cannot be "::ffff:10.0.0.1", an IPv4-mapped address: write 10.0.0.1
                a.yaml:7:92: error: "10.0.0.77-10.0.0.78" is not an IPv4 or IPv6 address: a node has single addresses, no prefix or range
                a.yaml:8:36: error: nodes.f.address is empty: name an address
                a.yaml:9:6: error: nodes.g must be a mapping of keys, not "12"
                a.yaml:10:3: error: node "h" has no address: write address and its primary one
                """#),
        FaultyFile(
            "node called as a role",
            #"""
            nodes:
              a: {role: conferencing, address: 10.0.0.1}
              management: {role: management, address: 10.0.0.2}
            rules:
              - {name: x, nodes: management, direction: inbound, protocol: tcp}
            enforce: management
            """#,
            says: #"""
                a.yaml:5:22: error: "management" is both the name of a node and a word for several: rename the node
                a.yaml:6:10: error: enforce must be auto or a list of node names, not "management": write [management]
                """#),
        FaultyFile(
            "families of a node",
            #"""
            nodes: {a: {role: conferencing, address: [10.0.0.1, "2001:db8::1", "2001:db8::2"], secondary_address: [10.0.0.1, 10.0.0.3]}}
            """#,
            says: #"""
                a.yaml:1:68: error: nodes.a.address has two IPv6 addresses, 2001:db8::1 and 2001:db8::2: write one of each family
                a.yaml:1:104: error: 10.0.0.1 is an address of node "a" already, at a.yaml:1:43: write it once
                a.yaml:1:114: error: nodes.a.secondary_address has two IPv4 addresses, 10.0.0.1 and 10.0.0.3: write one of each family
                """#),
        FaultyFile(
            "unknown keys in a node",
            #"""
            nodes: {a: {role: conferencing, address: 10.0.0.1, secondary_adress: 10.0.0.2, peers: {endpoint: any}, transports: {sylog: tcp}}}
            guards: {}
            """#,
            says: #"""
                a.yaml:1:52: error: unknown key "secondary_adress" in nodes.a (did you mean "secondary_address"?)
                a.yaml:1:88: error: unknown key "endpoint" in nodes.a.peers (did you mean "endpoints"?)
                a.yaml:1:117: error: unknown key "sylog" in nodes.a.transports (did you mean "syslog"?)
                a.yaml:2:1: error: unknown key "guards" (did you mean "guard"?)
                """#),
    ]
}

extension FaultyFile {
    static let rules = [
        FaultyFile(
            "rules",
            #"""
            enforce: [a, b, a, c]
            nodes: {a: {role: conferencing, address: 10.0.0.1}, b: {role: conferencing, address: 10.0.0.2}}
            rules:
              - {name: x, nodes: [a, zz], direction: inbound, protocol: tcp, destination_ports: [22, 90-80, "80", "80-90", 100000]}
              - {name: x, nodes: management, direction: inwards, protocol: icmp}
              - {name: Bad, nodes: a, direction: inbound, protocol: esp, destination_ports: 22, source_ports: 1-2}
              - {nam: x}
              - 12
              - {name: y, nodes: [], direction: inbound, protocol: tcp, destination_ports: []}
              - {name: z, direction: [], protocol: tcp, nodes: all, peers: ["@x"]}
            """#,
            says: #"""
                a.yaml:1:14: error: enforce names several nodes, but with placement: local the host is one node: name that one, or write auto
                a.yaml:1:17: error: enforce names "a" twice: write it once
                a.yaml:1:20: error: unknown node "c": write a or b
                a.yaml:4:26: error: unknown node "zz": write a or b
                a.yaml:4:90: error: destination_ports of rule x 90-80 is reversed: write 80-90
                a.yaml:4:97: error: destination_ports of rule x must not be in quotes, which make it a text: write 80, not "80"
                a.yaml:4:112: error: destination_ports of rule x must be a port from 1 to 65535, not "100000"
                a.yaml:5:12: error: the rule "x" is already at a.yaml:4:12: give each rule a name of its own
                a.yaml:5:22: error: rule x is for no node: name one, or remove the rule
                a.yaml:5:45: error: unknown direction "inwards": write inbound or outbound
                a.yaml:5:64: error: unknown protocol "icmp": write tcp, udp or esp
                a.yaml:6:12: error: the rule's name "Bad" must begin with a small letter or digit and go on with small letters, digits, ".", "_" and "-", 64 at most
                a.yaml:6:62: error: rules[3] has destination_ports, but esp has no ports: remove them
                a.yaml:6:85: error: rules[3] has source_ports, but esp has no ports: remove them
                a.yaml:7:5: error: rules[4] has no name
                a.yaml:7:5: error: rules[4] has no nodes: name nodes, a role, or all
                a.yaml:7:5: error: rules[4] has no direction: write inbound or outbound
                a.yaml:7:5: error: rules[4] has no protocol: write tcp, udp or esp
                a.yaml:7:6: error: unknown key "nam" in rules[4] (did you mean "name"?)
                a.yaml:8:5: error: rules[5] must be a mapping of keys, not "12"
                a.yaml:9:22: error: rule y is for no node: name one, or remove the rule
                a.yaml:9:80: error: destination_ports of rule y is empty: name ports, or leave it out for all of them
                a.yaml:10:26: error: the direction must be inbound or outbound, not a list
                a.yaml:10:65: error: unknown group "@x": there is none
                """#)
    ]
}
