import PortModel
import TestSupport
import Testing

@Suite struct NamespaceTests {
    private struct Failure: Error {}

    /// The names of all namespaces, as `ip` knows them.
    private func namespaces() throws -> [String] {
        let list = try ChildProcess.run(["ip", "netns", "list"]).requireSuccess()
        return list.standardOutput.split(separator: "\n").map {
            String($0.prefix { $0 != " " })
        }
    }

    @Test func aNamespaceAndItsProcessesAreGoneAfterwards() throws {
        var kept: (NetworkNamespace, ChildProcess)?
        try NetworkNamespace.with { namespace in
            kept = (namespace, try namespace.spawn(["sleep", "60"]))
            #expect(namespace.exists)
        }
        let (namespace, process) = try #require(kept)
        #expect(!namespace.exists)
        #expect(process.exitStatus == .signaled(9))
        try namespace.close()
    }

    @Test func aNamespaceIsGoneAfterAFailure() throws {
        var kept: NetworkNamespace?
        #expect(throws: Failure.self) {
            try NetworkNamespace.with { namespace in
                kept = namespace
                _ = try PacketProbe(in: namespace)
                throw Failure()
            }
        }
        #expect(try !#require(kept).exists)
    }

    @Test func aReleasedNamespaceIsGone() throws {
        let name = try NetworkNamespace().name
        #expect(try !namespaces().contains(name))
    }

    @Test func aTopologyIsGoneAfterAFailure() throws {
        let topology = try Fixture.gateway()
        #expect(throws: Failure.self) { try topology.use { _ in throw Failure() } }
        let gateway = try #require(topology.gateway)
        #expect([topology.node, gateway, topology.outside].allSatisfy { !$0.exists })
    }

    @Test func whatADeadTestProcessLeftIsRemoved() throws {
        // The removal at this process's start must not come between.
        try NetworkNamespace().close()
        // A process id that is certainly free: its process has been waited for.
        let dead = try ChildProcess(["true"])
        #expect(dead.wait(timeout: .seconds(5)) == .exited(0))
        let name = "pexip-fw-test-\(dead.pid)-1"
        try ChildProcess.run(["ip", "netns", "add", name]).requireSuccess()
        let stray = try ChildProcess(["ip", "netns", "exec", name, "sleep", "60"])
        #expect(
            try waitUntil {
                try ChildProcess.run(["ip", "netns", "pids", name]).standardOutput
                    .contains("\(stray.pid)")
            })
        try NetworkNamespace.removeLeftovers()
        #expect(stray.wait(timeout: .seconds(5)) == .signaled(9))
        #expect(try !namespaces().contains(name))
    }

    @Test func rulesLoadedInANamespaceStayThere() throws {
        try NetworkNamespace.with { namespace in
            try NetworkNamespace.with { other in
                try Nft.run(in: namespace, "table inet only_here {}")
                #expect(try Nft.ruleset(in: namespace).contains("only_here"))
                #expect(try Nft.ruleset(in: other) == "")
                #expect(
                    try Nft.json(in: namespace, ["list", "tables"]).contains("\"only_here\""))
            }
            #expect(throws: TestSupportError.self) {
                try Nft.run(in: namespace, "table inet broken { nonsense }")
            }
        }
    }
}
