package import Deployment
package import PortModel
package import Ruleset

/// A numbered, stored policy that was applied: what the kernel is to hold, and where it came from.
package struct Generation: Hashable, Sendable, Codable {
    /// Counts from 1. Of one state directory no two generations that were in force have one number.
    package var number: Int
    package var created: Timestamp
    package var origin: Origin
    /// SHA-256 of the configuration files that it was compiled from.
    package var configurationDigest: String
    /// Those files, so that the rows can be told as the site configured them.
    package var configuration: [ConfigurationText]
    /// Those of them, or of the generation before, that came, went or differ; nil where this is the
    /// first, or an earlier version made it.
    package var changedFiles: [String]?
    package var mode: Mode
    /// Whether established flows that it does not permit are ended.
    package var revokesEstablished: Bool
    /// `host.track_media`; nil where an earlier version made it, which means `auto`.
    package var mediaTracking: Host.MediaTracking?
    package var nodes: [EnforcedNode]
    /// The compiled tables without stamps.
    package var ruleset: Ruleset
    /// It was to be confirmed and was not yet: without a record of what is in force, it is not taken
    /// for that.
    package var isProvisional = false

    /// What made the agent apply it.
    package enum Origin: String, Hashable, Sendable, Codable {
        /// The directory changed, or SIGHUP or new addresses of the host asked for another look.
        case directory
        /// `pexip-fwctl apply`.
        case command
        /// The agent started.
        case start
    }

    /// Of its nodes' addresses.
    var families: Set<AddressFamily> { Set(nodes.flatMap(\.addresses).map(\.family)) }

    /// The tables as they stand in the kernel.
    package var stamped: Ruleset {
        Ruleset(
            tables: ruleset.tables.map {
                $0.stamped(
                    Stamp(generation: number, digest: SHA256Digest(of: $0.text).hexadecimal))
            })
    }
}

/// A configuration file as a generation was compiled from it.
package struct ConfigurationText: Hashable, Sendable, Codable {
    package var path: String
    package var text: String

    package init(path: String, text: String) {
        self.path = path
        self.text = text
    }
}

extension [ConfigurationText] {
    /// The paths of the files that came, went or differ, sorted.
    func changes(from old: Self) -> [String] {
        Set(self).symmetricDifference(old).reduce(into: Set()) { $0.insert($1.path) }.sorted()
    }
}

extension Generation {
    /// The deployment that the generation was compiled from; nil where this version reads its
    /// files otherwise.
    package var deployment: Deployment? {
        LoadedConfiguration(
            parsing: configuration.map { ConfigurationSource(path: $0.path, text: $0.text) }
        ).deployment
    }
}

/// A node that a generation enforces.
package struct EnforcedNode: Hashable, Sendable, Codable {
    package var name: String
    package var role: NodeRole
    /// Primary, then secondary addresses.
    package var addresses: [IPAddress]
    /// The table that holds its rules.
    package var table: String
    /// In gateway placement, the class of nodes with equal policy whose chains it shares.
    package var policyClass: String?
    /// How many rows and site rules apply to it.
    package var rows: Int

    package init(
        name: String, role: NodeRole, addresses: [IPAddress], table: String,
        policyClass: String? = nil, rows: Int
    ) {
        self.name = name
        self.role = role
        self.addresses = addresses
        self.table = table
        self.policyClass = policyClass
        self.rows = rows
    }
}
