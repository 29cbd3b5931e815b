/// Where the rules stand.
package enum Placement: String, Hashable, Sendable, CaseIterable, Codable {
    /// The agent runs on the node: input and output hooks.
    case local
    /// The agent runs on the Linux router, firewall or hypervisor in front of nodes: forward hook.
    case gateway
}

/// A family of nf_tables, in nft's words: which packets its tables see.
package enum TableFamily: String, Hashable, Sendable, Codable, CaseIterable {
    case ip
    case ip6
    /// IPv4 and IPv6.
    case inet
    case arp
    /// The frames that a bridge passes on.
    case bridge
    case netdev
}

extension TableFamily {
    /// The families of our placements' tables: in others no table is ours, whatever it is called.
    package static let ofPlacements = Set(Placement.allCases.map(\.facts.family))
}

extension Placement {
    /// How one placement differs from others.
    package struct Facts: Hashable, Sendable {
        /// The hooks at which packets are judged.
        package let hooks: [JudgingHook]
        /// Of its tables.
        package let family: TableFamily
        /// Whether its hooks see the host's own packets or those that it forwards.
        package let traffic: Traffic
        /// Whether UDP media is tracked, whatever `host.track_media` says.
        package let tracksMedia: Bool
        /// The one table of all nodes, in which those of equal policy share chains; nil where each node
        /// has a table of its own, called after it.
        package let sharedTable: String?
    }

    /// A netfilter hook.
    package enum JudgingHook: Hashable, Sendable {
        case input
        case forward
        case output
    }

    /// The packets that are judged.
    package enum Traffic: Hashable, Sendable {
        /// The host's own: it is the node.
        case own
        /// The packets that the host routes for others: any number of nodes, and all that speak
        /// with them.
        case routed
    }

    /// The facts of this placement, for code that would otherwise tell placements apart by name.
    package var facts: Facts {
        switch self {
        case .local:
            Facts(
                hooks: [.input, .output], family: .inet, traffic: .own, tracksMedia: false,
                sharedTable: nil)
        case .gateway:
            Facts(
                hooks: [.forward], family: .inet, traffic: .routed, tracksMedia: true,
                sharedTable: Self.gatewayTable)
        }
    }

    /// The one table of gateway placement.
    package static let gatewayTable = "pexip_fw_gateway"
}

extension Placement.Facts {
    /// Whether the host is the one node that is enforced, and `host` says what it needs beside that
    /// node's rows.
    package var judgesHost: Bool {
        switch traffic {
        case .own: true
        case .routed: false
        }
    }

    /// Whether packets from one to another come by, both of whose ends may be enforced nodes.
    package var judgesForwarded: Bool { !judgesHost }
}
