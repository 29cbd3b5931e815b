package import PortModel
package import Site

/// A base chain of somebody else's table by which packets that leave this host get another source.
/// Their answers come to this host's own addresses and ports, and only connection tracking knows whose
/// they are.
package struct SourceTranslation: Hashable, Sendable {
    /// Of the chain's table.
    package var family: TableFamily
    /// The table's name, which may be anything: show it by ``ObjectName/words(_:)``.
    package var table: String
    /// nil where rules can't be read (iptables-legacy): then they may do so.
    package var chain: String?

    /// - Parameter chain: nil where rules can't be read.
    package init(family: TableFamily, table: String, chain: String?) {
        self.family = family
        self.table = table
        self.chain = chain
    }

    /// Such as `table ip nat, chain POSTROUTING`.
    package var place: String {
        let table = "table \(family.rawValue) \(ObjectName.words(table))"
        guard let chain else { return "iptables-legacy's \(table)" }
        return "\(table), chain \(ObjectName.words(chain))"
    }
}

extension SourceTranslation: Comparable {
    package static func < (a: Self, b: Self) -> Bool { a.order < b.order }

    private var order: (String, String, String) { (table, family.rawValue, chain ?? "") }
}

extension [SourceTranslation] {
    /// Those by which packets of these families go.
    package func concerning(_ families: Set<AddressFamily>) -> [SourceTranslation] {
        filter {
            switch $0.family {
            case .ip: families.contains(.ipv4)
            case .ip6: families.contains(.ipv6)
            case .inet, .arp, .bridge, .netdev: true
            }
        }
    }

    /// So many are named.
    private static let named = 3

    /// Their places, and what they do.
    package var finding: String {
        let more = count > Self.named ? " and \(count - Self.named) more" : ""
        let may =
            allSatisfy { $0.chain == nil }
            ? "may translate sources" : "may give packets of others this host's addresses"
        return "\(prefix(Self.named).map(\.place).joined(separator: "; "))\(more) \(may)"
    }
}
