import Configuration
import Enforcement
import PortModel
import Ruleset
import Site
import Testing

@testable import Doctor

func address(_ text: String) -> IPAddress {
    guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
    return address
}

/// What a host is to do by a configuration, where it has these addresses.
func site(_ text: String, host: [String] = ["10.0.0.21"]) throws -> EnforcedSite {
    let loaded = LoadedConfiguration(parsing: [ConfigurationSource(path: "a.yaml", text: text)])
    let compilation = Compilation(loaded, hostAddresses: Set(host.map(address)))
    return EnforcedSite(try #require(compilation.target, "\(compilation.diagnostics)"))
}

let mesh = """
    nodes:
      mgmt: {role: management, address: 10.0.0.10}
      conf-1: {role: conferencing, address: 10.0.0.21}
      conf-2: {role: conferencing, address: 10.0.0.22}

    """

let dualHomed = """
    nodes:
      mgmt: {role: management, address: 10.0.0.10}
      conf-1: {role: conferencing, address: 10.0.0.21, secondary_address: 198.51.100.21}

    """

let gateway = mesh + "placement: gateway\n"

extension HostFacts {
    /// A host on which everything is as it should be for ``mesh`` and ``gateway``.
    static var healthy: HostFacts {
        var facts = HostFacts()
        facts.localPorts = .known(55000...65535)
        facts.reservedPorts = .known([])
        facts.tracking = .known(ConnectionTracking(entries: 100, limit: 262_144, buckets: 262_144))
        facts.helpers.assignments = .known([])
        facts.interfaces = .known([
            "eth0": Interface(
                addresses: [address("10.0.0.21")],
                forwards: [.ipv4: .known(true), .ipv6: .known(true)]),
            "eth1": Interface(
                addresses: [address("198.51.100.21")],
                forwards: [.ipv4: .known(true), .ipv6: .known(true)]),
        ])
        facts.reversePathOfAll = .known(.off)
        facts.forwards = [.ipv4: .known(true), .ipv6: .known(true)]
        facts.routes = .known([
            address("10.0.0.10"): "eth0", address("10.0.0.21"): "eth0",
            address("10.0.0.22"): "eth0",
        ])
        facts.shadows = .known([])
        facts.translations = .known([])
        facts.refusal = .known(nil)
        return facts
    }

    mutating func change(_ name: String, _ body: (inout Interface) -> Void) throws {
        guard case .known(var all) = interfaces else { preconditionFailure("no interfaces") }
        body(&all[name]!)
        interfaces = .known(all)
    }
}

/// The findings of one check that are not fine.
func found(
    _ check: Finding.Check, _ facts: HostFacts, _ text: String
) throws -> [Finding] {
    Examination.findings(facts, try site(text)).filter {
        $0.check == check && $0.severity != .ok
    }
}

/// The only finding of a check.
func only(_ check: Finding.Check, _ facts: HostFacts, _ text: String) throws -> Finding {
    let findings = try found(check, facts, text)
    try #require(findings.count == 1, "\(findings)")
    return findings[0]
}
