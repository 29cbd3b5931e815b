package import PortModel

/// One of the diagrams that the documentation names: the ports that one kind of node uses in one
/// direction, with the site's own nodes, peers and ports.
package struct Diagram: Hashable, Sendable {
    package var role: NodeRole
    package var direction: Direction
    /// `Conferencing Node inbound ports: conf-lon-1`
    package var title: String
    /// The node, or the nodes that are alike.
    package var subject: Box
    /// In the order of the documentation's rows.
    package var devices: [Device]
    /// Rows that permit nothing here.
    package var absent: [Absent]
    /// What the marks of the drawn rows mean, in the documentation's order.
    package var footnotes: [Profile.Note]
    /// What else a reader must know.
    package var notes: [String]

    /// What stands in a frame: a name, and lines below it.
    package struct Box: Hashable, Sendable {
        package var name: String
        package var details: [String]
    }

    /// Devices of one kind at the other end, with the rows that they share.
    package struct Device: Hashable, Sendable {
        package var box: Box
        package var arrows: [Arrow]
    }

    /// A row that permits something, or a rule of the site's own.
    package struct Arrow: Hashable, Sendable {
        package var id: String
        /// Protocol and ports from the sender to the receiver: `TCP any → 443`.
        package var traffic: String
        /// What the row is for.
        package var description: String
        /// Which of the nodes' addresses it is for; nil where all of them.
        package var addresses: String?

        /// The two together.
        package var purpose: String {
            addresses.map { "\(description) (\($0))" } ?? description
        }
    }

    package struct Absent: Hashable, Sendable {
        package var id: String
        package var description: String
        package var reason: String
    }

    /// The name of the group's only, or first, node.
    package var firstNode: String
}

extension [Diagram] {
    /// A name for each diagram's file: `conferencing-inbound`, with the first node's name where the
    /// role has several groups.
    package var fileNames: [String] {
        let plain = map { "\($0.role.rawValue)-\($0.direction.rawValue)" }
        return zip(self, plain).map { diagram, name in
            plain.count { $0 == name } == 1 ? name : "\(diagram.firstNode)-\(name)"
        }
    }
}
