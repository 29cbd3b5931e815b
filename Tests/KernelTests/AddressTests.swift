import Enforcement
import Foundation
import Reports
import Site
import Testing
import TestSupport
import Reports

/// Addresses and routes of the host that come and go: what concerns a node is told, and what concerns
/// none costs nothing.
@Suite("Addresses")
struct AddressTests {
    private static func nodes(_ count: Int) -> String {
        let nodes = (0..<count).map { number in
            "  n\(number): {role: conferencing, address: 10.\(1 + number / 60_000).\(number / 250).\(1 + number % 250)}\n"
        }
        return "placement: gateway\nnodes:\n" + nodes.joined()
    }

    private static func scene(
        _ configuration: String, _ body: (AgentFixture) throws -> Void
    ) throws {
        try requireRoot()
        try NetworkNamespace.with(forwarding: true) { namespace in
            try namespace.configure([
                "link add d0 type veth peer name d1", "link set d0 up", "link set d1 up",
                "address add 10.0.0.1/8 dev d0",
            ])
            let agent = try AgentFixture(in: namespace, configuration: configuration)
            do {
                try agent.start(timeout: .seconds(120))
                try agent.waitForStatus("all nodes", timeout: .seconds(120)) {
                    $0.state == .inSync && $0.diagnostics.isEmpty
                }
                try body(agent)
                try agent.stop()
            } catch {
                throw TestSupportError("\(error)\nThe agent logged:\n\(agent.log)")
            }
        }
    }

    private static func processorTime(of agent: AgentFixture) throws -> Duration {
        try ProcessTree.descendants(of: #require(agent.process).pid).reduce(.zero) {
            try $0 + ProcessTree.processorTime(of: $1)
        }
    }

    /// A compilation of so many nodes takes longer than all that is permitted here.
    @Test("200 changes that concern none of 3,000 nodes take at most half a second of computing")
    func unconcerned() throws {
        try Self.scene(Self.nodes(3_000)) { agent in
            // What came of the start is over.
            sleep(3)
            let before = try Self.processorTime(of: agent)
            let started = agent.log
            for number in 0..<100 {
                for verb in ["add", "del"] {
                    try agent.namespace.configure([
                        "address \(verb) 192.0.2.\(number + 1)/32 dev d0"
                    ])
                    usleep(30_000)
                }
            }
            sleep(1)
            let used = try Self.processorTime(of: agent) - before
            print("200 changes of addresses: \(used)")
            #expect(used <= .milliseconds(500))
            #expect(agent.log == started)
            // One that concerns a node is told as before.
            try agent.namespace.configure(["address add 10.1.0.7/32 dev d0"])
            try agent.waitForStatus("the node that is the host itself", timeout: .seconds(120)) {
                $0.diagnostics.contains { $0.message.contains("node n6 (10.1.0.7) is this host") }
            }
        }
    }

    @Test("a node's way that goes with an address, and comes back, is told some time later")
    func routes() throws {
        try Self.scene(Self.nodes(3)) { agent in
            try agent.namespace.configure(["address del 10.0.0.1/8 dev d0"])
            try agent.waitForStatus("no route", timeout: .seconds(300)) {
                $0.diagnostics.contains { $0.message.contains("no route to n0 (10.1.0.1)") }
            }
            try agent.namespace.configure(["address add 10.0.0.1/8 dev d0"])
            try agent.waitForStatus("a route", timeout: .seconds(300)) { $0.diagnostics.isEmpty }
            #expect(try agent.status().generation == 1)
        }
    }
}
