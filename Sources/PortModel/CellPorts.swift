/// The ports of one end of a row or of a site rule, with a node's own values.
package enum CellPorts: Hashable, Sendable, Codable {
    /// `<any>`
    case any
    /// `n/a`: the protocol has no ports.
    case notApplicable
    /// Alternatives, grouped as the documentation's cell groups them: constants first, which are one
    /// group, then a range. Each range of a site rule is a group.
    case groups([[ClosedRange<UInt16>]])

    /// - Parameter ports: those of the node.
    package init(_ cell: PortCell, _ ports: PortAssignments) {
        switch cell {
        case .any: self = .any
        case .notApplicable: self = .notApplicable
        case .configurable(let port): self = .groups([ports[port].map { $0...$0 }])
        case .ports(let numbers, let range):
            self = .groups(
                (numbers.isEmpty ? [] : [numbers.map { $0...$0 }])
                    + (range.map { [[ports[$0]]] } ?? []))
        }
    }

    package init(_ ports: PortSet, of ipProtocol: IPProtocol) {
        if !ipProtocol.hasPorts {
            self = .notApplicable
        } else if ports.isAll {
            self = .any
        } else {
            self = .groups(ports.intervals.map { [$0] })
        }
    }

    /// The ports that match; all of them where the protocol has none.
    package var set: PortSet {
        switch self {
        case .any, .notApplicable: .all
        case .groups(let groups): PortSet(groups.joined())
        }
    }

    /// The groups as the documentation prints them, such as `389 / 636` and `33000–39999`; nil where
    /// there are none.
    package var groupTexts: [String]? {
        guard case .groups(let groups) = self else { return nil }
        return groups.map { group in
            group.map {
                $0.lowerBound == $0.upperBound
                    ? "\($0.lowerBound)" : "\($0.lowerBound)–\($0.upperBound)"
            }.joined(separator: " / ")
        }
    }

    /// The cell as the documentation prints it, without marks.
    package var text: String {
        switch self {
        case .any: "<any>"
        case .notApplicable: "n/a"
        case .groups: groupTexts?.joined(separator: ", ") ?? ""
        }
    }
}
