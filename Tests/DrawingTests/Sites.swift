import Configuration
import PortModel
import Site
import Testing

/// Deployments to draw.
enum Sites {
    static func deployment(_ text: String) throws -> Deployment {
        let loaded = LoadedConfiguration(parsing: [
            ConfigurationSource(path: "site.yaml", text: text)
        ])
        return try #require(loaded.deployment, "\(loaded.diagnostics)")
    }

    static let office = """
        features: {ssh: true, snmp: true}
        groups:
          office: [10.1.0.0/16, "2001:db8:1::/48"]
        peers:
          ssh_clients: ["@office"]
          dns_servers: [10.0.0.2]
          snmp_servers: ["2001:db8::5"]
        nodes:
          mgmt: {role: management, address: 10.0.0.10}
          conf-lon-1:
            role: conferencing
            address: [10.0.0.21, "2001:db8::21"]
            secondary_address: 198.51.100.21
          conf-lon-2: {role: conferencing, address: 10.0.0.22, features: {sip_udp: true}}
        rules:
          - name: node-exporter
            nodes: [conf-lon-1]
            direction: inbound
            protocol: tcp
            destination_ports: 9100
            peers: ["@office"]
        """

    /// As long as names, addresses and lists can be.
    static var longest: Deployment {
        get throws {
            let address = { (last: Int) in "2001:db8:1111:2222:3333:4444:5555:\(last)" }
            let ports = (0..<30).map { "\(10_000 + 3 * $0)-\(10_001 + 3 * $0)" }
            let peers = (0..<40).map { "\"\(address(1_000 + 2 * $0))-\(address(9_000 + $0))\"" }
            let name = String(repeating: "W", count: 63)
            let rule = String(repeating: "m", count: 64)
            let features = Feature.allCases.map { "\($0.rawValue): true" }
            let classes = PeerClass.allCases.map {
                "\($0.rawValue): [\(peers[0]), 10.0.0.1-10.0.0.200, 10.1.0.0/16, 10.3.0.0/17, 10.4.0.0/17]"
            }
            return try deployment(
                """
                mode: observe
                features: {\(features.joined(separator: ", "))}
                transports: {syslog: tcp}
                ports: {psom: [10443, 11443, 12443, 13443, 14443, 15443, 16443, 17443]}
                peers: {\(classes.joined(separator: ", "))}
                nodes:
                  \(name):
                    role: conferencing
                    address: [192.168.200.200, "\(address(1_111))"]
                    secondary_address: [192.168.100.100, "\(address(2_222))"]
                  mgmt-\(name.dropLast(5)): {role: management, address: 10.0.0.10}
                rules:
                  - name: \(rule)
                    nodes: all
                    direction: inbound
                    protocol: udp
                    source_ports: [\(ports.joined(separator: ", "))]
                    destination_ports: [\(ports.joined(separator: ", "))]
                    peers: [\(peers[0])]
                """)
        }
    }
}
