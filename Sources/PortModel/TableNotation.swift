// The documentation's tables as they are written down in a profile: one line a row, with its columns
// in the documentation's order.

extension Profile {
    /// The rows of one table.
    package static func table(
        _ role: NodeRole, _ direction: Direction, _ lines: [Line]
    ) -> [Row] {
        lines.map { $0.row(role, direction) }
    }

    /// A line of one table, in the order of its columns.
    package struct Line {
        private let name: String
        private let protocols: [IPProtocol]
        private let isTLS: Bool
        private let source: PortCell
        private let destination: PortCell
        private let description: String
        private let device: String
        private let peer: Peer
        private let plane: Plane
        private let feature: Feature?
        private let featureMark: (Footnote, Column)
        private let deviceMark: Footnote?
        private let configurableTransport: Bool

        /// - Parameters:
        ///   - name: the last part of the row's id.
        ///   - feature: makes the row apply; its `mark` stands in the column `markAt`. The marks of
        ///     ports follow from the cells.
        ///   - configurableTransport: whether the administrator may choose UDP or TCP.
        package init(
            _ name: String, _ protocols: [IPProtocol], tls: Bool = false, _ source: PortCell,
            _ destination: PortCell, _ description: String, _ device: String, _ peer: Peer,
            _ plane: Plane = .any, when feature: Feature? = nil, mark: Footnote = .featureOnly,
            markAt: Column = .description, deviceMark: Footnote? = nil,
            configurableTransport: Bool = false
        ) {
            self.name = name
            self.protocols = protocols
            self.isTLS = tls
            self.source = source
            self.destination = destination
            self.description = description
            self.device = device
            self.peer = peer
            self.plane = plane
            self.feature = feature
            self.featureMark = (mark, markAt)
            self.deviceMark = deviceMark
            self.configurableTransport = configurableTransport
        }

        fileprivate func row(_ role: NodeRole, _ direction: Direction) -> Row {
            var marks: [Column: Footnote] = [:]
            if feature != nil { marks[featureMark.1] = featureMark.0 }
            if configurableTransport { marks[.protocol] = .portConfigurable }
            marks[.sourcePort] = Self.mark(of: source)
            marks[.destinationPort] = Self.mark(of: destination)
            marks[.device] = deviceMark
            return Row(
                id: "\(role.rawValue).\(direction == .inbound ? "in" : "out").\(name)", role: role,
                direction: direction, protocols: protocols, isTLS: isTLS, source: source,
                destination: destination, description: description, device: device, peer: peer,
                plane: plane, feature: feature, hasConfigurableTransport: configurableTransport,
                marks: marks)
        }

        private static func mark(of cell: PortCell) -> Footnote? {
            switch cell {
            case .configurable(.psom): .psomPorts
            case .configurable: .portConfigurable
            case .ports(_, .signaling), .ports(_, .media): .rangeConfigurable
            case .any, .notApplicable, .ports: nil
            }
        }
    }
}
