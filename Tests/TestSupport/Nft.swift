/// The `nft` program as an observer, and as a loader of hand-written rules, that shares no code
/// with the agent.
package enum Nft {
    /// Loads statements of the nft language.
    package static func run(in namespace: NetworkNamespace, _ script: String) throws {
        let result = try namespace.run(["nft", "-f", "-"], input: script)
        guard result.succeeded else {
            throw TestSupportError("nft refuses a script: \(result.standardError)\n\(script)")
        }
    }

    /// All rules of the namespace as text.
    package static func ruleset(in namespace: NetworkNamespace) throws -> String {
        try namespace.run(["nft", "list", "ruleset"]).requireSuccess().standardOutput
    }

    /// What `nft -j` answers to arguments such as `list`, `ruleset`.
    package static func json(in namespace: NetworkNamespace, _ arguments: [String]) throws -> String
    {
        try namespace.run(["nft", "-j"] + arguments).requireSuccess().standardOutput
    }
}
