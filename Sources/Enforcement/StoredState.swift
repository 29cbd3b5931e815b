internal import Reports
internal import Ruleset
internal import Site

/// A value of the state directory. Its digest tells only that a file is as it was written, not by
/// whom: what is read is judged as if a stranger had written it.
protocol StoredState: Codable {
    /// - Throws: the first reason why the agent never stores such a value.
    func validate() throws(StoredFault)
}

/// Why a value is none that the agent stores.
struct StoredFault: Error, Hashable, Sendable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Bounds on what is stored beside the rules.
private enum StoredLimits {
    /// Bytes of a file's path.
    static let path = 4_096
    /// Bytes of a SHA-256, and of a boot's id, as text.
    static let identifier = 64
    /// Milliseconds that no host runs: a hundred years.
    static let uptime: Int64 = 100 * 366 * 86_400_000

    /// A text that is only ever compared, as digests and the ids of boots are.
    static func isIdentifier(_ text: String) -> Bool {
        text.utf8.count <= identifier && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }
}

extension Generation: StoredState {
    /// As many as every reader of JSON counts exactly (RFC 8259).
    static let numbers = 1...(1 << 53 - 1)

    func validate() throws(StoredFault) {
        try Self.validate(number)
        guard StoredLimits.isIdentifier(configurationDigest) else {
            throw StoredFault("configurationDigest is none")
        }
        guard configuration.count <= ConfigurationLimits.files,
            configuration.allSatisfy({ $0.path.utf8.count <= StoredLimits.path }),
            configuration.reduce(0, { $0 + $1.text.utf8.count })
                <= ConfigurationLimits.bytesOfAllFiles
        else { throw StoredFault("configuration is larger than one that is read") }
        // All that the one before had, and all that this one has.
        guard changedFiles?.count ?? 0 <= 2 * ConfigurationLimits.files,
            changedFiles?.allSatisfy({ $0.utf8.count <= StoredLimits.path }) ?? true
        else { throw StoredFault("changedFiles names more than there can be") }
        do throws(RulesetFault) {
            try ruleset.validate()
        } catch {
            throw StoredFault("ruleset: \(error)")
        }
        try Self.validate(names: nodes.map(\.name))
        guard rows.map(hasNodes) ?? true else {
            throw StoredFault("resolvedRows are those of other nodes")
        }
        let tables = Set(ruleset.tables.map(\.name))
        for node in nodes {
            guard tables.contains(node.table) else {
                throw StoredFault("node \(node.name) is in a table that there is not")
            }
            guard node.policyClass.map(StoredLimits.isIdentifier) ?? true else {
                throw StoredFault("node \(node.name) is in a class that there is not")
            }
            guard (0...ConfigurationLimits.yamlNodes).contains(node.rows), !node.addresses.isEmpty
            else { throw StoredFault("node \(node.name) has no such rows or addresses") }
        }
    }

    fileprivate static func validate(_ number: Int) throws(StoredFault) {
        guard numbers.contains(number) else { throw StoredFault("no generation \(number)") }
    }

    fileprivate static func validate(names: [String]) throws(StoredFault) {
        var known: Set<String> = []
        for name in names {
            guard Deployment.isName(name) else {
                throw StoredFault("\"\(name)\" is no node's name")
            }
            guard known.insert(name).inserted else {
                throw StoredFault("node \(name) stands twice")
            }
        }
    }
}

extension GenerationSummary: StoredState {
    func validate() throws(StoredFault) {
        try Generation.validate(number)
        try Generation.validate(names: nodes)
    }
}

extension Standing: StoredState {
    func validate() throws(StoredFault) {
        for number in [generation, pending?.fallback].compactMap(\.self) {
            try Generation.validate(number)
        }
        guard newest == 0 || Generation.numbers.contains(newest) else {
            throw StoredFault("no newest generation \(newest)")
        }
        if let hold {
            guard StoredLimits.isIdentifier(hold.against),
                hold.explanation?.utf8.count ?? 0 <= Hold.longestExplanation
            else { throw StoredFault("hold is none that there can be") }
        }
        if let pending {
            guard (0...StoredLimits.uptime).contains(pending.deadline.milliseconds),
                StoredLimits.isIdentifier(pending.deadline.bootID),
                StoredLimits.isIdentifier(pending.configurationDigest)
            else { throw StoredFault("pending is nothing that can be waited for") }
        }
    }
}
