internal import Enforcement
package import Nftables
package import Ruleset

/// The reconciler's kernel: nf_tables and connection tracking of this network
/// namespace.
extension NftablesKernel: RulesetKernel {
    package func observeStructure(compiled names: Set<String>) throws -> [ObservedTable] {
        try structure(compiled: names).tables
    }

    package nonisolated func observeStructureForPlans(
        compiled names: Set<String>
    ) async throws -> [ObservedTable] {
        try await planningStructure(compiled: names).tables
    }

    package nonisolated func foreignTables(
        compiled names: Set<String>
    ) async throws -> ForeignTables {
        try await foreign(compiled: names)
    }
}
