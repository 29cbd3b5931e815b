package import PortModel

/// One of the diagrams that the documentation names: the ports that one kind of node uses in one
/// direction, with the site's own nodes, peers and ports.
package struct Diagram: Hashable, Sendable {
    /// The kind of node that is drawn.
    package var role: NodeRole
    /// Inbound arrows lead to the node, outbound ones away from it.
    package var direction: Direction
    /// `Conferencing Node inbound ports: conf-lon-1`
    package var title: String
    /// The node, or the nodes that are alike.
    package var subject: Box
    /// In the order of the documentation's rows.
    package var devices: [Device]
    /// Rows that permit nothing here.
    package var absent: [Absent]
    /// The meaning of the marks of the drawn rows, in the documentation's order.
    package var footnotes: [Profile.Note]
    /// Everything else that a reader must know, such as mode `observe`.
    package var notes: [String]

    /// The content of a frame: a name, and lines below it.
    package struct Box: Hashable, Sendable {
        /// The node's name, a count of nodes, or the "Device" cell with its mark.
        package var name: String
        /// Addresses, names and roles; long lists of them are cut, and say so.
        package var details: [String]
    }

    /// Devices of one kind at the other end, with the rows that they share.
    package struct Device: Hashable, Sendable {
        /// The devices and the addresses that they are narrowed to.
        package var box: Box
        /// In the order of the documentation's rows; at least one.
        package var arrows: [Arrow]
    }

    /// A row that permits something, or a rule of the site's own.
    package struct Arrow: Hashable, Sendable {
        /// The row's or the site rule's id.
        package var id: String
        /// Protocol and ports from the sender to the receiver: `TCP any → 443`.
        package var traffic: String
        /// The "Description" cell with its mark.
        package var description: String
        /// Which of the nodes' addresses it is for; nil where all of them.
        package var addresses: String?

        /// The two together.
        package var purpose: String {
            addresses.map { "\(description) (\($0))" } ?? description
        }
    }

    /// A row that permits nothing here, told below the picture.
    package struct Absent: Hashable, Sendable {
        /// The row's or the site rule's id.
        package var id: String
        /// The "Protocol" and "Description" cells with their marks.
        package var description: String
        /// Why it permits nothing, such as `features.ssh is off`.
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
