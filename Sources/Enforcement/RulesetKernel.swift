package import Ruleset

/// The kernel's nf_tables as the reconciler needs it.
package protocol RulesetKernel: Sendable {
    /// Every table whose name could be one of ours, as one consistent state.
    func observe() async throws -> [ObservedTable]
    /// Commits a transaction whole or not at all. An error does not prove that nothing was applied.
    func commit(_ transaction: Transaction) async throws
    /// Asks whether the transaction would be taken; changes nothing.
    func check(_ transaction: Transaction) async throws
}

extension ObservedTable {
    /// How the names of all our tables begin.
    package static let namePrefix = "pexip_fw_"
}
