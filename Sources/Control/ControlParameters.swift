internal import Site

// The parameters of our methods, as both ends have them.

/// Of a method that takes none.
package struct NoParameters: Hashable, Sendable, Codable {
    package init() {}
}

/// The name of a node as somebody wrote it. Read from a call, it is one that a node can have.
package struct NodeName: Hashable, Sendable, Codable {
    /// The name; of a client, any word that was typed.
    package let text: String

    /// - Parameter text: not looked at; the agent refuses what is no name.
    package init(_ text: String) { self.text = text }

    /// - Throws: `DecodingError` for a text that no node can have as its name.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        text = try container.decode(String.self)
        guard Deployment.isName(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "no name of a node")
        }
    }

    /// - Throws: whatever the encoder throws.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

/// Of a method that tells of a node, or of all.
package struct NodeParameters: Hashable, Sendable, Codable {
    /// The node; nil for all.
    package var node: NodeName?

    package init(node: String? = nil) { self.node = node.map(NodeName.init) }
}

/// Of the method that tells who is refused.
package struct DropsParameters: Hashable, Sendable, Codable {
    /// Only refusals to and from this node.
    package var node: NodeName?
    /// How many talkers are told, from 1 to 100.
    package var limit: Int?

    package init(node: String? = nil, limit: Int? = nil) {
        self.node = node.map(NodeName.init)
        self.limit = limit
    }
}

/// Of the method that tells of the mesh.
package struct MeshParameters: Hashable, Sendable, Codable {
    /// Only pairs with this node.
    package var node: NodeName?
    /// Also pairs that are up, however many there are.
    package var all: Bool?

    package init(node: String? = nil, all: Bool? = nil) {
        self.node = node.map(NodeName.init)
        self.all = all
    }
}

/// Of the method that tells what an apply would change.
package struct PlanParameters: Hashable, Sendable, Codable {
    /// Even where the session is cut.
    package var force: Bool?
    /// The caller's `SSH_CONNECTION`.
    package var session: String?
    /// Whether the differences of the tables are told.
    package var tables: Bool?

    package init(force: Bool? = nil, session: String? = nil, tables: Bool? = nil) {
        self.force = force
        self.session = session
        self.tables = tables
    }
}

/// Of the method that puts the configuration in force.
package struct ApplyParameters: Hashable, Sendable, Codable {
    /// The time for `Confirm`, in seconds; nil for the configuration's.
    package var confirmSeconds: Int?
    /// Even where the session is cut, and without probes.
    package var force: Bool?
    /// The caller's `SSH_CONNECTION`, which the new rules must not cut.
    package var session: String?
    /// Whether the differences of the tables are told.
    package var tables: Bool?

    package init(
        confirmSeconds: Int? = nil, force: Bool? = nil, session: String? = nil,
        tables: Bool? = nil
    ) {
        self.confirmSeconds = confirmSeconds
        self.force = force
        self.session = session
        self.tables = tables
    }
}

/// Of the method that puts an older generation in force.
package struct RollbackParameters: Hashable, Sendable, Codable {
    /// The generation's number; nil for the one before.
    package var generation: Int?

    package init(generation: Int? = nil) { self.generation = generation }
}
