import Configuration
import Enforcement
import PortModel
import Ruleset
import Site
import TestSupport

/// The deployments that are measured, and the rules they are compared with.
enum Rules {
    static let nodeAddresses = addresses("10.0.0.21", "2001:db8::21")
    static let peerAddresses = addresses("192.0.2.7", "2001:db8:ff::7")

    static func addresses(_ texts: String...) -> [AddressFamily: IPAddress] {
        Dictionary(
            uniqueKeysWithValues: texts.map { text in
                guard let address = IPAddress(text) else { preconditionFailure(text) }
                return (address.family, address)
            })
    }

    /// A Conferencing Node of three nodes, with every peer class open.
    ///
    /// - Parameter signaling: the first port of the signalling range, for what changes one port.
    static func local(signaling: Int = 33_000) -> String {
        """
        placement: local
        ports: {signaling: \(signaling)-39999}
        features: {ssh: true}
        nodes:
          mgmt: {role: management, address: [10.0.0.10, "2001:db8::10"]}
          conf-lon-1: {role: conferencing, address: [10.0.0.21, "2001:db8::21"]}
          conf-lon-2: {role: conferencing, address: [10.0.0.22, "2001:db8::22"]}
        host: {ping: true}

        """
    }

    /// Files for a gateway before `count` nodes, of which the first is the measured one: one
    /// Management Node, and the rest Conferencing Nodes of equal policy.
    ///
    /// - Parameters:
    ///   - files: among which the nodes are divided.
    ///   - clients: how many single addresses may use SSH; 0 for any. With them come ten rules of the
    ///     site's own.
    static func gateway(_ count: Int, files: Int = 1, clients: Int = 0) -> [String: String] {
        var texts = ["05-site.yaml": "placement: gateway\nenforce: auto\nfeatures: {ssh: true}\n"]
        if clients > 0 {
            // A file takes a megabyte.
            let floors = stride(from: 0, to: clients, by: 10_000)
            for floor in floors {
                // Not neighbours of each other: nothing merges.
                let list = (floor..<min(clients, floor + 10_000)).map { address("172.16", 2 * $0) }
                texts["06-floor-\(floor).yaml"] =
                    "groups:\n  floor-\(floor): [\(list.joined(separator: ", "))]\n"
            }
            let groups = floors.map { "\"@floor-\($0)\"" }.joined(separator: ", ")
            texts["07-peers.yaml"] = "peers: {ssh_clients: [\(groups)]}\n"
            // Each for every node: what compares the nodes of rules with nodes is seen.
            let rules = (0..<10).map {
                "  - {name: port-\($0), nodes: all, direction: inbound, protocol: tcp, destination_ports: \(9000 + $0), peers: any}\n"
            }
            texts["08-rules.yaml"] = "rules:\n" + rules.joined()
        }
        let each = (count + files - 1) / files
        for file in 0..<files {
            let nodes = (file * each..<min(count, (file + 1) * each)).map { index in
                let role = index == 1 ? "management" : "conferencing"
                return "  \(name(index)): {role: \(role), address: \(node(index))}\n"
            }
            let digits = String(1000 + file).dropFirst()
            texts["1\(digits)-nodes.yaml"] = "nodes:\n" + nodes.joined()
        }
        return texts
    }

    static func name(_ index: Int) -> String { "node-\(index)" }

    /// Of the gateway's nodes: the measured node's address and those after it.
    static func node(_ index: Int) -> String {
        index == 0 ? "[10.0.0.21, \"2001:db8::21\"]" : address("10.32", index)
    }

    private static func address(_ network: String, _ index: Int) -> String {
        let parts = network.split(separator: ".").compactMap { Int($0) }
        return "\(parts[0]).\(parts[1] + index >> 16).\(index >> 8 & 255).\(index & 255)"
    }

    /// Reads files as the agent would.
    static func load(_ files: [String: String]) -> LoadedConfiguration {
        let sources = files.sorted { $0.key < $1.key }.map {
            ConfigurationSource(path: $0.key, text: $0.value)
        }
        return LoadedConfiguration(parsing: sources)
    }

    static func compile(_ files: [String: String]) throws -> Ruleset { try compile(load(files)) }

    /// Compiles what was read as the agent would.
    static func compile(_ loaded: LoadedConfiguration) throws -> Ruleset {
        let compilation = Compilation(loaded, hostAddresses: Set(nodeAddresses.values))
        guard let target = compilation.target else {
            throw BenchmarkError("\(compilation.diagnostics)")
        }
        return target.ruleset
    }

    /// What `nft -f` takes to have these rules and no others of ours, whatever was there.
    static func script(_ ruleset: Ruleset) -> String {
        ruleset.tables.map { "table inet \($0.name)\ndelete table inet \($0.name)\n" }.joined()
            + Transaction(from: [], to: ruleset).text
    }

    /// The least that a stateful firewall does.
    static func onlyConnectionTracking(_ hook: String) -> String {
        """
        table inet bare {
          chain \(hook) {
            type filter hook \(hook) priority filter; policy accept;
            ct state established,related accept
          }
        }
        """
    }

    /// What exempting packets from connection tracking costs before any is looked at.
    static let onlyExemption = """
        table inet bare {
          chain raw {
            type filter hook prerouting priority raw; policy accept;
            notrack accept
          }
          chain input {
            type filter hook input priority filter; policy accept;
            accept
            ct state established accept
          }
        }
        """

    /// The earliest drop that there is.
    static let rawDrop = """
        table inet bare {
          chain raw {
            type filter hook prerouting priority raw; policy accept;
            udp dport \(deniedPort) drop
          }
        }
        """

    static let mediaPort: UInt16 = 40_000
    /// No row answers there.
    static let deniedPort: UInt16 = 7
    static let servicePort: UInt16 = 5061
}
