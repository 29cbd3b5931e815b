package import Policy
package import PortModel
package import Ruleset
package import Site

/// A numbered, stored policy that was applied: what the kernel is to hold, and where it came from.
package struct Generation: Hashable, Sendable, Codable {
    /// Counts from 1. Of one state directory no two generations that were in force have one number.
    package var number: Int
    /// When it was compiled.
    package var created: Timestamp
    package var origin: Origin
    /// SHA-256 of the configuration files that it was compiled from.
    package var configurationDigest: String
    /// Those files, so that the rows can be told as the site configured them.
    package var configuration: [ConfigurationText]
    /// Those of them, or of the generation before, that came, went or differ; nil where this is the
    /// first, or an earlier version made it.
    package var changedFiles: [String]?
    /// Whether refused packets are dropped or only counted.
    package var mode: Mode
    /// Whether established flows that it does not permit are ended.
    package var revokesEstablished: Bool
    /// `host.track_media`; nil where an earlier version made it, which means `auto`.
    package var mediaTracking: Host.MediaTracking?
    /// The nodes that it enforces here; in local placement the host's own.
    package var nodes: [EnforcedNode]
    /// The compiled tables without stamps.
    package var ruleset: Ruleset
    /// The rows of its nodes; nil where another version made it, which stored none or in another
    /// form.
    package var rows: NodeRows? {
        get { storedRows?.rows }
        set { storedRows = newValue.map { StoredRows(rows: $0) } }
    }
    private var storedRows: StoredRows?
    /// It was to be confirmed and was not yet: without a record of what is in force, it is not taken
    /// for that.
    package var isProvisional = false

    /// - Parameter ruleset: without stamps, which need the number and the text.
    package init(
        number: Int, created: Timestamp, origin: Origin, configurationDigest: String,
        configuration: [ConfigurationText], changedFiles: [String]? = nil, mode: Mode,
        revokesEstablished: Bool, mediaTracking: Host.MediaTracking? = nil,
        nodes: [EnforcedNode], ruleset: Ruleset, rows: NodeRows? = nil,
        isProvisional: Bool = false
    ) {
        self.number = number
        self.created = created
        self.origin = origin
        self.configurationDigest = configurationDigest
        self.configuration = configuration
        self.changedFiles = changedFiles
        self.mode = mode
        self.revokesEstablished = revokesEstablished
        self.mediaTracking = mediaTracking
        self.nodes = nodes
        self.ruleset = ruleset
        self.isProvisional = isProvisional
        self.rows = rows
    }

    private enum CodingKeys: String, CodingKey {
        case number, created, origin, configurationDigest, configuration, changedFiles, mode
        case revokesEstablished, mediaTracking, nodes, ruleset, isProvisional
        case storedRows = "resolvedRows"
    }

    /// The cause of the apply that made it.
    package enum Origin: String, Hashable, Sendable, Codable, CaseIterable {
        /// The directory changed, or SIGHUP or new addresses of the host asked for another look.
        case directory
        /// `pexip-fwctl apply`.
        case command
        /// The agent started.
        case start
    }

    /// Whether flows are ended that it does not permit.
    package var endsFlows: Bool { revokesEstablished && mode == .enforce }

    /// Of its nodes' addresses.
    package var families: Set<AddressFamily> { Set(nodes.flatMap(\.addresses).map(\.family)) }
}

/// Rows as they stand in a generation's file.
private struct StoredRows: Hashable, Sendable, Codable {
    /// nil where they have another version's form.
    var rows: NodeRows?

    init(rows: NodeRows) { self.rows = rows }

    init(from decoder: any Decoder) throws { rows = try NodeRows(stored: decoder) }

    func encode(to encoder: any Encoder) throws { try rows?.store(to: encoder) }
}

/// A configuration file as a generation was compiled from it.
package struct ConfigurationText: Hashable, Sendable, Codable {
    /// As diagnostics name the file.
    package var path: String
    /// The whole file; bytes that are no UTF-8 are replaced.
    package var text: String

    /// - Parameter path: as diagnostics name the file.
    package init(path: String, text: String) {
        self.path = path
        self.text = text
    }
}

extension [ConfigurationText] {
    /// The paths of the files that came, went or differ, sorted.
    package func changes(from old: Self) -> [String] {
        // As bytes: to hash texts of many combining marks takes time that grows with its square.
        func byPath(_ files: Self) -> [[UInt8]: [UInt8]] {
            Dictionary(
                files.map { ([UInt8]($0.path.utf8), [UInt8]($0.text.utf8)) },
                uniquingKeysWith: { $1 })
        }
        let (before, after) = (byPath(old), byPath(self))
        return Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }
            .sorted { $0.lexicographicallyPrecedes($1) }
            .map { String(decoding: $0, as: UTF8.self) }
    }
}

/// Why what a generation was compiled from can't be told: this version is stricter than the one that
/// made it. Its rules are in force all the same.
package struct RefusedFiles: Error, Hashable, Sendable, CustomStringConvertible {
    /// In words; where there is a generation, with the command that mends it.
    package let description: String

    /// There is no generation.
    package static let none = RefusedFiles(description: "nothing is in force")

    private init(description: String) { self.description = description }

    /// - Parameters:
    ///   - generation: its number.
    ///   - diagnostics: of reading its files with this version; the first error is told.
    package init(of generation: Int, _ diagnostics: [Diagnostic]) {
        let first = diagnostics.first { $0.severity == .error }
        let reason = first.map { diagnostic in
            (diagnostic.location.map { "\($0): " } ?? "") + diagnostic.message
        }
        description =
            "generation \(generation) was made by another version, and this one refuses its files (\(reason ?? "they configure nothing")): correct the present ones, and say pexip-fwctl apply"
    }
}

/// A node that a generation enforces.
package struct EnforcedNode: Hashable, Sendable, Codable {
    /// As the configuration calls it.
    package var name: String
    /// It decides which rows apply.
    package var role: NodeRole
    /// Primary, then secondary addresses.
    package var addresses: [IPAddress]
    /// The table that holds its rules.
    package var table: String
    /// In gateway placement, the class of nodes with equal policy whose chains it shares.
    package var policyClass: String?
    /// How many rows and site rules apply to it.
    package var rows: Int

    /// - Parameter policyClass: nil in local placement.
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
