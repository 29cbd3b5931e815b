import DeploymentGenerator
import Enforcement
import Foundation
import Policy
import PortModel
import Reports
import Site
import Testing
import TestSupport

/// What `nmap` finds out about a node is what `pexip-fwctl show ports` says of it: a port that a
/// row opens to the scanner answers, open or closed; every other is silent.
@Suite("Scans")
struct ScanTests {
    private static func configuration(_ placement: Placement) -> String {
        """
        placement: \(placement.rawValue)
        enforce: [conf]
        features: {ssh: true, snmp: true}
        peers:
          ssh_clients: [192.0.2.0/29]
          conference_clients: [192.0.2.7, "2001:db8:9::7"]
          snmp_servers: [192.0.2.6-192.0.2.8]
        nodes:
          mgmt: {role: management, address: [10.0.0.10, "2001:db8::10"]}
          conf:
            role: conferencing
            address: [10.0.0.21, "2001:db8::21"]
            secondary_address: 198.51.100.21
        rules:
          - name: node-exporter
            nodes: [conf]
            direction: inbound
            protocol: tcp
            destination_ports: 9100
            peers: [192.0.2.7]
        """
    }

    /// Who scans, and from which port where it matters.
    private struct Scanner {
        let name: String
        let addresses: [IPAddress]
        var sourcePort: UInt16?
        /// All ports of TCP, or those around the rows' and a random sample.
        var isThorough = false
    }

    private static let node = addresses("10.0.0.21", "198.51.100.21", "2001:db8::21")
    private static let scanners = [
        Scanner(
            name: "a permitted peer", addresses: addresses("192.0.2.7", "2001:db8:9::7"),
            isThorough: true),
        Scanner(name: "a stranger", addresses: addresses("203.0.113.5", "2001:db8:ff::5")),
        // IKE goes from port 500 to port 500.
        Scanner(
            name: "the management node from port 500",
            addresses: addresses("10.0.0.10", "2001:db8::10"), sourcePort: 500),
    ]
    private static let seed: UInt64 = 14

    private static func addresses(_ texts: String...) -> [IPAddress] {
        texts.compactMap { IPAddress($0) }
    }

    @Test("a scan finds what show ports says", arguments: Placement.allCases)
    func scan(_ placement: Placement) throws {
        try requireRoot()
        let peers = Self.scanners.flatMap(\.addresses)
        let topology =
            switch placement {
            case .local: try Topology.nodeAndPeers(nodeAddresses: Self.node, peerAddresses: peers)
            case .gateway: try Topology.gateway(nodeAddresses: Self.node, peerAddresses: peers)
            }
        try topology.use { topology in
            // One service of each plane runs, and one that no row opens.
            let services = try PacketProbe(in: topology.node)
            try services.listen(
                at: Self.node.flatMap { address in
                    [443, 5061, 8080].map { ProbeEndpoint(address, port: $0) }
                })
            try Self.expectNothingFiltered(topology)
            try AgentFixture.with(Self.configuration(placement), in: topology.enforcing) { agent in
                let report = try Self.portsReport(agent)
                let table = try #require(
                    report.tables.first { $0.nodes == ["conf"] && $0.direction == .inbound })
                for scanner in Self.scanners {
                    for ipProtocol in [IPProtocol.tcp, .udp] {
                        try Self.compare(table, scanner, ipProtocol, topology)
                    }
                }
                #expect(try agent.status().state == .inSync)
            }
        }
    }

    private static func portsReport(_ agent: AgentFixture) throws -> PortsReport {
        let shown = try agent.control("show", "ports", "--node", "conf", "--json").requireSuccess()
        return try JSONDecoder().decode(PortsReport.self, from: Data(shown.standardOutput.utf8))
    }

    /// The network itself must answer for every port, else a loss would look like a rule.
    private static func expectNothingFiltered(_ topology: Topology) throws {
        for ipProtocol in [IPProtocol.tcp, .udp] {
            let scan = PortScan(
                source: scanners[0].addresses[0], ipProtocol: ipProtocol,
                ports: [22...22, 443...443, 5060...5061, 9100...9100],
                interface: try outerInterface(topology), isPatient: true)
            let found = try scan.run(in: topology.outside, of: [node[0]])
            let filtered = found[node[0]]?.filter { $0.key != .open && $0.key != .closed }
            #expect(filtered == [:], "\(ipProtocol.name) without an agent: \(found)")
        }
    }

    private static func outerInterface(_ topology: Topology) throws -> String {
        try #require(topology.links.last).b.interface
    }

    private static func compare(
        _ table: PortsReport.Table, _ scanner: Scanner, _ ipProtocol: IPProtocol,
        _ topology: Topology
    ) throws {
        for source in scanner.addresses {
            let hosts = node.filter { $0.family == source.family }
            let isThorough =
                scanner.isThorough && ipProtocol == .tcp && source.family == .ipv4
            let ports =
                isThorough ? PortSet([1...UInt16.max]) : try sample(of: table, ipProtocol)
            let scan = PortScan(
                source: source, sourcePort: scanner.sourcePort, ipProtocol: ipProtocol,
                ports: ports, interface: try outerInterface(topology))
            let started = ContinuousClock.now
            let found = try scan.run(in: topology.outside, of: hosts)
            for host in hosts {
                let opened = try table.ports(of: ipProtocol, of: host, for: scan)
                    .intersection(ports)
                var states = found[host] ?? [:]
                // A busy machine loses packets of a fast scan. A rule refuses them every time.
                let silent = opened.subtracting(states.answering)
                if !silent.isEmpty {
                    var again = scan
                    again.ports = silent
                    again.isPatient = true
                    states.merge(try again.run(in: topology.outside, of: [host])[host] ?? [:]) {
                        $0.union($1)
                    }
                }
                let what =
                    "\(ipProtocol.name) of \(host) scanned by \(scanner.name), \(source), seed \(seed)"
                #expect(
                    opened.subtracting(states.answering) == [],
                    "\(what): these should answer, since show ports says that a row opens them")
                #expect(
                    states.answering.subtracting(opened) == [],
                    "\(what): these should be silent, since show ports has no row that opens them")
                if ipProtocol == .tcp {
                    let services = PortSet([443...443, 5061...5061, 8080...8080])
                    #expect(
                        states[.open] ?? [] == services.intersection(opened),
                        "\(what): services of opened ports should be open, and no others")
                }
                print(
                    "\(what): \(ports.count) ports, \(states.answering.count) answer, \(silent.count) asked again"
                )
            }
            print("  in \(ContinuousClock.now - started)")
        }
    }

    /// The ports around the ends of every row's, and random ones.
    private static func sample(of table: PortsReport.Table, _ ipProtocol: IPProtocol) throws
        -> PortSet
    {
        let ends = try table.lines.flatMap {
            try PortsReport.Table.ports($0.destinationPort).intervals.flatMap {
                [$0.lowerBound, $0.upperBound]
            }
        }
        let margin: UInt16 = ipProtocol == .tcp ? 3 : 2
        var generator = SeededGenerator(seed: seed)
        let random = (0..<(ipProtocol == .tcp ? 2000 : 300)).map { _ in
            UInt16.random(in: 1...UInt16.max, using: &generator)
        }
        return PortSet(
            ends.map { max(1, $0.subtractingSaturated(margin))...$0.addingSaturated(margin) }
                + random.map { $0...$0 })
    }
}

extension PortsReport.Table {
    /// The ports that the table's lines open to a scan, as an administrator reads them.
    fileprivate func ports(
        of ipProtocol: IPProtocol, of address: IPAddress, for scan: PortScan
    ) throws -> PortSet {
        try lines.reduce(into: PortSet()) { ports, line in
            let protocols = line.protocol.replacing(" (TLS)", with: "").split(separator: "/")
            guard line.inactive == nil, protocols.contains(Substring(ipProtocol.name.uppercased())),
                line.nodeAddresses.first.contains("\(address)"),
                try line.peers?.first.contains(where: { peer in
                    try parseAddressRange(peer).contains(scan.source)
                }) ?? true
            else { return }
            let sources = try Self.ports(line.sourcePort)
            guard sources.isAll || scan.sourcePort.map(sources.contains) ?? false else { return }
            ports = ports.union(try Self.ports(line.destinationPort))
        }
    }

    /// A cell such as `<any>`, `22`, `443 / 8057` or `123, 55000–65535`.
    fileprivate static func ports(_ cell: String) throws -> PortSet {
        if cell == "<any>" { return .all }
        if cell == "n/a" { return [] }
        return PortSet(
            try cell.split(whereSeparator: { ",/ ".contains($0) }).map { part in
                let ends = part.split(separator: "–").compactMap { UInt16($0) }
                return try #require(ends.first)...#require(ends.last)
            })
    }
}

extension PortSet {
    fileprivate var count: Int { intervals.reduce(0) { $0 + $1.count } }

    fileprivate func subtracting(_ other: PortSet) -> PortSet { intersection(other.complement) }
}

extension [PortScan.State: PortSet] {
    fileprivate var answering: PortSet { (self[.open] ?? []).union(self[.closed] ?? []) }
}

extension UInt16 {
    fileprivate func subtractingSaturated(_ other: UInt16) -> UInt16 {
        self > other ? self - other : 0
    }

    fileprivate func addingSaturated(_ other: UInt16) -> UInt16 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
