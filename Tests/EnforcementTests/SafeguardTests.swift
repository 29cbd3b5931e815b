import KernelFake
import PortModel
import Reports
import Site
import Testing

@testable import Enforcement

/// `apply` does not cut off whoever typed it.
@Suite struct SafeguardTests {
    static let session = OperatorSession(sshConnection: "10.9.0.1 51234 10.0.0.21 22")

    func target(_ lines: String...) throws -> Compilation.Target {
        try #require(
            compile(
                (["nodes: {conf: {role: conferencing, address: 10.0.0.21}}"] + lines).joined(
                    separator: "\n")
            ).target)
    }

    @Test func anSSHConnectionIsFourWords() throws {
        let session = try #require(Self.session)
        #expect(session.sshConnection == "10.9.0.1 51234 10.0.0.21 22")
        #expect(session.client == IPAddress("10.9.0.1"))
        #expect(session.serverPort == 22)
        let linkLocal = OperatorSession(sshConnection: "fe80::1%eth0 51234 fe80::2%eth0 22")
        #expect(linkLocal?.server == IPAddress("fe80::2"))
    }

    /// As a server that listens for both families on one socket has it.
    @Test func aMappedAddressIsTheIPv4Address() throws {
        for text in [
            "::ffff:10.9.0.1 51234 ::ffff:10.0.0.21 22", "::ffff:10.9.0.1 51234 10.0.0.21 22",
        ] {
            #expect(OperatorSession(sshConnection: text) == Self.session)
        }
        let session = OperatorSession(sshConnection: "::ffff:10.9.0.1 51234 ::ffff:10.0.0.21 22")
        #expect(
            try target("features: {ssh: true}", "peers: {ssh_clients: [10.9.0.0/24]}").cuts(session)
                == [])
        #expect(try target("features: {ssh: false}").cuts(session).count == 1)
    }

    @Test(arguments: [
        "", "10.9.0.1 51234 10.0.0.21", "10.9.0.1 51234 10.0.0.21 22 0", "a 1 b 2",
        "10.9.0.1 65536 10.0.0.21 22", "10.9.0.1 1 2001:db8::1 22",
    ])
    func anythingElseIsNone(_ text: String) {
        #expect(OperatorSession(sshConnection: text) == nil)
    }

    @Test func aSessionThatTheRulesPermitIsNotCut() throws {
        #expect(try target("features: {ssh: true}").cuts(Self.session) == [])
        #expect(
            try target("features: {ssh: true}", "peers: {ssh_clients: [10.9.0.0/24]}").cuts(
                Self.session) == [])
        #expect(try target().cuts(nil) == [])
    }

    @Test func aSessionThatTheyRefuseIsNamedWithTheReason() throws {
        let off = try #require(try target("features: {ssh: false}").cuts(Self.session).first)
        #expect(off.contains("from 10.9.0.1 to 10.0.0.21 port 22"))
        #expect(off.contains("conferencing.in.ssh is off"))
        let narrowed = try #require(
            try target("features: {ssh: true}", "peers: {ssh_clients: [10.8.0.0/24]}").cuts(
                Self.session
            ).first)
        #expect(narrowed.contains("conferencing.in.ssh is closest"))
        #expect(narrowed.contains("10.9.0.1 is not in"))
    }

    @Test func whatIsNotDroppedIsNotCut() throws {
        #expect(try target("mode: observe", "features: {ssh: false}").cuts(Self.session) == [])
        #expect(
            try target("placement: gateway", "features: {ssh: false}").cuts(Self.session) == [])
        // A session of the host with itself.
        let own = OperatorSession(sshConnection: "10.0.0.21 51234 10.0.0.21 22")
        #expect(try target("features: {ssh: false}").cuts(own) == [])
    }

    @Test func aProbeThatTheRulesWouldRefuseIsNamed() throws {
        let probe = "guard: {probes: [\"tcp://10.7.7.7:9999\"]}"
        let cut = try #require(try target(probe).cuts(nil).first)
        #expect(cut.contains("it would refuse the probe tcp://10.7.7.7:9999"))
        let rule = """
            rules:
              - {name: probe, nodes: all, direction: outbound, protocol: tcp, destination_ports: 9999}
            """
        #expect(try target(probe, rule).cuts(nil) == [])
        // To the host itself, and of a family that the node has no address of.
        #expect(try target("guard: {probes: [\"tcp://10.0.0.21:9999\"]}").cuts(nil) == [])
        #expect(try target("guard: {probes: [\"tcp://[2001:db8::1]:9999\"]}").cuts(nil) == [])
    }

    @Test func applyIsRefusedUnlessForced() async throws {
        let bench = try await Bench.holding(1)
        let compilation = compile("nodes: {conf: {role: conferencing, address: 10.0.0.21}}")
        let request = Reconciler.ApplyRequest(session: Self.session)
        for report in [
            await bench.reconciler.applied(compilation, request),
            try await bench.reconciler.inspector.plan(compilation, request),
        ] {
            #expect(report.outcome == .refused)
            #expect(report.problem?.contains("--force") == true)
            #expect(report.generation == 1)
        }
        #expect(await bench.kernel.commits == [])
        try await bench.expectInForce(1, 1)
        let forced = Reconciler.ApplyRequest(isForced: true, session: Self.session)
        #expect(
            try await bench.reconciler.inspector.plan(compilation, forced).outcome == .wouldApply)
        #expect(await bench.reconciler.applied(compilation, forced).outcome == .applied)
        #expect(await bench.state() == .inSync)
    }

    /// What was rolled back from stays what is held against.
    @Test func aRefusedApplyLeavesAHold() async throws {
        let bench = try await Bench.holding(1, 2)
        _ = await bench.reconciler.rolledBack(to: 1)
        let compilation = compile("nodes: {conf: {role: conferencing, address: 10.0.0.21}}")
        _ = await bench.reconciler.applied(
            compilation, Reconciler.ApplyRequest(session: Self.session))
        #expect(await bench.state() == .pinned)
        #expect(await bench.reconciler.isHeld(against: configuration(2)))
    }
}
