import PortModel
import Site
import Testing

@testable import Authoring

@Suite struct AnswerTests {
    private func problem(_ text: String) -> String? {
        do throws(AnswerProblem) {
            _ = try NodeAnswer(parsing: text)
            return nil
        } catch {
            return error.description
        }
    }

    @Test(arguments: [
        ("conf-1", "write NAME:ROLE:ADDRESS"), ("a:conferencing", "write NAME:ROLE:ADDRESS"),
        ("-a:conferencing:10.0.0.1", "a node's name begins"),
        ("all:conferencing:10.0.0.1", "all stands for several nodes"),
        ("management:management:10.0.0.1", "management stands for several nodes"),
        ("a:edge:10.0.0.1", "a role is management or conferencing, not \"edge\""),
        ("a:conferencing:", "\"\" is not an IPv4 or IPv6 address"),
        ("a:conferencing:10.0.0.0/8", "\"10.0.0.0/8\" is not an IPv4"),
        ("a:conferencing:127.0.0.1", "127.0.0.1 is a loopback address"),
        (
            "a:conferencing:::ffff:10.0.0.1",
            "::ffff:10.0.0.1 is an IPv4-mapped address: write 10.0.0.1"
        ),
        ("a:conferencing:10.0.0.1+10.0.0.2", "10.0.0.1+10.0.0.2 has two addresses of one family"),
        ("a:conferencing:10.0.0.1,10.0.0.2,10.0.0.3", "10.0.0.1,10.0.0.2,10.0.0.3 has more"),
        ("a:management:10.0.0.1,10.0.0.2", "a Management Node has no secondary address"),
    ])
    func refusedNodes(text: String, expected: String) {
        #expect(problem(text)?.hasPrefix(expected) == true, "\(problem(text) ?? "taken")")
    }

    /// `String` takes hours to compare such a text.
    @Test(.timeLimit(.minutes(1))) func nodesOfMarksAreRefusedAtOnce() {
        let marks = String(repeating: "\u{0301}\u{0316}", count: 250_000)
        #expect(problem("a\(marks)")?.hasPrefix("write NAME:ROLE:ADDRESS") == true)
        #expect(problem("a:b\(marks):c")?.hasPrefix("write NAME:ROLE:ADDRESS") == true)
    }

    @Test func longestNode() throws {
        let name = String(repeating: "a", count: Deployment.nameLength)
        let v6 = "2001:db8:1111:2222:3333:4444:5555:666"
        let text = "\(name):conferencing:200.100.100.100+\(v6)6,200.100.100.101+\(v6)7"
        #expect(try NodeAnswer(parsing: text).allAddresses.count == 4)
    }

    @Test func nodesThatCollide() throws {
        var answers = Answers()
        try answers.add(NodeAnswer(parsing: "a:conferencing:10.0.0.1,10.0.0.2"))
        for (text, expected) in [
            ("a:conferencing:10.0.0.3", "there is a node a already"),
            ("b:conferencing:10.0.0.2", "10.0.0.2 is an address of node a"),
            ("b:conferencing:10.0.0.3,10.0.0.1", "10.0.0.1 is an address of node a"),
            ("b:conferencing:10.0.0.3,10.0.0.3", "10.0.0.3 is the node's primary address already"),
        ] {
            let node = try NodeAnswer(parsing: text)
            #expect(throws: AnswerProblem(expected)) { try answers.add(node) }
        }
        #expect(answers.nodes.count == 1)
    }

    @Test func accesses() throws {
        #expect(try Answers.SSHAccess(parsing: ["any"]) == .any)
        #expect(try Answers.SSHAccess(parsing: ["none"]) == .closed)
        #expect(
            try Answers.SSHAccess(parsing: ["10.0.0.0/8", "::1"]) == .from(["10.0.0.0/8", "::1"]))
        for words in [["any", "10.0.0.1"], ["10.0.0.1", "none"], ["10.0.0.1/8"], ["office"]] {
            #expect(throws: AnswerProblem.self) { try Answers.SSHAccess(parsing: words) }
        }
        #expect(
            throws: AnswerProblem(
                "\"::ffff:10.0.0.1\" is an IPv4-mapped address, which no packet has: write 10.0.0.1"
            )
        ) { try Answers.SSHAccess(parsing: ["::ffff:10.0.0.1"]) }
        let v4 = try #require(IPAddress("203.0.113.7"))
        let v6 = try #require(IPAddress("2001:db8:1:2:3::4"))
        #expect(Answers.SSHAccess(aroundClient: v4) == .from(["203.0.113.0/24"]))
        #expect(Answers.SSHAccess(aroundClient: v6) == .from(["2001:db8:1:2::/64"]))
        #expect(Answers.SSHAccess(aroundClient: v6).includes(v6))
        #expect(!Answers.SSHAccess(aroundClient: v6).includes(v4))
        #expect(Answers.SSHAccess.any.includes(v4))
        #expect(!Answers.SSHAccess.closed.includes(v4))
    }

    @Test func sshAmongFeaturesOpensIt() {
        var answers = Answers()
        answers.use([.ssh, .snmp])
        #expect(answers.ssh == .any)
        #expect(answers.features == [.snmp])
        answers.ssh = .from(["10.0.0.1"])
        answers.use([.ssh])
        #expect(answers.ssh == .from(["10.0.0.1"]))
    }
}

@Suite struct InterviewTests {
    private struct EndOfInput: Error {}

    /// Holds an interview with these answers, and returns all that was said and asked.
    private func interview(
        _ host: Interview.Host, _ typed: [String]
    ) throws -> (answers: Answers, transcript: [String]) {
        var transcript: [String] = []
        var rest = typed[...]
        let answers = try Interview(of: host) { question in
            guard let line = rest.popFirst() else { throw EndOfInput() }
            transcript.append(question + line)
            return line
        } say: {
            transcript.append($0)
        }.answers()
        #expect(rest.isEmpty)
        return (answers, transcript)
    }

    @Test func answersAreCheckedAtOnce() throws {
        let own = try #require(IPAddress("10.0.0.21"))
        let host = Interview.Host(
            name: "conf-1", addresses: [own], address: own, client: IPAddress("203.0.113.7"))
        let (answers, transcript) = try interview(
            host,
            [
                "here", "", "", "", "", "", "conf-1", "my node", "mgmt", "management", "10.0.0.21",
                " 10.0.0.10+2001:db8::10 ", ".", "snmp, nothing", "snmp", "", "no",
            ])
        var expected = Answers()
        try expected.add(NodeAnswer(parsing: "conf-1:conferencing:10.0.0.21"))
        try expected.add(NodeAnswer(parsing: "mgmt:management:10.0.0.10+2001:db8::10"))
        expected.ssh = .from(["203.0.113.0/24"])
        expected.features = [.snmp]
        #expect(answers == expected)
        #expect(
            transcript == [
                "Return takes the answer in brackets; nothing is written before the end.",
                "Where does the agent run: local (on a node) or gateway (in front of nodes)? [local] here",
                "  write local or gateway",
                "Where does the agent run: local (on a node) or gateway (in front of nodes)? [local] ",
                "All nodes of the deployment, one after another: each is a peer of the others.",
                "Name of the node that this host is [conf-1] ",
                "Role of conf-1, management or conferencing [conferencing] ",
                "Primary address of conf-1, or one of each family joined by + [10.0.0.21] ",
                "Secondary address of conf-1, if it is dual-homed [none] ",
                "Name of another node (. for no more) conf-1",
                "  there is a node conf-1 already",
                "Name of another node (. for no more) my node",
                "  a node's name begins with a letter or digit and goes on with letters, digits, \"_\", \".\" and \"-\", 63 at most",
                "Name of another node (. for no more) mgmt",
                "Role of mgmt, management or conferencing [conferencing] management",
                "Primary address of mgmt, or one of each family joined by + 10.0.0.21",
                "  10.0.0.21 is an address of node conf-1",
                "Primary address of mgmt, or one of each family joined by +  10.0.0.10+2001:db8::10 ",
                "Name of another node (. for no more) .",
                "Optional parts of the product: http, snmp, sip_udp, ldap, smtp, syslog, incident_reporting, usage_statistics.",
                "Which of them are used? [none] snmp, nothing",
                "  there is no part \"nothing\": known are ssh, http, snmp, sip_udp, ldap, smtp, syslog, incident_reporting, usage_statistics",
                "Which of them are used? [none] snmp",
                "You are logged in by SSH from 203.0.113.7, which is closed unless it is opened here.",
                "From where is SSH to the nodes open: any, none, or addresses and prefixes? [203.0.113.0/24] ",
                "Does this host get its address by DHCP? [no] no",
            ])
    }

    @Test func gatewayAsksNothingOfItself() throws {
        let own = try #require(IPAddress("10.0.0.1"))
        let host = Interview.Host(
            name: "router", addresses: [own], address: own, client: IPAddress("203.0.113.7"))
        let (answers, transcript) = try interview(
            host, ["gateway", "a", "", "10.0.0.21", "198.51.100.21", ".", "none", ""])
        #expect(answers.placement == .gateway)
        #expect(answers.ssh == .closed)
        #expect(answers.nodes.map(\.allAddresses.count) == [2])
        #expect(!transcript.joined().contains("DHCP"))
        #expect(!transcript.joined().contains("You are logged in"))
    }

    @Test func endOfInputEndsIt() {
        #expect(throws: EndOfInput.self) { try interview(Interview.Host(), ["local", "a"]) }
    }

    @Test func whatIsSaidOfTheSessionsNetwork() throws {
        let client = try #require(IPAddress("10.1.2.3"))
        #expect(
            Answers.SSHAccess(aroundClient: client).noteOfSession
                == "SSH stays open from 10.1.2.0/24, the network of this session; --ssh-from says otherwise"
        )
    }
}
