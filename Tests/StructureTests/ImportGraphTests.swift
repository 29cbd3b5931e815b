import Foundation
import TestSupport
import Testing

/// Arrows between the package's targets point one way, and only some lead to C libraries.
@Suite struct ImportGraphTests {
    /// Read once.
    private static let graph = Result { try ImportGraph.read() }

    @Test func thePackageIsAsItIsDescribed() throws {
        let graph = try Self.graph.get()
        #expect(graph.targets.count > 40)
        #expect(graph.faults == [])
    }

    @Test func theCommandReachesNoLibnftables() throws {
        let reached = try Self.graph.get().reached(from: "pexip-fwctl")
        #expect(reached.contains("Netlink"))
        #expect(reached.isDisjoint(with: ["Nftables", "CNftables"]))
    }

    /// By whatever way.
    @Test func theCommandLoadsNoLibnftables() throws {
        let program = try BuiltProducts.path(of: "pexip-fwctl")
        let libraries = try ChildProcess.run(["ldd", program]).requireSuccess().standardOutput
        #expect(libraries.contains("libmnl.so"))
        for name in ["libnftables", "libxtables", "libjansson", "libgmp"] {
            #expect(!libraries.contains(name), "\(libraries)")
        }
    }

    /// Each fault is found where it is put into the graph as it is.
    @Test(arguments: [
        ("Policy", "Ruleset", "Policy reaches Ruleset"),
        ("Policy", "Ruleset", "Ruleset reaches itself"),
        ("Ruleset", "Enforcement", "a.swift, which is pure, imports Enforcement"),
        ("Display", "Glibc", "a.swift, which is pure, imports Glibc"),
        ("Site", "CYaml", "a.swift, which is pure, imports CYaml"),
        ("Netlink", "Nftables", "Netlink reaches Nftables"),
        ("Doctor", "CMnl", "CMnl is imported by [\"Doctor\", \"Netlink\"], not by Netlink"),
        ("Doctor", "Configuration", "Doctor imports Configuration undeclared"),
    ])
    func aFaultIsFound(_ importer: String, _ imported: String, _ words: String) throws {
        var targets = try Self.graph.get().targets
        targets[importer]?.imports[imported] = ["a.swift"]
        #expect(ImportGraph(targets: targets).faults.contains(words))
    }

    @Test(arguments: [("Policy", "Site"), ("Nftables", "Netlink")])
    func anArrowThatIsMissingIsFound(_ importer: String, _ imported: String) throws {
        var targets = try Self.graph.get().targets
        targets[importer]?.imports[imported] = nil
        let faults = ImportGraph(targets: targets).faults
        #expect(faults.contains("\(importer) does not import \(imported)"))
        #expect(faults.contains("\(importer) declares \(imported) and imports it nowhere"))
    }
}
